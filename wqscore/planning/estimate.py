"""How long scoring takes, as a range: what is certain to be computed, and what may be."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from wqscore.fits.sampling import Sampling
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.planning.work import Speed, work_of
from wqscore.presets.preset import Preset

#: Near a limit, verdicts draw the goodness of fit up to 20 times as often; over a model it has been up to 4 times.
_MORE_DRAWS = 4
#: Shuffles of what may be noise, and what the estimate of the rest is off by.
_MORE_WORK = 2
#: Above so many seconds a time is in minutes, and above so many in hours.
_SECONDS, _MINUTES = 90, 5400


def seconds_range(
    matrices: Iterable[WeightMatrix], preset: Preset, sampling: Sampling, speed: Speed
) -> tuple[float, float]:
    """The least and the most seconds that scoring is likely to take on one core, with all its random work.

    Args:
        matrices: what is scored.
        preset: its fits decide on the work.
        sampling: how often it resamples, and draws for the goodness of fit.
        speed: of one core.
    """
    matrices = list(matrices)
    least = speed.seconds(work_of(matrices, preset, sampling))
    without = speed.seconds(work_of(matrices, preset, Sampling(sampling.seed, 0, 0)))
    return least, _MORE_WORK * without + _MORE_DRAWS * (least - without)


def duration_range(least: float, most: float) -> str:
    """A range of times for people, both ends rounded up, in one unit.

    Example:
        >>> duration_range(0.41, 1.32), duration_range(70, 200), duration_range(0, 0)
        ('0.5 to 1.4 s', '2 to 4 min', '0.1 s')
    """
    unit, size, step = "s", 1, 1.0
    if most >= _MINUTES:
        unit, size, step = "h", 3600, 0.1
    elif most >= _SECONDS:
        unit, size = "min", 60
    elif most < 10:
        step = 0.1
    low, high = (max(ceil(round(seconds / size / step, 6)), 1) * step for seconds in (least, most))
    shown = [f"{value:.1f}" if step < 1 else f"{value:.0f}" for value in (low, high)]
    return f"{shown[0]} {unit}" if shown[0] == shown[1] else f"{shown[0]} to {shown[1]} {unit}"

"""Known figures of the steps of a run, and how each metric goes along with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from wqscore.errors import UsageError
from wqscore.escaping import listed
from wqscore.fits.interval import Interval
from wqscore.ranking.rank_correlation import rho_interval, spearman
from wqscore.studies.correlation.columns import Better, claim_of, known_columns
from wqscore.studies.correlation.row import MIN_MODELS
from wqscore.studies.known.score_table import LISTED, ScoreTable, check_once

#: From this |ρ| on, a sign says something.
TELLING = 0.5
#: What is said where a metric goes the other way.
WARNING = "sign differs from its declared direction"
#: Significant digits of a metric that count.
_DIGITS = 6
_KEYS = ("step", "epoch", "model")


@dataclass(frozen=True)
class KnownFigure:
    """How a metric goes along with the known figure.

    Attributes:
        x: the metric.
        spearman: Spearman's rho over the steps; `None` where one of the two is constant.
        interval: 95 %, as if the steps were independent, which they are not; `None` where there is none.
        n: how many steps have both.
        declared: which direction of the metric is declared better, `None` where nobody claims one.
        warning: that the sign differs from it; empty otherwise.
    """

    x: str
    spearman: float | None
    interval: Interval | None
    n: int
    declared: Better | None
    warning: str


@dataclass(frozen=True)
class KnownSteps:
    """A figure that is known of the steps of a run.

    Attributes:
        y: the column.
        better: which direction of it is better.
        values: by step.
    """

    y: str
    better: Better
    values: Mapping[int, float]


def known_steps(
    table: ScoreTable, names: Mapping[int, Sequence[str]], unit: str, y: str | None, better: Better
) -> KnownSteps:
    """Find the steps of a run in a table.

    Args:
        table: has a column `step` (or `epoch`, for a run that counts these), or `model`.
        names: by step, what a model may be called.
        unit: what the run counts.
        y: the column of the figure; may be `None` if only one column has numbers.
        better: which direction of it is better.

    Raises:
        UsageError: a column is missing or ambiguous, or fewer than 3 steps have a figure.
    """
    key = next((name for name in _KEYS if name in table.columns and (name != "epoch" or unit == "epoch")), None)
    if key is None:
        raise UsageError(f"{table.source}: no column step or model, to find the steps by: add one")
    check_once(table.words(key) if key == "model" else [f"{step:.15g}" for step in table.numbers(key)], table.source)
    choices = known_columns(table, _KEYS)
    if y is not None and y not in table.columns:
        raise UsageError(f"{table.source}: no column {y!r}: choose one with --y: {listed(choices, LISTED)}")
    if y is None and len(choices) != 1:
        raise UsageError(f"{table.source}: choose a column to compare with, by --y: {listed(choices, LISTED)}")
    chosen = y or choices[0]
    rows = _by_name(table.words(key), names) if key == "model" else _by_step(table.numbers(key), names)
    figures = table.numbers(chosen)
    values = {step: float(figures[row]) for step, row in rows.items() if isfinite(figures[row])}
    if len(values) < MIN_MODELS:
        raise UsageError(
            f"{table.source}: {chosen!r} has figures for {len(values)} of the {len(names)} {unit}s, fewer than the "
            f"{MIN_MODELS} needed: name them by a column {unit}"
        )
    return KnownSteps(chosen, better, values)


def correlated(known: KnownSteps, metrics: Mapping[str, Mapping[int, float]]) -> tuple[KnownFigure, ...]:
    """How each metric goes along with the known figure.

    Args:
        known: the figure.
        metrics: by metric and step, the finite values.
    """
    return tuple(_row(name, values, known) for name, values in metrics.items())


def rho_of(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's rho of a metric and a figure; `None` for fewer than 3 values, and for constants.

    Values of the metric that are equal to six digits are tied: rounding in the stored type may tell them apart.
    """
    if len(x) < MIN_MODELS:
        return None
    return spearman(np.array([float(f"{value:.{_DIGITS}g}") for value in x]), np.array(y))


def _row(metric: str, values: Mapping[int, float], known: KnownSteps) -> KnownFigure:
    steps = [step for step in values if step in known.values]
    rho = rho_of([values[step] for step in steps], [known.values[step] for step in steps])
    declared = claim_of(metric)
    differs = (
        rho is not None and abs(rho) >= TELLING and declared is not None and (rho > 0) != (declared == known.better)
    )
    interval = None if rho is None else rho_interval(rho, len(steps))
    return KnownFigure(metric, rho, interval, len(steps), declared, WARNING if differs else "")


def _by_step(numbers: np.ndarray, names: Mapping[int, Sequence[str]]) -> dict[int, int]:
    return {int(number): row for row, number in enumerate(numbers) if isfinite(number) and number in names}


def _by_name(words: Sequence[str], names: Mapping[int, Sequence[str]]) -> dict[int, int]:
    rows = {word: row for row, word in enumerate(words)}
    found = {step: next((rows[name] for name in each if name in rows), None) for step, each in names.items()}
    return {step: row for step, row in found.items() if row is not None}

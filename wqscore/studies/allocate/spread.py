"""Do the blocks differ by more than their matrices leave open?"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt

import numpy as np

from wqscore.rendering.numbers import figure
from wqscore.studies.allocate.layers import Layer

#: Half a 95 % interval, in standard errors.
_Z = 1.96
#: Below this share of the mean, a spread is called small whatever its error.
_SMALL = 0.01


def spread_warning(layers: Sequence[Layer], by: str) -> str | None:
    """A warning where the spread of a metric over blocks is below the interval of a block's mean.

    The interval is that of a mean over a block's matrices, after the difference between roles is taken out: an
    additive model of block and role, whose residuals are the noise.

    Args:
        layers: the matrices, with their blocks and roles.
        by: the metric's name.

    Returns:
        The warning; `None` where the blocks differ, or where that can't be told.
    """
    known = [each for each in layers if isfinite(each.metric)]
    values = np.array([each.metric for each in known])
    blocks, block_of = np.unique([each.block for each in known], return_inverse=True)
    if blocks.size < 2:
        return None
    roles, role_of = np.unique([each.role for each in known], return_inverse=True)
    adjusted = values - _means(values, role_of)[role_of]
    centres = _means(adjusted, block_of)
    spread = float(np.std(centres, ddof=1))
    if spread <= _SMALL * abs(float(values.mean())):
        return f"layers hardly differ: the spread of {by} over blocks, {figure(spread)}, is below 1 % of its mean"
    freedom = values.size - blocks.size - roles.size + 1
    if freedom < 1:
        return None
    noise = float(np.sum((adjusted - centres[block_of]) ** 2)) / freedom
    reach = _Z * sqrt(noise / (values.size / blocks.size))
    if spread > reach:
        return None
    return (
        f"layers hardly differ: the spread of {by} over blocks, {figure(spread)}, is below the interval of a block's "
        f"mean, ±{figure(reach)}"
    )


def _means(values: np.ndarray, group_of: np.ndarray) -> np.ndarray:
    means: np.ndarray = np.bincount(group_of, weights=values) / np.bincount(group_of)
    return means

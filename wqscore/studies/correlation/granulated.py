"""Granulated Kendall's tau: does a metric predict the result along one hyper-parameter, with the others fixed?

Jiang, Neyshabur, Mobahi, Krishnan & Bengio, "Fantastic generalization measures and where to find them", ICLR 2020
(arXiv 1912.02178), section 4.1: a metric that only follows, say, width correlates well over a whole grid but not
along its other axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from wqscore.ranking.rank_correlation import kendall_tau_b


@dataclass(frozen=True)
class AxisTau:
    """The mean tau-b along one axis (ψ of the paper).

    Attributes:
        axis: the hyper-parameter that varies.
        tau: the mean over cells; `None` without one.
        cells: number of settings of the other axes with a tau; a cell whose models all have the same x or y has none.
        n: number of models in these cells.
    """

    axis: str
    tau: float | None
    cells: int
    n: int


@dataclass(frozen=True)
class Granulated:
    """A metric along every axis.

    Attributes:
        x: the metric.
        axes: the mean tau of each axis.
    """

    x: str
    axes: tuple[AxisTau, ...]

    @property
    def tau(self) -> float | None:
        """The mean over the axes that have a tau (Ψ of the paper)."""
        taus = [axis.tau for axis in self.axes if axis.tau is not None]
        return fmean(taus) if taus else None


def granulate(x: str, values: np.ndarray, y: np.ndarray, axes: Mapping[str, Sequence[str]]) -> Granulated:
    """Average tau-b over the cells in which only one axis varies, for each axis.

    Args:
        x: the metric's name.
        values: its values, finite, shape (n,).
        y: the published result, finite, shape (n,).
        axes: the setting of each of the n models, by the hyper-parameter's name.
    """
    return Granulated(x, tuple(_along(axis, values, y, axes) for axis in axes))


def _along(axis: str, values: np.ndarray, y: np.ndarray, axes: Mapping[str, Sequence[str]]) -> AxisTau:
    others = [settings for name, settings in axes.items() if name != axis]
    cells: dict[tuple[str, ...], list[int]] = {}
    for model in range(values.size):
        cells.setdefault(tuple(settings[model] for settings in others), []).append(model)
    found = [(kendall_tau_b(values[models], y[models]), len(models)) for models in cells.values()]
    taus = [(tau, models) for tau, models in found if tau is not None]
    mean = fmean(tau for tau, _ in taus) if taus else None
    return AxisTau(axis, mean, len(taus), sum(models for _, models in taus))

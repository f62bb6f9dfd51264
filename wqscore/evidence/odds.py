"""The odds that the better value is the better model's, learned from decisions by a logistic function of the gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from wqscore.evidence.decisions import Decisions
from wqscore.evidence.record import KnownModel
from wqscore.metrics.registry import METRICS

#: The size of a model stands beside the metrics: log parameters, and larger is better.
SIZE = "params"
#: Gaps enter as asinh(3·gap): in proportion while they are small, as their logarithm beyond a third of the typical
#: one. On the development families, odds of gaps themselves were too modest for small gaps, too bold for large ones.
_BENT = 3.0
#: The strength of the prior that a gap says nothing: this much of one family's evidence.
RIDGE = 0.1
_STEPS = 50
_LARGEST_STEP = 1.0
_SMALLEST_STEP = 1e-6


@dataclass(frozen=True)
class Gaps:
    """The gaps of one metric over decisions; those where either model lacks it or both have the same are left out.

    Attributes:
        gaps: how far the better model is ahead, in units of its tool's typical gap inside a family; negative where
            the metric has it the wrong way round.
        kept: which of the decisions these are.
        of: the families of each decision.
        families: number of families in all.
        tools: whose unit each gap has.
        scales: the typical gap of each tool: the median over families of a family's median gap.
    """

    gaps: np.ndarray
    kept: np.ndarray
    of: np.ndarray
    families: int
    tools: list[str]
    scales: dict[str, float]

    @property
    def bent(self) -> np.ndarray:
        """What odds are a function of, one column."""
        return bend(self.gaps)[:, None]

    def in_units_of(self, scales: Mapping[str, float]) -> np.ndarray:
        """The gaps in the typical gaps of other decisions; of a tool that these lack, in its own."""
        units = [self.scales[tool] / scales.get(tool, self.scales[tool]) for tool in self.tools]
        scaled: np.ndarray = self.gaps * np.array(units)
        return scaled


def bend(gaps: np.ndarray) -> np.ndarray:
    """Gaps in typical ones as odds take them: asinh(3·gap), which is antisymmetric too."""
    bent: np.ndarray = np.arcsinh(_BENT * gaps)
    return bent


def oriented(metric: str, models: Sequence[KnownModel]) -> np.ndarray:
    """A metric's values such that higher is better, as its registry entry claims; NaN where a model has none."""
    if metric == SIZE:
        sizes: np.ndarray = np.log(np.array([model.params for model in models], dtype=float))
        return sizes
    values: np.ndarray = np.array([model.values.get(metric, nan) for model in models], dtype=float)
    if METRICS[metric].better == "lower":
        values = -values
    return values


def measure_gaps(metric: str, decided: Decisions) -> Gaps:
    """The gaps of a metric over decisions."""
    gaps = oriented(metric, decided.better) - oriented(metric, decided.worse)
    kept = np.flatnonzero(np.isfinite(gaps) & (gaps != 0))
    gaps, of = gaps[kept], decided.of[kept]
    tools = [_tool(metric, decided.better[index]) for index in kept.tolist()]
    scales = {}
    for tool in sorted({*tools}):
        inside = np.array(tools) == tool
        scales[tool] = _typical(np.abs(gaps[inside]), of[inside])
    scaled = gaps / np.array([scales[tool] for tool in tools])
    return Gaps(scaled, kept, of, len(np.unique(of)), tools, scales)


def family_weights(of: np.ndarray) -> np.ndarray:
    """Weights with which every family counts alike, however many decisions it has; two families share a decision.

    Args:
        of: families of each decision, an array of shape (decisions, 2).

    Example:
        >>> family_weights(np.array([[0, 0], [0, 0], [1, 1]]))
        array([0.5, 0.5, 1. ])
    """
    if not len(of):
        return np.zeros(0)
    across = of[:, 0] != of[:, 1]
    families = int(of.max()) + 1
    counts = np.bincount(of[:, 0], minlength=families) + np.bincount(of[across, 1], minlength=families)
    weights: np.ndarray = (1 / counts[of]).mean(axis=1)
    return weights


def fit(
    features: np.ndarray,
    weights: np.ndarray,
    ridge: float = RIDGE,
    prior: float = 0.0,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """The slopes b that minimise Σ w·log(1 + exp(−x·b)) + ridge/2·‖b − prior‖², by Newton's method.

    The better model comes first in every row, so each row is an observed success; without an intercept the odds of A
    over B are the inverse of those of B over A (Bradley and Terry, Biometrika 1952, with covariates).

    Args:
        features: gaps, of shape (decisions, features).
        weights: weight of each decision.
        ridge: strength of the prior.
        prior: the slopes that no evidence leaves; 0 gives every decision odds of one half.
        start: where to begin; changes nothing but the time.
    """
    slopes = np.full(features.shape[1], prior) if start is None else start
    for _ in range(_STEPS):
        wrong = logistic(-features @ slopes)
        gradient = features.T @ (weights * wrong) - ridge * (slopes - prior)
        curvature = (features.T * (weights * wrong * (1 - wrong))) @ features + ridge * np.eye(len(slopes))
        step = np.linalg.solve(curvature, gradient)
        slopes = slopes + step * min(1.0, _LARGEST_STEP / max(np.abs(step).max(), _SMALLEST_STEP))
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    return slopes


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−x)), without overflow."""
    odds: np.ndarray = np.exp(-np.logaddexp(0, -x))
    return odds


def log_losses(features: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """−ln of the odds given to what happened, of each decision; ln 2 is a coin's."""
    losses: np.ndarray = np.logaddexp(0, -features @ slopes)
    return losses


def _tool(metric: str, model: KnownModel) -> str:
    """Whose unit a gap has; a number of parameters is everybody's."""
    return "" if metric == SIZE else model.scored_by


def _typical(gaps: np.ndarray, of: np.ndarray) -> float:
    """The median over families of a family's median gap."""
    families = np.unique(of)
    return float(np.median([np.median(gaps[(of == family).any(axis=1)]) for family in families]))


def probability(gap: float, slope: float) -> float:
    """The odds that the model ahead by a gap is the better one, the gap in units of the typical one."""
    return float(logistic(slope * bend(np.array(gap))))

"""Whether a metric stays the same under a transformation: proven, disproven, or not claimed."""

from __future__ import annotations

from typing import Literal

from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.symmetries.sites import Layout

Invariance = Literal["exact", "moves", "none-claimed"]

#: What a metric costs where it is a function of a matrix's eigenvalues and sides alone.
OF_EIGENVALUES = ("free", "fit")
#: Transformations that multiply each matrix by orthogonal ones, so that its eigenvalues stay.
_ORTHOGONAL = ("neuron.permutation", "head.permutation", "residual.rotation")
#: Pure numbers that depend on the scale of a matrix all the same.
_SCALED = ("alpha_weighted", "log_alpha_norm")


def invariance(name: str, metric: str, layout: Layout) -> Invariance:
    """Whether a metric of matrices stays the same under a transformation.

    Args:
        name: the transformation.
        metric: the metric.
        layout: the model's.

    Returns:
        `exact` where all matrices keep their eigenvalues, or a metric that ignores their scale keeps its value;
        `moves` where they don't; `none-claimed` for metrics of shuffles, windows and vectors, which are no functions
        of eigenvalues, and for fits that a change of scale may send elsewhere.
    """
    found = MATRIX_METRICS[metric]
    if found.cost not in OF_EIGENVALUES:
        return "none-claimed"
    if name in _ORTHOGONAL or (name == "attention.qk" and _only_signs(layout)):
        return "exact"
    if name == "residual.scale" and found.unit in ("1", "eigenvalues") and metric not in _SCALED:
        return "exact" if found.cost == "free" else "none-claimed"
    return "moves"


def _only_signs(layout: Layout) -> bool:
    return all(attention.norms for attention in layout.attentions)

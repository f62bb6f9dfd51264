"""Metrics of the right singular vectors, in the bulk and in the tail of the spectrum."""

from __future__ import annotations

from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.metrics.metric import MatrixFunction, MatrixMetric

_QUANTITIES = {
    "vec_entropy": "−Σ p ln p over the 100-bin histogram of |v|",
    "loc_ratio": "‖v‖₁/‖v‖_∞, the localisation ratio",
    "part_ratio": "‖v‖₂/‖v‖₄, the participation ratio",
}
_PARTS = {"bulk": "λ < xmin", "tail": "λ ≥ xmin"}
_STATISTICS = {"mean": "mean", "var": "variance"}
_CAVEAT = (
    "no claim; an order by convention. A square matrix stored transposed has other right vectors, and those of equal "
    "eigenvalues are arbitrary"
)


def _compute(part: str, field: str) -> MatrixFunction:
    def compute(analysis: MatrixAnalysis) -> float:
        return float(getattr(getattr(analysis.localisation, part), field))

    return compute


VECTOR_METRICS = tuple(
    MatrixMetric(
        f"{part}_{statistic}_{quantity}",
        f"{of} over the singular vectors v with {where} of {formula}",
        "WeightWatcher 0.7.7 vectors=True; Martin & Mahoney, JMLR 22 (2021)",
        _CAVEAT,
        _compute(part, f"{statistic}_{quantity}"),
        cost="vectors",
        undefined="no fitted tail, or none of its vectors in this part",
    )
    for part, where in _PARTS.items()
    for quantity, formula in _QUANTITIES.items()
    for statistic, of in _STATISTICS.items()
)

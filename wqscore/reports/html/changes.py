"""What differs between two models matrix by matrix: how much as a rule, and where most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import median

from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.role_draws import MatrixKey, matrix_key


@dataclass(frozen=True)
class Changes:
    """How two models differ over the matrices that both have.

    Attributes:
        typical: the median of the differences without their signs; NaN where the models share no matrix.
        largest: the difference that is largest without its sign; NaN likewise.
        name: the first model's name of the matrix that has it; empty likewise.
        matrices: how many matrices are compared.
    """

    typical: float
    largest: float
    name: str
    matrices: int


def changes_between(first: Sequence[LayerScore], second: Sequence[LayerScore], metric: str) -> Changes:
    """Compare two models by one metric of matrices.

    Args:
        first: a model's matrices, embeddings and heads among them.
        second: the other's.
        metric: what they are compared by; differences are the first's value less the second's.
    """
    others = _by_key(second)
    found: list[tuple[float, str]] = []
    for key, row in _by_key(first).items():
        difference = row.metrics[metric] - others[key].metrics[metric] if key in others else nan
        if isfinite(difference):
            found.append((difference, row.matrix.name))
    if not found:
        return Changes(nan, nan, "", 0)
    largest, name = max(found, key=lambda item: abs(item[0]))
    return Changes(median(abs(difference) for difference, _ in found), largest, name, len(found))


def _by_key(layers: Sequence[LayerScore]) -> Mapping[MatrixKey, LayerScore]:
    """Matrices by what they share with those of other models; of two with the same, the first."""
    found: dict[MatrixKey, LayerScore] = {}
    for row in layers:
        found.setdefault(matrix_key(row), row)
    return found

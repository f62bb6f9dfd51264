"""Match the matrices of two checkpoints by name, ignoring base-model prefixes, and by shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wqscore.matrices.weight_matrix import WeightMatrix

#: Prefixes that a task model adds to the names of its base model.
_PREFIXES = frozenset(
    {"albert", "base_model", "bert", "distilbert", "electra", "gpt_neox", "model", "module", "roberta", "transformer"}
)


def by_canonical_name(matrices: Iterable[WeightMatrix]) -> dict[str, WeightMatrix]:
    """Index matrices by their names without prefixes; of two with the same name the first is kept."""
    found: dict[str, WeightMatrix] = {}
    for matrix in matrices:
        found.setdefault(canonical_name(matrix.name), matrix)
    return found


def canonical_name(name: str) -> str:
    """Strip the prefixes of base models from a matrix's name.

    Example:
        >>> canonical_name("bert.encoder.layer.0.output.dense.weight")
        'encoder.layer.0.output.dense.weight'
    """
    while name.partition(".")[0] in _PREFIXES:
        name = name.partition(".")[2]
    return name


def matching_matrix(matrix: WeightMatrix, others: Mapping[str, WeightMatrix]) -> WeightMatrix | None:
    """Find the same matrix in another model; `None` if it has none of that name and shape."""
    other = others.get(canonical_name(matrix.name))
    shape = (matrix.slices, matrix.rows, matrix.columns)
    return other if other and (other.slices, other.rows, other.columns) == shape else None

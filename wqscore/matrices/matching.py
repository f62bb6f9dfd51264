"""Which matrix of one checkpoint is which of another: by name, with or without the base model's prefix, and shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wqscore.matrices.weight_matrix import WeightMatrix

#: What a task model puts before the names that its base model has.
_PREFIXES = frozenset(
    {"albert", "base_model", "bert", "distilbert", "electra", "gpt_neox", "model", "module", "roberta", "transformer"}
)


def by_bare_name(matrices: Iterable[WeightMatrix]) -> dict[str, WeightMatrix]:
    """Matrices by their names without prefix; the first of two that have the same."""
    found: dict[str, WeightMatrix] = {}
    for matrix in matrices:
        found.setdefault(bare_name(matrix.name), matrix)
    return found


def bare_name(name: str) -> str:
    """A matrix's name without the prefixes of base models.

    Example:
        >>> bare_name("bert.encoder.layer.0.output.dense.weight")
        'encoder.layer.0.output.dense.weight'
    """
    while name.partition(".")[0] in _PREFIXES:
        name = name.partition(".")[2]
    return name


def partner(matrix: WeightMatrix, others: Mapping[str, WeightMatrix]) -> WeightMatrix | None:
    """The same matrix of another model, `None` where it has none of that name and shape."""
    other = others.get(bare_name(matrix.name))
    shape = (matrix.slices, matrix.rows, matrix.columns)
    return other if other and (other.slices, other.rows, other.columns) == shape else None

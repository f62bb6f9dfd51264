"""Match the matrices of two checkpoints by name, ignoring wrappers and base-model prefixes, and by shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from wqscore.matrices.plain_names import plain_name
from wqscore.matrices.weight_matrix import WeightMatrix

#: Prefixes that a task model, a training loop or a composed model adds to the names of its base model.
_PREFIXES = frozenset(
    {"albert", "base_model", "bert", "distilbert", "electra", "gpt_neox", "model", "module", "roberta", "transformer"}
    | {"backbone", "convnext", "deberta", "deit", "dinov2", "esm", "hubert", "longformer", "mpnet", "resnet", "swin"}
    | {"language_model", "net", "network", "state_dict", "vit", "wav2vec2"}
)


def by_canonical_name(matrices: Iterable[WeightMatrix]) -> dict[str, WeightMatrix]:
    """Index matrices by their names without prefixes; of two with the same name the first is kept."""
    found: dict[str, WeightMatrix] = {}
    for matrix in matrices:
        found.setdefault(canonical_name(matrix.name), matrix)
    return found


@lru_cache(maxsize=1 << 14)
def canonical_name(name: str) -> str:
    """Strip wrappers and the prefixes of base models from a matrix's name.

    Example:
        >>> canonical_name("_orig_mod.module.model.layers.0.mlp.up_proj.weight")
        'layers.0.mlp.up_proj.weight'

        >>> canonical_name("bert.encoder.layer.0.output.dense.weight")
        'encoder.layer.0.output.dense.weight'
    """
    name = plain_name(name)
    while name.partition(".")[0] in _PREFIXES:
        name = name.partition(".")[2]
    return name


def matching_matrix(matrix: WeightMatrix, others: Mapping[str, WeightMatrix]) -> WeightMatrix | None:
    """Find the same matrix in another model; `None` if it has none of that name and shape."""
    other = others.get(canonical_name(matrix.name))
    shape = (matrix.slices, matrix.rows, matrix.columns)
    return other if other and (other.slices, other.rows, other.columns) == shape else None


def why_none_matches(matrices: Iterable[WeightMatrix], others: Mapping[str, WeightMatrix]) -> str:
    """Why no matrix has its like in another model, in a few words; empty if one has."""
    of_the_same_name = 0
    for matrix in matrices:
        if matching_matrix(matrix, others):
            return ""
        of_the_same_name += canonical_name(matrix.name) in others
    if of_the_same_name:
        return f"{of_the_same_name} names match, but none of their shapes"
    return "no name matches"

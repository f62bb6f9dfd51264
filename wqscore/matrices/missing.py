"""Find weights that must be there and are not: empty, absent, or of a shape that they can't have.

A training run that is saved without gathering its parts, a copy that was cut short or a merge that lost a file leaves
such weights, and what is left of the model reads well. Names, sibling layers and the configuration tell them. Layers
may differ on purpose, so a difference alone is not enough: it must be one that no model can compute with.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices import roles
from wqscore.matrices.gated import Shape
from wqscore.matrices.layer_gaps import absent_layers
from wqscore.matrices.model_config import ModelConfig

_NUMBER = re.compile(r"(^|\.)[0-9]{1,9}(?=\.)")
#: The last part of a parameter's name.
_PARAMETER = re.compile(
    r"(^|[._])(q?weight(_\w+)?|kernel|bias|gamma|beta|embeddings?|[qkv]_bias|in_proj_(weight|bias))$"
)
#: What may be empty: buffers, and what libraries keep beside weights.
_MAY_BE_EMPTY = re.compile(
    r"(^|[._])(mask|position_ids|token_type_ids|num_batches_tracked|running_(mean|var)|extra_state|inv_freq|freqs(_cis)?"
    r"|(cos|sin)_cached|g_idx|perm|workspace|dummy\w*|device_\w+)$"
)
#: The matrices of a block by role, and those in pairs of which not one alone can differ from the siblings'.
_CHAINS = (
    ("attention.q", "attention.o"),
    ("attention.k", "attention.v"),
    ("mlp.in", "mlp.out"),
    ("mlp.gate", "mlp.out"),
)
_UNITS = frozenset(role for chain in _CHAINS for role in chain)
_TAKING = frozenset({"attention.q", "attention.k", "attention.v"})
#: Layers may share keys and values with an earlier one.
_SHARED = frozenset({"attention.k", "attention.v"})
#: All matrices of an attention and of a gated MLP.
_WHOLE = (
    {"attention.q", "attention.k", "attention.v", "attention.o"},
    {"mlp.gate", "mlp.in", "mlp.out"},
)
_WEIGHT = re.compile(r"\.(weight|kernel|qweight|weight_packed)$")


#: Tensors that may stand for a weight, or that show that it is known to be empty.
_STORED_OTHERWISE = (
    *(
        "weight",
        "kernel",
        "qweight",
        "weight_packed",
        "weight_v",
        "weight_orig",
        "W_q",
        "codes",
        "trellis",
        "q_weight",
    ),
    *("parametrizations.weight.original", "parametrizations.weight.original0", "parametrizations.weight.original1"),
    *("base_layer.weight", "weight._data", "_weight_qdata", "compressed", "linear.weight", "weight_blocks"),
)


@dataclass(frozen=True)
class Misfit:
    """Why a weight counts as missing, and whether it must be a matrix: of one that is empty this may not be known."""

    reason: str
    is_matrix: bool


def misfits(tensors: Sequence[Tensor], config: ModelConfig) -> dict[str, Misfit]:
    """Find a checkpoint's missing weights.

    Args:
        tensors: all tensors.
        config: the model's configuration.

    Returns:
        What is missing by the weight's name: stored tensors that are empty or of an impossible shape, and weights
        that no tensor has.
    """
    own = [tensor for tensor in tensors if not tensor.part_of]
    shapes = {tensor.name: tensor.shape for tensor in own}
    found = _empty(own, shapes)
    if any(isinstance(tensor, DecodedTensor) and tensor.decoding.factors for tensor in own):
        # An adapter changes whichever layers it likes.
        return found
    matrices = _of_matrices(own, found, shapes, config)
    return found | {name: Misfit(reason, True) for name, reason in matrices.items()}


def _of_matrices(
    tensors: Sequence[Tensor], empty: Collection[str], shapes: Mapping[str, Shape], config: ModelConfig
) -> dict[str, str]:
    weights = {t.name: t for t in tensors if t.name not in empty and t.parameters and _WEIGHT.search(t.name)}
    unlike = _unlike_siblings(weights, frozenset(shapes), config)
    return _flat(weights) | unlike | absent_layers(weights, shapes, config)


def _empty(tensors: Sequence[Tensor], shapes: Mapping[str, Shape]) -> dict[str, Misfit]:
    empty = [t for t in tensors if t.parameters == 0 and t.dtype.kind != "other" and not _MAY_BE_EMPTY.search(t.name)]
    if not empty:
        return {}
    full = {_template(name): shape for name, shape in shapes.items() if 0 not in shape}
    found = {}
    for tensor in empty:
        sibling = full.get(_template(tensor.name))
        if sibling is not None:
            is_matrix = len(sibling) > 1
            found[tensor.name] = Misfit(f"empty; in other layers it is of shape {list(sibling)}", is_matrix)
        elif _PARAMETER.search(tensor.name):
            found[tensor.name] = Misfit("empty", roles.role_of(tensor.name) in _UNITS)
    return found


def _flat(weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Weights of one axis whose names are those of matrices: pieces of a weight that was never gathered."""
    return {
        name: f"of shape {list(tensor.shape)}: a matrix by its name"
        for name, tensor in weights.items()
        if len(tensor.shape) == 1
        and tensor.dtype.kind == "float"
        and not tensor.refusal
        and not name.split(".")[-2:][0].isdigit()
        and roles.role_of(name) in _UNITS
    }


@dataclass(frozen=True)
class _Unit:
    """The matrices of one attention or one MLP: the module they stand in, and their names by their own part."""

    parent: str
    names: dict[str, str] = field(default_factory=dict)


def _unlike_siblings(weights: Mapping[str, Tensor], names: frozenset[str], config: ModelConfig) -> dict[str, str]:
    """Matrices that an attention or an MLP lacks, or that don't fit the others of it, though they do elsewhere."""
    units: dict[tuple[str, str], _Unit] = {}
    for name in weights:
        parent, _, leaf = _WEIGHT.sub("", name).rpartition(".")
        if parent and (role := roles.role_of(name)) in _UNITS:
            units.setdefault((parent, role.partition(".")[0]), _Unit(parent)).names[leaf] = name
    kinds: dict[tuple[str, str], list[_Unit]] = defaultdict(list)
    for (parent, block), unit in units.items():
        kinds[_template(f"{parent}."), block].append(unit)
    found: dict[str, str] = {}
    for alike in kinds.values():
        if len(alike) > 1:
            found |= _lacking(alike, names, config)
            for same in _of_one_kind(alike):
                found |= _misshapen(same, weights)
    return found


def _of_one_kind(units: Sequence[_Unit]) -> Iterable[list[_Unit]]:
    """Group blocks by what they consist of: the attention of a hybrid model is of several kinds."""
    kinds: dict[frozenset[str], list[_Unit]] = defaultdict(list)
    for unit in units:
        kinds[frozenset(unit.names)].append(unit)
    return kinds.values()


def _lacking(units: Sequence[_Unit], names: frozenset[str], config: ModelConfig) -> dict[str, str]:
    """Matrices that an attention or an MLP lacks, has others of, and can't work without."""
    kinds = Counter(frozenset(unit.names) for unit in units)
    usual, times = kinds.most_common(1)[0]
    whole_one = next(unit for unit in units if unit.names.keys() == usual)
    of_role = {leaf: roles.role_of(name) for leaf, name in whole_one.names.items()}
    # Half of the blocks show what a block consists of only where they have all that there is in one.
    if 2 * times + (set(of_role.values()) in _WHOLE) <= len(units):
        return {}
    found: dict[str, str] = {}
    for unit in units:
        lacking = usual - unit.names.keys()
        if not unit.names.keys() < usual or _may_share({of_role[leaf] for leaf in lacking}, config):
            continue
        for leaf in lacking:
            example = whole_one.names[leaf]
            if not any(f"{unit.parent}.{leaf}.{part}" in names for part in _STORED_OTHERWISE):
                name = f"{unit.parent}.{leaf}{example[len(_WEIGHT.sub('', example)) :]}"
                found[name] = f"absent; other layers have it: {example}"
    return found


def _may_share(lacking: set[str], config: ModelConfig) -> bool:
    """Whether a layer may do without these: it shares keys and values with another, or its values are its keys."""
    if lacking == {"attention.v"}:
        return any(value is True and "k_eq_v" in key for part in config.parts for key, value in part.file.items())
    return lacking == _SHARED


def _misshapen(units: Sequence[_Unit], weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Matrices whose shape differs from the siblings', where that of a matrix that they meet in the block doesn't."""
    count = Counter(leaf for unit in units for leaf in unit.names)
    shapes = {
        leaf: Counter(weights[unit.names[leaf]].shape for unit in units if leaf in unit.names) for leaf in count
    }
    usual = {leaf: of.most_common(1)[0][0] for leaf, of in shapes.items()}
    certain = {leaf for leaf, of in shapes.items() if 2 * of.most_common(1)[0][1] > count[leaf] > 2}
    found = {}
    for unit in units:
        odd = {leaf for leaf, name in unit.names.items() if weights[name].shape != usual[leaf]}
        if _takes_another_width(unit, odd, usual, weights):
            continue
        for leaf in odd & certain:
            pairs = [pair for pair in _chains(unit) if leaf in pair and certain.issuperset(pair)]
            alone = any(len(odd.intersection(pair)) == 1 for pair in pairs)
            if alone and _is_plain(weights[unit.names[leaf]]):
                own = list(weights[unit.names[leaf]].shape)
                found[unit.names[leaf]] = f"of shape {own}; in other layers it is {list(usual[leaf])}"
    return found


def _takes_another_width(
    unit: _Unit, odd: Collection[str], usual: Mapping[str, Shape], weights: Mapping[str, Tensor]
) -> bool:
    """Whether queries, keys and values differ by the width of their input alone, as in a first layer."""
    into = [leaf for leaf, name in unit.names.items() if roles.role_of(name) in _TAKING]
    shapes = [weights[unit.names[leaf]].shape for leaf in into]
    same_rows = all(shape[:1] == usual[leaf][:1] for leaf, shape in zip(into, shapes, strict=True))
    return set(into) == set(odd) and len(into) > 1 and same_rows and len({shape[1:] for shape in shapes}) == 1


def _is_plain(tensor: Tensor) -> bool:
    return tensor.dtype.kind == "float" and not tensor.refusal


def _chains(unit: _Unit) -> list[list[str]]:
    """The pairs of a unit's matrices of which not one alone can have another shape."""
    by_role: dict[str, list[str]] = defaultdict(list)
    for leaf, name in unit.names.items():
        by_role[roles.role_of(name)].append(leaf)
    return [[*by_role[a], *by_role[b]] for a, b in _CHAINS if len(by_role[a]) == len(by_role[b]) == 1]


def _template(name: str) -> str:
    """A name without the numbers of its layers."""
    return _NUMBER.sub(r"\1*", name)

"""Find attention heads, and the numerical rank of what each computes: Q_hᵀK_h of its scores, O_hV_h of its output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.config_names import HEAD_SIZE, HEADS
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plain_names import plain_name
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.studies.width.blocks import FUSED, Model
from wqscore.studies.width.configured import sections_of
from wqscore.studies.width.orientation import split
from wqscore.studies.width.pairing import paired, shared_path

#: Why what holds NaN or infinities has no numbers.
NOT_FINITE = "a weight is not finite"
_ROLES = ("q", "k", "v", "o")
_SIDES = ("decoder", "encoder")


@dataclass(frozen=True)
class Attention:
    """The projections of an attention, and how they are cut into heads.

    Attributes:
        name: the module that holds them.
        matrices: W_q, W_k, W_v and W_o.
        axes: the axis of each along which the heads lie.
        heads: how many there are.
        groups: how many heads keys and values have.
    """

    name: str
    matrices: tuple[WeightMatrix, ...]
    axes: tuple[int, ...]
    heads: int
    groups: int

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What is read for it, each once."""
        return tuple({id(matrix.tensor): matrix.tensor for matrix in self.matrices}.values())


@dataclass(frozen=True)
class Head:
    """What one head computes.

    Attributes:
        name: the attention, the head's number, and `qk` or `vo`.
        stored: the head's size; `None` for an attention whose heads can't be told.
        effective: the numerical rank; `None` likewise.
        reason: why there are no numbers; empty where there are.
    """

    name: str
    stored: int | None
    effective: int | None
    reason: str = ""


def find_attention(model: Model) -> list[Attention | Head]:
    """Find a model's attentions; one whose heads can't be told as a `Head` with the reason."""
    of_role = {role: [each for each in model.matrices if each.role == f"attention.{role}"] for role in _ROLES}
    partners = {role: paired(of_role["q"], of_role[role], _any) for role in _ROLES[1:]}
    return [_attention(model, [q, *(partners[role][q.name] for role in _ROLES[1:])]) for q in of_role["q"]]


def _any(one: WeightMatrix, other: WeightMatrix) -> bool:
    return True


def _attention(model: Model, found: Sequence[WeightMatrix | str]) -> Attention | Head:
    matrices = tuple(each for each in found if isinstance(each, WeightMatrix))
    name = shared_path(matrices)
    if len(matrices) < len(found):
        reason = next((each for each in found if isinstance(each, str) and each), "a projection of it is missing")
        return Head(name, None, None, reason)
    if any("fused" in matrix.flags or matrix.slices > 1 for matrix in matrices):
        return Head(name, None, None, FUSED)
    cuts = [split(matrix) for matrix in matrices]
    is_turned = model.signs.is_conv1d and matrices[0].cut.axes is None
    if cuts[0] is not None and len(matrices[0].cut.shape) == 2 and matrices[0].cut.axes is None:
        is_turned = cuts[0][0] == 1
    axes = (1, 1, 1, 0) if is_turned else (0, 0, 0, 1)
    sizes = [(matrix.rows, matrix.columns)[axis] for matrix, axis in zip(matrices, axes, strict=True)]
    path = plain_name(matrices[0].tensor.name).split(".")
    side = next((each for each in _SIDES if each in path), "")
    counts = {fitting for file in _files(model, matrices[0]) if (fitting := _counts(file, sizes, side))}
    if len(counts) != 1:
        return Head(name, None, None, "the configuration gives no number of heads that its sizes fit")
    heads, groups = counts.pop()
    return Attention(name, matrices, axes, heads, groups)


def _files(model: Model, matrix: WeightMatrix) -> list[ModelConfig]:
    fitting = sections_of(matrix.tensor.name, model.sections, lambda each: ModelConfig(each.file).integer(*HEADS))
    return [ModelConfig(each.file) for each in fitting]


def _counts(config: ModelConfig, sizes: Sequence[int], side: str) -> tuple[int, int] | None:
    """The number of heads, and that of keys and values, that the sizes of q, k, v and o fit.

    Args:
        config: the configuration.
        sizes: of the four projections, where the heads lie.
        side: `encoder` or `decoder`, which may have numbers of their own; empty for neither.
    """
    q, k, v, o = sizes
    heads = (config.stated(f"{side}_attention_heads") if side else None) or config.integer(*HEADS)
    if heads is None or q % heads:
        return None
    size, stated = q // heads, config.stated(*HEAD_SIZE)
    groups = k // size
    is_cut = k % size == 0 and groups > 0 and heads % groups == 0 and v % groups == 0
    return (heads, groups) if is_cut and o == heads * (v // groups) and stated in (None, size) else None


def head_ranks(attention: Attention, projections: Sequence[np.ndarray]) -> list[Head]:
    """The numerical ranks of an attention's heads.

    A singular value counts if it exceeds what rounding W_q and W_k to their stored types leaves in their product.

    Args:
        attention: the attention.
        projections: q, k, v and the transpose of o, each of shape (heads · size, inputs).
    """
    q, k, v, o = projections
    if not all(np.isfinite(each).all() for each in projections):
        return [Head(attention.name, None, None, NOT_FINITE)]
    counts = (attention.heads, attention.groups, attention.groups, attention.heads)
    roundoffs = [matrix.tensor.dtype.unit_roundoff for matrix in attention.matrices]
    factors = [
        [_factor(part, roundoff) for part in np.split(each.astype(np.float64), count)]
        for each, count, roundoff in zip((q, k, v, o), counts, roundoffs, strict=True)
    ]
    found = []
    per_group = attention.heads // attention.groups
    for head in range(attention.heads):
        group = head // per_group
        for what, left, right in (
            ("qk", factors[0][head], factors[1][group]),
            ("vo", factors[3][head], factors[2][group]),
        ):
            found.append(Head(f"{attention.name}[{head}].{what}", left[0].shape[1], _rank(left, right)))
    return found


def _factor(part: np.ndarray, unit_roundoff: float) -> tuple[np.ndarray, float, float]:
    """R of the QR decomposition of a head's transpose; its norm, and that of its rounding.

    Rounding errs by a variance of u²w²/3 in each entry; its norm is about that of the largest row and column.
    """
    triangle = np.asarray(np.linalg.qr(part.T, mode="r"))
    squares = np.square(part)
    edge = np.sqrt(squares.sum(axis=1).max()) + np.sqrt(squares.sum(axis=0).max())
    norm = float(np.linalg.norm(triangle, 2)) if triangle.size else 0.0
    return triangle, norm, float(unit_roundoff / np.sqrt(3) * edge)


def _rank(left: tuple[np.ndarray, float, float], right: tuple[np.ndarray, float, float]) -> int:
    core = left[0] @ right[0].T
    values = np.linalg.svd(core, compute_uv=False)
    rounding = left[2] * right[1] + left[1] * right[2]
    solver = max(core.shape) * np.finfo(np.float64).eps * left[1] * right[1]
    return int(np.count_nonzero(values > max(rounding, solver)))

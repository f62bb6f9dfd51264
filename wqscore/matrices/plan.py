"""Every tensor's outcome: the matrices it holds, or why it is not scored (METRICS "Which matrices")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices import roles
from wqscore.matrices.experts import expert_matrices, is_expert_stack
from wqscore.matrices.fused import Shape, fused_parts
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.quantised import is_companion, method_name, scaled_elsewhere, stored_weights
from wqscore.matrices.rules import MatrixRules
from wqscore.matrices.weight_matrix import Cut, SkippedTensor, WeightMatrix

Outcome = WeightMatrix | SkippedTensor

_BUFFER = re.compile(r"(^|[._])(bias|masked_bias|inv_freq|position_ids|num_batches_tracked|running_(mean|var)|attn_mask"
                     r"|relative_position_index|token_type_ids|causal_mask|A_log)$")
_WEIGHT_NORM = re.compile(r"(\.weight_[gv]|\.parametrizations\.weight\.original[01])$")
_PER_HEAD = re.compile(r"rel_attn\.[qkvor]$")
_TIED_HEAD = re.compile(r"(^|\.)(lm_head|embed_out|decoder|output|head|proj_out|vocab_projector|generator_lm_head)\.weight$")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class _Model:
    """What deciding on one tensor may need to know of the others."""

    config: ModelConfig
    rules: MatrixRules
    shapes: Mapping[str, Shape]


def plan_matrices(tensors: Sequence[TensorRef], config: ModelConfig, rules: MatrixRules) -> tuple[Outcome, ...]:
    """Decide what is scored of a checkpoint, from its headers alone.

    Returns:
        The matrices and skips, embeddings first, heads last, layers in their order between them; each tensor
        gives either one skip or one matrix for each part of it.
    """
    model = _Model(config, rules, {tensor.name: tensor.shape for tensor in tensors})
    ordered = sorted(tensors, key=lambda tensor: _order(tensor, config))
    tied_head = _head_tied_by_config(ordered, config)
    seen: dict[tuple[object, ...], str] = {}
    outcomes: list[Outcome] = []
    for tensor in ordered:
        planned: Sequence[Outcome] = _outcomes(tensor, model)
        if isinstance(planned[0], WeightMatrix):
            first = seen.setdefault(tensor.location, tensor.name)
            if first != tensor.name:
                planned = [tied_copy(tensor, first, planned[0])]
            elif tied_head and tensor.name == tied_head[0]:
                planned = [tied_copy(tensor, tied_head[1], planned[0])]
        outcomes.extend(planned)
    return tuple(outcomes)


def tied_copy(tensor: TensorRef, first: str, matrix: WeightMatrix) -> SkippedTensor:
    """The skip of a tensor whose content is scored under another name."""
    return SkippedTensor(
        tensor.name, tensor.shape, tensor.dtype.name, matrix.role, f"tied to {first}", "tied", depth=matrix.depth
    )


def _order(tensor: TensorRef, config: ModelConfig) -> tuple[object, ...]:
    role = roles.role_of(tensor.name, config.model_type)
    group = {roles.EMBEDDING: 0, roles.HEAD: 2}.get(role, 1)
    natural = tuple((int(piece), "") if piece.isdigit() else (-1, piece) for piece in _DIGITS.split(tensor.name))
    return group, natural


def _head_tied_by_config(tensors: Sequence[TensorRef], config: ModelConfig) -> tuple[str, str] | None:
    """The output head that the model replaces by its input embedding when it loads, and that embedding."""
    embeddings = [t for t in tensors if roles.role_of(t.name) == roles.EMBEDDING and len(t.shape) == 2]
    for head in tensors:
        if roles.role_of(head.name) == roles.HEAD and _TIED_HEAD.search(head.name):
            same = [t for t in embeddings if t.shape == head.shape and t.dtype == head.dtype]
            if same and config.flag("tie_word_embeddings"):
                return head.name, same[0].name
    return None


def _outcomes(tensor: TensorRef, model: _Model) -> list[WeightMatrix] | list[SkippedTensor]:
    skipped = _not_a_matrix(tensor) or _unread(tensor, model)
    if skipped:
        return [skipped]
    matrices = _matrices(tensor, model)
    if not matrices:
        return [_skip_matrix(tensor, model, f"{len(tensor.shape)}-D tensor of a kind that is not known")]
    limit = model.rules.max_side
    if limit and max(max(m.rows, m.columns) for m in matrices) > limit:
        return [_skip_matrix(tensor, model, f"a side over {limit}, which the preset leaves out")]
    return matrices


def _not_a_matrix(tensor: TensorRef) -> SkippedTensor | None:
    longer = [size for size in tensor.shape if size > 1]
    if tensor.parameters == 0:
        reason = "empty"
    elif _BUFFER.search(tensor.name):
        reason = "a bias or buffer"
    elif len(tensor.shape) < 2 or (len(tensor.shape) > 2 and len(longer) < 2):
        reason = "1-D" if longer else "a single number"
    elif tensor.dtype.kind == "other":
        reason = f"{tensor.dtype.name} buffer, not a weight"
    elif is_companion(tensor):
        reason = "scales or codes of a quantised matrix"
    else:
        return None
    return SkippedTensor(
        tensor.name, tensor.shape, tensor.dtype.name, "-", reason, "not-a-matrix", depth=roles.depth_of(tensor.name)
    )


def _unread(tensor: TensorRef, model: _Model) -> SkippedTensor | None:
    """Matrices whose stored numbers are not the weights."""
    if tensor.dtype.kind == "quantised":
        return _skip_matrix(tensor, model, f"quantised{method_name(model.config)}: {tensor.dtype.name} codes are not read")
    if scales := scaled_elsewhere(tensor, model.shapes):
        return _skip_matrix(tensor, model, f"quantised{method_name(model.config)}: its scales are in {scales}")
    if _WEIGHT_NORM.search(tensor.name):
        return _skip_matrix(tensor, model, "weight-normalised: the matrix is not stored as it is used")
    return None


def _skip_matrix(tensor: TensorRef, model: _Model, reason: str) -> SkippedTensor:
    role = roles.role_of(tensor.name, model.config.model_type)
    weights = stored_weights(tensor, model.config) if model.rules.averages(role) else 0
    return SkippedTensor(
        tensor.name, tensor.shape, tensor.dtype.name, role, reason, "unread", weights, roles.depth_of(tensor.name)
    )


def _matrices(tensor: TensorRef, model: _Model) -> list[WeightMatrix]:
    if len(tensor.shape) == 2:
        return _two_dimensional(tensor, model)
    if _PER_HEAD.search(tensor.name) and len(tensor.shape) == 3:
        return [_whole(tensor, model, (tensor.shape[0], tensor.shape[1] * tensor.shape[2]))]
    longer = tuple(size for size in tensor.shape if size > 1)
    if roles.role_of(tensor.name) == roles.EMBEDDING and len(longer) == 2:
        return [_whole(tensor, model, longer)]
    if is_expert_stack(tensor):
        return expert_matrices(tensor, model.config, model.rules.split_fused)
    if tensor.name.endswith(("weight", "kernel")) and len(tensor.shape) <= 5:
        return [_convolution(tensor)]
    return []


def _two_dimensional(tensor: TensorRef, model: _Model) -> list[WeightMatrix]:
    fused = fused_parts(tensor.name, tensor.shape, model.config, model.shapes) if model.rules.split_fused else None
    if fused is None or not fused.parts:
        return [_whole(tensor, model, tensor.shape, flags=() if fused is None else ("fused",))]
    depth = roles.depth_of(tensor.name)
    return [
        WeightMatrix(
            f"{tensor.name}[{part.label}]",
            tensor,
            part.cut,
            roles.PART_ROLES.get(part.label, roles.OTHER),
            part.rows,
            part.columns,
            depth=depth,
        )
        for part in fused.parts
    ]


def _whole(tensor: TensorRef, model: _Model, shape: Shape, flags: tuple[str, ...] = ()) -> WeightMatrix:
    role = roles.role_of(tensor.name, model.config.model_type)
    depth = roles.depth_of(tensor.name)
    return WeightMatrix(tensor.name, tensor, Cut(shape), role, shape[0], shape[1], depth=depth, flags=flags)


def _convolution(tensor: TensorRef) -> WeightMatrix:
    """One out × in matrix for each position of the kernel, their eigenvalues pooled."""
    out, inner, *kernel = tensor.shape
    axes = (*range(2, len(tensor.shape)), 0, 1)
    slices = tensor.parameters // (out * inner)
    depth = roles.depth_of(tensor.name)
    return WeightMatrix(
        tensor.name, tensor, Cut(tensor.shape, axes=axes), roles.CONV, out, inner, slices=slices, depth=depth
    )

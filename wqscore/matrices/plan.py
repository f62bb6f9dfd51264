"""Plan what is scored: for every tensor, its matrices or the reason it is skipped (docs/metrics.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from wqscore.cached_property import cached_property
from wqscore.checkpoints.decoding import use_of
from wqscore.checkpoints.quantised.companions import is_companion
from wqscore.checkpoints.quantised.counting import count_weights
from wqscore.checkpoints.quantised.settings import method_name
from wqscore.checkpoints.stated_layout import stated_layout
from wqscore.checkpoints.tensor import Tensor
from wqscore.checkpoints.training_state import training_state
from wqscore.matrices import roles
from wqscore.matrices.convolutions import ORDERS, convolution_matrices, kernel_order, plausible_orders, reason_unknown
from wqscore.matrices.experts import expert_matrices, stack_shape
from wqscore.matrices.fused import fused_parts
from wqscore.matrices.gated import Shape
from wqscore.matrices.graph_layers import equal_parts, recurrent_matrices, stacked_matrices
from wqscore.matrices.kernels import is_kernel, kernel_matrices
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.missing import Misfit, misfits
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.parallel_blocks import looks_stacked
from wqscore.matrices.parts import matrix_of
from wqscore.matrices.plain_names import plain_name
from wqscore.matrices.quantised import scaled_elsewhere
from wqscore.matrices.tied_head import head_tied_by_config
from wqscore.matrices.torch_signs import has_signs_of_torch
from wqscore.matrices.uncounted import MissingWeight, UncountedTensor
from wqscore.matrices.weight_matrix import Cut, SkippedTensor, WeightMatrix

PlannedTensor = WeightMatrix | SkippedTensor

_BUFFER = re.compile(
    r"(^|[._/])(bias|biases|bias_[uv]|masks?|tril|triu|causal|position_ids|token_type_ids|num_batches_tracked"
    r"|running_(mean|var)|A_log|inv_freq|freqs(_cis)?|(cos|sin)(_cached)?|relative_position_index"
    r"|relative_coords_table|embed_(avg|sum)|(query|key|diagonal)_decay|alibi(_bias|_slopes)?|slopes"
    r"|queue|memory_bank|centers?|centroids?|anchors?|anchor_grid"
    r"|fb|filter_?banks?|mel_(basis|filters?|fb)|(dct|dft|stft|fft|idft)_(mat|matrix|basis|kernel)"
    r"|(forward|inverse)_(basis|transform)(_buffer)?|fourier_(basis|kernels?)|w(sin|cos)|(hann_|hamming_)?window)$"
)
_REPARAMETRISED = re.compile(r"(\.weight_(g|v|orig)|\.parametrizations\.\w{1,40}\.original[01]?)$")
_PER_HEAD = re.compile(r"rel_attn\.[qkvor]$")
_DIGITS = re.compile(r"([0-9]+)")
_MAX_KERNEL_AXES = 3


@dataclass(frozen=True)
class _Model:
    """The context for planning one tensor: settings, and facts about all tensors."""

    config: ModelConfig
    rules: MatrixRules
    shapes: Mapping[str, Shape]
    roles: Mapping[str, str]
    counts: Mapping[str, int | None]
    misfits: Mapping[str, Misfit]
    training_state: Mapping[str, str]
    has_companions: bool
    kernel_order: str

    @cached_property
    def flat(self) -> Mapping[str, Shape]:
        """The shapes, those of kernels of one position as (out, in)."""
        axes = ORDERS[self.kernel_order or "torch"]
        found = {}
        for name, shape in self.shapes.items():
            is_flat = len(shape) > 2 and prod(shape) == shape[axes.out] * shape[axes.into]
            found[name] = (shape[axes.out], shape[axes.into]) if is_flat else shape
        return found

    @cached_property
    def by_layer(self) -> Mapping[str, set[Shape]]:
        """The shapes of the matrices of each layer."""
        found: dict[str, set[Shape]] = {}
        for name, shape in self.flat.items():
            if len(shape) == 2:
                found.setdefault(roles.layer_of(name) or "", set()).add(shape)
        return found


def plan_matrices(
    tensors: Sequence[Tensor],
    config: ModelConfig,
    rules: MatrixRules,
    state: Mapping[str, str] | None = None,
    counts: Mapping[str, int | None] | None = None,
) -> tuple[PlannedTensor, ...]:
    """Plan which matrices of a checkpoint are scored, from its headers alone.

    What is known of the tensors already is not found again: `state` of `training_state`, `counts` of `count_weights`.

    Returns:
        The matrices and skips: embeddings first, then layers in order, then heads; last, a skip for each weight that
        must be there and that no tensor has. Each tensor gives either one skip or its matrices, one for each part.
    """
    stored = {tensor.name: tensor.shape for tensor in tensors if not tensor.part_of}
    shapes = {plain_name(name): shape for name, shape in stored.items()} | stored
    role_by_name = {tensor.name: _role(tensor, config) for tensor in tensors}
    companions = any(is_companion(tensor) for tensor in tensors if not tensor.part_of)
    state = training_state(tensors) if state is None else state
    counts = count_weights(tensors, config.file) if counts is None else counts
    missing = misfits([tensor for tensor in tensors if tensor.name not in state], config)
    order = _kernel_order(tensors, config, role_by_name)
    model = _Model(config, rules, shapes, role_by_name, counts, missing, state, companions, order)
    ordered = sorted(tensors, key=lambda tensor: _order(tensor, model))
    tied_head = head_tied_by_config([t for t in ordered if t.name not in state], role_by_name, config)
    seen: dict[tuple[object, ...], str] = {}
    outcomes: list[PlannedTensor] = []
    for tensor in ordered:
        planned: Sequence[PlannedTensor] = _outcomes(tensor, model)
        first = planned[0]
        if isinstance(first, WeightMatrix) or (first.kind == "unread" and not isinstance(first, MissingWeight)):
            source = seen.setdefault(tensor.location, tensor.name)
            if source == tensor.name and tied_head and tensor.name == tied_head[0]:
                source = tied_head[1]
            if source != tensor.name:
                planned = [tied_copy(tensor, source, first)]
        outcomes.extend(planned)
    absent = {name: misfit for name, misfit in missing.items() if name not in role_by_name}
    outcomes += [_missing(name, (), "-", misfit, config) for name, misfit in absent.items()]
    return tuple(outcomes)


def _role(tensor: Tensor, config: ModelConfig) -> str:
    """A tensor's role: an embedding if the checkpoint's graph says so, else by its name."""
    use = use_of(tensor)
    is_embedding = use is not None and use.kind == "embedding"
    return roles.EMBEDDING if is_embedding else roles.role_of(tensor.name, config.model_type)


def _missing(name: str, shape: Shape, dtype: str, misfit: Misfit, config: ModelConfig) -> SkippedTensor:
    depth = roles.depth_of(name)
    if not misfit.is_matrix:
        return MissingWeight(name, shape, dtype, "-", misfit.reason, "not-a-matrix", depth=depth)
    role = roles.role_of(name, config.model_type)
    return MissingWeight(name, shape, dtype, role, misfit.reason, "unread", depth=depth)


def tensor_name(outcome: PlannedTensor) -> str:
    """The name of an outcome's tensor."""
    return outcome.tensor.name if isinstance(outcome, WeightMatrix) else outcome.name


def by_tensor(outcomes: Sequence[PlannedTensor]) -> list[list[PlannedTensor]]:
    """Group consecutive outcomes by tensor."""
    return [list(group) for _, group in groupby(outcomes, key=tensor_name)]


def matrices_of(group: Sequence[PlannedTensor]) -> list[WeightMatrix]:
    """The matrices among a tensor's outcomes."""
    return [outcome for outcome in group if isinstance(outcome, WeightMatrix)]


def tied_copy(tensor: Tensor, first: str, outcome: PlannedTensor) -> SkippedTensor:
    """Make the skip of a tensor whose content is scored under another name."""
    return SkippedTensor(
        tensor.name, tensor.shape, tensor.dtype.name, outcome.role, f"tied to {first}", "tied", depth=outcome.depth
    )


def _order(tensor: Tensor, model: _Model) -> tuple[object, ...]:
    """A sort key: embeddings, layers, heads; within each by name, with numbers by their value."""
    group = {roles.EMBEDDING: 0, roles.HEAD: 2}.get(model.roles[tensor.name], 1)
    start, *rest = _DIGITS.split(tensor.name)
    numbers = (digits.lstrip("0") for digits in rest[::2])
    natural = tuple((len(number), number, text) for number, text in zip(numbers, rest[1::2], strict=True))
    return group, start, natural, tensor.name


def _outcomes(tensor: Tensor, model: _Model) -> list[WeightMatrix] | list[SkippedTensor]:
    if misfit := model.misfits.get(tensor.name):
        return [_missing(tensor.name, tensor.shape, tensor.dtype.name, misfit, model.config)]
    skipped = _not_a_matrix(tensor, model) or _unread(tensor, model)
    if skipped:
        return [skipped]
    matrices = _matrices(tensor, model)
    if isinstance(matrices, str) or not matrices:
        unknown = f"{len(tensor.shape)}-D tensor of a kind that is not known"
        return [_skip_matrix(tensor, model, matrices if isinstance(matrices, str) and matrices else unknown)]
    limit = model.rules.max_side
    if limit and max(max(m.rows, m.columns) for m in matrices) > limit:
        return [_skip_matrix(tensor, model, f"a side over {limit}, which the preset leaves out")]
    return matrices


def _not_a_matrix(tensor: Tensor, model: _Model) -> SkippedTensor | None:
    if tensor.refusal and tensor.name not in model.training_state:
        return None
    longer = [size for size in tensor.shape if size > 1]
    use = use_of(tensor)
    is_weight = use is not None and use.is_weight
    is_gain = len(longer) < 2 and tensor.name.endswith(("weight_g", "original0"))
    if tensor.part_of:
        reason = f"stored part of {tensor.part_of}"
    elif tensor.name in model.training_state:
        reason = model.training_state[tensor.name]
    elif tensor.parameters == 0:
        reason = "empty"
    elif not is_weight and not tensor.name.endswith(".weight") and _BUFFER.search(plain_name(tensor.name)):
        reason = "a bias or buffer"
    elif len(tensor.shape) < 2 or (len(tensor.shape) > 2 and len(longer) < 2) or is_gain:
        reason = "1-D" if longer else "a single number"
    elif tensor.dtype.kind == "other":
        reason = f"{tensor.dtype.name} buffer, not a weight"
    elif use is not None and not is_weight and model.roles[tensor.name] != roles.EMBEDDING:
        reason = f"no layer's weight: {use.operator} takes it"
    elif not is_weight and model.has_companions and is_companion(tensor):
        reason = "scales or codes of a quantised matrix"
    else:
        return None
    return SkippedTensor(
        tensor.name, tensor.shape, tensor.dtype.name, "-", reason, "not-a-matrix", depth=roles.depth_of(tensor.name)
    )


def _unread(tensor: Tensor, model: _Model) -> SkippedTensor | None:
    """The skip of a tensor whose stored numbers are not the weights; `None` for any other."""
    use = use_of(tensor)
    is_weight = use is not None and use.is_weight
    if tensor.refusal:
        reason = tensor.refusal
    elif tensor.dtype.kind == "quantised":
        reason = f"quantised{method_name(model.config.file)}: {tensor.dtype.name} codes are not read"
    elif not is_weight and model.has_companions and (scales := scaled_elsewhere(tensor, model.shapes)):
        reason = f"quantised{method_name(model.config.file)}: its scales are in {scales}"
    elif not is_weight and not tensor.name.endswith(".weight") and _REPARAMETRISED.search(tensor.name):
        reason = "weight-normalised or masked: the matrix is not stored as it is used"
    else:
        return None
    return _skip_matrix(tensor, model, reason)


def _skip_matrix(tensor: Tensor, model: _Model, reason: str) -> SkippedTensor:
    role, count = model.roles[tensor.name], model.counts.get(tensor.name, tensor.parameters)
    kind = SkippedTensor if count is not None else UncountedTensor
    reason = reason if count is not None else f"{reason}; how many weights they stand for can't be told"
    weights = count if count and model.rules.averages(role) else 0
    return kind(
        tensor.name, tensor.shape, tensor.dtype.name, role, reason, "unread", weights, roles.depth_of(tensor.name)
    )


def _kernel_order(tensors: Sequence[Tensor], config: ModelConfig, role_by_name: Mapping[str, str]) -> str:
    """The order of the axes of all kernels called `weight`; empty where neither file nor shapes tell it."""
    named = [t for t in tensors if use_of(t) is None and _is_convolution(t, config, role_by_name[t.name])]
    if not named:
        return "torch"
    kernels = {id(tensor) for tensor in named}
    widths = [tensor.shape[0] for tensor in tensors if len(tensor.shape) == 2 and id(tensor) not in kernels]
    likely = "torch" if has_signs_of_torch((tensor.name for tensor in tensors), config) else ""
    return kernel_order([tensor.shape for tensor in named], widths, lambda: stated_layout(named[:1]), likely)


def _is_convolution(tensor: Tensor, config: ModelConfig, role: str) -> bool:
    axes = len(tensor.shape)
    if (use := use_of(tensor)) is not None:
        return use.kind == "conv" and axes <= 2 + _MAX_KERNEL_AXES
    if tensor.part_of or not 2 < axes <= 2 + _MAX_KERNEL_AXES or not plain_name(tensor.name).endswith("weight"):
        return False
    longer = sum(size > 1 for size in tensor.shape)
    return (
        tensor.parameters > 0
        and not (role == roles.EMBEDDING and longer == 2)
        and stack_shape(tensor, config) is None
    )


def _matrices(tensor: Tensor, model: _Model) -> list[WeightMatrix] | str:
    """The matrices of a tensor, or the reason why there are none: empty for a tensor of unknown kind."""
    role, name = model.roles[tensor.name], plain_name(tensor.name)
    if stack := stack_shape(tensor, model.config):
        return expert_matrices(tensor, stack, role, model.config, model.shapes, model.rules.split_fused)
    use = use_of(tensor)
    if use is not None and use.kind == "recurrent":
        return recurrent_matrices(tensor, use, model.rules.split_fused)
    if use is not None and use.kind == "linear" and len(tensor.shape) == 3:
        return stacked_matrices(tensor, role)
    if use is not None and use.parts and model.rules.split_fused:
        return equal_parts(tensor, use)
    if use is None and is_kernel(name):
        return kernel_matrices(tensor, name, role, model.shapes, model.config, model.rules)
    if len(tensor.shape) == 2:
        return _two_dimensional(tensor, tensor.shape, model) or [_whole(tensor, role, tensor.shape)]
    if _PER_HEAD.search(name) and len(tensor.shape) == 3:
        return [_whole(tensor, role, (tensor.shape[0], tensor.shape[1] * tensor.shape[2]))]
    longer = tuple(size for size in tensor.shape if size > 1)
    if role == roles.EMBEDDING and len(longer) == 2:
        return [_whole(tensor, role, longer)]
    if _is_convolution(tensor, model.config, role):
        return _convolution(tensor, model)
    return ""


def _two_dimensional(tensor: Tensor, shape: Shape, model: _Model) -> list[WeightMatrix]:
    """The parts of a fused matrix, or the whole with a flag where its layout is unknown; empty for any other."""
    if not model.rules.split_fused:
        return []
    name = plain_name(tensor.name)
    fused = fused_parts(name, shape, model.config, model.flat)
    if fused is None:
        near = model.by_layer.get(roles.layer_of(name) or "", ())
        unknown = model.roles[tensor.name] == roles.OTHER and looks_stacked(name, shape, near)
        return [_whole(tensor, model.roles[tensor.name], shape, ("fused",))] if unknown else []
    if not fused.parts:
        return [_whole(tensor, model.roles[tensor.name], shape, ("fused",))]
    return [
        matrix_of(tensor, f"[{p.label}]", p.cut, roles.PART_ROLES.get(p.label, roles.OTHER), p.rows, p.columns)
        for p in fused.parts
    ]


def _whole(tensor: Tensor, role: str, shape: Shape, flags: tuple[str, ...] = ()) -> WeightMatrix:
    return matrix_of(tensor, "", Cut(shape), role, shape[0], shape[1], flags=flags)


def _convolution(tensor: Tensor, model: _Model) -> list[WeightMatrix] | str:
    """A kernel's matrices; those of a kernel of one position are the parts of a fused projection if it is one."""
    if use_of(tensor) is not None:
        order = "torch"
    else:
        order = "flax" if plausible_orders(tensor.shape) == ["flax"] else model.kernel_order
    if not order:
        return reason_unknown(tensor.shape)
    axes = ORDERS[order]
    out, into = tensor.shape[axes.out], tensor.shape[axes.into]
    if tensor.parameters == out * into and order != "flax":
        if _is_legacy_attention(tensor, model):
            return [_whole(tensor, roles.OTHER, (out, into), ("fused",))]
        if parts := _two_dimensional(tensor, (out, into), model):
            return parts
    return convolution_matrices(tensor, axes, model.rules.pool_slices)


def _is_legacy_attention(tensor: Tensor, model: _Model) -> bool:
    """Whether q, k and v are those of guided diffusion's attention, stored head by head or one after the other."""
    name = plain_name(tensor.name)
    return (
        model.rules.split_fused
        and len(tensor.shape) == 3
        and name.endswith(".qkv.weight")
        and f"{name.removesuffix('qkv.weight')}proj_out.weight" in model.shapes
    )

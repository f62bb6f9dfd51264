"""Cut the kernels of Flax, Keras and TensorFlow, whose last axis counts outputs, into matrices of out × in.

A dense layer's kernel is (in, out), a convolution's (k…, in, out). Attention's projections give heads an axis of
their own: (in, heads, head size) into heads, (heads, head size, out) out of them. A layer that is scanned over has
another axis before all others, its repetitions. A layer's bias has the shape of its outputs, and tells which it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices import roles
from wqscore.matrices.convolutions import (
    ORDERS,
    axes_named_kernel,
    convolution_matrices,
    is_plausible,
    is_square,
    reason_unknown,
)
from wqscore.matrices.fused import fused_parts
from wqscore.matrices.gated import Shape
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.parts import Fused, Part, matrix_of
from wqscore.matrices.transposing import of_transpose
from wqscore.matrices.weight_matrix import Cut, WeightMatrix

_KERNEL = re.compile(r"(?P<stem>(?s:.*\.)?)(?P<kind>recurrent_|pointwise_|depthwise_)?kernel")
_CONVOLUTION = re.compile(r"conv|patch|stem|downsample|upsample|embedding", re.IGNORECASE)
_INTO_HEADS = frozenset({"attention.q", "attention.k", "attention.v"})
_FUSED = re.compile(r"qkv|(^|\.)(kv|c_attn|in_proj|query_key_value)\.$", re.IGNORECASE)
#: Gates in Keras's order, by their number.
_GATES = {4: ("i", "f", "g", "o"), 3: ("z", "r", "h")}
_MAX_SCANNED = 10_000


def is_kernel(name: str) -> bool:
    """Whether a tensor's name is Flax's and Keras's for a weight."""
    return _KERNEL.fullmatch(name) is not None


def kernel_matrices(
    tensor: Tensor, name: str, role: str, shapes: Mapping[str, Shape], config: ModelConfig, rules: MatrixRules
) -> list[WeightMatrix] | str:
    """Cut a kernel into its matrices.

    Args:
        tensor: the kernel, of two axes or more.
        name: its plain name.
        role: its role.
        shapes: the shapes of all tensors by name.
        config: the model's configuration.
        rules: whether fused projections are cut and positions pooled.

    Returns:
        The matrices, or in one line the reason why the axes can't be told.
    """
    match = _KERNEL.fullmatch(name)
    assert match is not None, "a kernel's name ends in kernel"
    stem, shape = match["stem"], tensor.shape
    if len(shape) == 2 or (prod(shape[:-2]) == 1 and _FUSED.search(stem)):
        return _dense(tensor, name, role, shapes, config, rules)
    if match["kind"] == "depthwise_":
        return [_depthwise(tensor)]
    bias = shapes.get(f"{stem}bias", ())
    if len(bias) > 1 and bias != shape[-len(bias) :] and bias[0] == shape[0] <= _MAX_SCANNED:
        return _scanned(tensor, stem, role, bias, shapes)
    outputs = _outputs(stem, shape, role, bias, shapes)
    if outputs is not None:
        return _by_head(tensor, stem, role, outputs, rules)
    is_named = _CONVOLUTION.search(name) is not None
    is_alone = len(shape) == 3 and shape[0] == 1 and (role not in _INTO_HEADS or bool(bias))
    axes = axes_named_kernel(shape)
    is_usual = len(shape) > 3 and (
        is_plausible(shape, "flax") or (axes == ORDERS["torch"] and is_square(shape, axes))
    )
    if len(shape) <= 5 and (is_named or is_alone or is_usual):
        return convolution_matrices(tensor, axes, rules.pool_slices)
    if len(shape) > 3:
        return reason_unknown(shape)
    return "the order of its axes can't be told: a convolution's kernel, or a projection to or from several heads"


def _dense(
    tensor: Tensor, name: str, role: str, shapes: Mapping[str, Shape], config: ModelConfig, rules: MatrixRules
) -> list[WeightMatrix]:
    into, out = tensor.shape[-2:]
    fused = _fused(name, (out, into), shapes, config) if rules.split_fused else None
    if fused is None or not fused.parts:
        cut = Cut((into, out), axes=(1, 0))
        return [matrix_of(tensor, "", cut, role, out, into, flags=() if fused is None else ("fused",))]
    return [
        matrix_of(
            tensor,
            f"[{part.label}]",
            of_transpose(part.cut),
            roles.PART_ROLES.get(part.label, roles.OTHER),
            part.rows,
            part.columns,
        )
        for part in fused.parts
    ]


def _fused(name: str, shape: tuple[int, int], shapes: Mapping[str, Shape], config: ModelConfig) -> Fused | None:
    """The parts of a dense kernel viewed as (out, in); Keras's recurrent layers store their gates one by one."""
    stem = name.rpartition(".")[0]
    recurrent = shapes.get(f"{stem}.recurrent_kernel", ())
    if len(recurrent) == 2:
        units, columns = recurrent
        gates = _GATES.get(columns // units if units and columns % units == 0 else 0, ())
        if columns == units:
            return None
        size = (*shape, units)
        return Fused(tuple(_gate(label, i, size) for i, label in enumerate(gates) if shape[0] == columns))
    return fused_parts(f"{stem}.weight", shape, config, _as_torch(name, shapes))


def _gate(label: str, number: int, size: tuple[int, int, int]) -> Part:
    rows, columns, units = size
    return Part(label, Cut((rows, columns), (slice(number * units, (number + 1) * units),)), units, columns)


def _as_torch(name: str, shapes: Mapping[str, Shape]) -> Mapping[str, Shape]:
    """The shapes of one block's tensors; the kernels' under torch's name and in its order."""
    block = name.rpartition(".")[0].rpartition(".")[0]
    found: dict[str, Shape] = {}
    for other, shape in shapes.items():
        if block and not other.startswith(f"{block}."):
            continue
        is_dense = other.endswith(".kernel") and len(shape) == 2
        found[f"{other.removesuffix('kernel')}weight" if is_dense else other] = shape[::-1] if is_dense else shape
    return found


def _depthwise(tensor: Tensor) -> WeightMatrix:
    """A depthwise kernel (k…, in, multiplier): torch's (in · multiplier, 1, k…)."""
    *sides, into, multiplier = tensor.shape
    count, out = prod(sides), into * multiplier
    return matrix_of(tensor, "", Cut((count, out, 1)), roles.CONV, out, 1, slices=count, kernel=count)


def _scanned(
    tensor: Tensor, stem: str, role: str, bias: Shape, shapes: Mapping[str, Shape]
) -> list[WeightMatrix] | str:
    """One matrix for each repetition of a layer that is scanned over, whose bias has one row for each."""
    repetitions, *item = tensor.shape
    outputs = len(bias) - 1
    if tuple(item[-outputs:]) != bias[1:]:
        return "the order of its axes can't be told: its bias has neither its first nor its last axes"
    if len(item) > 2 and outputs == 1:
        inner = {shape[2:] for name, shape in _siblings(stem, shapes) if shape[:1] == (repetitions,)}
        if len(item) != 3 or tuple(item[:2]) not in inner:
            return "the order of its axes can't be told: a scanned convolution, or a projection from several heads"
    out = prod(item[-outputs:])
    into = prod(item[:-outputs])
    stack = (repetitions, into, out)
    return [matrix_of(tensor, f"[{i}]", Cut(stack, (i,), (1, 0)), role, out, into) for i in range(repetitions)]


def _siblings(stem: str, shapes: Mapping[str, Shape]) -> list[tuple[str, Shape]]:
    """The other kernels of the module that a layer is in, by name, with their shapes."""
    block = f"{stem.removesuffix('.').rpartition('.')[0]}."
    names = [f"{block}{name}.kernel" for name in _PROJECTIONS]
    return [(name, shapes[name]) for name in names if name in shapes and name != f"{stem}kernel"]


#: What Flax's and Keras's attention calls the projections into heads.
_PROJECTIONS = (
    *("query", "key", "value", "q", "k", "v", "wq", "wk", "wv"),
    *("q_proj", "k_proj", "v_proj", "query_proj", "key_proj", "value_proj"),
)


def _outputs(stem: str, shape: Shape, role: str, bias: Shape, shapes: Mapping[str, Shape]) -> int | None:
    """How many of the last axes count outputs, if the layer is dense; `None` for a convolution."""
    if len(bias) > 1:
        return len(bias) if bias == shape[-len(bias) :] and len(bias) < len(shape) else None
    if _FUSED.search(stem) and not bias and len(shape) in (3, 4):
        return len(shape) - 1
    if len(shape) != 3:
        return None
    if role in _INTO_HEADS:
        return 2 if not bias and shape[0] > 1 else None
    into_heads = [other[1:] for _, other in _siblings(stem, shapes) if len(other) == 3]
    if shape[:2] in into_heads or (role == "attention.o" and not into_heads and shape[0] > 1):
        return 1
    return None


def _by_head(tensor: Tensor, stem: str, role: str, outputs: int, rules: MatrixRules) -> list[WeightMatrix]:
    """A dense kernel whose inputs or outputs have several axes; q, k and v beside each other are cut where known."""
    shape = tensor.shape
    into, *inner = shape[: len(shape) - outputs]
    rows, columns = prod(shape[-outputs:]), into * prod(inner)
    labels = {3: "qkv", 2: "kv"}.get(shape[1], "") if outputs == 3 and not inner else ""
    is_fused = outputs > 1 and bool(_FUSED.search(stem)) and rules.split_fused
    if is_fused and labels and labels in stem.lower():
        view = (columns, len(labels), rows // len(labels))
        every = slice(None)
        return [
            matrix_of(tensor, f"[{label}]", Cut(view, (every, i), (1, 0)), roles.PART_ROLES[label], view[2], columns)
            for i, label in enumerate(labels)
        ]
    cut = Cut((columns, rows), axes=(1, 0))
    return [matrix_of(tensor, "", cut, role, rows, columns, flags=("fused",) if is_fused else ())]

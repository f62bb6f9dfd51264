"""Find the gate and up projections in one tensor, from the size of the down projection that reads their product.

A gated MLP computes down(act(gate(x)) · up(x)), so the tensor that holds gate and up is twice as long on its output
side as the down projection is on its input side. That holds for one MLP (two sizes) and, whatever the orientation,
for a stack of experts (three), and identifies such a tensor even if its name does not. A matrix whose outputs the
down projection reads as they are holds no gate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wqscore.matrices.config_names import HIDDEN
from wqscore.matrices.model_config import ModelConfig

Shape = tuple[int, ...]
_GATE_FIRST = ("gate", "up")
_UP_FIRST = ("up", "gate")


@dataclass(frozen=True)
class Halves:
    """Where gate and up lie in a tensor.

    Attributes:
        axis: the axis along which gate and up are stored.
        labels: `gate` and `up`, in stored order.
        parts: the slice of the axis that each takes.
    """

    axis: int
    labels: tuple[str, ...]
    parts: tuple[slice, ...]


@dataclass(frozen=True)
class _Projection:
    """A projection that holds, or may hold, gate and up.

    Attributes:
        down: the name of the projection that reads the product of gate and up.
        labels: the order of the halves; empty if the published code interleaves them, or is unknown.
        always: whether a tensor of this name always holds both.
    """

    down: str
    labels: tuple[str, ...] = _GATE_FIRST
    always: bool = False


_PROJECTIONS = {
    "gate_up_proj": _Projection("down_proj", always=True),
    "up_gate_proj": _Projection("down_proj", _UP_FIRST, always=True),
    "gated_layers": _Projection("wo", always=True),
    "w12": _Projection("w3", always=True),
    "weights_in": _Projection("weights_out"),
    "Wi": _Projection("Wo"),
    "input_linear": _Projection("output_linear"),
    "dense_h_to_4h": _Projection("dense_4h_to_h"),
    "linear_fc1": _Projection("linear_fc2"),
    "fc1": _Projection("fc2"),
    "ff_proj": _Projection("ff_out", _UP_FIRST),
    "up_proj": _Projection("down_proj", ()),
    "w13": _Projection("w2", (), always=True),
    "linear1": _Projection("linear2", ()),
    "lin1": _Projection("lin2", ()),
    "fc_in": _Projection("fc_out", ()),
    # diffusers' and the original latent diffusion's GEGLU.
    "net.0.proj": _Projection("net.2", _UP_FIRST),
}
_ENDS = (".base_layer.weight", ".weight", "_weight")
#: Phi-4-multimodal's audio encoder keeps the language model's names and swaps the halves.
_SWAPPED = re.compile(r"\.feed_forward_(in|out)\.gate_up_proj\.weight$")
#: Moonshine keeps the usual name and swaps the halves.
_SWAPPED_TYPES = frozenset({"moonshine", "moonshine_streaming"})
#: Model types that interleave gate and up columns; the others store all of one, then all of the other.
_INTERLEAVED = frozenset({"gpt_oss"})


def gate_and_up(name: str, shape: Shape, config: ModelConfig, shapes: Mapping[str, Shape]) -> Halves | None:
    """Locate gate and up in a tensor that holds both.

    Args:
        name: the tensor's name.
        shape: its shape: two sizes, or three for a stack of experts.
        config: the model's configuration.
        shapes: the shapes of all tensors by name.

    Returns:
        The halves, without parts if their layout is unknown; `None` for a tensor that does not hold both.
    """
    block, dot, last, end = _dissected(name)
    projection = _PROJECTIONS.get(last)
    if projection is None:
        return None
    down = shapes.get(f"{block}{dot}{projection.down}{end}")
    axis = _doubled_axis(shape, down)
    bias = shapes.get(f"{block}{dot}{last}.bias")
    if axis == 1 and len(shape) == 2 and (bias == shape[:1] or (bias != shape[1:] and not projection.always)):
        # Stored (out, in): the down projection reads all of its outputs, and has half as many as it has inputs.
        axis = None
    if axis is None and not projection.always:
        return None
    if axis is None and down is None:
        axis = _axis_by_hidden_size(shape, config)
    interleaved = len(shape) == 3 and bool(_INTERLEAVED & config.model_types)
    # A stack with biases is like gpt-oss's; without a configuration that says so, the order is unknown.
    is_unknown = not projection.labels or (f"{name}_bias" in shapes and not interleaved)
    if axis is None or shape[axis] % 2 or is_unknown:
        return Halves(0, (), ())
    half = shape[axis] // 2
    swapped = _SWAPPED.search(name) or (last == "fc1" and _SWAPPED_TYPES & config.model_types)
    labels = projection.labels[::-1] if swapped else projection.labels
    parts = (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(0, half), slice(half, None))
    return Halves(axis, labels, parts)


def _dissected(name: str) -> tuple[str, str, str, str]:
    """Split a name into what precedes the layer's own name, the dot, the layer's name, and its ending."""
    for end in _ENDS:
        if name.endswith(end):
            return (*_last_apart(name[: -len(end)]), end)
    return (*_last_apart(name), "")


def _last_apart(name: str) -> tuple[str, str, str]:
    if name.endswith(".net.0.proj"):
        return name.removesuffix(".net.0.proj"), ".", "net.0.proj"
    return name.rpartition(".")


def _doubled_axis(shape: Shape, down: Shape | None) -> int | None:
    """The axis whose size is twice the down projection's input size; `None` if there is none."""
    if down is None or len(down) != len(shape) or shape[:-2] != down[:-2]:
        return None
    first, second = len(shape) - 2, len(shape) - 1
    for axis, other in ((first, second), (second, first)):
        if shape[axis] == 2 * down[other] and shape[other] == down[axis]:
            return axis
    return None


def _axis_by_hidden_size(shape: Shape, config: ModelConfig) -> int | None:
    """If there is no down projection: a linear layer's first axis, or a stack's axis that is not the hidden size."""
    if len(shape) == 2:
        return 0
    hidden = {part.integer(*HIDDEN) for part in config.parts}
    axes = [axis for axis in (1, 2) if shape[axis] not in hidden and shape[3 - axis] in hidden]
    return axes[0] if len(axes) == 1 else None

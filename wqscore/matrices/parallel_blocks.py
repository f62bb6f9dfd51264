"""Cut the projections that hold q, k, v and an MLP's first layer, of blocks that compute both side by side.

The block's last projection reads attention's output and the MLP's side by side, so its input gives the MLP's width.
Sources: `SingleStreamBlock` of FLUX and of models built on it, `Flux2ParallelSelfAttention` of diffusers,
`ParallelScalingBlock` of timm.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from wqscore.matrices.gated import Shape
from wqscore.matrices.parts import Fused, Part, contiguous

#: The fused projection and the one that reads both outputs.
_PAIRS = (("linear1", "linear2"), ("to_qkv_mlp_proj", "to_out"), ("to_qkv_mlp_proj", "proj_out"))
_SINGLE = re.compile(r"(^|\.)single_(transformer_)?blocks\.")
#: Shifts, scales and gates of adaptive normalisation, one after the other.
_MODULATION = re.compile(
    r"(^|\.)((\w{0,40}modulation|(\w{1,40}_)?mod)(\.(1|lin|linear))?|norm\w{0,20}\.linear)\.weight$",
    re.IGNORECASE,
)
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)


def parallel_parts(name: str, shape: Shape, shapes: Mapping[str, Shape]) -> Fused | None:
    """Cut a two-dimensional tensor if it holds q, k, v and an MLP's first layer.

    Args:
        name: the tensor's name.
        shape: its shape, (out, in).
        shapes: the shapes of all tensors by name.

    Returns:
        The parts, empty if the layout is unknown; `None` for any other matrix.
    """
    rows, width = shape
    for first, last in _PAIRS:
        if name.endswith(f"{first}.weight") and (name == f"{first}.weight" or name[-len(first) - 8] == "."):
            block = name.removesuffix(f"{first}.weight")
            out = shapes.get(f"{block}{last}.weight", ())
            if len(out) != 2 or out[0] != width or out[1] <= width or rows in (out[1], 2 * out[1]):
                continue
            if parts := _sized(shape, out[1] - width):
                return Fused(parts)
    if name.endswith("in_proj.weight"):
        return _scaling(name.removesuffix("in_proj.weight"), shape, shapes)
    is_single = _SINGLE.search(name) and name.endswith(".linear1.weight")
    is_modulation = rows > width and rows % width == 0 and _MODULATION.search(name)
    return Fused(()) if is_single or is_modulation else None


def looks_stacked(name: str, shape: Shape, in_layer: Collection[Shape]) -> bool:
    """Whether a matrix of unknown kind has the rows of q, k and v, alone or with an MLP's, by its layer's widths.

    Args:
        name: its name.
        shape: (out, in).
        in_layer: the shapes of the layer's matrices.
    """
    rows, width = shape
    if _ATTENTION.search(name) and rows in (2 * width, 3 * width) and (width, width) in in_layer:
        return True
    outs = {other[1] for other in in_layer if len(other) == 2 and other[0] == width and other[1] > width}
    return any(rows in (out + 2 * width, 2 * out + width) for out in outs)


def _sized(shape: Shape, hidden: int) -> tuple[Part, ...]:
    """Cut q, k and v of the model's width, then the MLP's layer, which may hold a gate."""
    rows, width = shape
    names = {1: ("up",), 2: ("gate", "up")}.get((rows - 3 * width) // hidden if hidden > 0 else 0, ())
    return contiguous(shape, 0, dict.fromkeys("qkv", width) | dict.fromkeys(names, hidden)) if names else ()


def _scaling(block: str, shape: Shape, shapes: Mapping[str, Shape]) -> Fused | None:
    """The block of timm: the MLP's layer, then q, k and v."""
    attention, mlp = (shapes.get(f"{block}{part}_out_proj.weight", ()) for part in ("attn", "mlp"))
    if len(attention) != 2 or len(mlp) != 2:
        return None
    return Fused(contiguous(shape, 0, {"up": mlp[1]} | dict.fromkeys("qkv", attention[1])))

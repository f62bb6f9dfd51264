"""Count the weights that stored tensors stand for, where codes are not decoded and an element isn't one weight.

The count follows from what is stored beside the codes (a shape, scales, zero points, codebooks) and from the bits and
group sizes that the configuration names. What these leave open stays open: nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.quantised.bit_widths import bit_widths, group_sizes
from wqscore.checkpoints.quantised.companions import has_scales, is_companion, layer_name
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.errors import CheckpointError

#: The element's last name, and what gives the shape of the weight it holds, in HQQ and compressed-tensors.
_SHAPES = {"W_q": "shape", "weight_packed": "weight_shape", "compressed": "shape"}
#: What is stored with HQQ's codes, and with sparse or trellis codes.
_BESIDE = frozenset(
    {
        *("shape", "axis", "group_size", "nbits", "channel_wise", "compute_dtype", "encoded_state_dict"),
        *("offload_meta", "optimize", "packing", "quant_scale", "quant_zero", "round_zero", "stores_quant_config"),
        *("unpack_view_dtype", "view_as_float", "bitmask", "row_offsets"),
        *("q_groups", "q_invperm", "q_perm", "q_scale", "q_scale_max", "q_group_map"),
        *("suh", "svh", "su", "sv", "mcg", "mul1"),
    }
)
#: Bits of a code where scales decide among them, and no configuration does.
_BITS = frozenset({2, 3, 4, 5, 6, 8})
#: Weights that share a scale of one byte: OCP's microscaling formats, and NVFP4.
_IMPLIED_GROUPS = {"F8_E8M0": 32, "U8": 32, "F8_E4M3": 16}
_MAX_AXES = 8
_TILE = 16


def count_weights(tensors: Sequence[Tensor], config: Mapping[str, Any]) -> dict[str, int | None]:
    """Count the weights of every tensor that is not part of a decoded one.

    Args:
        tensors: a checkpoint's tensors, decoded as far as they can be.
        config: the parsed `config.json`, of any content.

    Returns:
        By name: the number of weights, for plain numbers that of the elements; 0 for scales and whatever else belongs
        to codes; `None` where it can't be told.
    """
    own = {tensor.name: tensor for tensor in tensors if not tensor.part_of}
    codes = {name for name, tensor in own.items() if _holds_codes(tensor, own)}
    if not codes:
        return {name: tensor.parameters for name, tensor in own.items()}
    bits, groups = bit_widths(config), group_sizes(config)
    counts = {name: _codes(own[name], own, bits, groups) for name in own if name in codes}
    layers = {layer_name(name) for name, count in counts.items() if count is not None}
    # A vector of codes, such as a norm's, needs no decoding to be counted, but has scales of its own.
    layers |= {layer_name(name) for name in own if name not in codes and _is_vector_of_codes(own[name], own)}
    for name, tensor in own.items():
        if name not in codes:
            counts[name] = 0 if layer_name(name) in layers and _is_beside(tensor, own) else tensor.parameters
    return counts


def _holds_codes(tensor: Tensor, own: Mapping[str, Tensor]) -> bool:
    if isinstance(tensor, DecodedTensor) or (len(tensor.shape) < 2 and not tensor.refusal):
        return False
    if is_companion(tensor) and not tensor.refusal:
        return False
    # bitsandbytes may store codes as if they were floats.
    return bool(tensor.refusal) or tensor.dtype.kind == "quantised" or f"{tensor.name}.absmax" in own


def _is_vector_of_codes(tensor: Tensor, own: Mapping[str, Tensor]) -> bool:
    return len(tensor.shape) == 1 and tensor.dtype.kind == "quantised" and not _is_beside(tensor, own)


def _is_beside(tensor: Tensor, own: Mapping[str, Tensor]) -> bool:
    last = tensor.name.rpartition(".")[2]
    return is_companion(tensor) or last in _BESIDE or (last == "biases" and has_scales(tensor.name, own))


def _codes(tensor: Tensor, own: Mapping[str, Tensor], bits: frozenset[int], groups: frozenset[int]) -> int | None:
    """Count the weights of codes that are not decoded."""
    module, _, last = tensor.name.rpartition(".")
    stored = tensor.parameters * tensor.dtype.bits
    if last in _SHAPES and (count := _by_shape(own.get(f"{module}.{_SHAPES[last]}"))) is not None:
        return count
    if f"{module}.bitmask" in own and last == "compressed":
        return 8 * own[f"{module}.bitmask"].parameters
    if f"{tensor.name}.absmax" in own and tensor.shape[-1] == 1:
        return stored // 4
    if (count := _by_layout(tensor, module, last, own)) is not None:
        return count
    if tensor.dtype.kind == "float" or tensor.dtype.name.startswith(("F8", "F6", "F4")):
        return tensor.parameters
    return _by_bits(tensor, _scales(tensor, own), bits, groups)


def _by_shape(shape: Tensor | None) -> int | None:
    """The weights of a layer whose shape is stored in a tensor of a few whole numbers."""
    if not isinstance(shape, TensorRef) or shape.dtype.name not in {"I32", "I64"} or len(shape.shape) != 1:
        return None
    if not 0 < shape.parameters <= _MAX_AXES:
        return None
    try:
        sizes = [int(size) for size in shape.read()]
    except CheckpointError:
        return None
    return prod(sizes) if all(size > 0 for size in sizes) else None


def _by_layout(tensor: Tensor, module: str, last: str, own: Mapping[str, Tensor]) -> int | None:
    """Count by the shapes of what is stored beside: GPTQ and AWQ, AQLM, EXL2 and EXL3."""

    def shape(part: str) -> tuple[int, ...]:
        return own[f"{module}.{part}"].shape if f"{module}.{part}" in own else ()

    zeros, scales, books = shape("qzeros"), shape("scales"), shape("codebooks")
    if last == "qweight" and len(zeros) == len(scales) == 2 and scales[1]:
        # Zero points are packed like weights, and each has a scale.
        packed, rest = divmod(own[f"{module}.qzeros"].dtype.bits * zeros[1], scales[1])
        if rest == 0 and packed in _BITS:
            return tensor.parameters * tensor.dtype.bits // packed
    if last == "codes" and len(books) == 4 and tensor.shape[-1] == books[0]:
        return prod(tensor.shape[:-1]) * books[2] * books[3]
    if last == "q_weight" and len(shape("q_invperm")) == 1 and len(tensor.shape) == 2:
        return shape("q_invperm")[0] * tensor.shape[1]
    if last == "trellis" and len(tensor.shape) == 3:
        return tensor.shape[0] * tensor.shape[1] * _TILE**2
    return None


def _scales(tensor: Tensor, own: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor that holds the scales of codes."""
    module = tensor.name.rpartition(".")[0]
    stem = tensor.name.removesuffix("_blocks").removesuffix("_qdata").removesuffix("._data")
    names = [
        *(f"{stem}{suffix}" for suffix in ("_scale", "_scales", "_scale_inv", "._scale")),
        *(f"{module}.{part}" for part in ("scales", "scale", "weight_scale", "weight_scales", "SCB", "scale_weight")),
    ]
    return next((own[name] for name in names if name in own and name != tensor.name), None)


def _by_bits(tensor: Tensor, scales: Tensor | None, bits: frozenset[int], groups: frozenset[int]) -> int | None:
    """Count by the bits and group sizes that the configuration names; scales show which of them a layer has."""
    size, stored = tensor.dtype.bits, tensor.parameters * tensor.dtype.bits
    whole = {size} if size == 8 else set()
    if scales is not None and scales.parameters > 1:
        implied = {_IMPLIED_GROUPS[scales.dtype.name]} if scales.dtype.name in _IMPLIED_GROUPS else set()
        expected = {scales.parameters * group for group in groups | implied}
        possible = {stored // each for each in (bits or _BITS) | whole if stored % each == 0}
        if len(found := possible & expected) == 1:
            return found.pop()
        if found:
            return None
    if not bits:
        return tensor.parameters if tensor.dtype.name == "I8" else None
    if len(bits) > 1 or (tensor.dtype.name == "I8" and bits != {8}):
        # Four bits in a signed byte are stored either by themselves or two by two.
        return None
    return stored // min(bits)

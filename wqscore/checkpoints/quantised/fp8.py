"""Decode FP8 weights: eight-bit floats, each multiplied by the scale of its block, row, column or tensor.

The eight-bit types are those of Micikevicius et al., "FP8 formats for deep learning" (2022), and their FNUZ
variants without infinities or negative zero. Whatever a scale is called (`weight_scale_inv`, `weight_scale`), the
weight is the code's value *times* the scale. Scales of activations are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

from wqscore.checkpoints.decoding import FLOAT_CODES, Decoding, Refusal
from wqscore.checkpoints.tensor import TensorRef

Shape = tuple[int, ...]

#: Types of scales that are exponents, the E8M0 of the OCP microscaling formats: 2^(byte − 127), and NaN for 255.
_EXPONENTS = frozenset({"F8_E8M0", "U8"})
_SCALE_DTYPES = _EXPONENTS | {"F64", "F32", "F16", "BF16"}
_SCALE_SUFFIXES = ("_scale_inv", "_scale")
_SCALE_ENDING = re.compile(r"_scale(_inv)?$")
#: Names of the scale of `weight` in DeepSeek's own files, Mistral's, and ComfyUI's.
_SCALE_SIBLINGS = ("scale", "qscale_weight", "scale_weight")
_NOT_OF_WEIGHTS = re.compile(
    r"(input|output|activation|logit|layer|(^|[._])(k|v|q|kv))_scale|scale_input$|_scale_ub$|^scaled_fp8$"
)
#: compressed_tensors.py plans these; a float8 tensor among them may be anything.
_ELSEWHERE = "compressed-tensors"
#: DeepSeek-V3's block size, the default of transformers' `FineGrainedFP8Config`.
_USUAL_BLOCK = (128, 128)


def plan_decoding(
    tensors: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> tuple[list[Decoding], list[Refusal]]:
    """Find the FP8 weights of a checkpoint and their scales.

    Args:
        tensors: the stored tensors by name.
        config: the parsed `config.json`, of any content.

    Returns:
        The weights that can be decoded, and the tensors that can't, with the reason; both in the order of `tensors`.
    """
    declared = (config.get(key) for key in ("quantization_config", "compression_config"))
    settings: Mapping[str, Any] = next((found for found in declared if isinstance(found, dict)), {})
    if settings.get("quant_method") == _ELSEWHERE:
        return [], []
    weights = [
        ref for ref in tensors.values() if ref.dtype.name in FLOAT_CODES and ref.parameters and not _is_scale(ref)
    ]
    strays = _stray_scales(tensors) if weights else {}
    planned = [_planned(weight, tensors, strays, settings) for weight in weights]
    return [p for p in planned if isinstance(p, Decoding)], [p for p in planned if isinstance(p, Refusal)]


def decode(
    codes: np.ndarray, scale: np.ndarray | None = None, *, dtype: str, exponents: bool = False, blocks: Shape = ()
) -> np.ndarray:
    """Compute the weights: each code's value times the scale of its block.

    Args:
        codes: the stored bytes, uint8, with at least two axes if `blocks` is given.
        scale: the scales, with as many axes as `codes`, whose leading axes match those of `codes` or have size 1; or
            a single scale of any shape; or `None` for 1.
        dtype: the codes' type as safetensors names it: `F8_E4M3`, `F8_E5M2`, `F8_E4M3FNUZ`, `F8_E5M2FNUZ`.
        exponents: whether the scales are bytes e that mean 2^(e − 127).
        blocks: rows and columns that share a scale; the last block of an axis may be shorter. Empty for a single
            scale or none.

    Returns:
        float32, the shape of `codes`; the product is rounded once, to float32.

    Example:
        >>> codes = np.array([[0x38, 0x40, 0xB8], [0x38, 0x40, 0xB8]], np.uint8)  # 1, 2, -1 in E4M3
        >>> decode(codes, np.array([[2.0, 10.0]], np.float32), dtype="F8_E4M3", blocks=(2, 2)).tolist()
        [[2.0, 4.0, -10.0], [2.0, 4.0, -10.0]]
    """
    values = codes.view(FLOAT_CODES[dtype]).astype(np.float32, order="C")
    if scale is None:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        factors = (scale.view(ml_dtypes.float8_e8m0fnu) if exponents else scale).astype(np.float32)
        if blocks:
            _multiply_blocks(values, factors, blocks)
        else:
            values *= factors.reshape(())
    return values


def _multiply_blocks(values: np.ndarray, scale: np.ndarray, blocks: Shape) -> None:
    """Multiply each block by its scale in place; splitting an axis of a row-major array copies nothing."""
    for row, row_size, rows in _runs(values.shape[-2], blocks[0]):
        for column, column_size, columns in _runs(values.shape[-1], blocks[1]):
            taken = values[..., rows, columns]
            factors = scale[..., row, column]
            tiles = taken.reshape(*taken.shape[:-2], factors.shape[-2], row_size, factors.shape[-1], column_size)
            tiles *= factors[..., :, None, :, None]


def _runs(length: int, block: int) -> Iterator[tuple[slice, int, slice]]:
    """Yield the whole blocks of an axis, then the shorter last one: block indices, block size, range of elements."""
    count, rest = divmod(length, block)
    if count:
        yield slice(0, count), block, slice(0, count * block)
    if rest:
        yield slice(count, count + 1), rest, slice(count * block, length)


def _planned(
    weight: TensorRef, tensors: Mapping[str, TensorRef], strays: Mapping[str, str], settings: Mapping[str, Any]
) -> Decoding | Refusal:
    found = [name for name in _scale_names(weight.name) if name in tensors]
    if len(found) > 1:
        return Refusal(weight.name, f"FP8 with two scales: {found[0]} and {found[1]}")
    how = partial(decode, dtype=weight.dtype.name)
    if not found:
        reason = _lacks_scale(weight, strays, settings)
        if reason:
            return Refusal(weight.name, reason)
        return Decoding(weight.name, weight.shape, weight.dtype.name, (weight,), how)
    scale = tensors[found[0]]
    if scale.dtype.name not in _SCALE_DTYPES:
        return Refusal(weight.name, f"FP8 with scales of type {scale.dtype.name} in {scale.name}: not read")
    exponents = scale.dtype.name in _EXPONENTS
    parts = (weight, scale)
    if scale.parameters == 1:
        return Decoding(weight.name, weight.shape, weight.dtype.name, parts, partial(how, exponents=exponents))
    grid = _grid(weight.shape, scale.shape)
    blocks = _blocks(weight.shape, grid, _block_size(settings)) if grid else None
    if grid is None or blocks is None:
        return Refusal(
            weight.name,
            f"FP8 whose scales {scale.name} are {list(scale.shape)}: that fits no blocks, rows or columns "
            f"of {list(weight.shape)}",
        )
    return Decoding(
        weight.name,
        weight.shape,
        weight.dtype.name,
        parts,
        partial(_decode_on_grid, dtype=weight.dtype.name, exponents=exponents, grid=grid, blocks=blocks),
    )


def _decode_on_grid(
    codes: np.ndarray, scale: np.ndarray, *, dtype: str, exponents: bool, grid: Shape, blocks: Shape
) -> np.ndarray:
    shape = codes.shape if codes.ndim > 1 else (codes.size, 1)
    values = decode(codes.reshape(shape), scale.reshape(grid), dtype=dtype, exponents=exponents, blocks=blocks)
    return values.reshape(codes.shape)


def _grid(weight: Shape, scale: Shape) -> Shape | None:
    """The scales' shape padded to the weight's number of axes (scales per row or expert lack the last axes)."""
    if len(weight) == 2 and len(scale) == 4 and scale[1] == scale[3] == 1:
        # Model Optimizer keeps the axes over which it took the blocks' maxima.
        scale = (scale[0], scale[2])
    if len(scale) < len(weight) and scale == weight[: len(scale)]:
        scale = (*scale, *(1,) * (len(weight) - len(scale)))
    if len(weight) == 1:
        weight, scale = (*weight, 1), (*scale, 1)
    same = len(scale) == len(weight) and all(s in {1, w} for s, w in zip(scale[:-2], weight[:-2], strict=True))
    return scale if same else None


def _blocks(weight: Shape, grid: Shape, size: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of a block: as configured, or as the number of scales implies; `None` if neither fits."""
    sides = weight[-2:] if len(weight) > 1 else (weight[0], 1)
    if grid[-2:] == tuple(-(-side // block) for side, block in zip(sides, size, strict=True)):
        return size
    found = [_side(side, count) for side, count in zip(sides, grid[-2:], strict=True)]
    return (found[0], found[1]) if all(found) else None


def _side(side: int, count: int) -> int:
    """The size of `count` equal blocks along an axis, 0 if there is none.

    Blocks are powers of two unless they span the axis: 4 scales for 384 rows are not blocks of 96, but two stacked
    halves of 128 + 64 rows.
    """
    if count == 0 or side % count:
        return 0
    block = side // count
    return block if count == 1 or block & (block - 1) == 0 else 0


def _block_size(settings: Mapping[str, Any]) -> tuple[int, int]:
    value = settings.get("weight_block_size")
    if isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value):
        return value[0], value[1]
    return _USUAL_BLOCK


def _lacks_scale(weight: TensorRef, strays: Mapping[str, str], settings: Mapping[str, Any]) -> str | None:
    """Why a weight needs a scale that is missing; `None` if it is a plain float8 tensor."""
    stray = strays.get(weight.name.rpartition(".")[0])
    if stray is not None:
        return f"FP8 beside {stray}, which are not scales of a kind that is read"
    if len(weight.shape) > 1 and isinstance(settings.get("quant_method"), str):
        return "FP8 without its scales, which the configuration says it has: is a shard missing?"
    return None


def _scale_names(name: str) -> Iterator[str]:
    yield from (name + suffix for suffix in _SCALE_SUFFIXES)
    module, dot, last = name.rpartition(".")
    if last == "weight":
        yield from (module + dot + sibling for sibling in _SCALE_SIBLINGS)


def _is_scale(tensor: TensorRef) -> bool:
    """Whether a float8 tensor holds the scales of four-bit weights."""
    return "scale" in tensor.name.rpartition(".")[2]


def _stray_scales(names: Iterable[str]) -> dict[str, str]:
    """Map each module to a scale in it whose name matches no weight."""
    known = frozenset(names)
    strays: dict[str, str] = {}
    for name in known:
        module, _, last = name.rpartition(".")
        owner = _SCALE_ENDING.sub("", name)
        if "scale" in last and not _NOT_OF_WEIGHTS.search(name) and (owner == name or owner not in known):
            strays[module] = min(name, strays.get(module, name))
    return strays

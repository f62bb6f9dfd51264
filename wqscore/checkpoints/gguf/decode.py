"""Decode block-quantised GGUF tensors to float32 with the `gguf` package."""

from __future__ import annotations

from math import prod

import numpy as np

from wqscore.checkpoints.gguf.package import gguf_package

#: Numbers decoded at a time; the decoders allocate several arrays of this size.
_AT_ONCE = 2**18


def is_decodable(type_name: str) -> bool:
    """Whether the installed package decodes a type; a few types exist only in ggml's kernels."""
    gguf = gguf_package(type_name)
    kind = gguf.GGMLQuantizationType[type_name]
    _, nbytes = gguf.GGML_QUANT_SIZES[kind]
    try:
        gguf.quants.dequantize(np.zeros((1, nbytes), dtype=np.uint8), kind)
    except NotImplementedError:
        return False
    return True


def decode(stored: np.ndarray, type_name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Decode a tensor.

    Args:
        stored: its bytes, as uint8.
        type_name: ggml's name of its type: `Q4_K`.
        shape: the shape of the result; its last size is a multiple of the block size.

    Returns:
        A float32 array of `shape`; scales that are not finite pass through.
    """
    gguf = gguf_package(type_name)
    kind = gguf.GGMLQuantizationType[type_name]
    block, nbytes = gguf.GGML_QUANT_SIZES[kind]
    numbers = np.empty(prod(shape), dtype=np.float32)
    blocks = _AT_ONCE // block
    with np.errstate(all="ignore"):
        for first in range(0, numbers.size // block, blocks):
            some = stored[first * nbytes : (first + blocks) * nbytes]
            # Pass one long row: the package's loop takes only sixteen rows at a time.
            decoded = gguf.quants.dequantize(some.reshape(1, -1), kind)
            numbers[first * block : (first + blocks) * block] = decoded[0]
    return numbers.reshape(shape)


def decode_latent_keys(stored: np.ndarray, type_name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Decode the keys' up-projection of multi-head latent attention, stored with each head's matrix transposed.

    Args:
        stored: the numbers as (heads, latent, head size), or their bytes for a block-quantised type.
        type_name: ggml's name of its type.
        shape: (heads, latent, head size).

    Returns:
        A float32 array of (heads · head size, latent), the shape of the model's linear layer.
    """
    heads, latent, size = shape
    numbers = stored if stored.shape == shape else decode(stored, type_name, shape)
    return numbers.transpose(0, 2, 1).astype(np.float32, order="C").reshape(heads * size, latent)

"""Unpack codes of a few bits that are stored contiguously in 32-bit words."""

from __future__ import annotations

import numpy as np

_WORD = 32


def unpack_codes(words: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Unpack the codes of each row of words, from the lowest bits of the first word on.

    Code k of a row takes the bits k·b … k·b + b − 1 of its words, and so may begin in one word and end in the next:
    32 codes fill b words. GPTQ packs three bits this way, and compressed-tensors every number of bits.

    Args:
        words: (rows, words), of 32 bits each.
        bits: b, 1 to 8.
        count: number of codes in a row, at most 32/b times its words.

    Returns:
        (rows, count), uint8.

    Example:
        >>> unpack_codes(np.array([[0x76543210]], dtype=np.uint32), bits=4, count=8)
        array([[0, 1, 2, 3, 4, 5, 6, 7]], dtype=uint8)
    """
    rows, width = words.shape
    runs = -(-width // bits)
    padded = np.zeros((rows, runs * bits), dtype=np.uint32)
    padded[:, :width] = words.view(np.uint32)
    padded = padded.reshape(rows, runs, bits)
    codes = np.empty((rows, runs, _WORD), dtype=np.uint8)
    for k in range(_WORD):
        word, shift = divmod(k * bits, _WORD)
        code = padded[:, :, word] >> np.uint32(shift)
        if shift + bits > _WORD:
            code |= padded[:, :, word + 1] << np.uint32(_WORD - shift)
        codes[:, :, k] = code & np.uint32(2**bits - 1)
    return codes.reshape(rows, runs * _WORD)[:, :count]


def holds(words: int, bits: int, count: int) -> bool:
    """Whether `count` codes of so many bits take exactly this many words."""
    return words == -(-count * bits // _WORD)

"""Stored data types: their size, rounding, and whether they hold plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np

from wqscore.cached_property import cached_property


@dataclass(frozen=True)
class StoredDtype:
    """How one element is stored.

    Attributes:
        name: the safetensors name (`F32`, `BF16`, …), also for dtypes from torch pickles.
        bits: bits of one element in the file.
        numpy: the NumPy dtype to read elements as, or `None` if an element is not a whole number of bytes.
        kind: `float` (weights), `quantised` (packed, or scaled by another tensor), or `other` (integers, booleans,
            complex).
    """

    name: str
    bits: int
    numpy: np.dtype | None
    kind: str

    @cached_property
    def unit_roundoff(self) -> float:
        """The unit roundoff u, half the distance from 1 to the next number: an entry's relative rounding error."""
        if self.kind != "float" or self.numpy is None:
            return 0.0
        return float(ml_dtypes.finfo(self.numpy).eps) / 2


def _dtype(name: str, bits: int, numpy: object, kind: str) -> StoredDtype:
    return StoredDtype(name, bits, None if numpy is None else np.dtype(numpy), kind)  # type: ignore[call-overload]


# The list of the safetensors format. Numbers of 8 bits or fewer are quantised weights, scaled by another tensor;
# 8-bit floats are read as their byte codes.
_TABLE = [
    _dtype("F64", 64, "<f8", "float"),
    _dtype("F32", 32, "<f4", "float"),
    _dtype("F16", 16, "<f2", "float"),
    _dtype("BF16", 16, ml_dtypes.bfloat16, "float"),
    _dtype("F8_E4M3", 8, "<u1", "quantised"),
    _dtype("F8_E5M2", 8, "<u1", "quantised"),
    _dtype("F8_E8M0", 8, "<u1", "quantised"),
    _dtype("F8_E4M3FNUZ", 8, "<u1", "quantised"),
    _dtype("F8_E5M2FNUZ", 8, "<u1", "quantised"),
    _dtype("F6_E2M3", 6, None, "quantised"),
    _dtype("F6_E3M2", 6, None, "quantised"),
    _dtype("F4", 4, None, "quantised"),
    _dtype("I8", 8, "<i1", "quantised"),
    _dtype("U8", 8, "<u1", "quantised"),
    _dtype("I16", 16, "<i2", "quantised"),
    _dtype("U16", 16, "<u2", "quantised"),
    _dtype("I32", 32, "<i4", "quantised"),
    _dtype("U32", 32, "<u4", "quantised"),
    _dtype("I64", 64, "<i8", "other"),
    _dtype("U64", 64, "<u8", "other"),
    _dtype("BOOL", 8, "?", "other"),
    _dtype("C64", 64, "<c8", "other"),
]

STORED_DTYPES: dict[str, StoredDtype] = {dtype.name: dtype for dtype in _TABLE}

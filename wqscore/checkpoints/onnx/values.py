"""Locate the numbers of an initialiser, and read those stored as varints."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from wqscore.checkpoints.counts import are_counts, fits_memory
from wqscore.checkpoints.dtypes import STORED_DTYPES, StoredDtype
from wqscore.checkpoints.onnx.graph import StoredInitialiser
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

#: The numbers of `TensorProto.DataType` whose elements take whole bytes.
_DTYPES = {
    **{1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16", 11: "F64"},
    **{12: "U32", 13: "U64", 14: "C64", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ", 19: "F8_E5M2"},
    **{20: "F8_E5M2FNUZ", 24: "F8_E8M0"},
}
_OTHERS = {8: "STRING", 15: "COMPLEX128", 21: "UINT4", 22: "INT4", 23: "FLOAT4E2M1", 25: "UINT2", 26: "INT2"}
#: By data type, the lists that hold numbers as in memory, and those that hold them as varints.
_PLAIN_LISTS = {"F32": "floats", "F64": "doubles", "C64": "floats"}
_VARINT_LISTS = {
    **dict.fromkeys(("F16", "BF16", "I8", "U8", "I16", "U16", "I32", "BOOL"), "int32s"),
    **{name: "int32s" for name in _DTYPES.values() if name.startswith("F8_")},
    **{"I64": "int64s", "U32": "uint64s", "U64": "uint64s"},
}
_MAX_VARINT_BYTES = 10


class Stored(NamedTuple):
    """An initialiser's numbers: a tensor, or the bytes of varints if `varints` gives the type of the numbers."""

    tensor: TensorRef
    varints: StoredDtype | None


def locate(stored: StoredInitialiser, file: Path) -> Stored | str:
    """Find and check the bytes of an initialiser.

    Returns:
        The located numbers, or one line that says why they can't be read.

    Raises:
        CheckpointError: the model contradicts itself or its files, or names a file outside its folder.
    """
    where = f"{file}: {stored.name:.200}"
    dtype = STORED_DTYPES.get(_DTYPES.get(stored.data_type, ""))
    if dtype is None:
        return f"{_OTHERS.get(stored.data_type, f'data type {stored.data_type}')} numbers are not read"
    if not are_counts(*stored.dims) or not fits_memory(stored.dims, dtype.bits // 8):
        raise CheckpointError(f"{where}: has a shape that is negative or larger than any memory: damaged or forged")
    nbytes = prod(stored.dims) * dtype.bits // 8
    if stored.external is not None:
        path, offset = _external(stored.external, nbytes, file, where)
        return Stored(TensorRef(stored.name, stored.dims, dtype, path, offset), None)
    if len(stored.data) > 1:
        raise CheckpointError(f"{where}: has its numbers twice: damaged or forged")
    kind, span = next(iter(stored.data.items()), ("raw", range(0)))
    if kind == _VARINT_LISTS.get(dtype.name) and nbytes:
        if not prod(stored.dims) <= len(span) <= prod(stored.dims) * _MAX_VARINT_BYTES:
            raise _misfit(where, len(span), stored.dims, dtype)
        return Stored(TensorRef(stored.name, (len(span),), STORED_DTYPES["U8"], file, span.start), dtype)
    if kind not in ("raw", _PLAIN_LISTS.get(dtype.name)) or len(span) != nbytes:
        raise _misfit(where, len(span), stored.dims, dtype)
    return Stored(TensorRef(stored.name, stored.dims, dtype, file, span.start), None)


def from_varints(data: np.ndarray, *, dtype: StoredDtype, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Parse numbers stored as varints: integers, or the bits of 16-bit floats.

    Args:
        data: their bytes, uint8.
        dtype: the type of the numbers, of at most 32 bits.
        shape: their shape.
        where: for messages.

    Raises:
        CheckpointError: there are more or fewer numbers than the shape has.
    """
    ends = np.flatnonzero(data < 0x80)
    if ends.size != prod(shape) or (data.size and ends[-1] != data.size - 1):
        raise CheckpointError(f"{where}: has {ends.size} numbers, its shape says {prod(shape)}: damaged or forged")
    starts = np.concatenate([[0], ends[:-1] + 1])
    bits = np.zeros(ends.size, np.uint32)
    # A negative number takes ten bytes, of which the first five hold its lower 32 bits.
    for byte in range(5):
        having = np.flatnonzero(starts + byte <= ends)
        bits[having] |= (data[starts[having] + byte] & 0x7F).astype(np.uint32) << np.uint32(7 * byte)
    assert dtype.numpy is not None, "every type stored as varints has a NumPy equivalent"
    return bits.astype(f"<u{dtype.bits // 8}").view(dtype.numpy).reshape(shape)


def _external(entries: Mapping[str, str], nbytes: int, file: Path, where: str) -> tuple[Path, int]:
    """The file and the first byte of external data; checks that all of it exists, in the model's folder or below."""
    location = entries.get("location", "")
    path = PurePosixPath(location)
    if not path.parts or path.is_absolute() or ".." in path.parts or any(c in location for c in "\\:\0"):
        raise CheckpointError(f"{where}: its data is in {location!r:.200}, outside the model's folder: refused")
    offset, length = _count(entries.get("offset", "0")), _count(entries.get("length", str(nbytes)))
    if offset is None or length != nbytes:
        raise CheckpointError(
            f"{where}: its external data has an offset or length that does not fit: damaged or forged"
        )
    external = file.parent / path
    try:
        size = external.stat().st_size if external.is_file() else -1
    except OSError as error:
        raise CheckpointError(f"{where}: its data in {location:.200} can't be read: {error.strerror}") from error
    if size < 0:
        raise CheckpointError(f"{where}: its data is in {location:.200}, which is missing: fetch it too")
    if offset + nbytes > size:
        raise CheckpointError(
            f"{where}: its data extends beyond the end of {location:.200}: cut short, fetch it again"
        )
    return external, offset


def _count(digits: str) -> int | None:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None


def _misfit(where: str, nbytes: int, dims: tuple[int, ...], dtype: StoredDtype) -> CheckpointError:
    return CheckpointError(f"{where}: has {nbytes} bytes, which {dims} of {dtype.name} do not fit: damaged or forged")

"""Locate the numbers of an initialiser, and parse those that are not stored as in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from wqscore.checkpoints.counts import are_counts, fits_memory
from wqscore.checkpoints.dtypes import STORED_DTYPES, StoredDtype
from wqscore.checkpoints.onnx.stored import TAGGED, StoredInitialiser
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError
from wqscore.refs.file_names import is_plain

#: The numbers of `TensorProto.DataType` whose elements take whole bytes.
_DTYPES = {
    **{1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16", 11: "F64"},
    **{12: "U32", 13: "U64", 14: "C64", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ", 19: "F8_E5M2"},
    **{20: "F8_E5M2FNUZ", 24: "F8_E8M0"},
}
#: Types that are read no further, or packed in bytes; text and complex numbers are no weights.
_OTHERS = {
    8: StoredDtype("STRING", 8, None, "other"),
    15: StoredDtype("COMPLEX128", 128, None, "other"),
    21: StoredDtype("UINT4", 4, None, "quantised"),
    22: StoredDtype("INT4", 4, None, "quantised"),
    23: StoredDtype("FLOAT4E2M1", 4, None, "quantised"),
    25: StoredDtype("UINT2", 2, None, "quantised"),
    26: StoredDtype("INT2", 2, None, "quantised"),
}
#: The packed types that are read.
_PACKED = frozenset({"UINT4", "INT4"})
#: By data type, the lists that hold numbers as in memory, and those that hold them as varints.
_PLAIN_LISTS = {"F32": "floats", "F64": "doubles", "C64": "floats"}
_VARINT_LISTS = {
    **dict.fromkeys(("F16", "BF16", "I8", "U8", "I16", "U16", "I32", "BOOL"), "int32s"),
    **{name: "int32s" for name in _DTYPES.values() if name.startswith("F8_")},
    **{"UINT4": "int32s", "INT4": "int32s", "I64": "int64s", "U32": "uint64s", "U64": "uint64s"},
}
_MAX_VARINT_BYTES = 10


Parse = Callable[[np.ndarray], np.ndarray]


class Stored(NamedTuple):
    """Where an initialiser's numbers are.

    Attributes:
        tensor: the numbers, or the bytes that hold them.
        dims: their shape.
        dtype: their type.
        parse: turns the bytes into numbers of `dims`; `None` if `tensor` is the numbers.
        refusal: why they can't be read; empty if they can.
    """

    tensor: TensorRef
    dims: tuple[int, ...]
    dtype: StoredDtype
    parse: Parse | None = None
    refusal: str = ""

    def read(self) -> np.ndarray:
        """Read the numbers.

        Raises:
            CheckpointError: the file ends early, or they are not as many as their shape says.
        """
        array = self.tensor.read()
        return self.parse(array) if self.parse else array


def locate(stored: StoredInitialiser, file: Path) -> Stored:
    """Find and check the bytes of an initialiser.

    Raises:
        CheckpointError: the model contradicts itself or its files, or names a file outside its folder.
    """
    where = f"{file}: {stored.name:.200}"
    dtype = STORED_DTYPES.get(_DTYPES.get(stored.data_type, ""))
    if dtype is None:
        unknown = StoredDtype(f"TYPE{stored.data_type}", 8, None, "quantised")
        dtype = _OTHERS.get(stored.data_type, unknown)
    if not are_counts(*stored.dims) or not fits_memory(stored.dims, max(dtype.bits // 8, 1)):
        raise CheckpointError(f"{where}: has a shape that is negative or larger than any memory: damaged or forged")
    nbytes = -(-prod(stored.dims) * dtype.bits // 8)
    if dtype.numpy is None and dtype.name not in _PACKED:
        span = stored.data.get("raw", range(0))
        tensor = TensorRef(stored.name, (len(span),), STORED_DTYPES["U8"], file, span.start)
        return Stored(tensor, stored.dims, dtype, None, f"{dtype.name} numbers are not read")
    if stored.external is not None:
        return _located(stored, dtype, *_external(stored.external, nbytes, file, where))
    if len(stored.data) > 1:
        raise CheckpointError(f"{where}: has its numbers twice: damaged or forged")
    kind, span = next(iter(stored.data.items()), ("raw", range(0)))
    if kind == TAGGED and dtype.name == "F32":
        tensor = TensorRef(stored.name, (len(span),), STORED_DTYPES["U8"], file, span.start)
        return Stored(tensor, stored.dims, dtype, _without_tags)
    if kind == _VARINT_LISTS.get(dtype.name) and nbytes:
        count = nbytes if dtype.name in _PACKED else prod(stored.dims)
        if not count <= len(span) <= count * _MAX_VARINT_BYTES:
            raise _misfit(where, len(span), stored.dims, dtype)
        tensor = TensorRef(stored.name, (len(span),), STORED_DTYPES["U8"], file, span.start)
        return Stored(tensor, stored.dims, dtype, _varint_parser(stored, dtype))
    if kind not in ("raw", _PLAIN_LISTS.get(dtype.name)) or len(span) != nbytes:
        raise _misfit(where, len(span), stored.dims, dtype)
    return _located(stored, dtype, file, span.start)


def _located(stored: StoredInitialiser, dtype: StoredDtype, file: Path, offset: int) -> Stored:
    """Numbers stored as in memory, or two in a byte."""
    if dtype.name not in _PACKED:
        return Stored(TensorRef(stored.name, stored.dims, dtype, file, offset), stored.dims, dtype)
    tensor = TensorRef(stored.name, (-(-prod(stored.dims) // 2),), STORED_DTYPES["U8"], file, offset)
    return Stored(tensor, stored.dims, dtype, partial(from_nibbles, shape=stored.dims, signed=dtype.name == "INT4"))


def _varint_parser(stored: StoredInitialiser, dtype: StoredDtype) -> Parse:
    where = stored.name
    if dtype.name not in _PACKED:
        return partial(from_varints, dtype=dtype, shape=stored.dims, where=where)
    return partial(_nibbles_of_varints, shape=stored.dims, signed=dtype.name == "INT4", where=where)


def _nibbles_of_varints(data: np.ndarray, *, shape: tuple[int, ...], signed: bool, where: str) -> np.ndarray:
    count = -(-prod(shape) // 2)
    packed = from_varints(data, dtype=STORED_DTYPES["U8"], shape=(count,), where=where)
    return from_nibbles(packed, shape=shape, signed=signed)


def from_nibbles(data: np.ndarray, *, shape: tuple[int, ...], signed: bool) -> np.ndarray:
    """Unpack numbers of four bits, the first in the lower half of a byte.

    Args:
        data: their bytes, uint8.
        shape: their shape.
        signed: whether they are −8 to 7 instead of 0 to 15.

    Returns:
        int8 or uint8 of the shape.

    Example:
        >>> from_nibbles(np.array([0xF1, 0x02], np.uint8), shape=(3,), signed=True)
        array([ 1, -1,  2], dtype=int8)
    """
    numbers = np.stack([data & 0xF, data >> 4], axis=-1).reshape(-1)[: prod(shape)].reshape(shape)
    return ((numbers ^ 8).astype(np.int8) - np.int8(8)) if signed else numbers


def _without_tags(data: np.ndarray) -> np.ndarray:
    """Parse floats that each have a tag of one byte before them."""
    return np.ascontiguousarray(data.reshape(-1, 5)[:, 1:]).view("<f4").reshape(-1)


def from_varints(data: np.ndarray, *, dtype: StoredDtype, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Parse numbers stored as varints: integers, or the bits of 16-bit floats.

    Args:
        data: their bytes, uint8.
        dtype: the type of the numbers.
        shape: their shape.
        where: for messages.

    Raises:
        CheckpointError: there are more or fewer numbers than the shape has.
    """
    ends = np.flatnonzero(data < 0x80)
    if ends.size != prod(shape) or (data.size and ends[-1] != data.size - 1):
        raise CheckpointError(f"{where}: has {ends.size} numbers, its shape says {prod(shape)}: damaged or forged")
    starts = np.concatenate([[0], ends[:-1] + 1])
    bits = np.zeros(ends.size, np.uint64)
    # A negative number takes ten bytes; the first five hold its lower 32 bits.
    for byte in range(_MAX_VARINT_BYTES if dtype.bits > 32 else 5):
        having = np.flatnonzero(starts + byte <= ends)
        bits[having] |= (data[starts[having] + byte] & 0x7F).astype(np.uint64) << np.uint64(7 * byte)
    assert dtype.numpy is not None, "every type stored as varints has a NumPy equivalent"
    return bits.astype(f"<u{dtype.bits // 8}").view(dtype.numpy).reshape(shape)


def _external(entries: Mapping[str, str], nbytes: int, file: Path, where: str) -> tuple[Path, int]:
    """The file and the first byte of external data; checks that all of it exists, in the model's folder or below."""
    location = entries.get("location", "")
    path = PurePosixPath(location)
    # Writers may begin it with ./
    if not path.parts or not is_plain(path.as_posix()):
        raise CheckpointError(
            f"{where}: its data is in {location!r:.200}, outside the model's folder or no file name: refused"
        )
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

"""Read NumPy files: one array in a `.npy`, several named ones in a `.npz`, which is a zip archive of `.npy` files.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. `numpy.savez` stores arrays without
compression, so that each is a range of bytes; `numpy.savez_compressed` deflates each, and reading inflates it.
"""

from __future__ import annotations

import io
import warnings
import zlib
from functools import partial
from math import prod
from pathlib import Path
from typing import IO, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

import numpy as np

from wqscore.checkpoints.counts import are_counts, fits_memory
from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.dtypes import STORED_DTYPES, StoredDtype
from wqscore.checkpoints.tensor import TensorRef
from wqscore.checkpoints.zip_members import content_start, zip_directory
from wqscore.errors import CheckpointError, reading

NpzPlan = tuple[list[TensorRef], list[Decoding], list[Refusal]]

_MAGIC = b"\x93NUMPY"
#: NumPy reads headers of up to 10,000 bytes; a typical one has 128.
_MAX_HEAD_BYTES = 12_000
_MAX_DIMENSIONS = 64
#: Deflate's highest compression ratio; a higher one means a forged size.
_MAX_RATIO = 1032
_NAMES = ("F64", "F32", "F16", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "BOOL", "C64")
_DTYPES = {STORED_DTYPES[name].numpy: STORED_DTYPES[name] for name in _NAMES}


class _Header(NamedTuple):
    """An array's header of `size` bytes; the numbers follow."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran_order: bool
    size: int


def read_npz(file: Path) -> NpzPlan:
    """List the arrays of a `.npz` archive from their headers.

    Names are the keys, with dots for slashes (`params/dense/kernel` is `params.dense.kernel`).

    Args:
        file: the archive.

    Returns:
        The byte ranges of uncompressed arrays and of deflated floats; how to inflate the latter; and the arrays that
        can't be read (of objects, text, records and the like).

    Raises:
        CheckpointError: not a zip archive, damaged, or with sizes that contradict each other.
    """
    tensors: list[TensorRef] = []
    decodings: list[Decoding] = []
    refusals: list[Refusal] = []
    with reading(file), file.open("rb") as stream:
        for info in _directory(stream, file):
            start = _start(stream, info, file)
            stream.seek(start)
            planned = _member(stream.read(min(info.compress_size, _MAX_HEAD_BYTES)), info, start, file)
            if isinstance(planned, Refusal):
                refusals.append(planned)
                continue
            if isinstance(planned, Decoding):
                decodings.append(planned)
            parts = planned.parts if isinstance(planned, Decoding) else (planned,)
            tensors += [part for part in parts if isinstance(part, TensorRef)]
    return tensors, decodings, refusals


def read_npy(file: Path) -> TensorRef:
    """Describe the array of a `.npy` file from its header; the file's name, without suffix, is the tensor's.

    Raises:
        CheckpointError: no such file, damaged, cut short, or not an array of numbers.
    """
    with reading(file), file.open("rb") as stream:
        head, size = stream.read(_MAX_HEAD_BYTES), file.stat().st_size
    header = _header(head, str(file))
    dtype = _stored_dtype(header.dtype)
    if isinstance(dtype, str):
        raise CheckpointError(f"{file}: {dtype}")
    _check_size(header, dtype, size, str(file))
    return _tensor_ref(file.stem, header, dtype, file, 0)


def _directory(stream: IO[bytes], file: Path) -> list[ZipInfo]:
    infos = zip_directory(stream, file)
    names = {_name(info) for info in infos}
    if len(names) != len(infos):
        raise CheckpointError(f"{file}: two of its arrays have the same name: refused")
    return infos


def _name(info: ZipInfo) -> str:
    return info.filename.removesuffix(".npy").replace("/", ".")


def _start(stream: IO[bytes], info: ZipInfo, file: Path) -> int:
    """Find the first byte of a member's content, and check that all of it is in the file."""
    where = f"{file}: zip entry {info.filename!r:.200}"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & 1:
        raise CheckpointError(
            f"{where} is encrypted, or compressed by a method NumPy doesn't use: save it with numpy.savez"
        )
    start = content_start(stream, info, info.compress_size, file)
    if info.compress_type == ZIP_STORED and info.compress_size != info.file_size:
        raise CheckpointError(f"{where} is not compressed but has two sizes: damaged or forged")
    if info.file_size > info.compress_size * _MAX_RATIO:
        raise CheckpointError(f"{where} claims to inflate {info.compress_size} bytes to {info.file_size}: forged")
    return start


def _member(head: bytes, info: ZipInfo, start: int, file: Path) -> TensorRef | Decoding | Refusal:
    """Plan one array from the first bytes of its member."""
    name, where = _name(info), f"{file}: {info.filename:.200}"
    deflated = info.compress_type == ZIP_DEFLATED
    if deflated:
        try:
            head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head, _MAX_HEAD_BYTES)
        except zlib.error as error:
            raise _damaged(where) from error
    if not head.startswith(_MAGIC):
        return Refusal(name, "is no array: not in NumPy's format")
    header = _header(head, where)
    dtype = _stored_dtype(header.dtype)
    if isinstance(dtype, str):
        return Refusal(name, dtype)
    _check_size(header, dtype, info.file_size, where)
    if not deflated:
        return _tensor_ref(name, header, dtype, file, start)
    if dtype.kind != "float":
        return Refusal(name, f"is compressed and of {dtype.name}, not floats: not read; save it with numpy.savez")
    part = TensorRef(name, (info.compress_size,), STORED_DTYPES["U8"], file, start)
    inflate = partial(_inflate, header=header, checksum=info.CRC, where=where)
    return Decoding(name, header.shape, dtype.name, (part,), inflate)


def _header(head: bytes, where: str) -> _Header:
    """Read the header with NumPy's own functions, which parse at most 10,000 characters and only literals."""
    stream = io.BytesIO(head)
    try:
        with warnings.catch_warnings():
            # NumPy warns about files from Python 2 and odd type names.
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(stream)
            readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            if version not in readers:
                raise ValueError(f"version {version}")
            shape, fortran_order, dtype = readers[version](stream)
    # Python's parser and NumPy's dtype constructor raise many kinds of errors.
    except Exception as error:
        raise CheckpointError(f"{where}: its NumPy header can't be read: damaged, or an array of records") from error
    if len(shape) > _MAX_DIMENSIONS or not are_counts(*shape):
        raise CheckpointError(f"{where}: its header gives an impossible shape: damaged or forged")
    return _Header(dtype, shape, fortran_order, stream.tell())


def _stored_dtype(dtype: np.dtype) -> StoredDtype | str:
    """The stored type of an array's numbers, or why the array is not read."""
    if dtype.hasobject:
        return "holds Python objects, which only a pickle could restore: not read; save arrays of numbers"
    if dtype in _DTYPES:
        return _DTYPES[dtype]
    if dtype.newbyteorder("<") in _DTYPES:
        return "holds big-endian numbers: save it as little-endian"
    if dtype.kind == "V" and dtype.names is None and dtype.subdtype is None:
        return f"holds {dtype.itemsize}-byte numbers of a type NumPy has no name for (bfloat16?): save it as float32"
    return f"holds {dtype!s:.50}, not read: save it as float32"


def _check_size(header: _Header, dtype: StoredDtype, size: int, where: str) -> None:
    """Check that header and numbers together take exactly `size` bytes."""
    itemsize = dtype.bits // 8
    if not fits_memory(header.shape, itemsize):
        raise CheckpointError(f"{where}: is larger than any memory: damaged or forged")
    expected = header.size + prod(header.shape) * itemsize
    if expected != size:
        raise CheckpointError(f"{where}: has {size} bytes, its header says {expected}: cut short or forged")


def _tensor_ref(name: str, header: _Header, dtype: StoredDtype, file: Path, start: int) -> TensorRef:
    shape = header.shape
    steps = tuple(prod(shape[:i]) if size > 1 else 0 for i, size in enumerate(shape))
    one_order = 0 in shape or sum(size > 1 for size in shape) < 2 or not header.fortran_order
    return TensorRef(name, shape, dtype, file, start + header.size, None if one_order else steps)


def _inflate(compressed: np.ndarray, *, header: _Header, checksum: int, where: str) -> np.ndarray:
    """Inflate an array to float32, never decompressing more than the header's size."""
    size = header.size + prod(header.shape) * header.dtype.itemsize
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(compressed.data, size + 1)
    except zlib.error as error:
        raise _damaged(where) from error
    if len(content) != size or not inflater.eof:
        raise CheckpointError(f"{where}: does not inflate to the {size} bytes its header gives: damaged or forged")
    if zlib.crc32(content) != checksum:
        raise CheckpointError(f"{where}: does not match its checksum: fetch it again")
    numbers = np.frombuffer(content, header.dtype, offset=header.size)
    with np.errstate(over="ignore"):
        floats = numbers.astype(np.float32, copy=False)
    return floats.reshape(header.shape, order="F" if header.fortran_order else "C")


def _damaged(where: str) -> CheckpointError:
    return CheckpointError(f"{where}: its compressed bytes are damaged: fetch it again")

"""Read a GGUF file's header: metadata, and each tensor's name, shape, type and byte range.

This module replaces the package's `GGUFReader`, which maps the whole file, builds an object for each token of the
vocabulary, trusts every count in the file, and can't read from a byte range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from wqscore.checkpoints.counts import fits_memory
from wqscore.checkpoints.gguf.fields import FORGED, Fields, GgufValue
from wqscore.errors import reading

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MAX_TENSORS = 2**16
_MAX_KEYS = 2**16
#: ggml's own limit.
_MAX_DIMENSIONS = 4
_MAX_TEXT_BYTES = 2**16
_TENSOR_BYTES = 24
_DEFAULT_ALIGNMENT = 32
ALIGNMENT = "general.alignment"


@dataclass(frozen=True)
class TensorType:
    """How a tensor's numbers are stored.

    Attributes:
        name: ggml's name: `F16`, `Q4_K`.
        block: numbers in a block.
        nbytes: bytes of a block.
    """

    name: str
    block: int
    nbytes: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as the header lists it.

    Attributes:
        name: llama.cpp's name.
        shape: sizes, the slowest-varying axis first, the reverse of the file's order.
        type: how its numbers are stored.
        offset: its first byte, from the start of the file.
    """

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int

    @property
    def nbytes(self) -> int:
        """Number of bytes in the file."""
        return prod(self.shape) // self.type.block * self.type.nbytes


@dataclass(frozen=True)
class Header:
    """A file's header: the needed metadata, and the tensors in file order."""

    metadata: Mapping[str, GgufValue]
    tensors: tuple[StoredTensor, ...]


def read_header(file: Path, types: Mapping[int, TensorType], needed: Callable[[str], bool]) -> Header:
    """Read the header of a file on disk; see `parse_header`.

    Raises:
        CheckpointError: the file can't be read, or its header breaks the format's rules.
    """
    with reading(file), file.open("rb", buffering=2**20) as stream:
        return parse_header(stream, file.stat().st_size, file, types, needed)


def parse_header(
    stream: BinaryIO, file_size: int, file: Path, types: Mapping[int, TensorType], needed: Callable[[str], bool]
) -> Header:
    """Read a header from the file's first bytes.

    Args:
        stream: bytes from the start of the file.
        file_size: bytes of the whole file.
        file: the file, for messages.
        types: the tensor types by ggml's number.
        needed: says which metadata keys to keep; others, such as vocabularies, are skipped.

    Raises:
        CheckpointError: not little-endian GGUF of version 2 or 3, duplicate keys or tensors, counts or lengths
            beyond the file, an unknown type, or a tensor that overlaps another or extends beyond the file.
    """
    fields = Fields(stream, file_size, file)
    _check_start(fields)
    tensor_count, key_count = fields.u64(), fields.u64()
    if tensor_count > min(_MAX_TENSORS, fields.left // _TENSOR_BYTES) or key_count > _MAX_KEYS:
        raise fields.fault(f"claims {tensor_count} tensors and {key_count} metadata keys: {FORGED}")
    metadata = _metadata(fields, key_count, needed)
    listed = [_tensor(fields, types) for _ in range(tensor_count)]
    alignment = _alignment(fields, metadata)
    start = -(-fields.position // alignment) * alignment
    for tensor in listed:
        if tensor.offset % alignment:
            raise fields.fault(f"tensor {tensor.name:.200} is not aligned to {alignment} bytes: {FORGED}")
    tensors = tuple(StoredTensor(t.name, t.shape, t.type, start + t.offset) for t in listed)
    _check_ranges(fields, tensors, file_size)
    return Header(metadata, tensors)


def _check_start(fields: Fields) -> None:
    start = fields.take(min(8, fields.left))
    if start == b"version ":
        raise fields.fault("is a Git LFS pointer, not the weights: fetch it with git lfs pull")
    if start[:4] != _MAGIC or len(start) < 8:
        raise fields.fault("does not start as a GGUF file does: not GGUF, or cut short")
    version = int.from_bytes(start[4:], "little")
    if version and version % 2**16 == 0:
        raise fields.fault("is a big-endian GGUF, which is not read: convert the checkpoint again, little-endian")
    if version not in _VERSIONS:
        raise fields.fault(f"is GGUF version {version}; 2 and 3 are read: convert the checkpoint again")


def _metadata(fields: Fields, count: int, needed: Callable[[str], bool]) -> dict[str, GgufValue]:
    metadata: dict[str, GgufValue] = {}
    seen = set()
    for _ in range(count):
        key = fields.text(_MAX_TEXT_BYTES, "a metadata key")
        if key in seen:
            raise fields.fault(f"has the metadata key {key:.200} twice: {FORGED}")
        seen.add(key)
        if not needed(key):
            fields.skip_value(f"{key:.200}")
        elif (value := fields.value(_MAX_TEXT_BYTES, f"{key:.200}")) is not None:
            metadata[key] = value
    return metadata


def _tensor(fields: Fields, types: Mapping[int, TensorType]) -> StoredTensor:
    """Read one entry; its offset is relative to the start of the data."""
    name = fields.text(_MAX_TEXT_BYTES, "a tensor's name")
    dimensions = fields.u32()
    if dimensions > _MAX_DIMENSIONS:
        raise fields.fault(f"tensor {name:.200} claims {dimensions} dimensions: {FORGED}")
    shape = tuple(fields.u64() for _ in range(dimensions))[::-1]
    number, offset = fields.u32(), fields.u64()
    kind = types.get(number)
    if kind is None:
        raise fields.fault(f"tensor {name:.200} has type {number}, which is not known: update the gguf package")
    if not fits_memory(shape):
        raise fields.fault(f"tensor {name:.200}: its shape {list(shape)} is larger than any memory: {FORGED}")
    if (shape[-1] if shape else 1) % kind.block:
        raise fields.fault(
            f"tensor {name:.200}: rows of {shape[-1] if shape else 1} are not whole {kind.name} blocks of "
            f"{kind.block}: {FORGED}"
        )
    return StoredTensor(name, shape, kind, offset)


def _alignment(fields: Fields, metadata: Mapping[str, GgufValue]) -> int:
    alignment = metadata.get(ALIGNMENT, _DEFAULT_ALIGNMENT)
    if type(alignment) is not int or alignment <= 0 or alignment & (alignment - 1):
        raise fields.fault(f"its {ALIGNMENT} {alignment!s:.100} is not a power of two: {FORGED}")
    return alignment


def _check_ranges(fields: Fields, tensors: tuple[StoredTensor, ...], file_size: int) -> None:
    seen = set()
    end = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.nbytes)):
        if tensor.name in seen:
            raise fields.fault(f"has the tensor {tensor.name:.200} twice: {FORGED}")
        seen.add(tensor.name)
        if tensor.offset + tensor.nbytes > file_size:
            raise fields.fault(
                f"tensor {tensor.name:.200} ends at byte {tensor.offset + tensor.nbytes}, the file at {file_size}: "
                "cut short, fetch it again"
            )
        if tensor.nbytes and tensor.offset < end:
            raise fields.fault(f"tensor {tensor.name:.200} overlaps another tensor: {FORGED}")
        end = max(end, tensor.offset + tensor.nbytes)

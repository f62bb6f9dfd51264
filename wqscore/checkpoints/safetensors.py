"""Read safetensors files: an eight-byte length, a JSON header, then the tensors' bytes.

Format: https://huggingface.co/docs/safetensors. This module parses the header itself because a `TensorRef` needs
each tensor's byte range, which the safetensors package doesn't give, and because the error for an invalid header
must say what to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from wqscore.checkpoints.counts import fits_memory
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError, reading

#: The longest header the reference implementation accepts.
MAX_HEADER_BYTES = 100_000_000
_LENGTH_BYTES = 8
#: NumPy's own limit.
_MAX_DIMENSIONS = 64
#: The key under which the model specification of Stability AI says what a file is: `stable-diffusion-v1/lora`.
_ARCHITECTURE = "modelspec.architecture"
_NO_MODELS = {"textual-inversion": "a textual inversion", "hypernetwork": "a hypernetwork"}
_FORGED = "damaged or forged, fetch it again"


def read_safetensors(file: Path) -> list[TensorRef]:
    """List the tensors of a safetensors file from its header alone.

    Raises:
        CheckpointError: the file is empty or truncated, or its header breaks the format's rules.
    """
    with reading(file), file.open("rb") as stream:
        size = file.stat().st_size
        return parse_header(stream.read(header_length(stream.read(_LENGTH_BYTES), size, file)), size, file)


def read_metadata(tensor: TensorRef) -> dict[str, str]:
    """Read the free text that a safetensors file has beside its tensors, from the file of one of them.

    Raises:
        CheckpointError: the file can't be read.
    """
    file, source = tensor.file, tensor.source
    if source is not None:
        length = int.from_bytes(source.read(file, 0, _LENGTH_BYTES), "little")
        header = source.read(file, _LENGTH_BYTES, min(length, MAX_HEADER_BYTES))
    else:
        with reading(file), file.open("rb") as stream:
            header = stream.read(header_length(stream.read(_LENGTH_BYTES), file.stat().st_size, file))
    metadata = json.loads(header.decode("utf-8")).get("__metadata__")
    return metadata if isinstance(metadata, dict) else {}


def header_length(prefix: bytes, file_size: int, file: Path) -> int:
    """Read the header's length in bytes from the file's first eight bytes.

    Raises:
        CheckpointError: fewer than eight bytes, or a length beyond the file's size or the format's limit.
    """
    if len(prefix) < _LENGTH_BYTES:
        raise CheckpointError(f"{file}: is empty or cut short ({file_size} bytes): fetch it again")
    if prefix == b"version ":
        raise CheckpointError(f"{file}: is a Git LFS pointer, not the weights: fetch it with git lfs pull")
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{file}: claims a header of {length} bytes, more than the {MAX_HEADER_BYTES} the format allows: "
            "not a safetensors file, or a damaged one"
        )
    if length > file_size - _LENGTH_BYTES:
        raise CheckpointError(
            f"{file}: claims a header of {length} bytes but has {file_size} in all: cut short, fetch it again"
        )
    return length


def parse_header(header: bytes, file_size: int, file: Path) -> list[TensorRef]:
    """Parse a header into tensor references; refuse one that contradicts itself or the file.

    Args:
        header: the JSON header, without the length that precedes it.
        file_size: bytes of the whole file.
        file: the file, for the references and for messages.

    Raises:
        CheckpointError: invalid JSON, a duplicate name, an unknown dtype or key, a shape that does not fit its
            byte range, or ranges that overlap, leave gaps or don't end at the file's end.
    """
    try:
        entries = json.loads(header.decode("utf-8"), object_pairs_hook=_unique, parse_int=_integer)
    except _DuplicateNameError as error:
        raise CheckpointError(f"{file}: the header names {error!s:.100} twice: {_FORGED}") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: the header is not valid JSON: {_FORGED}") from error
    if not isinstance(entries, dict):
        raise CheckpointError(f"{file}: the header is not a JSON object: not a safetensors file")
    _check_metadata(entries.pop("__metadata__", None), file)
    start = _LENGTH_BYTES + len(header)
    tensors = [_tensor(name, entry, start, file) for name, entry in entries.items()]
    _check_coverage(tensors, start, file_size, file)
    return tensors


class _DuplicateNameError(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for name, value in pairs:
        if name in entries:
            raise _DuplicateNameError(name)
        # A lone surrogate has no UTF-8 encoding: this raises UnicodeEncodeError, a ValueError.
        f"{name}{value if isinstance(value, str) else ''}".encode()
        entries[name] = value
    return entries


def _integer(digits: str) -> int:
    """Parse an integer; -0 becomes −1, an invalid size, since the reference implementation rejects -0."""
    return -1 if digits == "-0" else int(digits)


def _check_metadata(metadata: Any, file: Path) -> None:
    texts = isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    if metadata is not None and not texts:
        raise CheckpointError(f"{file}: its __metadata__ does not map names to text: {_FORGED}")
    kind = metadata.get(_ARCHITECTURE, "").rpartition("/")[2] if metadata else ""
    if kind in _NO_MODELS:
        raise CheckpointError(f"{file}: is {_NO_MODELS[kind]}, not a model: name the model's own file")


def _tensor(name: str, entry: Any, start: int, file: Path) -> TensorRef:
    where = f"{file}: tensor {name:.200}"
    # An unknown key, of a later version of the format, could change what the numbers mean.
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{where}: its entry does not consist of dtype, shape and data_offsets: {_FORGED}")
    dtype = STORED_DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise CheckpointError(f"{where}: unknown dtype {entry['dtype']!r:.100}: convert it to a float dtype")
    shape, offsets = _sizes(entry["shape"]), _sizes(entry["data_offsets"])
    if shape is None or len(shape) > _MAX_DIMENSIONS:
        raise CheckpointError(f"{where}: its shape {entry['shape']!r:.100} is not a list of sizes: {_FORGED}")
    if offsets is None or len(offsets) != 2:
        raise CheckpointError(
            f"{where}: its data_offsets {entry['data_offsets']!r:.100} are not two positions: {_FORGED}"
        )
    begin, end = offsets
    bits = prod(shape) * dtype.bits
    if bits != (end - begin) * 8:
        raise CheckpointError(
            f"{where}: shape {list(shape)!s:.100} of {dtype.name} takes {bits / 8:.10g} bytes, its data_offsets give "
            f"{end - begin}: {_FORGED}"
        )
    if not fits_memory(shape):
        raise CheckpointError(f"{where}: its shape {list(shape)!s:.100} is larger than any memory: {_FORGED}")
    return TensorRef(name, shape, dtype, file, start + begin)


def _sizes(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, list) and all(type(size) is int and 0 <= size < 2**63 for size in value):
        return tuple(value)
    return None


def _check_coverage(tensors: list[TensorRef], start: int, file_size: int, file: Path) -> None:
    """Check the format's rule that the tensors fill the rest of the file without gap or overlap."""
    for tensor, position in zip(*_in_file_order(tensors, start), strict=True):
        if tensor.offset + tensor.nbytes > file_size:
            raise CheckpointError(
                f"{file}: tensor {tensor.name:.200} ends at byte {tensor.offset + tensor.nbytes}, "
                f"the file at {file_size}: cut short, fetch it again"
            )
        if tensor.offset != position:
            fault = "overlaps another tensor" if tensor.offset < position else "leaves a gap before it"
            raise CheckpointError(f"{file}: tensor {tensor.name:.200} {fault}: {_FORGED}")
    end = max((tensor.offset + tensor.nbytes for tensor in tensors), default=start)
    if end != file_size:
        raise CheckpointError(f"{file}: the last tensor ends at byte {end}, the file at {file_size}: {_FORGED}")


def _in_file_order(tensors: list[TensorRef], start: int) -> tuple[list[TensorRef], Iterator[int]]:
    ordered = sorted(tensors, key=lambda tensor: (tensor.offset, tensor.nbytes))

    def expected() -> Iterator[int]:
        position = start
        for tensor in ordered:
            yield position
            position = tensor.offset + tensor.nbytes

    return ordered, expected()

"""Read the fields of a GGUF header in sequence, checking each against the bytes left before reading it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from wqscore.errors import CheckpointError

#: Far larger than any real header (a vocabulary of 260,000 tokens and their merges takes 20 MB).
MAX_HEADER_BYTES = 64 * 2**20
FORGED = "damaged or forged, fetch it again"

_STRING, _ARRAY = 8, 9
#: The format's scalar types by number, as `struct` formats.
_SCALARS = {
    number: struct.Struct(f"<{code}") for number, code in zip((*range(8), 10, 11, 12), "BbHhIif?Qqd", strict=True)
}
_LENGTH_BYTES = 8
_ARRAY_HEAD_BYTES = 12
_MAX_KEPT_ARRAY = 4096
_MAX_ARRAY_DEPTH = 4
_SEEK_FROM_BYTES = 65536

GgufValue = int | float | bool | str | tuple[int | float | bool, ...]


class Fields:
    """Reads little-endian fields from a stream, never past the file's end or the longest header.

    Raises:
        CheckpointError: from every method, if a field is longer than the bytes left, or invalid.
    """

    def __init__(self, stream: BinaryIO, file_size: int, file: Path) -> None:
        """Start at the stream's first byte.

        Args:
            stream: the file's bytes; only `read` and relative `seek` are used.
            file_size: bytes of the whole file.
            file: the file, for messages.
        """
        self.position = 0
        self._stream = stream
        self._file_size = file_size
        self._limit = min(file_size, MAX_HEADER_BYTES)
        self._file = file

    def fault(self, reason: str) -> CheckpointError:
        """Make an error that names the file."""
        return CheckpointError(f"{self._file}: {reason}")

    @property
    def left(self) -> int:
        """Number of bytes the header may still take."""
        return self._limit - self.position

    def take(self, count: int) -> bytes:
        """Read the next `count` bytes."""
        self._advance(count)
        data = self._stream.read(count)
        if len(data) != count:
            raise self._cut_short()
        return data

    def u32(self) -> int:
        """Read a 32-bit count or code."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """Read a 64-bit count or position."""
        return int.from_bytes(self.take(8), "little")

    def text(self, longest: int, what: str) -> str:
        """Read a string of at most `longest` bytes; `what` describes it in messages."""
        length = self.u64()
        if length > min(longest, self.left):
            raise self.fault(f"{what} claims {length} bytes: {FORGED}")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fault(f"{what} is not UTF-8: {FORGED}") from error

    def value(self, longest: int, key: str) -> GgufValue | None:
        """Read a metadata value; `None` for an array of strings or arrays, or one too long to be a setting."""
        kind = self.u32()
        if kind == _STRING:
            return self.text(longest, f"the value of {key}")
        if kind == _ARRAY:
            return self._array(key)
        return self._scalar(kind, key)

    def skip_value(self, key: str) -> None:
        """Skip a metadata value."""
        self._skip(self.u32(), 1, key, 0)

    def _scalar(self, kind: int, key: str) -> int | float | bool:
        if kind not in _SCALARS:
            raise self.fault(f"{key} has the unknown value type {kind}: {FORGED}")
        number: int | float | bool = _SCALARS[kind].unpack(self.take(_SCALARS[kind].size))[0]
        return number

    def _array(self, key: str) -> tuple[int | float | bool, ...] | None:
        kind, count = self.u32(), self.u64()
        if kind in _SCALARS and count <= _MAX_KEPT_ARRAY:
            return tuple(self._scalar(kind, key) for _ in range(count))
        self._skip(kind, count, key, 1)
        return None

    def _skip(self, kind: int, count: int, key: str, depth: int) -> None:
        if kind in _SCALARS:
            self._skip_bytes(_SCALARS[kind].size * count)
        elif kind == _STRING:
            self._skip_strings(count, key)
        elif kind == _ARRAY and depth < _MAX_ARRAY_DEPTH:
            self._check_count(count, _ARRAY_HEAD_BYTES, key)
            for _ in range(count):
                self._skip(self.u32(), self.u64(), key, depth + 1)
        else:
            fault = "nests arrays too deeply" if kind == _ARRAY else f"has the unknown value type {kind}"
            raise self.fault(f"{key} {fault}: {FORGED}")

    def _skip_strings(self, count: int, key: str) -> None:
        """Skip strings in a tight loop: a vocabulary has hundreds of thousands."""
        self._check_count(count, _LENGTH_BYTES, key)
        read, number, position, limit = self._stream.read, int.from_bytes, self.position, self._limit
        for _ in range(count):
            length = number(read(_LENGTH_BYTES), "little")
            position += _LENGTH_BYTES + length
            if position > limit:
                raise self._cut_short()
            if length < _SEEK_FROM_BYTES:
                read(length)
            else:
                self._stream.seek(length, 1)
        self.position = position

    def _check_count(self, count: int, least: int, key: str) -> None:
        if count * least > self.left:
            raise self.fault(f"{key} claims {count} elements, more than the header can hold: {FORGED}")

    def _skip_bytes(self, count: int) -> None:
        self._advance(count)
        self._stream.seek(count, 1)

    def _advance(self, count: int) -> None:
        if count > self.left:
            raise self._cut_short()
        self.position += count

    def _cut_short(self) -> CheckpointError:
        if self._limit < self._file_size:
            return self.fault(f"its header is longer than {MAX_HEADER_BYTES} bytes: {FORGED}")
        return self.fault(f"ends inside its header ({self._file_size} bytes): cut short, fetch it again")

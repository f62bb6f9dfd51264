"""Parse the protobuf wire format into fields and their byte ranges, without copying.

Format: https://protobuf.dev/programming-guides/encoding/. This module replaces the onnx package because a
`TensorRef` needs each tensor's byte range, which the package doesn't give, and because the package reads the
whole model into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
#: A node takes about 20 fields, or about 60 with the metadata of torch's exporter.
MAX_FIELDS = 2_000_000
_MAX_TEXT_BYTES = 10_000

#: A field's number, its wire type, and its value: the number of a varint, the byte range of all others.
Field = tuple[int, int, int | range]


class WireReader:
    """Walks the messages of one file.

    All methods raise `ValueError` if the bytes are not a protobuf message or have too many fields.
    """

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self.whole = range(size)
        self._stream = stream
        self._fields_left = MAX_FIELDS

    def fields(self, message: range) -> Iterator[Field]:
        """Yield the fields of the message in this byte range, in order."""
        position = message.start
        while position < message.stop:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise ValueError(f"has more than {MAX_FIELDS} fields")
            head = self.bytes(range(position, min(position + 2 * _MAX_VARINT_BYTES, message.stop)))
            tag, used = _varint(head, 0)
            number, wire = tag >> 3, tag & 7
            begin, value = position + used, range(0)
            if wire == VARINT:
                integer, used = _varint(head, used)
                position += used
                yield number, wire, integer
                continue
            if wire == BYTES:
                length, used = _varint(head, used)
                begin = position + used
                value = range(begin, begin + length)
            elif wire in (FIXED64, FIXED32):
                value = range(begin, begin + (8 if wire == FIXED64 else 4))
            else:
                raise ValueError(f"has a field of the unknown wire type {wire}")
            if value.stop > message.stop:
                raise ValueError("has a field that ends after the message around it")
            position = value.stop
            yield number, wire, value

    def bytes(self, span: range) -> bytes:
        """Read the bytes of a range."""
        self._stream.seek(span.start)
        content = self._stream.read(len(span))
        if len(content) != len(span):
            raise ValueError("ends inside a field")
        return content

    def text(self, field: Field) -> str:
        """Read a field's text."""
        span = self.span(field)
        if len(span) > _MAX_TEXT_BYTES:
            raise ValueError(f"has a name of {len(span)} bytes")
        return self.bytes(span).decode("utf-8")

    def span(self, field: Field) -> range:
        """The byte range of a field that must be text, bytes or a message."""
        _, wire, value = field
        if wire != BYTES or not isinstance(value, range):
            raise ValueError("has a number where text, bytes or a message should be")
        return value

    def integers(self, field: Field) -> list[int]:
        """Read a repeated field's signed 64-bit numbers: a single one, or several packed together."""
        _, wire, value = field
        if wire == VARINT and isinstance(value, int):
            return [_signed(value)]
        span = self.span(field)
        if len(span) > _MAX_TEXT_BYTES:
            raise ValueError(f"has a list of numbers of {len(span)} bytes")
        packed, position, numbers = self.bytes(span), 0, []
        while position < len(packed):
            number, position = _varint(packed, position)
            numbers.append(_signed(number))
        return numbers


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position and the position after it."""
    number = 0
    for count, byte in enumerate(data[position : position + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return number, position + count + 1
    raise ValueError("has a number that does not end")


def _signed(number: int) -> int:
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number

"""Parse the tensors of an ONNX model: where their numbers are, without reading them.

Messages and field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (`TensorProto`,
`SparseTensorProto`, and the `AttributeProto` of a `Constant`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from wqscore.checkpoints.onnx.wire import BYTES, FIXED32, Field, WireReader

_DIMS, _DATA_TYPE, _FLOATS, _INT32S, _STRINGS, _INT64S = 1, 2, 4, 5, 6, 7
_NAME, _RAW, _DOUBLES, _UINT64S, _EXTERNAL, _LOCATION = 8, 9, 10, 11, 13, 14
_LISTS = {_RAW: "raw", _FLOATS: "floats", _INT32S: "int32s", _INT64S: "int64s", _DOUBLES: "doubles"}
_LISTS |= {_UINT64S: "uint64s", _STRINGS: "strings"}
_SPARSE_VALUES, _SPARSE_INDICES, _SPARSE_DIMS = 1, 2, 3
_MAX_DIMENSIONS = 64
FLOAT = 1
#: The list of floats in which each number has a tag before it, as in an attribute's `floats`.
TAGGED = "tagged"


@dataclass(frozen=True)
class StoredInitialiser:
    """A tensor as the model describes it; its values are not checked yet.

    Attributes:
        name: the value's name in the graph.
        dims: sizes of the dimensions.
        data_type: a number of the `TensorProto.DataType` list.
        data: the byte range of each of its lists of numbers, by the list's name (`raw`, `floats`, `int32s`, …).
        external: location, offset and length of the bytes in another file; `None` if they are in this file.
    """

    name: str = ""
    dims: tuple[int, ...] = ()
    data_type: int = 0
    data: Mapping[str, range] = field(default_factory=dict)
    external: Mapping[str, str] | None = None


@dataclass(frozen=True)
class SparseInitialiser:
    """A tensor stored as its numbers other than 0 and their indices; it has the name of its `values`."""

    values: StoredInitialiser
    indices: StoredInitialiser
    dims: tuple[int, ...]

    @property
    def name(self) -> str:
        """The value's name in the graph."""
        return self.values.name


Initialiser = StoredInitialiser | SparseInitialiser


def read_initialiser(reader: WireReader, message: range) -> StoredInitialiser:
    """Read a `TensorProto` without its numbers.

    Raises:
        ValueError: it contradicts itself.
    """
    name, data_type, is_external = "", 0, False
    dims: list[int] = []
    data: dict[str, range] = {}
    external: dict[str, str] = {}
    for found in reader.fields(message):
        number = found[0]
        if number == _NAME:
            name = reader.text(found)
        elif number == _DIMS:
            dims += _sizes(reader, found, len(dims))
        elif number == _DATA_TYPE:
            data_type = last(reader.integers(found))
        elif number == _LOCATION:
            is_external = last(reader.integers(found)) == 1
        elif number == _EXTERNAL:
            external.update([read_entry(reader, found)])
        # Ignore empty lists.
        elif number in _LISTS and (span := reader.span(found)):
            several = data.setdefault(_LISTS[number], span) != span
            if several and number != _STRINGS:
                raise ValueError("has the numbers of an initialiser in several pieces")
    return StoredInitialiser(name, tuple(dims), data_type, data, external if is_external else None)


def read_sparse(reader: WireReader, message: range) -> SparseInitialiser:
    """Read a `SparseTensorProto` without its numbers.

    Raises:
        ValueError: it contradicts itself.
    """
    values, indices = StoredInitialiser(), StoredInitialiser()
    dims: list[int] = []
    for found in reader.fields(message):
        if found[0] == _SPARSE_VALUES:
            values = read_initialiser(reader, reader.span(found))
        elif found[0] == _SPARSE_INDICES:
            indices = read_initialiser(reader, reader.span(found))
        elif found[0] == _SPARSE_DIMS:
            dims += _sizes(reader, found, len(dims))
    return SparseInitialiser(values, indices, tuple(dims))


def floats_of_attribute(reader: WireReader, fields: Sequence[Field]) -> StoredInitialiser:
    """The list of an attribute's `floats`: one packed field, or as many fields as numbers.

    Raises:
        ValueError: the numbers are not one after the other.
    """
    if len(fields) == 1 and fields[0][1] == BYTES:
        span = reader.span(fields[0])
        return StoredInitialiser("", (len(span) // 4,), FLOAT, {"raw": span})
    spans = [value for _, wire, value in fields if wire == FIXED32 and isinstance(value, range)]
    starts = [span.start for span in spans]
    if len(spans) != len(fields) or any(b - a != 5 for a, b in pairwise(starts)):
        raise ValueError("has a list of floats in several pieces")
    return StoredInitialiser("", (len(spans),), FLOAT, {TAGGED: range(starts[0] - 1, starts[-1] + 4)})


def named(initialiser: Initialiser, name: str) -> Initialiser:
    """The same tensor under another name."""
    if isinstance(initialiser, SparseInitialiser):
        return replace(initialiser, values=replace(initialiser.values, name=name))
    return replace(initialiser, name=name)


def read_entry(reader: WireReader, entry: Field, only: str | None = None) -> tuple[str, str]:
    """Read a key and its value; if `only` is given, the value of any other key, which may be long, stays empty."""
    fields = {found[0]: found for found in reader.fields(reader.span(entry))}
    key = reader.text(fields[1]) if 1 in fields else ""
    return key, reader.text(fields[2]) if 2 in fields and only in (None, key) else ""


def last(numbers: Sequence[int]) -> int:
    """The last of a field's numbers, which counts; 0 if there is none."""
    return numbers[-1] if numbers else 0


def _sizes(reader: WireReader, found: Field, before: int) -> list[int]:
    sizes = reader.integers(found)
    if before + len(sizes) > _MAX_DIMENSIONS:
        raise ValueError(f"has an initialiser of more than {_MAX_DIMENSIONS} dimensions")
    return sizes

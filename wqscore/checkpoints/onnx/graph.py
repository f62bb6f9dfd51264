"""Parse an ONNX model's graph: the initialisers, which hold its weights, and the nodes that use them.

Message and field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Subgraphs (of `If` and `Loop`),
functions and `Constant` nodes are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from wqscore.checkpoints.onnx.wire import Field, WireReader

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALISER, _GRAPH_SPARSE = 1, 5, 15
_DIMS, _DATA_TYPE, _FLOATS, _INT32S, _STRINGS, _INT64S = 1, 2, 4, 5, 6, 7
_NAME, _RAW, _DOUBLES, _UINT64S, _EXTERNAL, _LOCATION = 8, 9, 10, 11, 13, 14
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_METADATA = 1, 2, 3, 4, 5, 9
_ATTRIBUTE_NAME, _ATTRIBUTE_INTEGER = 1, 3
_SPARSE_VALUES = 1

#: The metadata key under which torch's exporter lists the modules a node belongs to.
_SCOPES = "pkg.torch.onnx.name_scopes"
_MAX_DIMENSIONS = 64
#: Limit on initialisers and nodes: each takes about a kilobyte of memory, but only two bytes of a forged file.
MAX_ENTRIES = 200_000


@dataclass(frozen=True)
class StoredInitialiser:
    """An initialiser as the model describes it; its values are not checked yet.

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
class Node:
    """A graph node: its operator, inputs, outputs, integer attributes, and torch's scopes (empty if not recorded)."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, int]
    scopes: str


@dataclass(frozen=True)
class Graph:
    """The main graph of a model, in file order; `sparse` lists the names of sparse initialisers."""

    initialisers: tuple[StoredInitialiser, ...]
    sparse: tuple[str, ...]
    nodes: tuple[Node, ...]


def read_graph(reader: WireReader) -> Graph:
    """Read the main graph of a `ModelProto`, without the initialisers' numbers.

    Raises:
        ValueError: not a model, or one with too many initialisers and nodes.
    """
    graphs = [reader.span(found) for found in reader.fields(reader.whole) if found[0] == _MODEL_GRAPH]
    if len(graphs) != 1:
        raise ValueError(f"has {len(graphs)} graphs instead of one")
    initialisers, sparse, nodes = [], [], []
    for found in reader.fields(graphs[0]):
        if found[0] == _GRAPH_INITIALISER:
            initialisers.append(_initialiser(reader, reader.span(found)))
        elif found[0] == _GRAPH_SPARSE:
            values = [f for f in reader.fields(reader.span(found)) if f[0] == _SPARSE_VALUES]
            sparse += [_initialiser(reader, reader.span(value)).name for value in values]
        elif found[0] == _GRAPH_NODE:
            nodes.append(_node(reader, reader.span(found)))
        if len(initialisers) + len(sparse) + len(nodes) > MAX_ENTRIES:
            raise ValueError(f"has more than {MAX_ENTRIES} initialisers and nodes")
    return Graph(tuple(initialisers), tuple(sparse), tuple(nodes))


def _initialiser(reader: WireReader, message: range) -> StoredInitialiser:
    lists = {_RAW: "raw", _FLOATS: "floats", _INT32S: "int32s", _INT64S: "int64s", _DOUBLES: "doubles"}
    lists |= {_UINT64S: "uint64s", _STRINGS: "strings"}
    name, data_type, is_external = "", 0, False
    dims: list[int] = []
    data: dict[str, range] = {}
    external: dict[str, str] = {}
    for found in reader.fields(message):
        number = found[0]
        if number == _NAME:
            name = reader.text(found)
        elif number == _DIMS:
            dims += reader.integers(found)
            if len(dims) > _MAX_DIMENSIONS:
                raise ValueError(f"has an initialiser of more than {_MAX_DIMENSIONS} dimensions")
        elif number == _DATA_TYPE:
            data_type = _last(reader.integers(found))
        elif number == _LOCATION:
            is_external = _last(reader.integers(found)) == 1
        elif number == _EXTERNAL:
            external.update([_entry(reader, found)])
        # Ignore empty lists.
        elif number in lists and (span := reader.span(found)):
            several = data.setdefault(lists[number], span) != span
            if several and number != _STRINGS:
                raise ValueError("has the numbers of an initialiser in several pieces")
    return StoredInitialiser(name, tuple(dims), data_type, data, external if is_external else None)


def _node(reader: WireReader, message: range) -> Node:
    texts: dict[int, list[str]] = {_NODE_INPUT: [], _NODE_OUTPUT: [], _NODE_NAME: [""], _NODE_OPERATOR: [""]}
    attributes: dict[str, int] = {}
    scopes = ""
    for found in reader.fields(message):
        if found[0] in texts:
            texts[found[0]].append(reader.text(found))
        elif found[0] == _NODE_ATTRIBUTE:
            attributes.update(_integer_attribute(reader, reader.span(found)))
        elif found[0] == _NODE_METADATA:
            key, value = _entry(reader, found, _SCOPES)
            scopes = value if key == _SCOPES else scopes
    inputs, outputs = tuple(texts[_NODE_INPUT]), tuple(texts[_NODE_OUTPUT])
    return Node(texts[_NODE_NAME][-1], texts[_NODE_OPERATOR][-1], inputs, outputs, attributes, scopes)


def _integer_attribute(reader: WireReader, message: range) -> Iterator[tuple[str, int]]:
    fields = list(reader.fields(message))
    names = [reader.text(found) for found in fields if found[0] == _ATTRIBUTE_NAME]
    values = [_last(reader.integers(found)) for found in fields if found[0] == _ATTRIBUTE_INTEGER]
    if names and values:
        yield names[-1], values[-1]


def _entry(reader: WireReader, entry: Field, only: str | None = None) -> tuple[str, str]:
    """Read a key and its value; if `only` is given, the value of any other key, which may be long, stays empty."""
    fields = {found[0]: found for found in reader.fields(reader.span(entry))}
    key = reader.text(fields[1]) if 1 in fields else ""
    return key, reader.text(fields[2]) if 2 in fields and only in (None, key) else ""


def _last(numbers: list[int]) -> int:
    return numbers[-1] if numbers else 0

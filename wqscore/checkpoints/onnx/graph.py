"""Parse an ONNX model's graphs: the tensors that they hold, and the nodes that use them.

Messages and field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Tensors are initialisers, dense
or sparse, and the values of `Constant` nodes, in the main graph, in the graphs inside nodes (`If`, `Loop`, `Scan`)
and in the model's functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wqscore.checkpoints.onnx.stored import (
    FLOAT,
    Initialiser,
    StoredInitialiser,
    floats_of_attribute,
    last,
    named,
    read_entry,
    read_initialiser,
    read_sparse,
)
from wqscore.checkpoints.onnx.wire import BYTES, FIXED32, Field, WireReader

_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_INITIALISER, _GRAPH_INPUT, _GRAPH_SPARSE = 1, 5, 11, 15
_FUNCTION_NAME, _FUNCTION_INPUT, _FUNCTION_OUTPUT, _FUNCTION_NODE, _FUNCTION_DOMAIN = 1, 4, 5, 7, 10
_FUNCTION_DEFAULT = 11
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 3, 4, 5, 7
_NODE_METADATA = 9
_NAME, _FLOAT, _INTEGER, _TEXT, _TENSOR, _GRAPH, _FLOATS, _INTEGERS, _GRAPHS = 1, 2, 3, 4, 5, 6, 7, 8, 11
_REFERENCE, _SPARSE_TENSOR = 21, 22

#: The metadata key under which torch's exporter lists the modules a node belongs to.
_SCOPES = "pkg.torch.onnx.name_scopes"
#: Limit on initialisers and nodes: each takes about a kilobyte of memory, but only two bytes of a forged file.
MAX_ENTRIES = 200_000
#: Graphs inside nodes inside graphs; exporters nest two or three.
_MAX_DEPTH = 32
#: Attributes whose text or list is read: the others may be long, and decide on no layout.
_TEXTS = frozenset({"equation", "direction"})
_LISTS = frozenset({"perm", "axes", "shape", "value_ints"})
#: The domains of the operators that this package knows.
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})


@dataclass(frozen=True)
class Reference:
    """An attribute whose value is that of the attribute `name` of the call of the function around it."""

    name: str


Attribute = int | str | tuple[int, ...] | Reference


@dataclass(frozen=True)
class Node:
    """A graph node.

    Attributes:
        name: its name, empty if it has none.
        operator: the operator or the function, without its domain if that is one whose operators are known.
        inputs: names of the values it takes; empty where an optional one is left out.
        outputs: names of the values it makes.
        attributes: its integers, and those texts and lists of integers that decide on a layout.
        scopes: torch's scopes, empty if not recorded.
        graphs: the graphs inside it, by the attribute's name.
        constant: for a `Constant`, its tensor.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    scopes: str = ""
    graphs: tuple[tuple[str, Graph], ...] = ()
    constant: Initialiser | None = None


@dataclass(frozen=True)
class Graph:
    """A graph or the body of a function, in file order.

    Attributes:
        inputs: names of the values given from outside.
        outputs: names of a function's values; empty for a graph.
        initialisers: its dense and sparse initialisers.
        nodes: its nodes.
        defaults: a function's attributes where a call gives none.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    initialisers: tuple[Initialiser, ...] = ()
    nodes: tuple[Node, ...] = ()
    defaults: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """The main graph of a model, and its functions by their name, which includes an unknown domain."""

    graph: Graph
    functions: Mapping[str, Graph]


def read_model(reader: WireReader) -> Model:
    """Read the graphs of a `ModelProto`, without the tensors' numbers.

    Raises:
        ValueError: not a model, or one with too many initialisers and nodes.
    """
    fields = [found for found in reader.fields(reader.whole) if found[0] in (_MODEL_GRAPH, _MODEL_FUNCTION)]
    graphs = [reader.span(found) for found in fields if found[0] == _MODEL_GRAPH]
    if len(graphs) != 1:
        raise ValueError(f"has {len(graphs)} graphs instead of one")
    parser = _Parser(reader)
    functions = [parser.function(reader.span(found)) for found in fields if found[0] == _MODEL_FUNCTION]
    return Model(parser.graph(graphs[0], 0), dict(functions))


class _Parser:
    """Parses the messages of one model, and counts their entries."""

    def __init__(self, reader: WireReader) -> None:
        self._reader = reader
        self._entries_left = MAX_ENTRIES

    def graph(self, message: range, depth: int) -> Graph:
        reader = self._reader
        if depth > _MAX_DEPTH:
            raise ValueError(f"has graphs nested more than {_MAX_DEPTH} deep")
        inputs: list[str] = []
        initialisers: list[Initialiser] = []
        nodes: list[Node] = []
        for found in reader.fields(message):
            if found[0] == _GRAPH_INITIALISER:
                initialisers.append(read_initialiser(reader, reader.span(found)))
            elif found[0] == _GRAPH_SPARSE:
                initialisers.append(read_sparse(reader, reader.span(found)))
            elif found[0] == _GRAPH_NODE:
                nodes.append(self.node(reader.span(found), depth))
            elif found[0] == _GRAPH_INPUT:
                inputs += [reader.text(f) for f in reader.fields(reader.span(found)) if f[0] == 1]
            else:
                continue
            self._count()
        return Graph(tuple(inputs), (), tuple(initialisers), tuple(nodes))

    def function(self, message: range) -> tuple[str, Graph]:
        reader = self._reader
        texts: dict[int, list[str]] = {
            number: [] for number in (_FUNCTION_NAME, _FUNCTION_INPUT, _FUNCTION_OUTPUT, _FUNCTION_DOMAIN)
        }
        nodes: list[Node] = []
        defaults: dict[str, Attribute] = {}
        for found in reader.fields(message):
            if found[0] in texts:
                texts[found[0]].append(reader.text(found))
            elif found[0] == _FUNCTION_NODE:
                nodes.append(self.node(reader.span(found), 0))
                self._count()
            elif found[0] == _FUNCTION_DEFAULT:
                fields = list(reader.fields(reader.span(found)))
                defaults.update(self._plain_attribute(self._attribute_name(fields), fields))
        name = operator_name("".join(texts[_FUNCTION_NAME][-1:]), "".join(texts[_FUNCTION_DOMAIN][-1:]))
        inputs, outputs = tuple(texts[_FUNCTION_INPUT]), tuple(texts[_FUNCTION_OUTPUT])
        return name, Graph(inputs, outputs, (), tuple(nodes), defaults)

    def node(self, message: range, depth: int) -> Node:
        reader = self._reader
        texts: dict[int, list[str]] = {_NODE_INPUT: [], _NODE_OUTPUT: []}
        texts |= {_NODE_NAME: [""], _NODE_OPERATOR: [""], _NODE_DOMAIN: [""]}
        attributes: dict[str, Attribute] = {}
        graphs: list[tuple[str, Graph]] = []
        constant: Initialiser | None = None
        scopes = ""
        for found in reader.fields(message):
            if found[0] in texts:
                texts[found[0]].append(reader.text(found))
            elif found[0] == _NODE_ATTRIBUTE:
                fields = list(reader.fields(reader.span(found)))
                name = self._attribute_name(fields)
                attributes.update(self._plain_attribute(name, fields))
                graphs += self._graphs(name, fields, depth)
                constant = self._tensor(name, fields) or constant
            elif found[0] == _NODE_METADATA:
                key, value = read_entry(reader, found, _SCOPES)
                scopes = value if key == _SCOPES else scopes
        inputs, outputs = tuple(texts[_NODE_INPUT]), tuple(texts[_NODE_OUTPUT])
        operator = operator_name(texts[_NODE_OPERATOR][-1], texts[_NODE_DOMAIN][-1])
        if operator != "Constant" or not outputs:
            constant = None
        elif constant is not None:
            constant = named(constant, outputs[0])
        return Node(texts[_NODE_NAME][-1], operator, inputs, outputs, attributes, scopes, tuple(graphs), constant)

    def _count(self) -> None:
        self._entries_left -= 1
        if self._entries_left < 0:
            raise ValueError(f"has more than {MAX_ENTRIES} initialisers and nodes")

    def _attribute_name(self, fields: Iterable[Field]) -> str:
        return "".join([self._reader.text(found) for found in fields if found[0] == _NAME][-1:])

    def _plain_attribute(self, name: str, fields: Iterable[Field]) -> dict[str, Attribute]:
        """An attribute's integer, text or list, if it is one that decides on a layout."""
        reader = self._reader
        value: Attribute | None = None
        numbers: list[int] = []
        for found in fields:
            if found[0] == _INTEGER:
                value = last(reader.integers(found))
            elif found[0] == _REFERENCE:
                value = Reference(reader.text(found))
            elif found[0] == _TEXT and name in _TEXTS:
                value = reader.text(found)
            elif (
                found[0] == _INTEGERS and name in _LISTS and not (found[1] == BYTES and len(reader.span(found)) > 999)
            ):
                numbers += reader.integers(found)
        value = tuple(numbers) if numbers and value is None else value
        return {} if not name or value is None else {name: value}

    def _graphs(self, name: str, fields: Iterable[Field], depth: int) -> list[tuple[str, Graph]]:
        messages = [self._reader.span(found) for found in fields if found[0] in (_GRAPH, _GRAPHS)]
        names = [name] if len(messages) == 1 else [f"{name}.{index}" for index in range(len(messages))]
        return [(each, self.graph(message, depth + 1)) for each, message in zip(names, messages, strict=True)]

    def _tensor(self, name: str, fields: Iterable[Field]) -> Initialiser | None:
        """The tensor of a `Constant`'s attribute; `None` for whole numbers and text, which are no weights."""
        reader = self._reader
        kinds = {"value": _TENSOR, "sparse_value": _SPARSE_TENSOR, "value_float": _FLOAT, "value_floats": _FLOATS}
        found = [each for each in fields if each[0] == kinds.get(name)]
        if not found:
            return None
        if name == "value":
            return read_initialiser(reader, reader.span(found[-1]))
        if name == "sparse_value":
            return read_sparse(reader, reader.span(found[-1]))
        if name == "value_floats":
            return floats_of_attribute(reader, found)
        _, wire, span = found[-1]
        if wire != FIXED32 or not isinstance(span, range):
            raise ValueError("has a number of the wrong type")
        return StoredInitialiser("", (), FLOAT, {"raw": span})


def operator_name(name: str, domain: str) -> str:
    """An operator's name, with its domain unless that is a known one."""
    return name if domain in _KNOWN_DOMAINS else f"{domain}.{name}"

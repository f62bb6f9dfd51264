"""Follow each tensor of a model through its graphs to the operators that take it."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wqscore.checkpoints.layer_use import LayerUse
from wqscore.checkpoints.onnx.graph import Attribute, Node, Reference
from wqscore.checkpoints.onnx.names import parameter_name
from wqscore.checkpoints.onnx.operators import CODED, REARRANGING, Taken, computes, rearranged_gates, taken
from wqscore.checkpoints.onnx.passing import PASSING, coded, passed_on
from wqscore.checkpoints.onnx.scopes import Scope, Scopes
from wqscore.checkpoints.onnx.views import Unpacked, View

#: Limit on visits of nodes: a function's are visited at each of its calls, whose number a forged file can multiply.
_MAX_VISITS = 400_000
_MAX_CALL_DEPTH = 32


@dataclass(frozen=True)
class Computed:
    """A value that the graph computes from tensors, and from nothing else."""

    sources: frozenset[str]
    operator: str


Value = View | Computed | tuple[int, ...]
_Values = ChainMap[str, Value]


@dataclass
class Traces:
    """What the graphs make of each tensor, by its key.

    Attributes:
        uses: how nodes of known operators take it.
        unknown: the operators that take it and are not known.
        computed: for a tensor that the graph computes a weight from, the operator that does.
        decoded: its first view as weights decoded from codes.
        undecoded: for codes that a `DequantizeLinear` takes, why they can't be decoded.
        names: its parameter's name, of the first node that gives one.
    """

    uses: dict[str, list[Taken]] = field(default_factory=lambda: defaultdict(list))
    unknown: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    computed: dict[str, str] = field(default_factory=dict)
    decoded: dict[str, View] = field(default_factory=dict)
    undecoded: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def trace(scopes: Scopes, views: Mapping[str, View], numbers: Callable[[str], tuple[int, ...] | None]) -> Traces:
    """Follow the tensors of a model.

    Args:
        scopes: the model's graphs.
        views: each tensor as it is stored, by its key.
        numbers: reads the few whole numbers of a tensor; `None` if it holds something else, or more.
    """
    tracer = _Tracer(scopes.functions, views, numbers)
    tracer.graph(scopes.main, ChainMap())
    for name, function in scopes.functions.items():
        if name not in tracer.called:
            tracer.graph(function, ChainMap())
    return tracer.traces


class _Tracer:
    def __init__(
        self,
        functions: Mapping[str, Scope],
        views: Mapping[str, View],
        numbers: Callable[[str], tuple[int, ...] | None],
    ) -> None:
        self.traces = Traces()
        self.called: set[str] = set()
        self._functions, self._views, self._numbers = functions, views, numbers
        self._visits_left, self._depth = _MAX_VISITS, 0

    def graph(self, scope: Scope, values: _Values, call: Mapping[str, Attribute] | None = None) -> None:
        """Visit the nodes of a graph, in order; `values` are those from around it, and receives its own."""
        values.update({name: self._views[key] for name, key in scope.tensors.items()})
        for index, node in enumerate(scope.graph.nodes):
            self._visits_left -= 1
            if self._visits_left >= 0:
                self._visit(node, values, _attributes(node, call or {}))
            for attribute, _ in node.graphs:
                inner = scope.inside[index, attribute]
                self.graph(inner, values.new_child(), call)

    def _visit(self, node: Node, values: _Values, attributes: Mapping[str, Attribute]) -> None:
        if node.operator == "Constant":
            listed = attributes.get("value_ints", attributes.get("value_int"))
            if node.constant is None and node.outputs and isinstance(listed, tuple | int):
                values[node.outputs[0]] = listed if isinstance(listed, tuple) else (listed,)
            return
        given = [values.get(name) if name else None for name in node.inputs]
        if not any(isinstance(value, View | Computed) for value in given):
            return
        function = self._functions.get(node.operator)
        if function is not None and self._depth < _MAX_CALL_DEPTH:
            self._call(node, function, given, values, attributes)
            return
        passed = self._passed_on(node, given, attributes)
        if passed is not None and node.outputs:
            values[node.outputs[0]] = passed
            return
        cut = given if node.operator == "Concat" else given[:1]
        if node.operator in REARRANGING and all(isinstance(value, View | Computed) for value in cut):
            sources = frozenset[str]().union(*map(_sources, cut))
            values.update({name: Computed(sources, node.operator) for name in node.outputs})
            return
        present = [value for name, value in zip(node.inputs, given, strict=True) if name]
        if computes(node.operator) and all(isinstance(value, View | Computed) for value in present) and node.outputs:
            values[node.outputs[0]] = Computed(frozenset().union(*map(_sources, present)), node.operator)
            return
        for position, value in enumerate(given):
            self._take(node, position, value, given, attributes)

    def _passed_on(
        self, node: Node, given: list[Value | None], attributes: Mapping[str, Attribute]
    ) -> View | Computed | None:
        """The value of a node that makes the same weight of its first input."""
        first = given[0]
        if isinstance(first, Computed):
            return first if node.operator in PASSING else None
        if not isinstance(first, View):
            return None
        if node.operator == "DequantizeLinear":
            axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
            return self._decoded(first, given[1:3], node.inputs[1:3], axis, block)
        listed = given[1] if len(given) > 1 else None
        sizes = self._numbers(listed.source) if isinstance(listed, View) else listed
        second = sizes if isinstance(sizes, tuple) else None
        return passed_on(node.operator, first, second, attributes)

    def _decoded(
        self, codes: View, beside: list[Value | None], names: tuple[str, ...], axis: object, block: object
    ) -> View | None:
        listed = [value for name, value in zip(names, beside, strict=True) if name]
        if not all(isinstance(value, View) for value in listed) or not listed:
            self.traces.undecoded.setdefault(
                codes.source, "the scale or zero point of its DequantizeLinear is computed: not read"
            )
            return None
        view = coded(codes, [value for value in listed if isinstance(value, View)], axis, block)
        self.traces.decoded.setdefault(codes.source, view)
        return view

    def _take(
        self,
        node: Node,
        position: int,
        value: Value | None,
        given: list[Value | None],
        attributes: Mapping[str, Attribute],
    ) -> None:
        if isinstance(value, Computed):
            self._take_computed(node.operator, position, value, attributes)
        if not isinstance(value, View):
            return
        places = CODED.get(node.operator, ())
        if places and position == places[0]:
            scales = [given[place] for place in places[1:] if place < len(given)]
            names = tuple(node.inputs[place] for place in places[1:] if place < len(given))
            axis = 0 if node.operator == "QLinearConv" else len(value.shape) - 1
            axis = 0 if node.operator == "QGemm" and attributes.get("transB") == 1 else axis
            value = self._decoded(value, scales, names, axis, 0) or value
        if node.operator == "MatMulNBits" and position == 1:
            found = self._packed(node, value, given, attributes)
        else:
            found = taken(node.operator, position, value, attributes)
        if node.operator == "Gather" and position == 0 and _is_one_number(given[1:2]):
            found = None
        if found is None:
            self.traces.unknown[value.source].add(node.operator)
            return
        self.traces.uses[value.source].append(found)
        if name := parameter_name(node, position):
            self.traces.names.setdefault(value.source, name)

    def _take_computed(
        self, operator: str, position: int, value: Computed, attributes: Mapping[str, Attribute]
    ) -> None:
        """Note which operator computes a layer's weight from a tensor, unless it only cuts and joins pieces."""
        found = taken(operator, position, View("", (2, 2)), attributes)
        if value.operator not in REARRANGING:
            if found is None or found.use.is_weight:
                self.traces.computed.update(dict.fromkeys(value.sources, value.operator))
            return
        for source in value.sources:
            gates = rearranged_gates(operator, position, self._views[source])
            if gates is not None:
                self.traces.uses[source].append(gates)
            else:
                self.traces.unknown[source].add(operator)

    def _packed(
        self, node: Node, codes: View, given: list[Value | None], attributes: Mapping[str, Attribute]
    ) -> Taken | None:
        """The weight of `MatMulNBits`, (out, in), from its packed codes."""
        bits, block, rows, columns = (attributes.get(name) for name in ("bits", "block_size", "N", "K"))
        if not isinstance(rows, int) or not isinstance(columns, int) or not isinstance(block, int):
            return None
        scale, zero = (*given[2:4], None, None)[:2]
        named = [*node.inputs[2:5], "", "", ""]
        use = LayerUse("linear", node.operator)
        if not isinstance(scale, View) or (named[1] and not isinstance(zero, View)) or named[2]:
            reason = "its MatMulNBits reorders the columns, or computes the scales: not read"
            self.traces.undecoded[codes.source] = reason
            return Taken(use, View(codes.source, (rows, columns)))
        step = Unpacked(
            scale,
            zero if isinstance(zero, View) else None,
            bits if isinstance(bits, int) else 4,
            block,
            (rows, columns),
        )
        return Taken(use, codes.decoded(step))

    def _call(
        self,
        node: Node,
        function: Scope,
        given: list[Value | None],
        values: _Values,
        attributes: Mapping[str, Attribute],
    ) -> None:
        self.called.add(node.operator)
        self._depth += 1
        inner: _Values = ChainMap()
        inner.update(
            {name: value for name, value in zip(function.graph.inputs, given, strict=False) if value is not None}
        )
        self.graph(function, inner, {**function.graph.defaults, **attributes})
        self._depth -= 1
        for name, result in zip(node.outputs, function.graph.outputs, strict=False):
            if (value := inner.get(result)) is not None:
                values[name] = value


def _sources(value: Value | None) -> frozenset[str]:
    if isinstance(value, Computed):
        return value.sources
    return frozenset([value.source]) if isinstance(value, View) else frozenset()


def _is_one_number(given: list[Value | None]) -> bool:
    """Whether an index is a constant number, which cuts a part of a tensor; a table is looked up by many."""
    return any(isinstance(value, tuple) or (isinstance(value, View) and value.shape == ()) for value in given)


def _attributes(node: Node, call: Mapping[str, Attribute]) -> Mapping[str, Attribute]:
    """A node's attributes, with those of the call of the function around it where it refers to them."""
    if not any(isinstance(value, Reference) for value in node.attributes.values()):
        return node.attributes
    resolved = {
        name: call.get(value.name) if isinstance(value, Reference) else value
        for name, value in node.attributes.items()
    }
    return {name: value for name, value in resolved.items() if value is not None}

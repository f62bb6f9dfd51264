"""Names of initialisers that an exporter folded: `onnx::MatMul_154` is the weight of the module its node is from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

from wqscore.checkpoints.onnx.graph import Node

#: What exporters call a value that is no parameter of the model as it was.
_ANONYMOUS = re.compile(r"onnx::\w+|val_\d+")
#: What quantisers append to the name of a weight that they store as codes.
_CODES_SUFFIX = "_quantized"
#: The parameter that an operator's input is, by its position.
_PARAMETERS: Mapping[str, Mapping[int, str]] = {
    **{operator: {1: "weight", 2: "bias"} for operator in ("MatMul", "Gemm", "Conv", "ConvTranspose")},
    **{operator: {1: "weight_ih", 2: "weight_hh", 3: "bias"} for operator in ("LSTM", "GRU", "RNN")},
}
#: Operators whose result is the same weight.
_PASSING = frozenset({"DequantizeLinear", "Transpose", "Cast", "Identity"})


def module_names(initialisers: Collection[str], nodes: Iterable[Node]) -> dict[str, str]:
    """Give each initialiser the name of the parameter it is.

    torch's exporters keep the names of parameters but for those that they transpose or fold (the weights of
    linear layers among them), and name each node by the modules around it, in the node's name or its metadata.

    Args:
        initialisers: their names in the graph.
        nodes: the graph's nodes, in its (topological) order.

    Returns:
        A name for each initialiser, all different: its own unless it is anonymous and its node tells a better.
    """
    weights = {name: name for name in initialisers}
    named: dict[str, str] = {}
    for node in nodes:
        if node.operator in _PASSING and node.inputs and node.outputs and node.inputs[0] in weights:
            weights[node.outputs[0]] = weights[node.inputs[0]]
        for position, parameter in _PARAMETERS.get(node.operator, {}).items():
            module = _module(node)
            if module and position < len(node.inputs) and node.inputs[position] in weights:
                named.setdefault(weights[node.inputs[position]], f"{module}.{parameter}")
    wanted = {name: _better(name.removesuffix(_CODES_SUFFIX), named.get(name)) for name in initialisers}
    # A module used twice, or a name that another has: then its own is the safer one.
    counts = Counter([*wanted.values(), *(name for name, other in wanted.items() if other != name)])
    return {name: other if counts[other] == 1 else name for name, other in wanted.items()}


def _better(name: str, of_module: str | None) -> str:
    return of_module if of_module and _ANONYMOUS.fullmatch(name) else name


def _module(node: Node) -> str:
    """The dotted name of the module a node is from; empty if unknown.

    The metadata lists the scopes from the model to the operator; a node's name has the same between slashes,
    where a sequence stands twice: `/features/features.0/Conv`.
    """
    listed: list[str] = re.findall(r"'([^']*)'", node.scopes)
    if len(listed) > 1:
        return listed[-2]
    if not node.name.startswith("/"):
        return ""
    scopes = node.name[1:].split("/")[:-1]
    return ".".join(scope for scope, inner in pairwise([*scopes, ""]) if not inner.startswith(f"{scope}."))

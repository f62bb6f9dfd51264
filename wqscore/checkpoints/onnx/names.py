"""Name initialisers after their modules: the exporter calls a folded weight `onnx::MatMul_154`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

from wqscore.checkpoints.onnx.graph import Node

#: Names that exporters generate for values that are not parameters of the original model.
_ANONYMOUS = re.compile(r"onnx::\w+|val_\d+")
#: The suffix that quantisers append to the name of a weight stored as codes.
_CODES_SUFFIX = "_quantized"
#: The parameter's name for each operator and input position.
_PARAMETERS: Mapping[str, Mapping[int, str]] = {
    **{operator: {1: "weight", 2: "bias"} for operator in ("MatMul", "Gemm", "Conv", "ConvTranspose")},
    **{operator: {1: "weight_ih", 2: "weight_hh", 3: "bias"} for operator in ("LSTM", "GRU", "RNN")},
}
#: Operators whose output is the same weight as their input.
_PASSING = frozenset({"DequantizeLinear", "Transpose", "Cast", "Identity"})


def module_names(initialisers: Collection[str], nodes: Iterable[Node]) -> dict[str, str]:
    """Map each initialiser to the name of its parameter in the exported model.

    torch's exporters rename the parameters that they transpose or fold, such as the weights of linear layers, and
    record the modules of each node in the node's name or its metadata.

    Args:
        initialisers: their names in the graph.
        nodes: the graph's nodes, in topological order as the graph lists them.

    Returns:
        The new name by initialiser, all different: an initialiser keeps its name unless that was generated and a
        node gives its module.
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
    # If two initialisers would get the same name (a module used twice, or a name already taken), they keep their own.
    counts = Counter([*wanted.values(), *(name for name, other in wanted.items() if other != name)])
    return {name: other if counts[other] == 1 else name for name, other in wanted.items()}


def _better(name: str, of_module: str | None) -> str:
    return of_module if of_module and _ANONYMOUS.fullmatch(name) else name


def _module(node: Node) -> str:
    """The dotted name of the module a node belongs to; empty if unknown.

    The metadata lists the scopes from the model to the operator. A node's name has them between slashes, with the
    name of a sequence twice: `/features/features.0/Conv`.
    """
    listed: list[str] = re.findall(r"'([^']*)'", node.scopes)
    if len(listed) > 1:
        return listed[-2]
    if not node.name.startswith("/"):
        return ""
    scopes = node.name[1:].split("/")[:-1]
    return ".".join(scope for scope, inner in pairwise([*scopes, ""]) if not inner.startswith(f"{scope}."))

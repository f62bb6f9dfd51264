"""Name initialisers after their modules: the exporter calls a folded weight `onnx::MatMul_154`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
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


def parameter_name(node: Node, position: int) -> str:
    """The name, in the exported model, of the parameter that a node takes at a position; empty if unknown.

    torch's exporters rename the parameters that they transpose or fold, such as the weights of linear layers, and
    record the modules of each node in the node's name or its metadata.
    """
    parameter = _PARAMETERS.get(node.operator, {}).get(position)
    module = _module(node) if parameter else ""
    return f"{module}.{parameter}" if module else ""


def module_names(keys: Collection[str], named: Mapping[str, str]) -> dict[str, str]:
    """Map each tensor to the name of its parameter in the exported model.

    Args:
        keys: the tensors' names in the graphs.
        named: the parameters' names, as far as nodes give them.

    Returns:
        The new name by tensor, all different: a tensor keeps its name unless that was generated and a node gives its
        module.
    """
    wanted = {name: _better(name.removesuffix(_CODES_SUFFIX), named.get(name)) for name in keys}
    # If two tensors would get the same name (a module used twice, or a name already taken), they keep their own.
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

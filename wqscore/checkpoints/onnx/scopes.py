"""Collect the tensors of a model from all its graphs, each under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from wqscore.checkpoints.onnx.graph import Graph, Model
from wqscore.checkpoints.onnx.stored import Initialiser, named


@dataclass(frozen=True)
class Scope:
    """A graph with the tensors that it holds.

    Attributes:
        graph: the graph.
        tensors: the key of each tensor by its name in the graph.
        inside: the graphs inside its nodes, by the node's index and the attribute's name.
    """

    graph: Graph
    tensors: Mapping[str, str]
    inside: Mapping[tuple[int, str], Scope]


@dataclass(frozen=True)
class Scopes:
    """A model's graphs, and its tensors by key, in file order."""

    main: Scope
    functions: Mapping[str, Scope]
    tensors: Mapping[str, Initialiser]


def collect(model: Model) -> Scopes:
    """Give every tensor of a model a key: its name, after the names around it where several graphs have that name.

    Raises:
        ValueError: two tensors of one graph have the same name, or one has none.
    """
    names = Counter(name for graph in [model.graph, *model.functions.values()] for name in _names(graph))
    tensors: dict[str, Initialiser] = {}
    main = _scope(model.graph, (), names, tensors)
    functions = {name: _scope(graph, (name,), names, tensors) for name, graph in model.functions.items()}
    return Scopes(main, functions, tensors)


def _tensors(graph: Graph) -> dict[str, Initialiser]:
    constants = [node.constant for node in graph.nodes if node.constant is not None]
    found = {each.name: each for each in (*graph.initialisers, *constants)}
    if len(found) != len(graph.initialisers) + len(constants) or "" in found:
        raise ValueError("two of its initialisers have the same name, or one has none")
    return found


def _names(graph: Graph) -> list[str]:
    inside = [name for node in graph.nodes for _, each in node.graphs for name in _names(each)]
    return [*_tensors(graph), *inside]


def _scope(graph: Graph, path: tuple[str, ...], names: Mapping[str, int], tensors: dict[str, Initialiser]) -> Scope:
    keys = {}
    for name, initialiser in _tensors(graph).items():
        key = name if names[name] == 1 else ".".join((*path, name))
        while key in tensors or (key != name and key in names):
            key = f"{key}'"
        tensors[key] = named(initialiser, key)
        keys[name] = key
    inside = {}
    for index, node in enumerate(graph.nodes):
        for attribute, each in node.graphs:
            inside[index, attribute] = _scope(each, (*path, node.name or node.operator, attribute), names, tensors)
    return Scope(graph, keys, inside)

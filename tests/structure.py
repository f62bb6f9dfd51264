"""The import graph of the package, read from its source; `python -m tests.structure` prints its measures.

Every import statement counts: at the top of a file, inside functions, and under TYPE_CHECKING. The package's own
`__init__` is no node: it opens the public names, and nothing imports it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "wqscore"
Graph = Mapping[str, frozenset[str]]

#: From the ground up: a file imports only from its own floor and those above it in this list.
FLOORS = (
    *("version", "escaping", "errors", "cache_folder", "cached_property", "refs", "results"),
    *("checkpoints", "matrices", "symmetries", "spectra", "sketches", "fits", "execution", "rendering", "metrics"),
    *("integrity", "stores", "presets", "planning", "scoring", "ranking", "engines", "evidence", "reports", "api"),
    *("studies", "gating", "leaderboards", "landscape", "cli", "__main__"),
)


def modules() -> dict[str, Path]:
    """Every file of the package by its dotted name without `wqscore.`, the package's own `__init__` left out."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    return found


def import_graph() -> Graph:
    """The files that each file imports, wherever in it the import stands."""
    found = modules()
    return {name: frozenset(_imports(path, found) - {name}) for name, path in found.items()}


def circles(graph: Graph) -> list[frozenset[str]]:
    """The largest sets of files each of which reaches every other; the largest first."""
    reached = {name: _reach(graph, name) for name in graph}
    found = {frozenset(other for other in reached[name] if name in reached[other]) for name in graph}
    return sorted((each for each in found if each), key=lambda each: (-len(each), sorted(each)))


def upward(graph: Graph) -> list[tuple[str, str]]:
    """The imports from a floor that is lower in the list."""
    floor = {name: place for place, name in enumerate(FLOORS)}
    return [(one, other) for one, other in arrows(graph) if floor[top(one)] < floor[top(other)]]


def arrows(graph: Graph) -> Iterator[tuple[str, str]]:
    """Every import, as who imports and what."""
    for name in sorted(graph):
        for other in sorted(graph[name]):
            yield name, other


def flat_modules() -> set[str]:
    """The files at the top of the package, beside `__init__` and the program, `__main__`."""
    return {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}


def folders() -> set[str]:
    """The folders at the top of the package that hold code."""
    return {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def top(name: str) -> str:
    """The folder or flat module at the top that a file belongs to."""
    return name.split(".", maxsplit=1)[0]


def _imports(path: Path, found: Mapping[str, Path]) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {name for node in ast.walk(tree) for name in _named(node, found) if name in found}


def _named(node: ast.AST, found: Mapping[str, Path]) -> Iterable[str]:
    """What an import statement names: `from a import b` is of the file `a.b` where there is one, else of `a`."""
    if isinstance(node, ast.Import):
        return [alias.name.removeprefix("wqscore.") for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "wqscore":
        inside = node.module.removeprefix("wqscore").removeprefix(".")
        members = [f"{inside}.{alias.name}".removeprefix(".") for alias in node.names]
        return [member if member in found else inside for member in members]
    return []


def _reach(graph: Graph, start: str) -> set[str]:
    """The files that one reaches over one import or more."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def _measures() -> Iterator[str]:
    graph = import_graph()
    between = defaultdict(set)
    for one, other in arrows(graph):
        if top(one) != top(other):
            between[top(one)].add(top(other))
    back = upward(graph)
    yield f"files {len(graph)}, imports {sum(map(len, graph.values()))}"
    yield f"at the top: {len(flat_modules())} modules beside __init__, {len(folders())} folders"
    yield f"arrows between these: {sum(map(len, between.values()))}"
    yield f"imports that go back up: {len(back)}"
    yield from (f"  {one} -> {other}" for one, other in back)
    rounds = circles(graph)
    yield f"circles: {len(rounds)}, files in them: {sum(map(len, rounds))}"
    yield from (f"  {', '.join(sorted(each))}" for each in rounds)


if __name__ == "__main__":
    print("\n".join(_measures()))

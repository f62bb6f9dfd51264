"""The house rules: what may import what, read from the source.

Imports inside functions count in every rule, and so do those under TYPE_CHECKING: a type that only a reader needs
ties two files together as much, and no rule becomes impossible by counting it. Names that a file opens by text, as
`wqscore.results` does, are no imports: that is what the door is for.
"""

from __future__ import annotations

import ast
import re

import pytest

import wqscore
from tests import structure
from wqscore.results import _VIEWS

GRAPH = structure.import_graph()
MODULES = structure.modules()


def parsed(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def _is_result(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Result" for base in node.bases)


#: The files of the records that derive from `Result`.
RESULTS = {name for name in MODULES if any(map(_is_result, ast.walk(parsed(name))))}

#: Imports that go back up, each with its reason.
UPWARD = {
    ("checkpoints.gguf.names", "matrices.roles"): "of the names that a tensor may have had, the usual role decides",
}
#: Functions of more than eight parameters, each with its reason.
MANY_PARAMETERS = {
    "landscape.pacgen.pacgen": "every constant of the bound is the caller's to choose",
    "studies.track.track.track": "its keywords are the command's options: which steps, what is known, what is beside",
}
#: Files of more than 350 lines, each with its reason.
LONG: dict[str, str] = {}
#: `__init__` files that do something: `cli` puts the commands together.
ACTIVE = {"cli"}


def test_no_circle_among_files():
    assert structure.circles(GRAPH) == []


def test_no_import_from_a_lower_floor():
    assert set(structure.upward(GRAPH)) == UPWARD.keys()


def test_formats_know_no_result():
    for name in MODULES:
        if structure.top(name) == "rendering":
            assert not GRAPH[name] & RESULTS, name


def test_a_result_knows_no_format():
    made = {view.split(":")[0].removeprefix("wqscore.") for views in _VIEWS.values() for view in views.values()}
    for name in RESULTS:
        # How a number is written in a sentence is no format.
        formats = {other for other in GRAPH[name] if structure.top(other) in ("rendering", "reports")}
        formats -= {"rendering.numbers"}
        assert not formats | (GRAPH[name] & made), name


def test_every_kind_of_result_has_its_views():
    kinds = {node.name for name in RESULTS for node in ast.walk(parsed(name)) if _is_result(node)}
    assert kinds == _VIEWS.keys()


def test_only_the_door_opens_functions_by_name():
    opened = re.compile(r"wqscore(\.\w+)+:\w+")
    found = {
        name
        for name in MODULES
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and opened.fullmatch(node.value)
    }
    assert found == {"results"}


def test_every_file_has_a_floor():
    assert structure.flat_modules() | structure.folders() <= set(structure.FLOORS)


def test_at_most_six_modules_lie_flat_at_the_top():
    assert len(structure.flat_modules()) <= 6


def test_nothing_at_the_top_is_named_as_a_public_function():
    # `wqscore.score` would turn from the function into the module as soon as that is imported.
    assert not (structure.flat_modules() | structure.folders()) & set(wqscore.__all__)


@pytest.mark.parametrize("name", sorted(name for name, path in MODULES.items() if path.stem == "__init__"))
def test_an_init_file_defines_nothing(name):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    assert (name in ACTIVE) == any(isinstance(node, kinds) for node in parsed(name).body)


def test_no_file_is_longer_than_350_lines():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name for name, length in lengths.items() if length > 350} == LONG.keys()


def test_no_function_takes_more_than_eight_parameters():
    """The keywords of `Settings` count as one."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    taken = {
        f"{name}.{node.name}": [argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
        for name in MODULES
        for node in ast.walk(parsed(name))
        if isinstance(node, kinds)
    }
    many = {name for name, arguments in taken.items() if len({*arguments} - {"self", "cls"}) > 8}
    assert many == set(MANY_PARAMETERS)


def test_a_graph_is_read_as_python_reads_it(tmp_path, monkeypatch):
    """Of every kind of import statement, with two files that import each other and one that goes back up."""
    files = {
        "errors.py": "import wqscore.cli.page\n",
        "cli/__init__.py": "",
        "cli/page.py": "def f():\n    from wqscore.cli import shown\n    from wqscore.errors import UsageError\n",
        "cli/shown.py": "if TYPE_CHECKING:\n    from wqscore.cli.page import f\n",
        "refs.py": "import json\nfrom wqscore import errors\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(structure, "PACKAGE", tmp_path)
    graph = structure.import_graph()
    assert graph == {
        "errors": {"cli.page"},
        "cli": set(),
        "cli.page": {"cli.shown", "errors"},
        "cli.shown": {"cli.page"},
        "refs": {"errors"},
    }
    assert structure.circles(graph) == [{"cli.page", "cli.shown", "errors"}]
    assert structure.upward(graph) == [("errors", "cli.page")]

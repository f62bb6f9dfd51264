"""The house rules: what may import what, read from the source.

Imports inside functions count in every rule, and so do those under TYPE_CHECKING: a type that only a reader needs
ties two files together as much, and no rule becomes impossible by counting it. Names that a file opens by text, as
`wqscore.results` does, are no imports: that is what the door is for.
"""

from __future__ import annotations

import ast

import pytest

import wqscore
from tests import structure

GRAPH = structure.import_graph()
MODULES = structure.modules()

#: Imports that go back up, each with its reason.
UPWARD: dict[tuple[str, str], str] = {
    ("checkpoints.gguf.names", "matrices.roles"): "names are chosen by the roles that they will have",
    ("ranking.ranking", "reports.frame"): "until it is taken apart",
    ("ranking.ranking", "reports.html.report"): "until it is taken apart",
    ("rendering.csv", "ranking.ranking"): "until it is taken apart",
    ("rendering.csv", "reports.tables"): "until it is taken apart",
    ("rendering.json", "metrics.registry"): "until it is taken apart",
    ("rendering.json", "presets.preset"): "until it is taken apart",
    ("rendering.json", "ranking.ranking"): "until it is taken apart",
    ("rendering.json", "reports.tables"): "until it is taken apart",
    ("rendering.json", "scoring.expert_spread"): "until it is taken apart",
    ("rendering.markdown", "ranking.ranking"): "until it is taken apart",
    ("rendering.markdown", "reports.overview"): "until it is taken apart",
    ("rendering.markdown", "reports.trust"): "until it is taken apart",
    ("rendering.notebook", "planning.describe"): "until it is taken apart",
    ("rendering.notebook", "planning.describe_report"): "until it is taken apart",
    ("rendering.notebook", "ranking.ranking"): "until it is taken apart",
    ("rendering.notebook", "reports.overview"): "until it is taken apart",
    ("rendering.notebook", "reports.worth_checking"): "until it is taken apart",
    ("rendering.terminal", "ranking.ranking"): "until it is taken apart",
    ("rendering.terminal", "reports.intervals"): "until it is taken apart",
    ("rendering.terminal", "reports.narrow"): "until it is taken apart",
    ("rendering.terminal", "reports.overview"): "until it is taken apart",
    ("rendering.terminal", "reports.trust"): "until it is taken apart",
    ("rendering.terminal", "reports.worth_checking"): "until it is taken apart",
    ("rendering.csv", "scoring.model_score"): "until it is taken apart",
    ("rendering.json", "scoring.layer_score"): "until it is taken apart",
    ("rendering.json", "scoring.model_score"): "until it is taken apart",
    ("rendering.markdown", "scoring.model_score"): "until it is taken apart",
    ("rendering.notebook", "scoring.model_score"): "until it is taken apart",
    ("rendering.terminal", "scoring.model_score"): "until it is taken apart",
    ("scoring.model_score", "ranking.ranking"): "until it is taken apart",
    ("scoring.model_score", "reports.frame"): "until it is taken apart",
}
#: Files that import each other, until they are taken apart.
CIRCLE: frozenset[str] = frozenset(
    {
        "scoring.model_score",
        "planning.describe",
        "planning.describe_report",
        "ranking.differences",
        "ranking.families",
        "ranking.ranking",
        "ranking.ranks",
        "rendering.csv",
        "rendering.json",
        "rendering.markdown",
        "rendering.notebook",
        "rendering.terminal",
        "reports.frame",
        "reports.html.changes",
        "reports.html.explorer",
        "reports.html.page_data",
        "reports.html.ranking_marks",
        "reports.html.report",
        "reports.html.sections",
        "reports.html.verdict_shares",
        "reports.intervals",
        "reports.narrow",
        "reports.overview",
        "reports.tables",
        "reports.trust",
        "reports.worth_checking",
    }
)
#: Files of more than 350 lines, each with its reason.
LONG: dict[str, str] = {}
#: `__init__` files that do something: `cli` puts the commands together.
ACTIVE = {"cli"}


def test_no_circle_among_files():
    found = set().union(*structure.circles(GRAPH))
    assert found == CIRCLE


def test_no_import_from_a_lower_floor():
    assert set(structure.upward(GRAPH)) == UPWARD.keys()


def test_every_file_has_a_floor():
    assert structure.flat_modules() | structure.folders() <= set(structure.FLOORS)


def test_at_most_six_modules_lie_flat_at_the_top():
    assert len(structure.flat_modules()) <= 6


def test_nothing_at_the_top_is_named_as_a_public_function():
    # `wqscore.score` would turn from the function into the module as soon as that is imported.
    assert not (structure.flat_modules() | structure.folders()) & set(wqscore.__all__)


@pytest.mark.parametrize("name", sorted(name for name, path in MODULES.items() if path.stem == "__init__"))
def test_an_init_file_defines_nothing(name):
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    assert (name in ACTIVE) == any(isinstance(node, kinds) for node in tree.body)


def test_no_file_is_longer_than_350_lines():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name for name, length in lengths.items() if length > 350} == LONG.keys()


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

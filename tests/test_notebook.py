"""The notebook under examples/: a valid notebook without outputs, whose cells run in order."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

NOTEBOOK = Path(__file__).parent.parent / "examples" / "notebook.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def shown(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line if that is an expression, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "cell", "exec"), names)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_it_is_a_notebook_without_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            ast.parse("".join(cell["source"]))
    assert NOTEBOOK.stat().st_size < 20_000


@pytest.mark.oracle("torch")
def test_its_cells_run_and_show_what_they_say() -> None:
    names: dict[str, Any] = {}
    found = [shown(source, names) for source in CODE]
    ranking = names["ranking"]
    assert {model.ref.label for model in ranking.models} == {"run-1", "run-2", "run-3"}
    assert ranking.conclusion.text in found
    assert sum(hasattr(value, "_repr_html_") for value in found) >= 4
    folder = names["folder"]
    assert "<svg" in (folder / "layer.svg").read_text(encoding="utf-8")
    tidy = pd.read_csv(folder / "encoder.csv")
    assert list(tidy.columns) == ["model", "matrix", "role", "layer", "metric", "value"]
    assert set(tidy["model"]) == {"encoder"}
    assert names["watching"].track.points[0].step == 5

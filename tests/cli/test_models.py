"""`wqscore models`: everything that the shipped lists hold."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

LISTS = Path(__file__).parents[2] / "model_lists"


def test_every_shipped_model_and_alias_is_shown(invoke: Callable[..., Result]) -> None:
    done = invoke("models")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    files = list(LISTS.glob("*.toml"))
    assert len(files) > 30
    for file in files:
        listed = tomllib.loads(file.read_text(encoding="utf-8"))
        name = file.name.removesuffix(".toml")
        assert f"{listed['list']['title']} · wqscore rank --list {name}" in lines
        for model in listed["models"]:
            (line,) = [line for line in lines if line.split(" ")[0] == model["id"]]
            for value in (*model.get("aliases", []), model.get("licence", ""), str(model.get("year", ""))):
                assert value in line

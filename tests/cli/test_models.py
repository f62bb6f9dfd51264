"""`wqscore models`: everything that the shipped lists hold."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib import resources

from typer.testing import Result

import wqscore.model_lists


def test_every_shipped_model_and_alias_is_shown(invoke: Callable[..., Result]) -> None:
    done = invoke("models")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    files = [f for f in resources.files(wqscore.model_lists).iterdir() if f.name.endswith(".toml")]
    assert len(files) > 30
    for file in files:
        listed = tomllib.loads(file.read_text(encoding="utf-8"))
        name = file.name.removesuffix(".toml")
        assert f"{listed['list']['title']} · wqscore rank --list {name}" in lines
        for model in listed["models"]:
            (line,) = [line for line in lines if line.split(" ")[0] == model["id"]]
            for value in (*model.get("aliases", []), model.get("licence", ""), str(model.get("year", ""))):
                assert value in line

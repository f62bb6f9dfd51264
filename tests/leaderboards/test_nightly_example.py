"""The nightly example: its list is the demo's, its workflow parses, and its script runs two nights."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tests.cli.conftest import COMMAND
from tests.leaderboards.conftest import write_model
from wqscore.cli import app
from wqscore.refs.model_list import load_list

ROOT = Path(__file__).parent.parent.parent
NIGHTLY = ROOT / "examples" / "nightly"


def test_the_list_is_that_of_make_demo() -> None:
    demo = re.search(r"^DEMO := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert demo is not None
    models = load_list(str(NIGHTLY / "demo.toml")).models
    assert sorted(model.aliases[0] for model in models) == sorted(demo[1].split())
    assert all(Path(model.id).name == model.aliases[0] for model in models)


@pytest.mark.parametrize("file", ["github-actions.yml", "nightly.sh", "README.md"])
def test_the_commands_exist_with_their_options(file: str) -> None:
    calls = re.findall(
        r"(wqscore leaderboard (?:build|check) [^`\n|]+)", (NIGHTLY / file).read_text(encoding="utf-8")
    )
    assert {shlex.split(call)[2] for call in calls} == {"build", "check"}
    for call in calls:
        _, _, command, *words = shlex.split(call)
        known = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["leaderboard", command, "--help"]).output
        assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", known))


def test_the_workflow_is_yaml_of_shell_that_parses() -> None:
    workflow = yaml.safe_load((NIGHTLY / "github-actions.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["build"]["steps"]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    for step in steps:
        subprocess.run(["bash", "-n"], input=step.get("run", ""), text=True, check=True)


def test_the_script_publishes_what_is_fit_to_be_shown(tmp_path: Path) -> None:
    for seed in range(2):
        write_model(tmp_path / str(seed), seed)
    (tmp_path / "models.toml").write_text(
        "".join(f'[[models]]\nid = "./{seed}"\naliases = ["toy-{seed}"]\nfamily = "toys"\n' for seed in range(2))
    )
    environment = {
        **os.environ,
        "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}",
        "STATE": str(tmp_path / "state"),
        "PUBLIC": str(tmp_path / "public"),
    }

    def night() -> int:
        command = ["bash", NIGHTLY / "nightly.sh", "models.toml"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False).returncode

    assert night() == 0
    shown = (tmp_path / "public" / "index.html").read_text(encoding="utf-8")
    assert "toy-0" in shown
    (tmp_path / "1" / "model.safetensors").write_bytes(b"cut short")
    assert night() == 3
    assert "stale since" in (tmp_path / "public" / "index.html").read_text(encoding="utf-8")
    (tmp_path / "state/site/data/history.json").write_text("{")
    assert night() == 2
    assert "stale since" in (tmp_path / "public" / "index.html").read_text(encoding="utf-8")

"""The README and the documentation against the program: what they name exists, and no command is missing."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs.tables import pages
from wqscore.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md")} | {"README": README}
_COMMAND = re.compile(r"^\$ (wqscore [^#\n]+)", re.MULTILINE)
COMMANDS = sorted({line for text in PAGES.values() for line in _COMMAND.findall(text)})


def help_of(*command: str) -> str:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*command, "--help"]).output


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_line_parses(line: str) -> None:
    _, command, *arguments = shlex.split(line)
    known = help_of(command, *(arguments[:1] if command in {"store", "leaderboard", "allocate"} else []))
    assert "Usage: wqscore" in known or "Usage: root" in known
    for argument in arguments:
        if argument.startswith("--"):
            assert argument in known


def test_every_command_is_on_the_page_of_commands() -> None:
    commands = set(re.findall(r"^\$ wqscore (\w+)", PAGES["commands.md"], re.MULTILINE))
    named = "rank score plot card describe plan models metrics crosscheck check correlate known gate store explain"
    named += " leaderboard evidence phase allocate diff kin compress symmetry width track screen landscape"
    assert commands == set(named.split())


def test_the_tables_are_what_the_registry_says() -> None:
    for page, text in pages().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name} is out of date: run make docs"


def test_every_local_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_design_has_a_line_for_each_room() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE)
    folders = {init.parent.name for init in (ROOT / "wqscore").glob("*/__init__.py")}
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == folders


def test_the_readme_is_one_screen() -> None:
    assert len(README.split()) <= 600
    assert len(README.splitlines()) <= 75


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target for text in (README, PAGES["contributing.md"]) for target in re.findall(r"`make ([a-z-]+)`", text)
    }
    assert named <= targets

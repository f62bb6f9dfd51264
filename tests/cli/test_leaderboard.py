"""`wqscore leaderboard` with impossible options: one line, exit 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.conftest import toy

ASKED = {
    "no such list": (["nosuch"], "no model list called 'nosuch'"),
    "no such metric": (["list.toml", "--by", "alhpa"], "no metric called 'alhpa'"),
    "no such table": (["list.toml", "--known", "gone.csv"], "gone.csv: can't be read"),
    "a column of no table": (["list.toml", "--y", "accuracy"], "--y names a column of --known"),
    "two stores": (["list.toml", "--store", "a.sqlite", "--no-store"], "exclude each other"),
}


@pytest.mark.parametrize("kind", ASKED)
def test_it_is_refused(invoke: Callable[..., Result], tmp_path: Path, kind: str) -> None:
    toy(tmp_path / "model")
    (tmp_path / "list.toml").write_text('[[models]]\nid = "./model"\n')
    arguments, message = ASKED[kind]
    done = invoke("leaderboard", "build", *arguments, "--out", "site")
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "site").exists()


def test_two_lists_make_one_site(invoke: Callable[..., Result], tmp_path: Path) -> None:
    for seed in range(2):
        toy(tmp_path / f"model-{seed}", seed)
        (tmp_path / f"list-{seed}.toml").write_text(
            f'[list]\ntitle = "List {seed}"\n[[models]]\nid = "./model-0"\naliases = ["zero"]\n'
            f'[[models]]\nid = "./model-{seed}/model.safetensors"\naliases = ["file-{seed}"]\n'
        )
    done = invoke("leaderboard", "build", "list-0.toml", "list-1.toml", "--out", "site", "--quiet", "--jobs", "1")
    assert done.exit_code == 0, done.output
    assert "3 models, 3 new" in done.output
    assert "<h1>List 0 · List 1</h1>" in (tmp_path / "site/index.html").read_text(encoding="utf-8")
    checked = invoke("leaderboard", "check", "site")
    assert (checked.exit_code, checked.output) == (0, "")

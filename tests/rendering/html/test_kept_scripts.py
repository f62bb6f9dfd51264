"""Kept scripts: made once, and trusted only if nobody else can have written them and their digest is right."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from wqscore.rendering.html import kept_scripts
from wqscore.rendering.html.kept_scripts import kept_script

SCRIPT = "window.a = 'ünïcode';\r\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "cache" / "scripts"
    monkeypatch.setattr(kept_scripts, "standard_folder", lambda: found)
    return found


def made(name: str = "a.js") -> tuple[str, int]:
    """The script, and how often it was made."""
    calls = []

    def make() -> str:
        calls.append(name)
        return SCRIPT

    return kept_script(name, make), len(calls)


def test_a_script_is_made_once_for_each_name(folder: Path) -> None:
    assert [made(), made(), made("b.js"), made()] == [(SCRIPT, 1), (SCRIPT, 0), (SCRIPT, 1), (SCRIPT, 0)]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {
        "a.js": 0o600,
        "b.js": 0o600,
    }


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)


def replace_by_link(file: Path) -> None:
    other = file.with_name("other")
    file.rename(other)
    file.symlink_to(other)


SPOILED: dict[str, Callable[[Path], None]] = {
    "another byte": flip,
    "cut": lambda file: os.truncate(file, 80),
    "empty": lambda file: os.truncate(file, 0),
    "not UTF-8, with its digest": lambda file: file.write_bytes(b"\xff" * 99),
    "writable by others": lambda file: file.chmod(0o666),
    "in a folder that is writable by others": lambda file: file.parent.chmod(0o777),
    "a link": replace_by_link,
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_cannot_be_trusted_is_made_anew(folder: Path, how: str) -> None:
    made()
    SPOILED[how](folder / "a.js")
    assert made() == (SCRIPT, 1)


def test_what_another_user_owns_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert made() == (SCRIPT, 1)


def test_where_nothing_can_be_kept_the_script_is_made_each_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert [made(), made()] == [(SCRIPT, 1), (SCRIPT, 1)]
    monkeypatch.setattr(kept_scripts, "standard_folder", lambda: None)
    assert made() == (SCRIPT, 1)

"""No call to the operating system that docs/platforms.md doesn't know; what other systems lack is not needed."""

from __future__ import annotations

import ast
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure import PACKAGE
from wqscore import __main__ as program
from wqscore.engines import weightwatcher
from wqscore.errors import CheckpointError, WqscoreError, read_small
from wqscore.execution import resources
from wqscore.rendering.result_file import write_file

#: What Python has on every system.
_EVERYWHERE = frozenset(
    {
        *(
            "O_RDONLY",
            "O_WRONLY",
            "R_OK",
            "SEEK_END",
            "SEEK_SET",
            "W_OK",
            "X_OK",
            "PathLike",
            "_exit",
            "access",
            "close",
        ),
        *(
            "cpu_count",
            "devnull",
            "dup",
            "dup2",
            "environ",
            "fdopen",
            "fspath",
            "fstat",
            "fsync",
            "getpid",
            "linesep",
        ),
        *("link", "listdir", "open", "path", "pathsep", "read", "replace", "scandir", "sep", "stat", "write"),
    }
)
#: What some lack, and the package asks for before it is used.
_ASKED_FOR = frozenset({"sync", "nice"})
_OF_POSIX = frozenset({"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "curses"})


def calls(module: str) -> Iterator[tuple[str, str]]:
    """The file and the name of everything that the package takes from a module."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module:
                yield file.relative_to(PACKAGE).as_posix(), node.attr


def test_every_call_to_the_system_is_one_that_is_known() -> None:
    unknown = {(file, name) for file, name in calls("os") if name not in _EVERYWHERE | _ASKED_FOR}
    assert not unknown, "say in docs/platforms.md what happens elsewhere, and ask for it with getattr"
    assert {name for _, name in calls("signal")} <= {"signal", "SIGINT", "strsignal"}


def test_no_module_of_posix_is_imported_when_the_package_is() -> None:
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_bytes())
        for node in tree.body:
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            assert not names & _OF_POSIX, file


def test_a_small_file_is_read_where_opening_always_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small").write_bytes(b"{}")
    monkeypatch.delattr(os, "O_NONBLOCK")
    assert read_small(tmp_path / "small") == b"{}"


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_no_guard_of_the_exit_code_where_there_can_be_none(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `resource`, macOS no `on_exit`."""
    if system == "windows":
        monkeypatch.setitem(sys.modules, "resource", None)
    else:
        monkeypatch.setattr("resource.getrlimit", lambda which: (1 << 33, 1 << 33))
        monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert program._guard_exit_code() is None


def test_all_cores_where_none_are_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert resources.cores() == 7


def test_a_file_that_another_program_has_open_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses to rename over it."""

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "The process cannot access the file", str(self))

    (tmp_path / "gate.xml").write_text("old")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(WqscoreError, match=r"gate\.xml: can't be written: The process cannot access the file"):
        write_file(tmp_path / "gate.xml", "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("gate.xml", "old")]


class _Files:
    """As much of a checkpoint as is asked for: its files."""

    def __init__(self, *files: Path) -> None:
        self.tensors = [type("_Stored", (), {"files": (file,), "name": file.stem}) for file in files]


def test_weightwatcher_gets_hard_links_where_symbolic_ones_are_not_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path, target_is_directory: bool = False) -> None:
        raise OSError(22, "A required privilege is not held by the client")

    file = tmp_path / "any.safetensors"
    file.write_bytes(b"weights")
    (tmp_path / "shown").mkdir()
    monkeypatch.setattr(Path, "symlink_to", refuse)
    weightwatcher._link_weights(_Files(file), tmp_path / "shown")  # type: ignore[arg-type]
    assert (tmp_path / "shown" / "model.safetensors").samefile(file)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "shown" / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="can't be linked for WeightWatcher: A required privilege"):
        weightwatcher._link_weights(_Files(file), tmp_path / "shown")  # type: ignore[arg-type]

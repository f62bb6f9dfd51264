"""Fixtures: the command as a process, in a terminal and, for speed, in this process; and small models."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sysconfig
import termios
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from tests.warm_processes import WQSCORE, can_copy, run_copy, run_wqscore
from wqscore.cli import app

COMMAND = Path(sysconfig.get_path("scripts")) / "wqscore"
#: What would colour, widen or date the output, whoever runs the tests.
_OUTER = {
    "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING", "SOURCE_DATE_EPOCH", "TERM", "GITHUB_ACTIONS",
    "PY_COLORS", "TTY_COMPATIBLE",
}  # fmt: skip


@dataclass(frozen=True)
class InTerminal:
    """A finished process whose standard error, and output unless piped, was a terminal."""

    returncode: int
    screen: str
    stdout: str

    @property
    def drawn(self) -> str:
        """Everything that was ever drawn, without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self.screen)

    @property
    def left(self) -> str:
        """What is left at the end, when the lines that were erased are gone."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", re.sub(r"[^\n]*\x1b\[2K", "", self.screen))


def environment(**variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _OUTER}
    return inherited | {"TERM": "xterm-256color"} | variables


def toy(folder: Path, seed: int = 0, layers: int = 4, **tensors: np.ndarray) -> str:
    """Write a small model whose matrices have heavy tails, or one of other tensors; returns its path."""
    rng = np.random.default_rng(seed)
    # Mixed columns: entries that go together, as those of trained matrices do and no shuffle's.
    heavy = {
        f"layers.{i}.fc1.weight": (rng.standard_t(3, (96, 64)) @ rng.standard_normal((64, 64)) * 0.04).astype("f4")
        for i in range(layers)
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file({**heavy, **tensors}, folder / "model.safetensors")
    return str(folder)


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in _OUTER:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path, **variables: str) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=variables)

    return run


@pytest.fixture
def wqscore(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command as a process, in a folder of its own."""

    def run(
        *arguments: str | Path, env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        if not options:
            return run_wqscore([*map(str, arguments)], environment(**(env or {})), tmp_path)
        streams = {} if "stdout" in options else {"stdout": subprocess.PIPE}
        return subprocess.run(
            [str(COMMAND), *map(str, arguments)],
            cwd=tmp_path,
            env=environment(**(env or {})),
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=300,
            check=False,
            **streams,
            **options,
        )

    return run


@pytest.fixture
def in_terminal(tmp_path: Path) -> Callable[..., InTerminal]:
    """Run the command in a terminal so many columns wide; standard output may go to a pipe instead."""

    def run(*arguments: str | Path, columns: int = 80, piped: bool = False, **variables: str) -> InTerminal:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        env = environment(**variables)
        if can_copy(env):
            stdout = tmp_path / f"{uuid4()}.stdout" if piped else None
            with ThreadPoolExecutor(1) as pool:
                ended = pool.submit(_in_terminal, [*map(str, arguments)], env, tmp_path, theirs, stdout)
                screen = _drawn(ours)
            piped_text = stdout.read_text(encoding="utf-8") if stdout else ""
            if stdout:
                stdout.unlink()
            return InTerminal(ended.result(), screen, piped_text)
        process = subprocess.Popen(
            [str(COMMAND), *map(str, arguments)],
            cwd=tmp_path,
            env=env,
            stdin=theirs,
            stdout=subprocess.PIPE if piped else theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        screen = _drawn(ours)
        output = process.communicate(timeout=300)[0] or b""
        return InTerminal(process.returncode, screen, output.decode())

    return run


def _in_terminal(arguments: list[str], env: dict[str, str], folder: Path, terminal: int, stdout: Path | None) -> int:
    """Run a copy of the warm process in a terminal, which is closed when it has ended."""
    try:
        name = os.ttyname(terminal)
        return run_copy(WQSCORE, arguments, env, folder, [name, str(stdout or name), name])
    finally:
        os.close(terminal)


def _drawn(terminal: int) -> str:
    """What is written to a terminal until nobody has it open; then it is closed."""
    screen = bytearray()
    # The system reports the last process leaving a terminal as an input/output error.
    try:
        while piece := os.read(terminal, 65536):
            screen += piece
    except OSError:
        pass
    os.close(terminal)
    return screen.decode()

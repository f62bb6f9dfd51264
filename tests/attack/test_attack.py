"""Every attack of the corpus through `wqscore check`: no code runs, and what is refused is refused in one line."""

from __future__ import annotations

import contextlib
import io
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.attack.attack import Attack
from tests.attack.corpus import ATTACKS, SOUND, make
from tests.attack.payloads import CALLED, SHAPES, WAYS_IN, Payload, protocol_0, whole
from wqscore.cli import app

#: A bound against waiting for ever, and for reading what has no end; a busy machine may take a hundred times as long.
MOST_SECONDS = 30


@pytest.mark.parametrize("attack", [*ATTACKS, *SOUND], ids=lambda attack: attack.id)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_code_runs_and_what_is_refused_is_one_line(attack: Attack, tmp_path: Path) -> None:
    given, mark = make(attack, tmp_path)
    before = time.process_time()
    done = CliRunner().invoke(app, ["check", "--quiet", str(given)])
    assert not mark.exists()
    assert time.process_time() - before < MOST_SECONDS
    assert isinstance(done.exception, SystemExit) or done.exception is None, done.exception
    lines = done.stderr.splitlines()
    if attack.outcome == "weights only":
        assert (done.exit_code, lines) == (0, [])
        return
    code = {"refused": 3, "no weights": 2}[attack.outcome]
    assert (done.exit_code, len(lines)) == (code, 1), done.output
    assert lines[0].startswith("wqscore: ") and lines[0].isprintable()
    assert not done.stdout


class Loader(pickle.Unpickler):
    """The standard unpickler, as torch uses it."""

    def persistent_load(self, pid: Any) -> Any:
        return pid


PICKLES: dict[str, Payload] = {
    **{name: (lambda mark, each=each: whole(each(mark))) for name, each in (WAYS_IN | CALLED).items()},
    **SHAPES,
    "protocol 0": protocol_0,
}


@pytest.mark.parametrize("name", PICKLES)
@pytest.mark.filterwarnings("ignore")
def test_the_attack_is_real(name: str, tmp_path: Path) -> None:
    """Whoever loads it with pickle runs its code."""
    mark = tmp_path / "mark"
    stream = io.BytesIO(PICKLES[name](mark))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        for _ in range(2):
            Loader(stream).load()
    assert mark.exists() or mark.with_suffix(".npy").exists()

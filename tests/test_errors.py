"""Small files are read whole, in no more memory than they take, or refused; messages are of a length to read."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore import __main__ as program
from wqscore import cli
from wqscore.api.run import own_errors
from wqscore.errors import CheckpointError, UsageError, fault, read_small
from wqscore.planning import plan as planning
from wqscore.refs.reference import ModelRef


@given(st.binary(max_size=300), st.integers(0, 300))
def test_a_file_is_read_up_to_the_limit(tmp_path_factory: pytest.TempPathFactory, data: bytes, most: int) -> None:
    file = tmp_path_factory.getbasetemp() / "small"
    file.write_bytes(data)
    if len(data) <= most:
        assert read_small(file, most) == data
        return
    with pytest.raises(OSError, match=f"is larger than {most} bytes"):
        read_small(file, most)


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"{}")
    tracemalloc.start()
    try:
        assert read_small(tmp_path / "small") == b"{}"
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="a file whose size the system gives as 0")
def test_a_file_that_has_more_than_its_size_is_read_whole() -> None:
    assert Path("/proc/self/maps").stat().st_size == 0
    assert read_small(Path("/proc/self/maps")).count(b"\n") > 3
    with pytest.raises(OSError, match="is larger than 10 bytes"):
        read_small(Path("/proc/self/maps"), 10)


def test_a_fault_has_the_same_words_wherever_it_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ZeroDivisionError("a line\nand \x1b[31m \u00fc")
    words = fault(error)
    assert words == (
        "a fault in wqscore (ZeroDivisionError: a line and \\x1b[31m \\xfc): please report it with the command"
    )

    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    def leave(line: str, code: int) -> NoReturn:
        raise SystemExit(f"{code} {line}")

    monkeypatch.setattr(planning, "open_without_weights", fail)
    assert planning.plan(["org/name"]).models[0].reason == words
    with pytest.raises(CheckpointError) as met, own_errors(ModelRef("org/name", "hub")):
        fail()
    assert str(met.value) == f"org/name: {words}"
    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(program, "_leave", leave)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    with pytest.raises(SystemExit, match=r"^3 ") as left:
        program.main()
    assert left.value.code == f"3 {words}"


@given(st.text(max_size=200), st.integers(1, 20))
def test_a_message_keeps_its_beginning_and_its_end(text: str, times: int) -> None:
    message = str(UsageError(f"file: {text * times}: fetch it again"))
    assert message.startswith("file: ") and message.endswith(": fetch it again")
    assert message.isprintable() and len(message) <= 1700
    assert str(UsageError(message)) == message

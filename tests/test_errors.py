"""Small files are read whole, in no more memory than they take, or refused; messages are of a length to read."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore.errors import UsageError, read_small


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


@given(st.text(max_size=200), st.integers(1, 20))
def test_a_message_keeps_its_beginning_and_its_end(text: str, times: int) -> None:
    message = str(UsageError(f"file: {text * times}: fetch it again"))
    assert message.startswith("file: ") and message.endswith(": fetch it again")
    assert message.isprintable() and len(message) <= 1700
    assert str(UsageError(message)) == message

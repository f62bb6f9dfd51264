"""A file's stamp: whatever is done to a file whose bytes change, what was recorded of it is not found again."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.stores.records import FileStamp
from wqscore.stores.store import Store

SIZE = 40_000
#: An early time of modification, as files have that were unpacked or downloaded.
EARLIER = (10**18, 10**18)
BODY = bytes(range(250)) * (SIZE // 250)


class Files:
    """Files that have not changed for a while: made in dozens, since each kind of clock has to tick first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._ready: list[Path] = []

    def next(self) -> Path:
        if not self._ready:
            for _ in range(60):
                self._made += 1
                file = self._folder / str(self._made)
                file.write_bytes(BODY)
                os.utime(file, ns=EARLIER)
                self._ready.append(file)
            while not FileStamp.of(file).is_settled(time.time_ns()):
                pass
        return self._ready.pop()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


def write(file: Path, at: int, byte: bytes) -> None:
    with file.open("r+b") as stream:
        stream.seek(at)
        stream.write(byte)


def write_by_a_hard_link(file: Path, at: int, byte: bytes) -> None:
    other = file.with_name(f"{file.name}-linked")
    os.link(file, other)
    write(other, at, byte)


def write_by_a_symbolic_link(file: Path, at: int, byte: bytes) -> None:
    other = file.with_name(f"{file.name}-symbolic")
    other.symlink_to(file)
    write(other, at, byte)


def write_to_the_mapping(file: Path, at: int, byte: bytes) -> None:
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as mapping:
        mapping[at : at + 1] = byte


def write_anew(file: Path, at: int, byte: bytes) -> None:
    body = bytearray(file.read_bytes())
    body[at : at + 1] = byte
    file.write_bytes(body)


def rename_another_over(file: Path, at: int, byte: bytes) -> None:
    other = file.with_name(f"{file.name}-new")
    shutil.copy2(file, other)
    write(other, at, byte)
    os.utime(other, ns=EARLIER)
    other.replace(file)


def delete_and_make_again(file: Path, at: int, byte: bytes) -> None:
    body = bytearray(file.read_bytes())
    body[at : at + 1] = byte
    file.unlink()
    file.write_bytes(body)


def link_to_another(file: Path, at: int, byte: bytes) -> None:
    other = file.with_name(f"{file.name}-other")
    file.rename(other)
    write(other, at, byte)
    file.symlink_to(other)


CHANGES: list[Callable[[Path, int, bytes], None]] = [
    write,
    write_by_a_hard_link,
    write_by_a_symbolic_link,
    write_to_the_mapping,
    write_anew,
    rename_another_over,
    delete_and_make_again,
    link_to_another,
]


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    change=st.sampled_from(CHANGES),
    at=st.sampled_from([0, 4095, 4096, SIZE // 2, SIZE - 4097, SIZE - 1]) | st.integers(0, SIZE - 1),
    byte=st.binary(min_size=1, max_size=1),
)
def test_a_file_whose_bytes_change_is_another_though_its_time_is_put_back(
    change: Callable[[Path, int, bytes], None], at: int, byte: bytes, files: Files, store: Store
) -> None:
    file = files.next()
    store.put_files({FileStamp.of(file): {"w": "blake3:00"}})
    assert store.files([FileStamp.of(file)]), "it is recorded"
    change(file, at, byte)
    os.utime(file, ns=EARLIER)
    if file.read_bytes() != BODY:
        assert store.files([FileStamp.of(file)]) == {}
        assert not any(stamp.is_current() for stamp, _ in store.all_files() if stamp.path == str(file))


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 4095) | st.integers(SIZE - 4096, SIZE - 1))
def test_where_the_clock_went_back_the_ends_of_a_file_tell(at: int, files: Files, store: Store) -> None:
    """A clock that is set back may give the same times twice: a stand-in for them, as no test may set the clock."""
    file = files.next()
    before = FileStamp.of(file)
    store.put_files({before: {"w": "blake3:00"}})
    write(file, at, bytes([BODY[at] ^ 1]))
    now = replace(FileStamp.of(file), mtime_ns=before.mtime_ns, ctime_ns=before.ctime_ns)
    assert store.files([now]) == {}


@pytest.mark.parametrize("ahead", [1, 10**9, 10**12])
def test_times_in_the_future_are_not_recorded(ahead: int, files: Files, store: Store) -> None:
    """The clock went back since: the next change may get the very time that the file has."""
    stamp = FileStamp.of(files.next())
    for changed in (
        replace(stamp, mtime_ns=time.time_ns() + ahead * 10**3),
        replace(stamp, ctime_ns=time.time_ns() + ahead * 10**3),
    ):
        store.put_files({changed: {"w": "blake3:00"}})
    assert list(store.all_files()) == []


def test_a_bind_mount_over_a_file_is_another_file(files: Files, store: Store, tmp_path: Path) -> None:
    file, over = files.next(), files.next()
    write(over, 5, b"x")
    os.utime(over, ns=EARLIER)
    store.put_files({FileStamp.of(file): {"w": "blake3:00"}})
    mounted = subprocess.run(["mount", "--bind", over, file], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("this user may not mount")
    try:
        assert file.read_bytes() != BODY
        assert store.files([FileStamp.of(file)]) == {}
    finally:
        subprocess.run(["umount", file], check=True)
    assert store.files([FileStamp.of(file)])

"""Creating and opening a store; any other file at the path is left unchanged."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.stores.samples import ALPHA, key, names, same, spectrum
from wqscore.stores.errors import StoreError
from wqscore.stores.location import default_path
from wqscore.stores.records import ResultKey
from wqscore.stores.store import Store


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def new_store(path: Path) -> Path:
    with Store.open(path) as store:
        store.put({key(0): spectrum(0)})
    return path


def test_a_row_takes_little_more_than_its_bytes(tmp_path: Path) -> None:
    """Of 1,000 bytes, as those of the default metrics have: on SQLite's pages each took 4.7 kB."""
    value = {f"metric_{number}": 1 / 3 + number for number in range(33)}
    wanted = {ResultKey(key(number), ALPHA): value for number in range(600)}
    with Store.open(tmp_path / "s") as store:
        store.put(results=wanted)
    with closing(sqlite3.connect(tmp_path / "s")) as connection:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        before = connection.execute("PRAGMA page_count").fetchone()[0] * page
        (stored,) = connection.execute("SELECT avg(length(value)) FROM results").fetchone()
        connection.execute("DELETE FROM results")
        connection.commit()
        connection.execute("VACUUM")
        after = connection.execute("PRAGMA page_count").fetchone()[0] * page
    assert 900 < stored < 1100
    assert (before - after) / len(wanted) < 1.6 * stored


def refusal(path: Path) -> str:
    """The one line with which a path is refused, read or written, its bytes and time of change as before."""
    before = (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else None
    with pytest.raises(StoreError) as to_read:
        Store.open(path, writable=False)
    with pytest.raises(StoreError) as to_write:
        Store.open(path)
    assert str(to_read.value) == str(to_write.value)
    assert before == ((path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else None)
    text = str(to_write.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_a_store_is_made_with_its_folder_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "wqscore" / "store.sqlite"
    new_store(path)
    with Store.open(path) as store:
        assert same(store.spectra([key(0)])[key(0)], spectrum(0))
    assert names(path.parent) == ["store.sqlite"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("name", ["a b.sqlite", "a?mode=memory", "a%20b#c", "ü;'\"", os.fsdecode(b"\xff.db"), "-x"])
def test_unusual_names(tmp_path: Path, name: str) -> None:
    new_store(tmp_path / name)
    with Store.open(tmp_path / name, writable=False) as store:
        assert list(store.spectra([key(0)])) == [key(0)]
    with Store.open(tmp_path / name) as store:
        assert list(store.spectra([key(0)])) == [key(0)]
    assert names(tmp_path) == [name]


def test_a_relative_path_stays_the_same_file_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open(Path("store.sqlite")) as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.put({key(0): spectrum(0)})
        assert same(store.spectra([key(0)])[key(0)], spectrum(0))


@pytest.mark.parametrize(
    "content", [b"SQLite format 3\0", b"model,alpha\n", b"\x89PNG" * 1000, np.random.default_rng(0).bytes(9000)]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert refusal(path) == "is not a store of wqscore: name another store"
    assert names(tmp_path) == ["file"]


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file") == "is empty: delete it, or name another store"


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_another_programs_database(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photos.db"
    sql(path, f"PRAGMA journal_mode = {mode}", "CREATE TABLE keys (id INTEGER)", "INSERT INTO keys VALUES (1)")
    assert refusal(path) == "is not a store of wqscore: name another store"


def test_another_programs_database_with_a_log_that_it_left_behind(tmp_path: Path) -> None:
    """Its owner was killed: what it committed is in the log, and stays there."""
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE photos (id INTEGER)")
        killed = tmp_path / "killed.db"
        killed.write_bytes(path.read_bytes())
        log = Path(f"{killed}-wal")
        log.write_bytes(Path(f"{path}-wal").read_bytes())
    left = log.read_bytes()
    assert refusal(killed) == "is not a store of wqscore: name another store"
    assert log.read_bytes() == left


def test_a_newer_wqscores_store(tmp_path: Path) -> None:
    sql(new_store(tmp_path / "s"), "PRAGMA user_version = 2", "DROP TABLE models")
    assert refusal(tmp_path / "s") == "was made by a newer wqscore: update wqscore, or name another store"


@pytest.mark.parametrize(
    "change",
    [
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
        "CREATE TABLE notes (text)",
        "DROP TABLE models",
        "ALTER TABLE models ADD COLUMN licence TEXT",
        "CREATE TRIGGER t AFTER INSERT ON models BEGIN DELETE FROM models; END",
        "CREATE VIEW v AS SELECT * FROM models",
    ],
)
def test_unknown_tables(tmp_path: Path, change: str) -> None:
    sql(new_store(tmp_path / "s"), change)
    assert refusal(tmp_path / "s") == "has tables that wqscore does not know: move it away, and a new one is made"


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        assert refusal(path) == "is not a file: name another store"


def test_no_store_is_made_to_be_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        Store.open(tmp_path / "a" / "b", writable=False)
    assert names(tmp_path) == []


@pytest.mark.parametrize("path", ["/dev/null/store.sqlite", "/proc/store.sqlite", "x" * 300, "x" * 250], ids=range(4))
def test_places_where_no_file_can_be_made(tmp_path: Path, path: str) -> None:
    with pytest.raises(StoreError) as error:
        Store.open(tmp_path / path)
    assert str(error.value).endswith("name another store")
    assert names(tmp_path) == []


def test_a_store_opened_to_be_read_takes_nothing(tmp_path: Path) -> None:
    path = new_store(tmp_path / "s")
    with Store.open(path, writable=False) as store, pytest.raises(StoreError, match="opened read-only"):
        store.put({key(1): spectrum(1)})


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """Another user than the one whose folder it is."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o055)
    new_store(tmp_path / "s")
    os.setresuid(65534, 65534, 0)
    yield
    os.setresuid(0, 0, 0)


@pytest.mark.usefixtures("nobody")
def test_another_users_store_can_be_read(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s", writable=False) as store:
        assert same(store.spectra([key(0)])[key(0)], spectrum(0))
    assert names(tmp_path) == ["s"]


@pytest.mark.usefixtures("nobody")
def test_another_users_store_and_folder_can_not_be_written(tmp_path: Path) -> None:
    before = (tmp_path / "s").read_bytes()
    with pytest.raises(StoreError, match=r"s: .*you may not write to it: name another store$"):
        Store.open(tmp_path / "s")
    with pytest.raises(StoreError, match=r"new: .*(you may not write to its folder|denied): name another store$"):
        Store.open(tmp_path / "new")
    assert (tmp_path / "s").read_bytes() == before
    assert names(tmp_path) == ["s"]


@pytest.mark.parametrize(
    ("variables", "platform", "expected"),
    [
        ({}, "linux", "/home/me/.cache/wqscore/store.sqlite"),
        ({"XDG_CACHE_HOME": ""}, "linux", "/home/me/.cache/wqscore/store.sqlite"),
        ({"XDG_CACHE_HOME": "/big"}, "linux", "/big/wqscore/store.sqlite"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", "/home/me/.cache/wqscore/store.sqlite"),
        ({"XDG_CACHE_HOME": "/big", "WQSCORE_STORE": "my.db"}, "linux", "my.db"),
        ({"WQSCORE_STORE": ""}, "darwin", "/home/me/Library/Caches/wqscore/store.sqlite"),
        ({"LOCALAPPDATA": "/users/me/local"}, "win32", "/users/me/local/wqscore/store.sqlite"),
        ({"LOCALAPPDATA": "/users/me/local"}, "linux", "/home/me/.cache/wqscore/store.sqlite"),
    ],
)
def test_where_it_is_when_nobody_says(variables: dict[str, str], platform: str, expected: str) -> None:
    assert default_path(variables, platform, Path("/home/me")) == Path(expected)


def test_a_user_without_a_folder() -> None:
    assert default_path({"WQSCORE_STORE": "my.db"}, "linux", None) == Path("my.db")
    assert default_path({"XDG_CACHE_HOME": "/big"}, "linux", None) == Path("/big/wqscore/store.sqlite")
    with pytest.raises(StoreError, match=r"no home folder .*: pass --store, or set WQSCORE_STORE"):
        default_path({}, "linux", None)


@pytest.mark.parametrize("reason", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_a_file_system_without_hard_links(reason: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As exFAT and some network disks answer; no such disk can be made here."""

    def refuse(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr("os.link", refuse)
    path = tmp_path / "folder" / "store"
    with Store.open(path) as store:
        store.put({key(1): spectrum(1)})
    with Store.open(path) as again:
        assert list(dict(again.all_spectra())) == [key(1)]
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []

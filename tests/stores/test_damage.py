"""Flipped bits, truncated files, torn logs: fewer results are found, none is wrong, and no traceback."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.stores.samples import ALPHA, FACTS, key, results, same, spectrum
from wqscore.stores.errors import StoreError
from wqscore.stores.merging import merge
from wqscore.stores.overview import overview
from wqscore.stores.pruning import prune
from wqscore.stores.records import FileStamp, HeaderTensor, SeenModel
from wqscore.stores.rows import checksum
from wqscore.stores.store import Store

NUMBERS = range(8)
RESULTS = {k: v for number in NUMBERS for k, v in results(number).items()}
FILES = {FileStamp(f"/models/{n}", 10, 20, 30, 40): {"w": key(n).content} for n in NUMBERS}
HEADERS = {f"{n:064x}": (HeaderTensor("w", "F32", (2, 3), 80, 24),) for n in NUMBERS}
MODELS = [
    SeenModel(f"org/{n}", "a" * 40, datetime(2026, 1, n + 1, tzinfo=UTC), frozenset({key(n).content}))
    for n in NUMBERS
]


def write_all(store: Store) -> None:
    store.put({key(n): spectrum(n, 24) for n in NUMBERS}, RESULTS)
    store.put_files(FILES)
    store.put_headers(HEADERS)
    store.put_models(MODELS)


def read_all(store: Store) -> int:
    """Read everything by key and in a row; returns how much of it is there, all of it right."""
    keys = [key(n) for n in NUMBERS]
    count = 0
    for spectra in (store.spectra(keys), dict(store.all_spectra())):
        assert all(same(found, spectrum(keys.index(name), 24)) for name, found in spectra.items())
        count += len(spectra)
    for found in (store.results(keys, [ALPHA, FACTS]), dict(store.all_results())):
        assert all(RESULTS[name] == found[name] for name in found)
        count += len(found)
    assert all(FILES[stamp] == contents for stamp, contents in store.files(FILES).items())
    assert all(HEADERS[shard] == tensors for shard, tensors in store.headers(HEADERS).items())
    assert all(model in MODELS for model in store.models())
    return count + len(store.files(FILES)) + len(store.headers(HEADERS)) + len(store.models())


WHOLE = 2 * len(NUMBERS) + 2 * 2 * len(NUMBERS) + 3 * len(NUMBERS)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "store.sqlite"
    with Store.open(path) as store:
        write_all(store)
        assert read_all(store) == WHOLE
    return path.read_bytes()


def outcome(path: Path, use: Callable[[Store], int]) -> int | str:
    """What came of using a damaged store; errors are the package's own, in one line."""
    try:
        with Store.open(path) as store:
            return use(store)
    except StoreError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
        return str(error)


def flips(size: int, step: int, seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return [(int(i), int(rng.integers(1, 256))) for i in range(int(rng.integers(step)), size, step)]


def test_a_flipped_byte_anywhere(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    outcomes: list[int | str] = []
    for position, change in [*flips(len(sound), 151, 0), *((i, 1 << i % 8) for i in range(100))]:
        damaged = bytearray(sound)
        damaged[position] ^= change
        path.write_bytes(damaged)
        outcomes.append(outcome(path, read_all))
        assert path.read_bytes() == damaged
    # The test has teeth: some damage hits what is stored, some the tables themselves, some what is not used.
    assert any(found == WHOLE for found in outcomes)
    assert any(isinstance(found, int) and found < WHOLE for found in outcomes)
    assert any(isinstance(found, str) for found in outcomes)


def test_many_flipped_bytes(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    rng = np.random.default_rng(1)
    for _ in range(150):
        damaged = np.frombuffer(sound, np.uint8).copy()
        # The header whole: what opens is what is of interest.
        places = rng.integers(100, damaged.size, rng.integers(2, 200))
        damaged[places] = rng.integers(0, 256, places.size)
        path.write_bytes(damaged.tobytes())
        outcome(path, read_all)


def test_a_damaged_store_is_used_all_the_same(sound: bytes, tmp_path: Path) -> None:
    """Shown, merged, pruned and written to: right, less, or one line."""
    path = tmp_path / "store.sqlite"

    def everything(store: Store) -> int:
        overview(store)
        write_all(store)
        found = read_all(store)
        with Store.open(tmp_path / "other.sqlite") as other:
            merge(other, store)
            read_all(other)
        prune(store, older_than=datetime(2026, 1, 3, tzinfo=UTC), unused=True)
        read_all(store)
        return found

    outcomes = []
    for position, change in flips(len(sound), 2039, 2):
        damaged = bytearray(sound)
        damaged[position] ^= change
        path.write_bytes(damaged)
        outcomes.append(outcome(path, everything))
        for other in tmp_path.glob("other.sqlite*"):
            other.unlink()
        for left in tmp_path.glob("store.sqlite-*"):
            left.unlink()
    assert outcomes.count(WHOLE) > len(outcomes) / 2


def test_rotten_rows_are_told_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        write_all(store)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE spectra SET unit_roundoff = 0 WHERE key = (SELECT min(key) FROM spectra)")
        connection.execute("UPDATE results SET value = '2.5' WHERE method = 'alpha'")
        connection.execute("UPDATE files SET contents = '{}'")
        connection.execute("UPDATE headers SET shard = 'x' || shard")
        connection.execute("UPDATE models SET seen = seen + 1 WHERE label = 'org/3'")
    keys = [key(n) for n in NUMBERS]
    with Store.open(path) as store:
        assert len(store.spectra(keys)) == len(keys) - 1
        assert {found.method for found in store.results(keys, [ALPHA, FACTS])} == {FACTS}
        assert store.files(FILES) == {} == dict(store.all_headers())
        assert len(store.models()) == len(MODELS) - 1
        eight = len(NUMBERS)
        assert store.damaged == {"spectra": 1, "results": eight, "files": eight, "headers": eight, "models": 1}
        write_all(store)
    with Store.open(path) as store:
        assert read_all(store) == WHOLE
        assert not store.damaged


def test_one_spectrums_row_under_anothers_key(tmp_path: Path) -> None:
    """The row itself is undamaged."""
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        write_all(store)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE keys SET part = part || id")
        connection.execute(
            "UPDATE keys SET content = (SELECT content FROM keys WHERE id = 1), part = '[q]' WHERE id = 2"
        )
    with Store.open(path) as store:
        keys = [key(n) for n in NUMBERS]
        assert store.spectra(keys) == {} == store.results(keys, [ALPHA, FACTS])
        assert store.damaged == {"spectra": 1, "results": 2}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("value", "'{'"),
        ("value", "'" + "[" * 100_000 + "'"),
        ("value", "'" + "1" * 5000 + "'"),
        ("value", "x'00'"),
        ("parameters", r"'\x'"),
        ("method", "x'41'"),
    ],
)
def test_rows_made_to_mislead(tmp_path: Path, column: str, value: str) -> None:
    """With the checksum that they should have, and yet no values."""
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        write_all(store)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM results WHERE key > 1 OR method != 'alpha'")
        connection.execute(f"UPDATE results SET {column} = {value}")
        fields = connection.execute(
            "SELECT content, part, recipe, method, parameters, version, value FROM results JOIN keys ON id = key"
        ).fetchone()
        connection.execute("UPDATE results SET checksum = ?", [checksum(fields)])
    with Store.open(path) as store:
        assert list(store.all_results()) == []
        assert store.damaged == {"results": 1}


def test_a_file_that_was_cut_off(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    for size in [*range(1, 200), *range(200, len(sound), 997), len(sound) - 1]:
        path.write_bytes(sound[:size])
        outcome(path, read_all)
        assert path.read_bytes() == sound[:size]


def test_a_torn_log(tmp_path: Path) -> None:
    """Of a write-ahead log that was cut off or damaged, the transactions before that are there, whole."""
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        for n in NUMBERS:
            store.put({key(n): spectrum(n, 24)}, results(n))
        file, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    torn = tmp_path / "torn.sqlite"
    counts = set()
    rng = np.random.default_rng(3)
    for _ in range(120):
        cut = int(rng.integers(len(log) + 1))
        damaged = bytearray(log) if rng.random() < 0.5 else bytearray(log[:cut])
        if damaged and len(damaged) == len(log):
            damaged[min(cut, len(log) - 1)] ^= int(rng.integers(1, 256))
        torn.write_bytes(file)
        Path(f"{torn}-wal").write_bytes(damaged)
        with Store.open(torn) as store:
            found = store.spectra([key(n) for n in NUMBERS])
            assert list(map(key, range(len(found)))) == sorted(found, key=lambda name: name.content)
            assert all(same(found[key(n)], spectrum(n, 24)) for n in range(len(found)))
            assert len(store.results(found, [ALPHA, FACTS])) == 2 * len(found)
            counts.add(len(found))
    assert {0, len(NUMBERS) - 1} <= counts

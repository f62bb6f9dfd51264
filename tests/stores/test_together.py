"""Several processes and threads with one store, including killed processes and a full disk."""

from __future__ import annotations

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.stores.samples import ALPHA, FACTS, key, names, results, same, spectrum
from wqscore.stores.errors import StoreError
from wqscore.stores.store import Store

ROOT = Path(__file__).parent.parent.parent


def start(path: Path, first: int, step: int, count: int, **options: object) -> subprocess.Popen[str]:
    arguments = [str(path), str(first), str(step), str(count)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stores.writing_process", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def output_lines(process: subprocess.Popen[str]) -> list[str]:
    """What it printed since it was last asked, until its end; whole lines only."""
    # Not by communicate(), which knows nothing of what readline() has buffered.
    assert process.stdout is not None
    lines = process.stdout.readlines()
    process.wait(timeout=300)
    return [line.strip() for line in lines if line.endswith("\n")]


def check(store: Store, numbers: set[int]) -> None:
    """Every one of them is there and right, its results with it."""
    found = store.spectra([key(n) for n in numbers])
    assert found.keys() == {key(n) for n in numbers}
    assert all(same(found[key(n)], spectrum(n)) for n in numbers)
    expected = {k: v for n in numbers for k, v in results(n).items()}
    assert store.results(found, [ALPHA, FACTS]) == expected


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def test_processes_that_make_and_write_one_store_at_once(tmp_path: Path) -> None:
    """Each writes 60 of its own and 60 that another one writes too."""
    path = tmp_path / "folder" / "store.sqlite"
    processes = [start(path, 30 * i, 1, 60) for i in range(4)]
    for i, process in enumerate(processes):
        assert output_lines(process) == [str(n) for n in range(30 * i, 30 * i + 60)]
        assert process.returncode == 0
    with Store.open(path) as store:
        check(store, set(range(150)))
        assert sum(1 for _ in store.all_spectra()) == 150
        assert not store.damaged
    assert integrity(path) == "ok"
    assert names(path.parent) == ["store.sqlite"]


def test_readers_see_whole_transactions_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        processes = [start(path, i, 2, 100) for i in range(2)]
        keys = [key(n) for n in range(200)]
        seen = 0
        while any(process.poll() is None for process in processes):
            found = store.spectra(keys)
            # What is seen once stays, and a spectrum is never there without its results.
            assert len(found) >= seen
            seen = len(found)
            assert len(store.results(found, [ALPHA, FACTS])) == 2 * seen
        assert [len(output_lines(process)) for process in processes] == [100, 100]
        check(store, set(range(200)))


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """What was said to be written is there; the next process goes on, and at the end all is."""
    path = tmp_path / "store.sqlite"
    chance = random.Random(0)
    written: set[int] = set()
    for round_ in range(20):
        process = start(path, round_, 20, 10_000)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(chance.randrange(1, 6))]
        time.sleep(chance.random() * 0.02)
        process.kill()
        written |= {int(line) for line in (*lines, *output_lines(process))}
        assert process.returncode == -signal.SIGKILL
        with Store.open(path, writable=round_ % 2 == 0) as store:
            check(store, written)
            assert sum(1 for _ in store.all_spectra()) >= len(written)
            assert not store.damaged
    assert integrity(path) == "ok"


def test_killed_while_it_is_made(tmp_path: Path) -> None:
    """At every moment there is no store or a whole one."""
    script = (
        "import sys; from pathlib import Path; from wqscore.stores.schema import make_store\nprint(flush=True)\n"
        + ("for i in range(10**6): make_store(Path(sys.argv[1], str(i)))")
    )
    chance = random.Random(1)
    made = 0
    for round_ in range(5):
        folder = tmp_path / str(round_)
        process = subprocess.Popen([sys.executable, "-c", script, folder], cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2 + chance.random() * 0.3)
        process.kill()
        process.communicate(timeout=300)
        for path in folder.glob("[0-9]*"):
            made += 1
            with Store.open(path) as store:
                assert list(store.all_spectra()) == []
    assert made


def test_threads(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store, Store.open(path) as same_file:

        def work(number: int) -> bool:
            # Two stores on one file in one process: closing either must not free the locks of the other.
            with Store.open(path, writable=False) as third:
                third.models()
            mine = (store, same_file)[number % 2]
            mine.put({key(number): spectrum(number)}, results(number))
            return same(mine.spectra([key(number)])[key(number)], spectrum(number))

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(work, range(200)))
        check(store, set(range(200)))
    assert integrity(path) == "ok"


def limit_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))


def test_a_full_disk(tmp_path: Path) -> None:
    """One line says so, what was written before is there, in that process and in the next."""
    path = tmp_path / "store.sqlite"
    lines = output_lines(start(path, 0, 1, 1000, preexec_fn=limit_files))
    written = [int(line) for line in lines if line.isdigit()]
    assert 3 < len(written) < 1000
    assert lines[len(written) :] == [
        f"error {path}: the disk could not read or write it: free some space, or name another store",
        f"left {len(written)}",
    ]
    with Store.open(path) as store:
        check(store, set(written))
        store.put({key(5000): spectrum(5000)})
    assert integrity(path) == "ok"


def test_a_disk_too_full_to_make_one(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))  # noqa: E731
    (line,) = output_lines(start(path, 0, 1, 1, preexec_fn=limit))
    assert line.startswith(f"error {path}: the disk could not read or write it: ")
    assert names(tmp_path) == []


def test_another_process_that_keeps_it_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.sqlite"
    monkeypatch.setattr("wqscore.stores.connections._TIMEOUT", 0.1)
    with Store.open(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process keeps it locked: try again later"):
            store.put({key(0): spectrum(0)})
        assert store.spectra([key(0)]) == {}
        other.execute("COMMIT")
        store.put({key(0): spectrum(0)})
        check_one = store.spectra([key(0)])
        assert same(check_one[key(0)], spectrum(0))

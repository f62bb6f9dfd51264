"""The store alone: writes and reads the results of a run over 50 models with BERT-base's shapes.

Writes 72 spectra of 768 eigenvalues with 30 results each, one transaction per tensor; then reads everything that a
warm run needs, one query per model; then writes 10,000 results in transactions of different sizes. The benchmark
stops unless it reads what it wrote. Medians of runs on new stores. Targets: 10,000 results written in under 1 s in
transactions of 1,000, the spectra of 50 models read in under 1 s. Usage: python -m benchmarks.store
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.machine import machine_line
from wqscore.spectra.spectrum import Spectrum
from wqscore.stores.records import Method, ResultKey, SpectrumKey, Value, canonical
from wqscore.stores.store import Store

RUNS = 5
MODELS, MATRICES, EIGENVALUES = 50, 72, 768
METHODS = [Method(f"metric_{i}", canonical({"floor": 1e-5, "seed": 0}), 1) for i in range(30)]


def matrices(model: int) -> Iterator[tuple[SpectrumKey, Spectrum, dict[ResultKey, Value]]]:
    """Keys, spectra and results of one model."""
    rng = np.random.default_rng(model)
    for _ in range(MATRICES):
        key = SpectrumKey(f"sha256:{rng.bytes(32).hex()}", "", "gram-1/64/evd/1.0")
        spectrum = Spectrum(np.sort(rng.pareto(2, EIGENVALUES)), 3072, 768, 1, 2.0**-24, "finite")
        values = rng.standard_normal(len(METHODS)).tolist()
        yield key, spectrum, {ResultKey(key, method): v for method, v in zip(METHODS, values, strict=True)}


def timed(work: Callable[[Path], float]) -> float:
    """Median seconds of some work on a new store each time."""
    seconds = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            seconds.append(work(Path(folder) / "store.sqlite"))
    return median(seconds)


def warm(path: Path) -> dict[str, float]:
    """Seconds to write and to read 50 models."""
    models = [list(matrices(model)) for model in range(MODELS)]
    seconds = {}
    start = perf_counter()
    with Store.open(path) as store:
        for model in models:
            for key, spectrum, results in model:
                store.put({key: spectrum}, results)
    seconds["write, a transaction per tensor"] = perf_counter() - start
    seconds["size in MB"] = path.stat().st_size / 1e6
    start = perf_counter()
    with Store.open(path) as store:
        found = [store.spectra([key for key, _, _ in model]) for model in models]
        seconds["read the spectra"] = perf_counter() - start
        start = perf_counter()
        values = [store.results([key for key, _, _ in model], METHODS) for model in models]
        seconds["read the results"] = perf_counter() - start
        start = perf_counter()
        few = [store.results([key for key, _, _ in model], METHODS[:1]) for model in models]
        seconds["read the results of one method"] = perf_counter() - start
    for model, spectra, results, one in zip(models, found, values, few, strict=True):
        assert all(np.array_equal(spectra[key].eigenvalues, spectrum.eigenvalues) for key, spectrum, _ in model)
        assert results == {key: value for _, _, put in model for key, value in put.items()}
        assert len(one) == MATRICES
    return seconds


def batches(size: int) -> Callable[[Path], float]:
    """Seconds to write 10,000 results in transactions of one size."""

    def work(path: Path) -> float:
        keys = [SpectrumKey(f"sha256:{i:064x}", "", "gram-1/64/evd/1.0") for i in range(10_000)]
        with Store.open(path) as store:
            start = perf_counter()
            for first in range(0, len(keys), size):
                store.put(results={ResultKey(key, METHODS[0]): 2.5 for key in keys[first : first + size]})
            return perf_counter() - start

    return work


def main() -> None:
    """Print the tables."""
    print(f"{machine_line(['wqscore', 'numpy'])}, SQLite {sqlite3.sqlite_version}")
    runs: list[dict[str, float]] = []
    timed(lambda path: runs.append(warm(path)) or 0.0)
    print(
        f"{MODELS} models × {MATRICES} spectra of {EIGENVALUES} eigenvalues × {len(METHODS)} results; seconds, "
        f"median of {RUNS}"
    )
    for name in runs[0]:
        print(f"{name:>40} {median(run[name] for run in runs):>8.3f}")
    print("10,000 results, rows in a transaction, seconds")
    for size in (10, 100, 1000, 10_000):
        print(f"{size:>40,} {timed(batches(size)):>8.3f}")


if __name__ == "__main__":
    main()

"""A second run over 50 models with a warm store: how long until the scores are ready, and which tensors are read.

The models are generated: 24 matrices each, 256 to 768 a side, noise plus a low-rank part of falling strength, in 4
shards. Each run is a separate process that imports wqscore and ranks the models without a report, and counts the
tensors that it reads and the matrices that it solves: cold, warm, and with one tensor of one model changed. A changed
file on disk is read to find out which of its tensors changed. The benchmark stops unless the warm tables equal the
cold one. Last, the whole command is timed. Targets: a warm run takes under 3 s and reads no tensor; of a changed
model only the changed file is read, and only the changed tensor solved.
Usage: python -m benchmarks.warm_store [models]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks.machine import machine_line
from benchmarks.whole_process import run

MODELS, MATRICES, SHARDS, RUNS, TARGET = 50, 24, 4, 3, 3.0
SIDES, RANK = (256, 384, 512, 768), 40
#: Ranks the models in its arguments; prints seconds, tensors read, matrices solved, and the table.
PROGRAM = """
import json, sys
from time import perf_counter, process_time
start = perf_counter()
import wqscore
import wqscore.api.score
from wqscore.checkpoints.tensor import TensorRef
from wqscore.scoring import score_matrix
imported = perf_counter() - start
read, names, solve, solved = TensorRef.read, [], score_matrix.compute_spectrum, []
TensorRef.read = lambda self: names.append(self.name) or read(self)
score_matrix.compute_spectrum = lambda *arguments: solved.append(1) or solve(*arguments)
start, work = perf_counter(), process_time()
ranking = wqscore.rank(sys.argv[2:], store=sys.argv[1])
ranked, worked = perf_counter() - start, process_time() - work
found = {"imported": imported, "ranked": ranked, "worked": worked, "read": sorted(names), "solved": len(solved)}
print(json.dumps(found))
print(ranking.to_csv())
"""


@dataclass(frozen=True)
class Ranked:
    """One process: seconds to import wqscore and to rank, processor seconds of ranking, tensors read and solved."""

    imported: float
    ranked: float
    worked: float
    read: list[str]
    solved: int
    table: str


def draw(folder: Path, seed: int) -> None:
    """Write a generated model."""
    rng = np.random.default_rng(seed)
    tensors = {}
    # All models have one architecture, like the checkpoints of one training run.
    for index, (rows, columns) in enumerate(np.random.default_rng(0).choice(SIDES, (MATRICES, 2))):
        strength = np.arange(1, RANK + 1) ** -0.7
        low = rng.standard_normal((rows, RANK)) * strength @ rng.standard_normal((RANK, columns))
        tensors[f"layers.{index}.fc1.weight"] = (0.02 * (rng.standard_normal((rows, columns)) + low)).astype("f4")
    folder.mkdir()
    names = list(tensors)
    for shard in range(SHARDS):
        file = folder / f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        _write({name: tensors[name] for name in names[shard::SHARDS]}, file)


def change(file: Path) -> list[str]:
    """Change one tensor of a shard, and return the names of all its tensors."""
    tensors = load_file(file)
    names = sorted(tensors)
    tensors[names[0]] = tensors[names[0]] * np.float32(1.5)
    _write(tensors, file)
    return names


def _write(tensors: dict[str, np.ndarray], file: Path) -> None:
    save_file(tensors, file)
    # Backdated, since the store doesn't record the contents of a file changed a moment ago.
    old = time.time() - 60
    os.utime(file, (old, old))


def ranked(store: Path, folders: list[Path]) -> Ranked:
    """Rank in a separate process."""
    command = [sys.executable, "-c", PROGRAM, str(store), *map(str, folders)]
    counts, table = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n", 1)
    return Ranked(**json.loads(counts), table=table)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else MODELS
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / f"model-{seed}" for seed in range(count)]
        for seed, folder in enumerate(folders):
            draw(folder, seed)
        store = Path(temporary) / "store.sqlite"
        cold = ranked(store, folders)
        warm = [ranked(store, folders) for _ in range(RUNS)]
        assert all((each.table, each.read, each.solved) == (cold.table, [], 0) for each in warm)
        arguments = ["--store", str(store), "--no-report", "--format", "csv", "--quiet", *map(str, folders)]
        whole = [run([str(Path(sys.executable).with_name("wqscore")), "rank", *arguments]) for _ in range(RUNS)]
        held = change(min(folders[0].glob("*.safetensors")))
        after = ranked(store, folders)
        assert (after.read, after.solved) == (held, 1)
        size = store.stat().st_size / 1e6
    print(machine_line(["wqscore", "numpy", "numba"]))
    print(f"{count} models × {MATRICES} matrices, a store of {size:.0f} MB; warm: median of {RUNS}")
    print(f"{'seconds':>24} {'import':>7} {'rank':>8} {'processor':>10} {'tensors read':>13} {'solved':>7}")
    for name, runs in (("cold", [cold]), ("warm", warm), ("one tensor changed", [after])):
        seconds = [median(getattr(each, part) for each in runs) for part in ("imported", "ranked", "worked")]
        print(f"{name:>24} {seconds[0]:>7.2f} {seconds[1]:>8.2f} {seconds[2]:>10.2f}", end="")
        print(f" {len(runs[0].read):>13} {runs[0].solved:>7}")
    wall, cpu = median(usage.wall for usage in whole), median(usage.cpu for usage in whole)
    print(f"{'warm, the whole command':>24} {'':>7} {wall:>8.2f} {cpu:>10.2f}")
    ready = median(each.imported + each.ranked for each in warm)
    print(f"warm, scores ready after {ready:.2f} s, target {TARGET:g}: {'met' if ready < TARGET else 'missed'}")


if __name__ == "__main__":
    main()

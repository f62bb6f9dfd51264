"""The estimated peak memory, against the peak of a process that really scores."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.cli.conftest import COMMAND

#: Its only child is the command.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def peak(model: Path, jobs: int) -> int:
    command = [str(COMMAND), "score", str(model), "--metrics", "alpha", "--bootstrap", "0", "--gof", "0"]
    run = [sys.executable, "-c", PEAK, *command, "--jobs", str(jobs)]
    return int(subprocess.run(run, check=True, capture_output=True, text=True, timeout=300).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize(
    ("shapes", "dtype", "jobs"),
    [
        ([(64, 32)], "f4", 1),
        ([(30_000, 768), (768, 768)], "f4", 1),
        ([(12_000, 1024)] * 2, "f2", 2),
        ([(512, 512, 3, 3)] * 2, "f4", 2),
    ],
)
def test_it_is_what_scoring_takes(tmp_path: Path, shapes: list[tuple[int, ...]], dtype: str, jobs: int) -> None:
    rng = np.random.default_rng(0)
    tensors = {}
    for number, shape in enumerate(shapes):
        noise = rng.standard_normal(shape, dtype="f4")
        # Something that all rows share: noise would be shuffled.
        shared = noise[:1] * rng.standard_normal((shape[0], *[1] * (len(shape) - 1)), dtype="f4")
        tensors[f"layers.{number}.fc.weight"] = (noise + 0.3 * shared).astype(dtype)
    save_file(tensors, tmp_path / "model.safetensors")
    foretold = wqscore.describe(str(tmp_path), jobs=jobs).peak_memory
    assert foretold == pytest.approx(peak(tmp_path, jobs), rel=0.25)


def test_threads_and_neighbours_count(tmp_path: Path) -> None:
    """Of 8 tensors 2, 4 and 8 are held for 1, 2 and 4 threads or more, and 1, 2, 4 and 8 worked on."""
    zeros = {f"layers.{number}.fc.weight": np.zeros((4096, 512), "f4") for number in range(8)}
    save_file(zeros, tmp_path / "model.safetensors")
    one, two, four, eight, many = (
        wqscore.describe(str(tmp_path), jobs=jobs).peak_memory for jobs in (1, 2, 4, 8, 200)
    )
    tensor = 4096 * 512 * 4
    assert two - one - 2 * tensor == (four - two - 4 * tensor) / 2 == (eight - four) / 4
    # A block in float64 and a Gram matrix, and a thread's own.
    assert eight - four > 4 * (4096 * 512 + 512**2) * 8
    assert many == eight


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_with_less_memory_fewer_are_in_work_and_the_scores_are_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Something that rows and columns share: noise would be shuffled.
    shared = np.outer(rng.standard_normal(3000), rng.standard_normal(1500)).astype("f4")
    tensors = {f"layers.{n}.fc.weight": rng.standard_normal((3000, 1500), "f4") + shared for n in range(6)}
    save_file(tensors, tmp_path / "model.safetensors")
    quick = ["score", str(tmp_path), "--metrics", "alpha", "--bootstrap", "0", "--gof", "0", "--no-store"]
    command = [str(COMMAND), *quick, "--jobs", "2", "--format", "csv"]
    tables, peaks, notes = [], [], []
    for memory in ("4GB", "1MB"):
        code = PEAK.replace("capture_output=True", "stdout=open(sys.argv[-1], 'wb')").replace("[1:]", "[1:-1]")
        table = tmp_path / f"{memory}.csv"
        run = [sys.executable, "-c", code, *command, "--memory", memory, str(table)]
        done = subprocess.run(run, check=True, capture_output=True, text=True, timeout=300)
        peaks.append(int(done.stdout))
        notes.append(done.stderr)
        tables.append(table.read_bytes())
    assert tables[0] == tables[1]
    one_tensor = 3000 * 1500 * 4 + (1500 + 1024) * 1500 * 8
    assert peaks[0] - peaks[1] > one_tensor / 2
    assert "more than there is for it: it is scored alone" in notes[1]
    assert "scored alone" not in notes[0]

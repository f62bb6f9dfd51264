"""One large matrix from a folder to a table: `wqscore score` and a WeightWatcher script, each a whole process.

After a warm-up run of wqscore on a small matrix, each matrix has one run of WeightWatcher, which takes a minute or
more, between two of wqscore. Targets: at least 4 times as fast on 4096×4096, at least 3.5 times on 4096×11008.
Usage: python -m benchmarks.large_matrices
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import mean

from benchmarks.machine import machine_line
from benchmarks.models import write_model
from benchmarks.processes import run, score, weightwatcher

#: Target speed-up over WeightWatcher, by shape.
TARGETS = {(4096, 4096): 4.0, (4096, 11008): 3.5}
CONFIG = {"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 1}


def write_matrix(folder: Path, shape: tuple[int, int]) -> Path:
    """A checkpoint of one matrix."""
    return write_model(folder, {"model.layers.0.mlp.down_proj.weight": shape}, "BF16", CONFIG)


def main() -> None:
    """Print the table."""
    print(machine_line(["wqscore", "numpy", "numba", "weightwatcher", "torch", "scipy"]))
    print(f"{'BF16 matrix':>12} {'':>8} {'wqscore':>9} {'WeightWatcher':>14} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as name:
        run(score(write_matrix(Path(name, "warm"), (64, 64))))
        for shape, target in TARGETS.items():
            folder = write_matrix(Path(name, "x".join(map(str, shape))), shape)
            first, theirs, last = run(score(folder)), run(weightwatcher(folder)), run(score(folder))
            for what in ("wall", "cpu", "peak_mb"):
                ours, other = mean(getattr(usage, what) for usage in (first, last)), getattr(theirs, what)
                missed = " misses" if what == "wall" and other / ours < target else ""
                size = "×".join(map(str, shape))
                print(f"{size:>12} {what:>8} {ours:>9.2f} {other:>14.2f} {other / ours:>6.2f}{missed}", flush=True)


if __name__ == "__main__":
    main()

"""Train a small network on digits, keep ten checkpoints, and follow the metrics along: the known case of `track`.

An MLP 64-256-256-128-10 with ReLU, trained by SGD with momentum on four fifths of scikit-learn's digits, in NumPy
alone. Usage:

    python -m benchmarks.digits_run FOLDER [SEED]   # writes FOLDER/step-N/model.safetensors and FOLDER/known.csv
    python -m benchmarks.digits_run                 # writes benchmarks/digits_run.md, from five seeds
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.zoo.data import digits
from wqscore.rendering.markdown import markdown_table
from wqscore.studies.track.track import track

WIDTHS = (64, 256, 256, 128, 10)
STEPS = (1, 10, 30, 60, 100, 200, 400, 1000, 2000, 4000)
SEEDS = range(5)
METRICS = "core,mp_softrank,rand_distance"
#: Spearman's rho of one earlier run with other random numbers, to compare with.
REPORTED = {
    "log_spectral_norm": 0.98,
    "log_norm": 0.92,
    "alpha": -0.98,
    "rand_distance": 0.96,
    "stable_rank": -0.95,
    "mp_softrank": -0.96,
    "alpha_weighted": -0.40,
}
_BATCH, _RATE, _MOMENTUM = 64, 0.05, 0.9
_TABLE = Path(__file__).parent / "digits_run.md"

_TEXT = """# Metrics along one training

Spearman's rho of each metric with test accuracy over ten checkpoints of an MLP 64-256-256-128-10 on digits,
of {seeds} seeds. Test accuracy from the first to the last: {ends}.
`reported`: one earlier run with other random numbers and an unknown optimiser.

Six signs are those reported, in every seed: both norms are declared better when lower and rise as the network gets
better, and `track` warns of both each time. The sign of `alpha_weighted` depends on the seed. With Adam and He's
start alpha goes along less closely (median −0.56). Written by `python -m benchmarks.digits_run`.

"""

Arrays = list[np.ndarray]


def split(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pixels from 0 to 1 and classes, of four fifths to train on and of the rest."""
    images, classes = digits()
    order = np.random.default_rng(seed).permutation(len(images))
    x, t = images.reshape(len(images), -1)[order] / 16, classes[order]
    cut = len(x) * 4 // 5
    return x[:cut], t[:cut], x[cut:], t[cut:]


def initial(rng: np.random.Generator) -> Arrays:
    """Weights (out, in) and biases in turn, uniform on ±1/√in as torch has them."""
    found: Arrays = []
    for inner, outer in pairwise(WIDTHS):
        edge = inner**-0.5
        found += [rng.uniform(-edge, edge, (outer, inner)), rng.uniform(-edge, edge, outer)]
    return found


def forward(arrays: Arrays, x: np.ndarray) -> Arrays:
    """The input of each layer, then the logits."""
    found = [x]
    for place in range(0, len(arrays), 2):
        hidden = found[-1] @ arrays[place].T + arrays[place + 1]
        found.append(np.maximum(hidden, 0) if place + 2 < len(arrays) else hidden)
    return found


def gradients(arrays: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
    """Of the mean cross-entropy."""
    *inputs, logits = forward(arrays, x)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    delta = shares / shares.sum(axis=1, keepdims=True)
    delta[np.arange(len(t)), t] -= 1
    delta /= len(t)
    found: Arrays = []
    for place in reversed(range(len(inputs))):
        found = [delta.T @ inputs[place], delta.sum(axis=0), *found]
        delta = (delta @ arrays[2 * place]) * (inputs[place] > 0)
    return found


def trained(seed: int) -> Iterator[tuple[int, Arrays, float]]:
    """Yield step, weights and test accuracy at each of the ten steps."""
    x, t, test_x, test_t = split(seed)
    rng = np.random.default_rng([seed, 1])
    arrays = initial(rng)
    speeds = [np.zeros_like(each) for each in arrays]
    for step in range(1, STEPS[-1] + 1):
        rows = rng.integers(len(x), size=_BATCH)
        found = gradients(arrays, x[rows], t[rows])
        speeds = [_MOMENTUM * speed + each for speed, each in zip(speeds, found, strict=True)]
        arrays = [each - _RATE * speed for each, speed in zip(arrays, speeds, strict=True)]
        if step in STEPS:
            yield step, arrays, float((forward(arrays, test_x)[-1].argmax(axis=1) == test_t).mean())


def write_run(folder: Path, seed: int = 0) -> None:
    """Write the ten checkpoints of a run, and known.csv with their test accuracies."""
    lines = ["step,accuracy"]
    for step, arrays, accuracy in trained(seed):
        layers = ("layers.0", "layers.1", "layers.2", "head")
        names = [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
        where = folder / f"step-{step}"
        where.mkdir(parents=True, exist_ok=True)
        values = {name: each.astype(np.float32) for name, each in zip(names, arrays, strict=True)}
        save_file(values, where / "model.safetensors")
        lines.append(f"{step},{accuracy:.6f}")
    (folder / "known.csv").write_text("\n".join([*lines, ""]))


def measured(seed: int) -> tuple[list[float], dict[str, float], set[str]]:
    """Of one run: the accuracies, rho of each metric with them, and the metrics that are warned of."""
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), seed)
        text = (Path(folder) / "known.csv").read_text().split()[1:]
        accuracies = [float(line.partition(",")[2]) for line in text]
        run = track(folder, known=Path(folder) / "known.csv", metrics=METRICS, bootstrap=0, gof=0)
        found = json.loads(run.to_json())
    rows = {each["x"]: each for each in found["known"]}
    warned = {name for name, each in rows.items() if each["warning"]}
    return accuracies, {name: each["spearman"] for name, each in rows.items()}, warned


def table() -> str:
    """The page with the table of all seeds."""
    runs = [measured(seed) for seed in SEEDS]
    rows = []
    for name, reported in REPORTED.items():
        rhos = sorted(each[name] for _, each, _ in runs)
        warned = sum(name in each for _, _, each in runs)
        shown = [f"{rho:+.2f}" for rho in (rhos[len(rhos) // 2], rhos[0], rhos[-1], reported)]
        rows.append([name, *shown, f"{warned} of {len(runs)}"])
    ends = [f"{accuracies[0]:.3f} to {accuracies[-1]:.3f}" for accuracies, _, _ in runs]
    columns = ["metric", "rho, median", "least", "most", "reported", "warned of"]
    return _TEXT.format(seeds=len(runs), ends=", ".join(ends)) + markdown_table(columns, rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_run(Path(sys.argv[1]), *map(int, sys.argv[2:]))
    else:
        _TABLE.write_text(table(), encoding="utf-8")

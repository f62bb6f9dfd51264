"""Double descent of ridge regression on random features: a peak where width = n, and none where λ is tuned.

Nakkiran, Venkat, Kakade & Ma, "Optimal Regularization Can Mitigate Double Descent", arXiv 2003.01897. Run
`python -m benchmarks.zoo.double_descent`; results.md beside it holds the last table. NumPy alone; a minute.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import numpy as np

N, INPUTS, TEST, TUNING = 100, 50, 2000, 500
NOISE = 0.5
WIDTHS = (10, 20, 40, 60, 80, 90, 100, 110, 125, 150, 200, 400, 800, 1600)
#: λ of a regression that is ridgeless but for rounding.
RIDGELESS = 1e-8
LAMBDAS = (RIDGELESS, *np.logspace(-3, 3, 19))
FIXED = 1.0


@dataclass(frozen=True)
class Data:
    """One seed's regression: targets of training and tuning have noise, those of the test have none."""

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    tuning: tuple[np.ndarray, np.ndarray]


def data(seed: int) -> Data:
    """Draw a linear truth and rows of it, inputs of shape (rows, 50)."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(INPUTS) / np.sqrt(INPUTS)
    inputs = rng.standard_normal((N, INPUTS))
    test = rng.standard_normal((TEST, INPUTS))
    targets = inputs @ truth + NOISE * rng.standard_normal(N)
    tuning = rng.standard_normal((TUNING, INPUTS))
    tuned_on = tuning @ truth + NOISE * rng.standard_normal(TUNING)
    return Data((inputs, targets), (test, test @ truth), (tuning, tuned_on))


def features(inputs: np.ndarray, seed: int, width: int) -> np.ndarray:
    """Random ReLU features, shape (rows, width); the same for one seed and width."""
    weights = np.random.default_rng([seed, width]).standard_normal((INPUTS, width)) / np.sqrt(INPUTS)
    return np.maximum(inputs @ weights, 0) / np.sqrt(width)


def ridge(rows: np.ndarray, targets: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Weights that minimise ‖rows·w − targets‖² + λ‖w‖², by the SVD; shape (width, number of λ)."""
    left, singular, right = np.linalg.svd(rows, full_matrices=False)
    shrunk = singular[:, None] / (singular[:, None] ** 2 + strengths)
    found: np.ndarray = right.T @ (shrunk * (left.T @ targets)[:, None])
    return found


def errors(seed: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared error for each of LAMBDAS: on the test's noiseless truth, and on the rows for tuning."""
    drawn = data(seed)
    weights = ridge(features(drawn.train[0], seed, width), drawn.train[1], np.array(LAMBDAS))
    test, tuning = (
        ((features(inputs, seed, width) @ weights - targets[:, None]) ** 2).mean(axis=0)
        for inputs, targets in (drawn.test, drawn.tuning)
    )
    return test, tuning


def double_descent(seeds: int) -> dict[str, object]:
    """Test errors by seed and width; λ is tuned for each width, over all seeds together."""
    found = np.array([[errors(seed, width) for width in WIDTHS] for seed in range(seeds)])
    test, tuning = found[:, :, 0], found[:, :, 1]
    best = tuning.mean(axis=0).argmin(axis=1)
    tuned = np.take_along_axis(test, best[None, :, None], axis=2)[:, :, 0]
    return {
        "n": N,
        "widths": list(WIDTHS),
        "ridgeless": test[:, :, 0].tolist(),
        "tuned": tuned.tolist(),
        "fixed": test[:, :, LAMBDAS.index(FIXED)].tolist(),
        "lambda": [LAMBDAS[place] for place in best],
    }


def table(found: dict[str, object]) -> str:
    """Medians over seeds as Markdown."""
    lines = ["| width | ridgeless | λ = 1 | tuned | tuned λ |", "| --- | --- | --- | --- | --- |"]
    medians = [np.median(np.array(found[name]), axis=0) for name in ("ridgeless", "fixed", "tuned")]
    for width, *row, strength in zip(WIDTHS, *medians, np.array(found["lambda"]), strict=True):
        cells = " | ".join(f"{value:.3g}" for value in (*row, strength))
        lines.append(f"| {width} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table or the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds")
    parser.add_argument(
        "--format", choices=("json", "md"), default="md", help="a document with every error, or medians"
    )
    given = parser.parse_args()
    found = double_descent(given.seeds)
    print(json.dumps(found) if given.format == "json" else table(found))


if __name__ == "__main__":
    main()

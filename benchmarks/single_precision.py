"""How often `--precision single` may solve in float32, and how far that moves metrics, on torch's CPU.

The demo's models, their matrices stored in BF16 and in F16. Beside each other: how far storing moves a metric (the
F32 weights against the same rounded to the type), and how far float32 moves it (the rounded weights solved in float32
against float64), over the matrices that are solved in float32. "Error": the largest difference of an eigenvalue, in
units of 2⁻²⁴·λ_max; "of the stated": as a share of its bound, which the residuals measured give. Says nothing of a
GPU's speed.

Usage: python -m benchmarks.single_precision
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import ml_dtypes
import numpy as np
from safetensors import safe_open

from benchmarks.machine import machine_line
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.sampling import Sampling
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.presets.registry import DEFAULT
from wqscore.scoring.layer_score import IN_SINGLE, LayerScore
from wqscore.scoring.score_matrix import score_matrix
from wqscore.spectra.in_single import DOUBLE, SINGLE, Precision, single_spectrum

FOLDER = Path(__file__).parent.parent / "checkpoints"
TYPES = {"BF16": ml_dtypes.bfloat16, "F16": np.float16}
METRICS = ("alpha", "alpha_hill", "log_norm", "lambda_max", "stable_rank", "entropy", "matrix_rank")
LEAST_SIDE = 64


def row(weights: np.ndarray, dtype: str, precision: Precision) -> LayerScore:
    """Score one matrix, on torch's CPU."""
    tensor = TensorRef("w", weights.shape, STORED_DTYPES[dtype], Path("w"), 0)
    matrix = WeightMatrix("w", tensor, Cut(weights.shape), "attention.q", *weights.shape)
    return score_matrix(matrix, weights, DEFAULT, METRICS, Sampling(bootstrap=0, gof=0), None, "cpu:0", precision)


def matrices(file: Path) -> list[np.ndarray]:
    """The matrices of a model but its word embeddings."""
    with safe_open(file, "np") as opened:
        shapes = {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118
        wanted = [n for n, s in shapes.items() if len(s) == 2 and min(s) >= LEAST_SIDE and "word_emb" not in n]
        return [opened.get_tensor(name).astype(np.float32) for name in wanted]


def main() -> None:
    """Print the tables."""
    print(machine_line(["wqscore", "numpy", "torch"]))
    for dtype, kind in TYPES.items():
        print(f"\n{dtype:>24} {'matrices':>9} {'float32':>8} {'square':>9} {'error':>6} {'of the stated':>14}")
        moved: dict[str, list[list[float]]] = {name: [[], []] for name in METRICS}
        for file in sorted(FOLDER.glob("*/model.safetensors")):
            print(line(file, dtype, kind, moved), flush=True)
        print(f"{'moved by':>24} {'storing, median':>16} {'most':>10} {'float32, median':>16} {'most':>10}")
        for name, (storing, computing) in moved.items():
            if storing:
                shown = " ".join(
                    f"{f(v):>{w}.1e}" for v in (storing, computing) for f, w in ((median, 16), (max, 10))
                )
                print(f"{name:>24} {shown}")


def line(file: Path, dtype: str, kind: type, moved: dict[str, list[list[float]]]) -> str:
    """One model's line; adds how far its metrics moved."""
    counts, errors, shares = np.zeros((2, 2), int), [0.0], [0.0]
    with one_blas_thread():
        for weights in matrices(file):
            rounded = weights.astype(kind)
            found, exact, before = (
                row(rounded, dtype, SINGLE),
                row(rounded, dtype, DOUBLE),
                row(weights, "F32", DOUBLE),
            )
            is_square, is_single = weights.shape[0] == weights.shape[1], IN_SINGLE in found.flags
            counts[int(is_square)] += [1, is_single]
            tried = single_spectrum([rounded], STORED_DTYPES[dtype].unit_roundoff, device="cpu:0")
            if tried is not None:
                differences = np.abs(tried.spectrum.eigenvalues - exact.spectrum.eigenvalues)
                errors.append(differences.max() * 2**24 / exact.spectrum.largest)
                # Below float64's own error nothing is promised.
                certain = 1e-13 * exact.spectrum.largest
                shares.append((np.maximum(differences - certain, 0) / (tried.bounds + certain)).max())
            for name in METRICS if is_single else ():
                moved[name][0].append(abs(exact.metrics[name] - before.metrics[name]))
                moved[name][1].append(abs(found.metrics[name] - exact.metrics[name]))
    (_, square), whole = counts, counts.sum(0)
    shown = f"{whole[0]:>9} {whole[1]:>8} {f'{square[1]} of {square[0]}':>9} {max(errors):>6.1f} {max(shares):>14.2f}"
    return f"{file.parent.name:>24} {shown}"


if __name__ == "__main__":
    main()

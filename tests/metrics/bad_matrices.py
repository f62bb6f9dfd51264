"""Matrices that break careless code: too few eigenvalues, equal ones, outliers, and the ends of float64."""

from __future__ import annotations

import numpy as np

_FINEST = np.finfo(np.float64).smallest_subnormal


def with_spectrum(eigenvalues: np.ndarray, rows: int = 80) -> np.ndarray:
    """A matrix with these eigenvalues of WᵀW, its singular vectors at random."""
    rng = np.random.default_rng(5)
    left = np.linalg.qr(rng.standard_normal((rows, eigenvalues.size)))[0]
    right = np.linalg.qr(rng.standard_normal((eigenvalues.size, eigenvalues.size)))[0]
    return (left * np.sqrt(eigenvalues)) @ right.T


def _single(shape: tuple[int, int], value: float) -> np.ndarray:
    matrix = np.zeros(shape)
    matrix[shape[0] // 2, shape[1] // 2] = value
    return matrix


def bad_matrices() -> dict[str, np.ndarray]:
    """Tensors by what is wrong with them, float64 and float32, of two dimensions or a convolution's four."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((80, 60))
    heavy = rng.standard_t(2.5, (80, 60))
    pareto = rng.pareto(1.5, 60) + 1
    return {
        # Fewer eigenvalues than a fit needs.
        "one-by-one": np.full((1, 1), 0.5),
        "one-by-one-zero": np.zeros((1, 1)),
        "one-row": rng.standard_normal((1, 300)),
        "one-column": rng.standard_normal((300, 1)),
        "two": rng.standard_normal((2, 300)),
        "two-equal": np.eye(2),
        "three": rng.standard_normal((30, 3)),
        "nine": rng.standard_t(2.5, (40, 9)),
        "ten": rng.standard_t(2.5, (40, 10)),
        "nineteen": rng.standard_t(2.5, (40, 19)),
        "forty-nine": rng.standard_t(2.5, (60, 49)),
        # Shapes.
        "two-by-20000": rng.standard_normal((2, 20_000)).astype(np.float32),
        "aspect-ratio-10000": rng.standard_normal((10_000, 1)),
        "aspect-ratio-1000": rng.standard_t(2.5, (12_000, 12)).astype(np.float32),
        "convolution-of-two": rng.standard_normal((2, 2, 3, 3)),
        "convolution-to-one": rng.standard_normal((1, 64, 3, 3)),
        "convolution-with-zero-slices": np.pad(heavy[:, :, None, None], ((0, 0), (0, 0), (1, 1), (1, 1))),
        "convolution-of-zeros": np.zeros((16, 16, 3, 3)),
        "convolution-of-equals": np.ones((60, 60, 3, 3)),
        # All equal, or in a few values.
        "identity": np.eye(60),
        "permutation": np.eye(60)[rng.permutation(60)],
        "orthogonal": np.linalg.qr(noise[:60])[0],
        "constant": np.full((80, 60), 0.3),
        "constant-rows": np.repeat(rng.standard_normal((80, 1)), 60, axis=1),
        "two-values": np.diag(np.repeat([1.0, 2.0], 30)),
        "two-values-far-apart": np.diag(np.repeat([1.0, 1e6], [50, 10])),
        "integers": rng.integers(-1, 2, (80, 60)).astype(np.float32),
        "diagonal-of-integers": np.diag(np.repeat(np.arange(1.0, 7.0), 10)),
        "signs": np.sign(noise).astype(np.float32),
        "nearly-equal": np.diag(1 + np.arange(60) * 1e-13),
        # Rank.
        "rank-1": np.outer(noise[:, 0], noise[0]),
        "rank-10": noise[:, :10] @ noise[:10],
        "rank-10-exactly": np.diag(np.repeat([0.0, 3.0], [50, 10])),
        "rank-10-in-float32": (noise[:, :10] @ noise[:10]).astype(np.float32),
        "one-entry": _single((80, 60), 7.0),
        "one-entry-denormal": _single((80, 60), _FINEST),
        "zeros": np.zeros((80, 60)),
        "half-zeros": np.where(np.arange(60) < 31, 0, heavy),
        # Outliers.
        "outlier": np.diag(np.sqrt(np.append(pareto[:-1], 1e12))),
        "outlier-in-noise": with_spectrum(np.append(np.linspace(1, 2, 59), 1e12)),
        "outlier-among-equals": np.diag(np.sqrt(np.append(np.ones(59), 1e12))),
        "outlier-entry": np.where(np.arange(4800).reshape(80, 60) == 77, 1e12, noise),
        "all-of-float64": np.diag(np.geomspace(1e-150, 1e150, 60)),
        "small-outlier": np.diag(np.append(1e-150, heavy[0, 1:])),
        # The ends of float64.
        "denormal": noise * 1e-310,
        "denormal-float32": (noise * 1e-41).astype(np.float32),
        "denormal-squares": heavy * 1e-160,
        "denormal-squares-in-part": np.diag(np.geomspace(1e-165, 1e-150, 60)),
        "smallest-square": np.diag(np.full(60, 2.0**-537)),
        "smallest-square-once": _single((80, 60), 2.0**-537),
        "small-squares": heavy * 1e-153,
        "large-squares": heavy * 1e150,
        "largest-square": np.diag(np.full(60, 1e154)),
        "largest-square-once": _single((80, 60), 1.3e154),
        "largest-squares-apart": np.diag(np.linspace(1e153, 1.3e154, 60)),
        "largest-squares-of-a-convolution": np.full((1, 1, 3, 3), 1e154),
        "entries-of-1e300": heavy * 1e300,
        "one-entry-of-1e300": _single((80, 60), 1e300),
        "float32-largest": np.where(noise > 0, np.finfo(np.float32).max, 1).astype(np.float32),
        "float16-largest": (np.sign(noise) * 65504).astype(np.float16),
        "float16-denormal": (noise * 1e-7).astype(np.float16),
        "not-a-number": np.where(np.arange(60) == 3, np.nan, noise),
        "infinite": np.where(np.arange(60) == 3, np.inf, noise),
    }

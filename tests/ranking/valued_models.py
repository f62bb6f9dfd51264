"""Models whose matrices have given values of a metric."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.power_law import PowerLawFit
from wqscore.fits.sampling import USUAL
from wqscore.matrices.architecture import Architecture
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.presets.registry import DEFAULT
from wqscore.refs.reference import ModelRef
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.summary import summarise
from wqscore.spectra.spectrum import Spectrum

FIT = PowerLawFit(alpha=3.0, xmin=2.0, D=0.05, sigma=0.2, n_tail=100)


def model(
    values: dict[str, float],
    prefix: str = "",
    roles: int = 1,
    shape: tuple[int, int] = (64, 64),
    metric: str = "entropy",
    width: float = 0.0,
) -> ModelScore:
    """A model whose matrices have these values, in so many roles in turn.

    Args:
        values: by name.
        prefix: put before each name.
        roles: how many.
        shape: of each matrix.
        metric: what the values are of.
        width: of the interval of alpha, where it is more than 0.
    """
    rows = []
    for place, (name, value) in enumerate(values.items()):
        stored = TensorRef(f"{prefix}{name}", shape, STORED_DTYPES["F32"], Path("model.safetensors"), place)
        matrix = WeightMatrix(f"{prefix}{name}", stored, Cut(shape), f"role{place % roles}", *shape)
        spectrum = Spectrum(np.ones(64), *shape, 1, 2.0**-24, "finite")
        ends = {"alpha_lo": value - width / 3, "alpha_hi": value + 2 * width / 3} if width else {}
        rows.append(LayerScore(matrix, {metric: value, **ends}, "ok", "", (), spectrum, FIT))
    summary = summarise(rows, 10, DEFAULT, (metric,), {})
    return ModelScore(
        ModelRef("m", "folder"), None, "", Architecture(), 10, DEFAULT, USUAL, (metric,), tuple(rows), summary
    )


def named(values: np.ndarray) -> dict[str, float]:
    """Values of one matrix a layer."""
    return {f"layers.{i}.weight": float(value) for i, value in enumerate(values)}


def layered(layers: int, value: Callable[[int], float], parts: int = 6) -> dict[str, float]:
    """Values of several matrices a layer."""
    return {
        f"layers.{layer}.{chr(ord('a') + part)}.weight": value(layer)
        for layer in range(layers)
        for part in range(parts)
    }

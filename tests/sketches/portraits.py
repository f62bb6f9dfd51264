"""Portraits of matrices that are given as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from blake3 import blake3

from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.roles import role_of
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.sketches.directions import directions_of
from wqscore.sketches.portrait import Portrait, SketchedMatrix, portrait_of
from wqscore.sketches.sketch import sketch_of
from wqscore.spectra.spectrum import compute_spectrum


def portrait(weights: Mapping[str, np.ndarray], directions: bool = True) -> Portrait:
    """The portrait of a model of 2-D matrices."""
    return portrait_of([_sketched(name, value, directions) for name, value in weights.items()])


def _sketched(name: str, value: np.ndarray, directions: bool) -> SketchedMatrix:
    tensor = TensorRef(name, value.shape, STORED_DTYPES["F32"], Path("model.safetensors"), 0)
    depth = next((int(part) for part in name.split(".") if part.isdigit()), None)
    matrix = WeightMatrix(name, tensor, Cut(value.shape), role_of(name) or "other", *value.shape, depth=depth)
    spectrum = compute_spectrum([value], 2.0**-24)
    norm = spectrum.total**0.5 if spectrum.state == "finite" else float("nan")
    return SketchedMatrix(
        matrix,
        spectrum,
        blake3(np.ascontiguousarray(value).tobytes()).digest(),
        sketch_of(value[None], norm),
        directions_of(value[None]) if directions else None,
    )

"""The digest of a tensor that is in memory, and the sketches of its matrices."""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
from blake3 import blake3

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.metrics.analysis import Values
from wqscore.presets.preset import Preset
from wqscore.sketches.sketch import Sketch, sketch_of
from wqscore.spectra.spectrum import Spectrum
from wqscore.symmetries.derived import DerivedTensor


def digest_of(tensor: Tensor, array: Values) -> bytes:
    """The digest of a tensor's values, its data type and its shape."""
    content = blake3()
    for stored in (array.A, array.B) if isinstance(array, LowRank) else (array,):
        content.update(np.ascontiguousarray(stored).reshape(-1).view(np.uint8).data)
    scale = array.scale if isinstance(array, LowRank) else None
    content.update(f"{tensor.dtype.name}{tensor.shape}{scale!r}".encode())
    if isinstance(tensor, DerivedTensor):
        content.update(b"derived")
    return content.digest()


def sketch_matrix(matrix: WeightMatrix, array: Values, spectrum: Spectrum, preset: Preset) -> Sketch:
    """Sketch a matrix whose tensor is in memory.

    Args:
        matrix: the matrix.
        array: its tensor's values, or the two thin matrices that it is a product of.
        spectrum: its eigenvalues, of which ‖W‖_F follows.
        preset: the constants that scale them.
    """
    norm = sqrt(spectrum.total / preset.scale(matrix)) if spectrum.state == "finite" else nan
    return sketch_of(array if isinstance(array, LowRank) else matrix.values(array), norm)

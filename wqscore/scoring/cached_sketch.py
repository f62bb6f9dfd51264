"""What the store has to compare a matrix by; what can't be that of such a matrix is refused, not believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.scoring.cache_keys import DIGEST, DIRECTIONS, SKETCH, values_digest
from wqscore.scoring.cached_row import is_spectrum_of
from wqscore.sketches.directions import parse_directions
from wqscore.sketches.sketch import Sketch, parse_sketch
from wqscore.spectra.spectrum import Spectrum
from wqscore.stores.records import ResultKey, SpectrumKey, Value


@dataclass(frozen=True)
class CachedSketch:
    """What is known of a matrix to compare it by.

    Attributes:
        spectrum: its eigenvalues.
        digest: of its tensor's values.
        sketch: what its weights are compared by; `None` where only its spectrum is stored.
        directions: fingerprints of its leading directions, as `directions_of` returns them; `None` where they were
            not computed.
    """

    spectrum: Spectrum
    digest: bytes
    sketch: Sketch | None
    directions: np.ndarray | None


def cached_sketch(
    matrix: WeightMatrix,
    key: SpectrumKey,
    spectra: Mapping[SpectrumKey, Spectrum],
    results: Mapping[ResultKey, Value],
) -> CachedSketch | None:
    """What the store has of a matrix; `None` where it lacks the spectrum or the digest.

    Raises:
        ValueError: it can't be that of such a matrix.
    """
    digest = values_digest(key.content) or results.get(ResultKey(key, DIGEST))
    if key not in spectra or digest is None:
        return None
    if not is_spectrum_of(matrix, spectra[key]) or not isinstance(digest, str):
        raise ValueError(matrix.name)
    sketch, directions = (results.get(ResultKey(key, method)) for method in (SKETCH, DIRECTIONS))
    return CachedSketch(
        spectrum=spectra[key],
        digest=bytes.fromhex(digest),
        sketch=None if sketch is None else parse_sketch(sketch),
        directions=None if directions is None else parse_directions(directions),
    )

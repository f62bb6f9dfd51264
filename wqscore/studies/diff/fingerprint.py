"""What identifies a matrix by its contents, so that the same one is found under another name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wqscore.integrity.contents import digest
from wqscore.sketches.sketch import unit_sketch


@dataclass(frozen=True)
class Fingerprint:
    """What identifies a matrix by its contents.

    Attributes:
        digest: of its values as stored.
        sketch: of length 1; all 0 for a matrix without a direction: zero or not finite.
    """

    digest: bytes
    sketch: np.ndarray


def fingerprint(values: np.ndarray) -> Fingerprint:
    """Return the digest and the sketch of a matrix, shape (slices, rows, columns)."""
    return Fingerprint(digest(values), unit_sketch(values))

"""Write a matrix's row to the store as JSON, and read it back; what a row can't be is refused, not believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, get_args

import numpy as np

from wqscore.fits.power_law import PowerLawFit
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.scoring.layer_score import Judgement, LayerScore, Verdict
from wqscore.scoring.score_matrix import judgement_of
from wqscore.spectra.spectrum import Spectrum
from wqscore.stores.records import Value

_FIELDS = {"values", "verdict", "reason", "flags", "fit"}
_FIT_FIELDS = 5
_MAX_TEXT = 10_000


@dataclass(frozen=True)
class CachedRow:
    """What the store has of a row.

    Attributes:
        values: metrics by name; empty for a matrix without eigenvalues.
        judgement: the verdict.
    """

    values: Mapping[str, float]
    judgement: Judgement


def row_value(row: LayerScore, known: Mapping[str, float]) -> Value:
    """A row as JSON.

    Args:
        row: the row.
        known: metrics of it that were stored before.
    """
    judgement = judgement_of(row)
    fit = judgement.fit
    return {
        "values": {**known, **row.metrics} if row.spectrum.state == "finite" else {},
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "flags": list(judgement.flags),
        "fit": None if fit is None else [fit.alpha, fit.xmin, fit.D, fit.sigma, fit.n_tail],
    }


def parse_row(value: Any) -> CachedRow:
    """The inverse of `row_value`.

    A checksum guards a row against accidents. Whoever writes a store by hand can seal anything, so the shape of every
    field is checked; numbers of the right shape are trusted, as those of any store that is merged.

    Raises:
        ValueError: the value is no row.
    """
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        raise ValueError("not the fields of a row")
    values, flags = value["values"], value["flags"]
    if not (
        isinstance(values, dict) and all(map(_is_number, values.values())) and values.keys() <= MATRIX_METRICS.keys()
    ):
        raise ValueError("not metrics")
    if not (isinstance(flags, list) and all(map(_is_text, flags)) and _is_text(value["reason"])):
        raise ValueError("not texts")
    if value["verdict"] not in get_args(Verdict):
        raise ValueError("no verdict")
    judgement = Judgement(value["verdict"], value["reason"], tuple(flags), _fit(value["fit"]))
    return CachedRow({name: float(number) for name, number in values.items()}, judgement)


def is_spectrum_of(matrix: WeightMatrix, spectrum: Spectrum) -> bool:
    """Whether a stored spectrum can be a matrix's: of its shape, with ascending, finite, non-negative eigenvalues."""
    if (spectrum.rows, spectrum.columns, spectrum.slices) != (matrix.rows, matrix.columns, matrix.slices):
        return False
    if not 0 <= spectrum.unit_roundoff < 1:
        return False
    values = spectrum.eigenvalues
    if spectrum.state != "finite":
        return spectrum.state != "unknown"
    if values.size != matrix.slices * min(matrix.rows, matrix.columns):
        return False
    return bool(values[0] >= 0 and 0 < values[-1] < inf and (np.diff(values) >= 0).all())


def _fit(value: Any) -> PowerLawFit | None:
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == _FIT_FIELDS and all(map(_is_number, value))):
        raise ValueError("not a fit")
    *numbers, n_tail = value
    if not all(map(isfinite, numbers)) or not isinstance(n_tail, int) or n_tail < 1:
        raise ValueError("not a fit")
    alpha, xmin, distance, sigma = map(float, numbers)
    return PowerLawFit(alpha, xmin, distance, sigma, n_tail)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable()

"""One matrix's result: a row of `layers.csv`, with the verdict on its fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from wqscore.fits.power_law import PowerLawFit
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.spectra.spectrum import Spectrum

Verdict = Literal[
    "ok",
    "unstable",
    "undecided",
    "no-power-law",
    "trap",
    "random",
    "too-small",
    "degenerate",
    "zero",
    "non-finite",
]

#: alpha_weighted and log_alpha_norm fall as alpha rises when λ_max < 1 (docs/metrics.md, "A model's score").
FLIPPED_SIGN = "lambda_max<1"
#: Noise, apart from the scales of its rows and columns.
RANDOM_SCALED = "random-scaled"
#: Whether the flag above holds is open.
MAYBE_RANDOM_SCALED = "random-scaled?"
#: Solved in float32, with --precision single; the other rows of such a run are solved in float64.
IN_SINGLE = "float32"


@dataclass(frozen=True, repr=False)
class LayerScore:
    """One scored matrix: a row of `layers.csv`.

    Attributes:
        matrix: what was scored.
        metrics: the requested metrics, by name; NaN where one is not defined.
        verdict: whether the fit counts, or why not.
        reason: the verdict in words, and which metrics are not defined and why; empty if `ok` and all are defined.
        flags: what a reader should know; a flag never takes a finite fit out of an average.
        spectrum: the eigenvalues.
        fit: the fitted tail, `None` without one.
    """

    matrix: WeightMatrix
    metrics: Mapping[str, float]
    verdict: Verdict
    reason: str
    flags: tuple[str, ...]
    spectrum: Spectrum
    fit: PowerLawFit | None

    def __repr__(self) -> str:
        """The matrix, its shape, its alpha and its verdict."""
        alpha = f"alpha {self.fit.alpha:.4g}, " if self.fit else ""
        return (
            f"<LayerScore {self.matrix.name[-80:]}: {self.matrix.rows}×{self.matrix.columns}, {alpha}{self.verdict}>"
        )


@dataclass(frozen=True)
class Judgement:
    """A matrix's verdict; does not depend on the metrics requested.

    Attributes:
        verdict: the first that holds.
        reason: the verdict in words.
        flags: what a reader should know; not those of the matrix itself.
        fit: the fitted tail, `None` without one.
    """

    verdict: Verdict
    reason: str
    flags: tuple[str, ...]
    fit: PowerLawFit | None

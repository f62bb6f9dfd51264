"""A preset: every choice that changes a score (floor, fits, matrices, scale, averages), with its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from wqscore.fits.methods import TAILS, FitMethods
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.roles import CONV
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.metrics.metric import MatrixFunction
from wqscore.metrics.registry import CORE, MATRIX_METRICS
from wqscore.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Preset:
    """Every choice that changes a score.

    Attributes:
        name: the name that `--preset` takes.
        description: one line shown to people.
        fit_floor: eigenvalues at or below it are not fitted; `None` for the relative floor of `Spectrum.floor`.
        fits: how tails are fitted.
        allows_for_rounding: whether eigenvalues equal up to rounding are fitted as equal, and only those above the
            floor count towards the least number; published code does neither.
        matrices: how tensors become matrices, and which of them count.
        eigenvalue_scale: `as stored`; `convolutions halved`; `half the kernel`, for dense matrices a half.
        exact_small_end: whether near-singular matrices are solved by SVD.
        flipped_sign_in_averages: whether alpha_weighted and log_alpha_norm are averaged where λ_max < 1.
        headline: the statistic over matrices that models are ranked by.
        core: the metrics computed by default.
        by: the metric that models are ranked by by default.
        metrics: metric functions that differ from the registry's.
        columns: columns that are renamed in the output.
        larger_side_first: whether a matrix's sides are written as larger and smaller, not as rows and columns.
    """

    name: str
    description: str
    fit_floor: float | None = None
    fits: FitMethods = TAILS
    allows_for_rounding: bool = True
    matrices: MatrixRules = field(default_factory=MatrixRules)
    eigenvalue_scale: Literal["as stored", "convolutions halved", "half the kernel"] = "as stored"
    exact_small_end: bool = False
    flipped_sign_in_averages: bool = False
    headline: Literal["median", "mean"] = "median"
    core: tuple[str, ...] = CORE
    by: str = "alpha"
    metrics: Mapping[str, MatrixFunction] = field(default_factory=lambda: MappingProxyType({}))
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    larger_side_first: bool = False

    def label(self, metric: str) -> str:
        """What the preset calls a metric."""
        return self.columns.get(metric, metric)

    def function(self, metric: str) -> MatrixFunction:
        """Return the function that computes a metric of a matrix under this preset."""
        return self.metrics.get(metric) or MATRIX_METRICS[metric].compute

    def scale(self, matrix: WeightMatrix) -> float:
        """Return the factor on a matrix's eigenvalues."""
        if self.eigenvalue_scale == "half the kernel":
            return matrix.kernel / 2
        return 0.5 if self.eigenvalue_scale == "convolutions halved" and matrix.role == CONV else 1.0

    def floor(self, spectrum: Spectrum) -> float:
        """Return the floor of a spectrum: eigenvalues at or below it are not fitted."""
        return spectrum.floor if self.fit_floor is None else self.fit_floor

"""The spectrum of one scored matrix as arrays: eigenvalues, the fitted tail, the bulk, and those of its shuffle."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, pi

import numpy as np

from wqscore.cached_property import cached_property
from wqscore.fits.power_law import PowerLawFit
from wqscore.spectra.marchenko_pastur import MarchenkoPasturFit, fit_marchenko_pastur
from wqscore.spectra.spectrum import Spectrum

#: Points of the bulk's law.
_POINTS = 80


@dataclass(frozen=True, repr=False)
class MatrixSpectrum:
    """The spectrum of one matrix, and what is fitted to it.

    Attributes:
        name: the matrix.
        role: its role.
        spectrum: the eigenvalues λ of WᵀW, with the matrix's sides.
        floor: eigenvalues at or below it are rounding noise and not fitted.
        fit: the fitted power law (alpha, xmin, D, sigma, n_tail), `None` without one.
        verdict: whether the fit counts, or why not.
        shuffled: the eigenvalues of the matrix with its entries shuffled, ascending; `None` where not asked for.
    """

    name: str
    role: str
    spectrum: Spectrum
    floor: float
    fit: PowerLawFit | None
    verdict: str
    shuffled: np.ndarray | None = None

    def __repr__(self) -> str:
        """The matrix, its eigenvalues and its alpha."""
        alpha = f"alpha {self.fit.alpha:.4g}" if self.fit else "no fit"
        return f"<MatrixSpectrum {self.name[-80:]}: {self.eigenvalues.size} eigenvalues, {alpha}, {self.verdict}>"

    @property
    def eigenvalues(self) -> np.ndarray:
        """The eigenvalues of WᵀW, ascending, shape (n,), float64, in squared units of the weights."""
        return self.spectrum.eigenvalues

    @property
    def fitted(self) -> np.ndarray:
        """The eigenvalues above the floor."""
        return self.eigenvalues[self.eigenvalues > self.floor]

    @property
    def tail(self) -> np.ndarray:
        """The eigenvalues from xmin on, to which the power law is fitted; empty without a fit."""
        return self.eigenvalues[self.eigenvalues.size - self.fit.n_tail :] if self.fit else self.eigenvalues[:0]

    @cached_property
    def bulk(self) -> MarchenkoPasturFit:
        """The Marchenko–Pastur law fitted to the bulk: sigma, bulk_max, num_spikes, softrank."""
        found = self.spectrum
        return fit_marchenko_pastur(found.eigenvalues, found.rows, found.columns, found.slices)

    @property
    def bulk_density(self) -> tuple[np.ndarray, np.ndarray]:
        """λ and the density of the bulk's law there, scaled to the bulk's share of the fitted eigenvalues.

        √((λ₊ − λ)(λ − λ₋)) / (2π σ² N λ), at 80 points equal in log λ; both empty where there is no bulk.
        """
        small, large = sorted((self.spectrum.rows, self.spectrum.columns))
        fitted, variance = self.fitted, self.bulk.sigma**2
        if not fitted.size or not isfinite(variance):
            return np.empty(0), np.empty(0)
        lower, upper = variance * (large**0.5 - small**0.5) ** 2, self.bulk.bulk_max
        start = max(lower, float(fitted[0]))
        share = max(0.0, fitted.size - self.bulk.num_spikes) / fitted.size
        if not start < upper or not share:
            return np.empty(0), np.empty(0)
        steps = (np.arange(_POINTS) + 0.5) / _POINTS
        points = 10 ** (np.log10(start) + (np.log10(upper) - np.log10(start)) * steps)
        inside = np.maximum((upper - points) * (points - lower), 0.0)
        return points, share * np.sqrt(inside) / (2 * pi * variance * small * points)

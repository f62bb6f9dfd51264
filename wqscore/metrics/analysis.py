"""What metrics share on a weight matrix or a model (spectrum, fits, shuffles), computed on first use and cached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan

import numpy as np

from wqscore.cached_property import cached_property
from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.checkpoints.tensor import Tensor
from wqscore.fits.comparison import NestedRatio, VuongRatio, against_exponential, against_lognormal, against_truncated
from wqscore.fits.equal import merge_equal
from wqscore.fits.exponential import ExponentialFit, fit_exponential
from wqscore.fits.fingers import ClippedFit
from wqscore.fits.goodness import GoodnessOfFit
from wqscore.fits.interval import Interval
from wqscore.fits.lognormal import LognormalFit, fit_lognormal
from wqscore.fits.methods import TAILS, FitMethods
from wqscore.fits.peak import fit_at_peak
from wqscore.fits.power_law import PowerLawFit
from wqscore.fits.resampling import resampling_interval
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.fits.stability import alpha_range
from wqscore.fits.tail import has_extent, points_above
from wqscore.fits.truncated_power_law import TruncatedPowerLawFit, fit_truncated_power_law
from wqscore.matrices.feed_forward import FeedForwardChain, Undefined, feed_forward_chain
from wqscore.spectra.distance import squared_distances
from wqscore.spectra.localisation import VectorLocalisation, localise
from wqscore.spectra.marchenko_pastur import MarchenkoPasturFit, fit_marchenko_pastur
from wqscore.spectra.randomness import has_traps, is_random, is_random_scaled
from wqscore.spectra.screening import Entries, measure
from wqscore.spectra.sequential import Share
from wqscore.spectra.shuffling import Shuffles
from wqscore.spectra.spectrum import Spectrum
from wqscore.spectra.windows import window_spectrum

#: Near a limit a verdict takes up to this many times the draws of the goodness of fit.
_MOST_DRAWS = 20

#: Weights, or the two thin matrices whose product they are.
Values = np.ndarray | LowRank


@dataclass(frozen=True)
class MatrixAnalysis:
    """One matrix, its spectrum, and every fit that a metric may need.

    Metrics that need the same fit or the same shuffles share them; what no metric needs is never computed. All fits
    are `None` where there is no tail to fit.

    Attributes:
        source: the weights, shape (slices, rows, columns), in the stored data type; or the two thin matrices whose
            product they are; or a function that reads either, called on first use.
        spectrum: of the weights, with eigenvalues.
        floor: eigenvalues at or below it are not fitted.
        fits: how tails are fitted.
        scale: the factor on the spectrum's eigenvalues, which applies to those of shuffles too.
        sampling: the run's seed and its numbers of resamples and draws.
        base: the same matrix in a base checkpoint, of the same shape; `None` without one.
        dtype: of the stored weights: eigenvalues that its rounding alone tells apart are fitted as equal; `None` to
            fit them as they are.
    """

    source: Values | Callable[[], Values]
    spectrum: Spectrum
    floor: float
    fits: FitMethods = TAILS
    scale: float = 1.0
    sampling: Sampling = USUAL
    base: np.ndarray | None = None
    dtype: StoredDtype | None = None

    @cached_property
    def weights(self) -> np.ndarray:
        """The weights, shape (slices, rows, columns)."""
        return self._contents.product[None] if isinstance(self._contents, LowRank) else self._contents

    @cached_property
    def _contents(self) -> Values:
        return self.source() if callable(self.source) else self.source

    @property
    def mean_eigenvalue(self) -> float:
        """Σλ/N, the natural unit of an eigenvalue."""
        return self.spectrum.total / self.spectrum.eigenvalues.size

    @property
    def eigenvalue_count(self) -> int:
        """How many eigenvalues can be above 0."""
        contents = self._contents
        return min(contents.core.shape) if isinstance(contents, LowRank) else self.spectrum.eigenvalues.size

    @property
    def count_above_floor(self) -> int:
        """How many eigenvalues are more than rounding noise."""
        return int(np.count_nonzero(self.spectrum.eigenvalues > self.floor))

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """The eigenvalues that are fitted, those equal up to rounding as equal."""
        return merge_equal(self.spectrum, self.floor, self.dtype) if self.dtype else self.spectrum.eigenvalues

    @property
    def has_extent(self) -> bool:
        """Whether the eigenvalues above the floor are not all equal."""
        return has_extent(points_above(self.eigenvalues, self.floor))

    @cached_property
    def power_law(self) -> PowerLawFit | None:
        """The power law, xmin by the smallest KS distance."""
        return self.fits.power_law(self.eigenvalues, self.floor)

    @cached_property
    def interval(self) -> Interval | None:
        """The interval of alpha over resampled eigenvalues; for wqscore's own fit only."""
        if not self.sampling.bootstrap or self.fits != TAILS:
            return None
        eigenvalues, sampling = self.eigenvalues, self.sampling
        return resampling_interval(eigenvalues, self.floor, sampling.seed, sampling.bootstrap)

    @cached_property
    def p_value(self) -> float:
        """The power law's goodness of fit; NaN without draws, or with any fit but wqscore's own."""
        return self._goodness.p_value(self.sampling.gof) if self._goodness else nan

    @cached_property
    def _goodness(self) -> GoodnessOfFit | None:
        if not self.power_law or not self.sampling.gof or self.fits != TAILS:
            return None
        return GoodnessOfFit(self.eigenvalues, self.floor, self.power_law, self.sampling.seed)

    def settle_p_value(self, limit: float) -> Share | None:
        """Draw until the goodness of fit is clearly above or below a limit; `None` where `p_value` is NaN."""
        return self._goodness.settle(limit, _MOST_DRAWS * self.sampling.gof) if self._goodness else None

    @cached_property
    def alpha_range(self) -> tuple[float, float] | None:
        """The lowest and highest alpha over the xmin's that are nearly as good as the best."""
        law = self.power_law
        return alpha_range(self.fits.near_best(self.eigenvalues, self.floor, law.D)) if law else None

    @cached_property
    def versus_exponential(self) -> VuongRatio | None:
        """The power law against the exponential on the same tail."""
        law = self.power_law
        other = fit_exponential(self.eigenvalues, self.floor, law.xmin) if law else None
        return against_exponential(self.eigenvalues, law, other) if law and other else None

    @cached_property
    def versus_lognormal(self) -> VuongRatio | None:
        """The power law against the lognormal on the same tail."""
        law, other = self.power_law, self.lognormal
        return against_lognormal(self.eigenvalues, law, other) if law and other else None

    @cached_property
    def versus_truncated(self) -> NestedRatio | None:
        """The power law against the truncated one on the same tail."""
        law = self.power_law
        other = fit_truncated_power_law(self.eigenvalues, self.floor, law.xmin) if law else None
        return against_truncated(self.eigenvalues, law, other) if law and other else None

    @cached_property
    def without_fingers(self) -> ClippedFit | None:
        """The power law without fingers, the few largest eigenvalues that spoil it."""
        return self.fits.without_fingers(self.eigenvalues, self.floor)

    @cached_property
    def peak(self) -> PowerLawFit | None:
        """The power law with xmin near the ESD's mode."""
        return fit_at_peak(self.eigenvalues, self.floor)

    @cached_property
    def truncated(self) -> TruncatedPowerLawFit | None:
        """The truncated power law, xmin by the smallest KS distance."""
        return fit_truncated_power_law(self.eigenvalues, self.floor)

    @cached_property
    def e_tpl(self) -> TruncatedPowerLawFit | None:
        """The truncated power law from the ESD's mode on."""
        return self.fits.e_tpl(self.eigenvalues, self.floor)

    @cached_property
    def exponential(self) -> ExponentialFit | None:
        """The exponential from the ESD's mode on."""
        return self.fits.exponential(self.eigenvalues, self.floor)

    @cached_property
    def lognormal(self) -> LognormalFit | None:
        """The lognormal on the power law's tail."""
        tail = self.power_law
        return fit_lognormal(self.eigenvalues, self.floor, tail.xmin) if tail else None

    @cached_property
    def bulk(self) -> MarchenkoPasturFit:
        """The Marchenko–Pastur law fitted to the bulk."""
        spectrum = self.spectrum
        return fit_marchenko_pastur(spectrum.eigenvalues, spectrum.rows, spectrum.columns, spectrum.slices)

    @cached_property
    def windows(self) -> Spectrum:
        """The pooled spectrum of square windows of the weights."""
        return window_spectrum(self.weights, self.spectrum.unit_roundoff)

    @cached_property
    def shuffles(self) -> Shuffles:
        """Seeded shuffles of the weights."""
        return Shuffles(self.weights, self.spectrum.unit_roundoff, self.sampling.seed, self.scale)

    @cached_property
    def entries(self) -> Entries:
        """Sums over the weights that predict properties of their shuffles."""
        return measure(self.weights, self.spectrum)

    @property
    def is_low_rank(self) -> bool:
        """Whether the weights are a product of two thin matrices, to which shuffles can't be compared."""
        return isinstance(self._contents, LowRank)

    @cached_property
    def is_random(self) -> bool | None:
        """Whether the spectrum is indistinguishable from those of shuffles; `None` where that stays open."""
        # A shuffled product of thin matrices has full rank.
        return not self.is_low_rank and is_random(self.spectrum, self.entries, self.shuffles)

    @cached_property
    def is_random_scaled(self) -> bool | None:
        """Whether the matrix is random only once the scales of rows and columns are divided out; `None` as above."""
        if self.is_low_rank or self.is_random:
            return False
        return is_random_scaled(self.spectrum, self.entries, self.weights)

    @cached_property
    def has_traps(self) -> bool | None:
        """Whether shuffles usually have spikes; `None` where that stays open."""
        return not self.is_low_rank and has_traps(self.entries, self.shuffles)

    @cached_property
    def localisation(self) -> VectorLocalisation:
        """How localised the singular vectors of bulk and tail are."""
        return localise(self.weights, self.power_law.n_tail if self.power_law else None)

    @cached_property
    def distances(self) -> tuple[float, float]:
        """‖W − W₀‖_F² and ‖W − W₀‖₂²; NaN without a base."""
        return (nan, nan) if self.base is None else squared_distances(self.weights, self.base)


@dataclass(frozen=True)
class ModelAnalysis:
    """A model's matrices, and what its metrics share, computed on first use.

    Attributes:
        frobenius: ‖W‖_F² of every matrix that was read, shape (d,); NaN where a weight is not finite.
        spectral: σ₁² of each, shape (d,).
        tensors: every tensor of the checkpoint.
    """

    frobenius: np.ndarray
    spectral: np.ndarray
    tensors: tuple[Tensor, ...]

    @cached_property
    def chain(self) -> FeedForwardChain | Undefined:
        """The model's linear layers in order, or the reason why they form no chain."""
        return feed_forward_chain(self.tensors)

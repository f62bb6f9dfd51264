"""Copies of a matrix with its entries shuffled: the same weights without correlations between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from wqscore.spectra.eigenvalues import gram
from wqscore.spectra.jit import compiled
from wqscore.spectra.lanczos import largest_eigenvalue
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

#: Random numbers in memory at a time.
_DRAWN_AT_ONCE = 1 << 17
#: Shuffles that metrics are computed from.
SHUFFLES = 6


@dataclass(frozen=True)
class Shuffles:
    """The shuffles of one matrix; their spectra are computed on first use and cached.

    The shuffles depend on the weights and the seed, but not on the matrix's name, its data type, or whether it is
    stored transposed: rows run along the longer side, or, in a square matrix, so that more weight is above the
    diagonal. Entries of a convolution move between its slices.

    Attributes:
        weights: shape (slices, rows, columns).
        unit_roundoff: u of the data type the weights are stored in.
        seed: the run's seed, 0 or more.
        scale: factor on every eigenvalue, the same as in the spectrum they are compared with.
        spectra: those computed so far, by the shuffle's number.

    Example:
        >>> shuffles = Shuffles(np.arange(6.0).reshape(1, 2, 3), unit_roundoff=0.0, seed=0)
        >>> np.sort(shuffles.matrix(0), axis=None)
        array([0., 1., 2., 3., 4., 5.])
        >>> shuffles.matrix(0).shape  # tall, whatever W is
        (1, 3, 2)
    """

    weights: np.ndarray
    unit_roundoff: float
    seed: int
    scale: float = 1.0
    spectra: dict[int, Spectrum] = field(default_factory=dict, repr=False)

    def matrix(self, k: int) -> np.ndarray:
        """Return shuffle k, shape (slices, larger side, smaller side), in float32 or float64."""
        matrix = self._oriented.copy()
        entries, rng = matrix.reshape(-1), np.random.default_rng([self.seed, k])
        for left in range(entries.size, 0, -_DRAWN_AT_ONCE):
            _exchange(entries, left, rng.random(min(left, _DRAWN_AT_ONCE)))
        return matrix

    def __getitem__(self, k: int) -> Spectrum:
        if k not in self.spectra:
            self.spectra[k] = compute_spectrum(self.matrix(k), self.unit_roundoff, self.scale)
        return self.spectra[k]

    def first(self, count: int = SHUFFLES) -> tuple[Spectrum, ...]:
        """Return the spectra of the first shuffles."""
        return tuple(self[k] for k in range(count))

    def largest(self, k: int) -> float:
        """Return λ_max of shuffle k, by Lanczos steps unless its spectrum is cached."""
        if k in self.spectra:
            return self.spectra[k].largest
        return self.scale * max(largest_eigenvalue(gram(each)) for each in self.matrix(k))

    @cached_property
    def _oriented(self) -> np.ndarray:
        wide = self.weights.astype(np.result_type(self.weights.dtype, np.float32), copy=False)
        _, rows, columns = wide.shape
        if rows == columns:
            with np.errstate(over="ignore", invalid="ignore"):
                turned = (np.triu(wide, 1) ** 2).sum() < (np.tril(wide, -1) ** 2).sum()
        else:
            turned = rows < columns
        return np.ascontiguousarray(wide.transpose(0, 2, 1) if turned else wide)


@compiled
def _exchange(entries: np.ndarray, left: int, uniforms: np.ndarray) -> None:
    """Run some steps of the Fisher–Yates shuffle: swap the last remaining entry with a random remaining one."""
    for step in range(uniforms.size):
        last = left - 1 - step
        chosen = int(uniforms[step] * (last + 1))
        entries[last], entries[chosen] = entries[chosen], entries[last]

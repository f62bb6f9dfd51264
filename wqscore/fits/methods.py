"""The ways in which our code and published codes fit a tail, each a set of functions of eigenvalues and floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wqscore.fits.exponential import ExponentialFit, fit_exponential_at_mode
from wqscore.fits.fingers import ClippedFit, fit_without_fingers
from wqscore.fits.power_law import PowerLawFit, XminScan, fit_power_law, scan_xmin, sketch_xmin, spread
from wqscore.fits.power_law_xmax import fit_power_law_xmax, scan_xmin_xmax
from wqscore.fits.published_e_tpl import fit_e_tpl_bounded, fit_published_exponential
from wqscore.fits.stability import NEAR_BEST
from wqscore.fits.truncated_power_law import TruncatedPowerLawFit, fit_e_tpl


def _thinned(scan: XminScan, most: int) -> XminScan:
    if not scan.D.size:
        return scan
    kept = spread(scan.D.size, most, int(np.argmin(scan.D)))
    return XminScan(scan.xmin[kept], scan.alpha[kept], scan.D[kept])


def _near_best(eigenvalues: np.ndarray, floor: float, best: float) -> XminScan:
    # A little above the bound, since the scan's D and the fit's may differ in their last bits.
    return scan_xmin(eigenvalues, floor, bound=1.001 * NEAR_BEST * best)


@dataclass(frozen=True)
class FitMethods:
    """Functions of ascending eigenvalues and of the floor at or below which they are not fitted.

    `scan` also takes the largest number of candidates, and the fit where there is one; `near_best` the smallest D.

    Attributes:
        name: description shown to people and stored with a run.
        power_law: xmin by the smallest KS distance; `None` where there is no tail.
        scan: alpha and D at evenly spread candidates for xmin, and at the best.
        near_best: alpha and D at all candidates; D is exact only where it is close to the smallest.
        without_fingers: the power law without a few of the largest eigenvalues.
        e_tpl: the truncated power law from the mode on.
        exponential: the exponential from the mode on.
    """

    name: str
    power_law: Callable[[np.ndarray, float], PowerLawFit | None] = fit_power_law
    scan: Callable[[np.ndarray, float, int, PowerLawFit | None], XminScan] = sketch_xmin
    near_best: Callable[[np.ndarray, float, float], XminScan] = _near_best
    without_fingers: Callable[[np.ndarray, float], ClippedFit | None] = fit_without_fingers
    e_tpl: Callable[[np.ndarray, float], TruncatedPowerLawFit | None] = fit_e_tpl
    exponential: Callable[[np.ndarray, float], ExponentialFit | None] = fit_exponential_at_mode


TAILS = FitMethods("tails of 10 and more eigenvalues")

EVERY_POINT = FitMethods(
    "tails of 2 and more eigenvalues",
    power_law=lambda eigenvalues, floor: fit_power_law(eigenvalues, floor, "every-point"),
    scan=lambda eigenvalues, floor, most, fit: sketch_xmin(eigenvalues, floor, most, fit, "every-point"),
    near_best=lambda eigenvalues, floor, _: scan_xmin(eigenvalues, floor, "every-point"),
    without_fingers=lambda eigenvalues, floor: fit_without_fingers(eigenvalues, floor, "every-point"),
)

TO_LARGEST_BUT_SMALLEST = FitMethods(
    "D to a law that ends at λ_max, without the smallest eigenvalue",
    power_law=lambda eigenvalues, floor: fit_power_law_xmax(eigenvalues[1:], floor),
    scan=lambda eigenvalues, floor, most, _: _thinned(scan_xmin_xmax(eigenvalues[1:], floor), most),
    near_best=lambda eigenvalues, floor, _: scan_xmin_xmax(eigenvalues[1:], floor),
)

KDD_2023 = FitMethods(
    "D to laws that end at λ_max, E-TPL's exponent at least 1",
    power_law=fit_power_law_xmax,
    scan=lambda eigenvalues, floor, most, _: _thinned(scan_xmin_xmax(eigenvalues, floor), most),
    near_best=lambda eigenvalues, floor, _: scan_xmin_xmax(eigenvalues, floor),
    e_tpl=fit_e_tpl_bounded,
    exponential=fit_published_exponential,
)

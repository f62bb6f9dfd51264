"""What the registry says of one metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from wqscore.fits.power_law import PowerLawFit
from wqscore.spectra.spectrum import Spectrum

#: NaN where the metric is not defined for the matrix (no fit, say); never an infinity.
MatrixFunction = Callable[[Spectrum, PowerLawFit | None], float]


@dataclass(frozen=True)
class Metric:
    """One metric of a weight matrix.

    Attributes:
        name: the column name.
        formula: the definition in plain text; log is base 10, ln natural, λ an eigenvalue of WᵀW.
        unit: the unit, with w for the weights' own; `1` for a pure number.
        better: which way the literature claims quality lies, `lower` or `higher`.
        source: where the definition comes from.
        caveat: where the claim behind `better` is known to fail, or that there is none.
        compute: the function.
        count: whether the value is a whole number.
    """

    name: str
    formula: str
    unit: str
    better: Literal["lower", "higher"]
    source: str
    caveat: str
    compute: MatrixFunction
    count: bool = False

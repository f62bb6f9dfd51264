"""Shared by the tests of all fitted laws: published ESDs, arrays without a possible fit, random tails."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

KDD = Path(__file__).parent.parent / "data" / "kdd2023"
#: The reference fits left out what WeightWatcher leaves out.
KDD_FLOOR = 1e-5


def kdd_esd(name: str) -> np.ndarray:
    return np.sort(np.loadtxt(KDD / f"{name}_eigenvalues.csv", skiprows=1))


def kdd_fits(distribution: str) -> list[dict[str, str]]:
    """powerlaw 1.5's fits of one family."""
    with (KDD / "powerlaw_1.5_fits.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["distribution"] == distribution]


def row_name(row: dict[str, str]) -> str:
    return f"{row['esd']}-{row['fit']}"


#: Nothing can be fitted from xmin = 1 on (or from anywhere).
NO_TAIL = [
    pytest.param(np.empty(0), id="empty"),
    pytest.param(np.array([2.0]), id="one"),
    pytest.param(np.arange(1.0, 10.0), id="nine"),
    pytest.param(np.full(500, 3.0), id="all-equal"),
    pytest.param(2 + np.arange(50) * 1e-13, id="equal-but-for-rounding"),
    pytest.param(np.zeros(20), id="zeros"),
    pytest.param(np.full(30, 5e-324), id="equal-denormals"),
    pytest.param(np.append(np.arange(1.0, 30.0), np.inf), id="infinite"),
    pytest.param(np.append(np.arange(1.0, 30.0), np.nan), id="not-a-number"),
]

#: Far from anything a weight matrix has, to be fitted or refused without a warning.
EXTREME = [
    pytest.param(np.append(np.linspace(1, 2, 50), 1e12), id="one-outlier"),
    pytest.param(np.append(np.ones(50), 1e12), id="one-outlier-of-equals"),
    pytest.param(np.append(np.full(50, 1e-300), [1.0, 1e300]), id="all-of-float64"),
    pytest.param(np.arange(1, 60) * 5e-324, id="denormals"),
    pytest.param(np.append(np.arange(1, 60) * 5e-324, 1e308), id="denormals-and-the-largest"),
    pytest.param(np.linspace(1e307, 1.7e308, 60), id="the-largest"),
    pytest.param(1 + np.arange(60) * 1e-11, id="narrow"),
    pytest.param(np.append(1e-12, 1 + np.arange(60) * 1e-9), id="narrow-but-for-one"),
    pytest.param(np.repeat([1.0, 2.0], 50), id="two-values"),
    pytest.param(np.repeat([1.0, 1e9], [90, 10]), id="two-values-far-apart"),
    pytest.param(np.geomspace(1e-200, 1e200, 60), id="400-decades"),
    pytest.param(np.arange(1.0, 11.0), id="ten"),
]


def tails(max_size: int = 300) -> st.SearchStrategy[np.ndarray]:
    """Ascending values: noise, heavy and light tails, ties, an outlier, narrow and wide, at several scales."""

    def build(seed: int, size: int, kind: str, scale: float) -> np.ndarray:
        rng = np.random.default_rng(seed)
        values = {
            "pareto": rng.pareto(rng.uniform(0.2, 5), size) + 1,
            "lognormal": rng.lognormal(0, 10 ** rng.uniform(-4, 1), size),
            "uniform": 1 + 10 ** rng.uniform(-5, 2) * rng.uniform(0, 1, size),
            "chi2": rng.chisquare(rng.uniform(0.5, 50), size) + 1e-9,
            "ties": np.round(rng.pareto(1, size) + 1),
            "outlier": np.append(rng.uniform(1, 2, size - 1), 10 ** rng.uniform(1, 12)),
        }[kind]
        return np.sort(values) * scale

    return st.builds(
        build,
        st.integers(0, 2**32 - 1),
        st.integers(12, max_size),
        st.sampled_from(["pareto", "lognormal", "uniform", "chi2", "ties", "outlier"]),
        st.sampled_from([1.0, 1e-30, 1e30, 3.7e-5]),
    )

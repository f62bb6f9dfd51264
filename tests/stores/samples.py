"""Spectra and results generated from a number, for a store in this process and in others."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from wqscore.spectra.spectrum import Spectrum
from wqscore.stores.records import Method, ResultKey, SpectrumKey, Value, canonical

ALPHA = Method("alpha", canonical({"floor": 1e-5, "seed": 0}), 2)
FACTS = Method("facts", "{}", 1)


def key(number: int) -> SpectrumKey:
    return SpectrumKey(f"sha256:{number:064x}", "[q]", "gram-1/64/evd/1.0")


def spectrum(number: int, size: int = 96) -> Spectrum:
    eigenvalues = np.sort(np.random.default_rng(number).pareto(1.5, size))
    return Spectrum(eigenvalues, size, size + number, 1, 2.0**-24, "finite")


def results(number: int) -> dict[ResultKey, Value]:
    alpha = 2 + math.sin(number)
    return {
        ResultKey(key(number), ALPHA): alpha,
        ResultKey(key(number), FACTS): {
            "is_random": number % 2 == 0,
            "interval": [alpha - 0.1, math.inf],
            "why": "ö",
        },
    }


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def same(a: Spectrum, b: Spectrum) -> bool:
    """Whether two spectra have the same bits."""
    facts = [(s.rows, s.columns, s.slices, s.unit_roundoff, s.state, s.eigenvalues.dtype.str) for s in (a, b)]
    return facts[0] == facts[1] and a.eigenvalues.tobytes() == b.eigenvalues.tobytes()

"""How much random work a run does, and from which seed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """The seed of every random step, and how often two of them are repeated.

    Attributes:
        seed: 0 or more.
        bootstrap: resamples behind alpha's interval; 0 for none.
        gof: synthetic draws behind the goodness of fit; 0 for none.
    """

    seed: int = 0
    bootstrap: int = 200
    gof: int = 100


#: What a run does unless told otherwise.
USUAL = Sampling()

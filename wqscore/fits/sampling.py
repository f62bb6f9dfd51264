"""How many resamples and synthetic draws a run takes, and from which seed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """The seed of every random step, and the numbers of resamples and synthetic draws.

    Attributes:
        seed: 0 or more.
        bootstrap: resamples behind alpha's interval; 0 for none.
        gof: synthetic draws behind the goodness of fit; 0 for none.
    """

    seed: int = 0
    bootstrap: int = 200
    gof: int = 100


#: The default.
USUAL = Sampling()

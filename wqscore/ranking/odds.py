"""The odds of a ranking, as a record of decisions gives them; made by `evidence`, which a ranking does without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PairOdds:
    """How likely the better ranked of two neighbours is the better model.

    Attributes:
        ahead: the one with the better rank, by name.
        behind: the next one.
        family: the family that both are ranked in.
        kind: what makes the two differ (`evidence.decisions.Kind`); empty where that is not known.
        odds: probability that the first is the better model; `None` where the record can't tell them apart.
        families: number of families that this rests on; 0 without any.
        text: the same in a sentence.
    """

    ahead: str
    behind: str
    family: str
    kind: str
    odds: float | None
    families: int
    text: str


@dataclass(frozen=True)
class Odds:
    """What a record of decisions says of a ranking.

    Attributes:
        record: version of the record.
        choice: why the models are ranked by this metric, in a sentence; empty if the user named it.
        pairs: every two neighbours in a family, best first.
        size: what size alone says, a sentence by family, where sizes differ.
    """

    record: str
    choice: str
    pairs: tuple[PairOdds, ...]
    size: Mapping[str, str]

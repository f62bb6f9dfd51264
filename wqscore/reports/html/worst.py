"""The matrices that a reader should look at first, model by model, with the verdict and the reason in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from types import MappingProxyType

from wqscore.fits.interval import Interval
from wqscore.rendering.numbers import beside, ends
from wqscore.reports.worth_checking import WorthChecking, worth_checking
from wqscore.scoring.model_score import ModelScore

#: So many matrices of a model are listed.
MOST = 5
#: What a reason stands for; other reasons are flags, which are words already.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "random-scaled": "random but for the scales of rows and columns",
    }
)


@dataclass(frozen=True)
class Worst:
    """A matrix worth checking.

    Attributes:
        place: its place among the model's matrices.
        name: its name.
        role: its role.
        alpha: its alpha to four digits.
        interval: the interval of that.
        verdict: its verdict.
        reason: why it is listed, as a sentence without a full stop.
    """

    place: int
    name: str
    role: str
    alpha: str
    interval: str
    verdict: str
    reason: str


@dataclass(frozen=True)
class WorstOfModel:
    """What is worth checking in one model.

    Attributes:
        listed: the most serious, at most `MOST`.
        found: how many there are.
    """

    listed: Sequence[Worst]
    found: int


def worst_of(score: ModelScore) -> WorstOfModel:
    """The matrices of a model that are worth checking, the most serious first."""
    found = worth_checking(score)
    places = {id(row): place for place, row in enumerate(score.layers)}
    return WorstOfModel([_worst(look, places[id(look.row)]) for look in found[:MOST]], len(found))


def _worst(look: WorthChecking, place: int) -> Worst:
    row = look.row
    lo, hi = (row.metrics.get(name, nan) for name in ("alpha_lo", "alpha_hi"))
    known = Interval(lo, hi) if row.fit and lo <= hi else None
    told = [row.reason] if row.reason and row.verdict != "ok" else []
    told += [_WORDS.get(reason, reason) for reason in look.reasons if reason != row.verdict]
    words = "; ".join(told) or row.verdict
    alpha = beside(row.fit.alpha if row.fit else None, known)
    return Worst(
        place, row.matrix.name, row.matrix.role, alpha, ends(known), row.verdict, words[:1].upper() + words[1:]
    )

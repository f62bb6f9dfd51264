"""The rows of a ranking: one of a model, and one of two models compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wqscore.fits.interval import Interval
from wqscore.ranking.differences import Difference
from wqscore.refs.reference import ModelRef
from wqscore.results import Result
from wqscore.scoring.model_score import ModelScore

Status = Literal["ranked", "unranked", "failed"]


@dataclass(frozen=True, repr=False)
class RankedModel(Result):
    """One row of a ranking.

    Attributes:
        ref: the requested model.
        family: the models it can be compared with (`families`); empty if unknown, and for a failed one.
        status: `ranked`, `unranked` (scored, but its score can't be trusted with a rank) or `failed`.
        rank: 1 is best of its family, or of all; models whose scores are equal share the best of their ranks. `None`
            without one.
        tied: whether another model has the same rank.
        best: the best rank it could have: 1 plus the number of models that are ahead of it and not tied with it.
        worst: the worst rank it could have, counted from the models behind it in the same way.
        ties: letters of its tie groups; two models share one exactly if they are tied.
        reason: why it has no rank; empty for `ranked`.
        score: the scored model, `None` if it failed.
        interval: the summary's interval of the number that ranks; `None` where it has none.
        warning: what published work says of its number, if no model is ahead of it beyond doubt and the number lies
            outside the range that can be read (`reading`); else empty.
    """

    ref: ModelRef
    family: str
    status: Status
    rank: int | None
    tied: bool
    best: int | None
    worst: int | None
    ties: tuple[str, ...]
    reason: str
    score: ModelScore | None
    interval: Interval | None = None
    warning: str = ""

    def __repr__(self) -> str:
        """The model, and its rank or why it has none."""
        place = f"rank {self.rank}, could be {self.best} to {self.worst}" if self.rank else f"{self.status}"
        return f"<RankedModel {self.ref.label:.80}: {place}>"


@dataclass(frozen=True)
class Pair:
    """Two models of one family, compared over their layers by the metric that ranks.

    Attributes:
        ahead: the one with the better rank, or the one requested earlier if they share a rank.
        behind: the other.
        difference: the first's summary less the second's.
    """

    ahead: ModelRef
    behind: ModelRef
    difference: Difference

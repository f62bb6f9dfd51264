"""The nights of a site: for each model those on which something about it changed, and what it was from then on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isclose
from typing import Literal

from wqscore.leaderboard.decoding import decode
from wqscore.leaderboard.errors import SiteError
from wqscore.rendering.json import json_text

#: Changes with the meaning or the names of the fields.
SCHEMA_VERSION = 1
#: Values closer than this, relatively, are one: other processors give other last bits.
_SAME = 1e-9

#: `stale` keeps the row of an earlier night, `failed` never had one, `withdrawn` is in no list any more.
Status = Literal["scored", "stale", "failed", "withdrawn"]


@dataclass(frozen=True)
class Night:
    """One build.

    Attributes:
        date: ISO date, in UTC.
        version: of wqscore.
        models: how many were listed.
        scored: how many of them were scored.
    """

    date: str
    version: str
    models: int
    scored: int


@dataclass(frozen=True)
class Point:
    """A model from one night on, until its next point.

    Attributes:
        night: ISO date.
        status: what it is.
        reason: why it could not be scored, as told on that night; empty where it was.
        revision: the commit whose values these are, or `None`.
        version: of wqscore, that computed them.
        values: by name of a metric; `None` where it is not defined.
        verdicts: how many rows have each.
    """

    night: str
    status: Status
    reason: str
    revision: str | None
    version: str
    values: Mapping[str, float | None]
    verdicts: Mapping[str, int]

    def scores_as(self, other: Point) -> bool:
        """Whether the score is the same, by the metrics that both have."""
        shared = self.values.keys() & other.values.keys()
        return self.verdicts == other.verdicts and all(_same(self.values[n], other.values[n]) for n in shared)

    def continues(self, other: Point) -> bool:
        """Whether nothing has changed since another point but its night, a failure's words or wqscore's version."""
        same = (self.status, self.revision, self.values.keys()) == (other.status, other.revision, other.values.keys())
        return same and self.scores_as(other)


@dataclass(frozen=True)
class History:
    """All nights of a site.

    Attributes:
        schema_version: of this file.
        nights: oldest first.
        models: points by name of a model, oldest first.
    """

    schema_version: int = SCHEMA_VERSION
    nights: tuple[Night, ...] = ()
    models: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)

    def before(self, night: str) -> History:
        """The history without a night, for that night to be written again.

        Raises:
            SiteError: it has a later one.
        """
        if self.nights and self.nights[-1].date > night:
            raise SiteError(f"the site's last night is {self.nights[-1].date}, after {night}: set the clock right")
        models = {name: tuple(p for p in points if p.night != night) for name, points in self.models.items()}
        kept = {name: points for name, points in models.items() if points}
        return replace(self, nights=tuple(n for n in self.nights if n.date != night), models=kept)

    def after(self, night: Night, points: Mapping[str, Point]) -> History:
        """The history with one more night; a point that says nothing new is left out."""
        models = dict(self.models)
        for name, point in points.items():
            known = models.get(name, ())
            models[name] = known if known and point.continues(known[-1]) else (*known, point)
        return replace(self, nights=(*self.nights, night), models=models)


def parse_history(text: str, where: str) -> History:
    """Read `data/history.json`.

    Args:
        text: its text.
        where: its path, for the message.

    Raises:
        SiteError: it is damaged, or was written by something else.
    """
    try:
        history = decode(History, json.loads(text))
        dates = [night.date for night in history.nights]
        if history.schema_version != SCHEMA_VERSION:
            raise ValueError(f"has the schema version {history.schema_version}, not {SCHEMA_VERSION}")
        if dates != sorted(set(dates)) or any(_unordered(points, dates) for points in history.models.values()):
            raise ValueError("its nights are not in order")
    except (ValueError, RecursionError) as error:
        raise SiteError(
            f"{where}: is no history of a leaderboard ({error}): nothing was written; put the file back, or name "
            "another folder with --out"
        ) from error
    return history


def history_text(history: History) -> str:
    """The text of `data/history.json`."""
    document = asdict(history)
    return json_text({**document, "models": dict(sorted(document["models"].items()))})


def _unordered(points: tuple[Point, ...], dates: list[str]) -> bool:
    own = [point.night for point in points]
    return not own or own != sorted(set(own)) or not set(own) <= set(dates)


def _same(value: float | None, other: float | None) -> bool:
    if value is None or other is None:
        return value is other
    return isclose(value, other, rel_tol=_SAME)

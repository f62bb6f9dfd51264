"""A site's history: each model's status and score on every night on which they changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isclose
from typing import Literal

from wqscore.leaderboards.decoding import decode
from wqscore.leaderboards.errors import SiteError
from wqscore.rendering.json import json_text

#: Raised when the meaning or the names of the fields change.
SCHEMA_VERSION = 1
#: Values with a smaller relative difference count as equal, since last bits depend on the processor.
_SAME = 1e-9

#: `stale` keeps the row of an earlier night, `failed` never had one, `withdrawn` is no longer in any list.
Status = Literal["scored", "stale", "failed", "withdrawn"]


@dataclass(frozen=True)
class Night:
    """One build.

    Attributes:
        date: ISO date, in UTC.
        version: the version of wqscore.
        models: number of listed models.
        scored: number of those that were scored.
    """

    date: str
    version: str
    models: int
    scored: int


@dataclass(frozen=True)
class Point:
    """A model's state from one night until its next point.

    Attributes:
        night: ISO date.
        status: its status.
        reason: why it could not be scored that night; empty where it was.
        revision: the commit whose values these are, or `None`.
        version: the version of wqscore that computed them.
        values: metrics by name; `None` where one is not defined.
        verdicts: number of rows by verdict.
    """

    night: str
    status: Status
    reason: str
    revision: str | None
    version: str
    values: Mapping[str, float | None]
    verdicts: Mapping[str, int]

    def scores_as(self, other: Point) -> bool:
        """Whether the score is the same in the metrics that both points have."""
        shared = self.values.keys() & other.values.keys()
        return self.verdicts == other.verdicts and all(_same(self.values[n], other.values[n]) for n in shared)

    def continues(self, other: Point) -> bool:
        """Whether nothing has changed since another point except the night, a failure's text or wqscore's version."""
        same = (self.status, self.revision, self.values.keys()) == (other.status, other.revision, other.values.keys())
        return same and self.scores_as(other)


@dataclass(frozen=True)
class History:
    """All nights of a site.

    Attributes:
        schema_version: the version of the file's format.
        nights: oldest first.
        models: each model's points by its name, oldest first.
    """

    schema_version: int = SCHEMA_VERSION
    nights: tuple[Night, ...] = ()
    models: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)

    @property
    def first_nights(self) -> dict[str, str]:
        """The first night of each model."""
        return {name: points[0].night for name, points in self.models.items()}

    def before(self, night: str) -> History:
        """Return the history without a night, so that the night can be written again.

        Raises:
            SiteError: the history has a later night.
        """
        if self.nights and self.nights[-1].date > night:
            raise SiteError(f"the site's last night is {self.nights[-1].date}, after {night}: set the clock right")
        models = {name: tuple(p for p in points if p.night != night) for name, points in self.models.items()}
        kept = {name: points for name, points in models.items() if points}
        return replace(self, nights=tuple(n for n in self.nights if n.date != night), models=kept)

    def after(self, night: Night, points: Mapping[str, Point]) -> History:
        """Return the history with one more night; points without a change are left out."""
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
            f"{where}: is not a leaderboard's history ({error}): nothing was written; restore the file, or name "
            "another folder with --out"
        ) from error
    return history


def history_text(history: History) -> str:
    """Return the text of `data/history.json`."""
    document = asdict(history)
    return json_text({**document, "models": dict(sorted(document["models"].items()))})


def _unordered(points: tuple[Point, ...], dates: list[str]) -> bool:
    own = [point.night for point in points]
    return not own or own != sorted(set(own)) or not set(own) <= set(dates)


def _same(value: float | None, other: float | None) -> bool:
    if value is None or other is None:
        return value is other
    return isclose(value, other, rel_tol=_SAME)

"""A whole site in records: what the pages are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from wqscore.leaderboard.candidates import Candidate
from wqscore.leaderboard.events import Event, of_night
from wqscore.leaderboard.history import History, Point, Status
from wqscore.leaderboard.record import ModelRecord
from wqscore.leaderboard.slugs import slug
from wqscore.metrics.metric import Metric

#: Of a page.
MOST_BYTES = 150_000


@dataclass(frozen=True)
class ListedState:
    """A model as it stands tonight.

    Attributes:
        name: its name.
        status: whether its record is tonight's.
        reason: why it is not, in tonight's words; empty where it is.
        since: the night from which on the status holds.
        record: tonight's, or the last there was; `None` for a model that was never scored.
        points: its history.
        licence: of its list, empty without.
        year: of its list, or `None`.
        family: of its record; of its list where there is none.
    """

    name: str
    status: Status
    reason: str
    since: str
    record: ModelRecord | None
    points: tuple[Point, ...]
    licence: str
    year: int | None
    family: str

    @property
    def slug(self) -> str:
        """The name of its files."""
        return slug(self.name)

    @property
    def changes(self) -> tuple[tuple[Point | None, Point], ...]:
        """Each point with the one before it, oldest first."""
        return tuple(zip((None, *self.points), self.points, strict=False))


@dataclass(frozen=True)
class Known:
    """What is known of the models from elsewhere.

    Attributes:
        y: what it is.
        values: by name of a model.
        notes: how the metrics go with it, a line each.
    """

    y: str
    values: Mapping[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """Everything that the pages tell.

    Attributes:
        title: the heading.
        url: where it is published, empty where that is not told.
        night: tonight, as an ISO date.
        created: the moment of the build.
        by: the metric that ranks.
        metrics: the metrics of every model.
        models: the listed models: ranked ones family by family, then the others.
        withdrawn: models that are in no list any more, by name.
        history: all nights, tonight last.
        events: everything that happened, the latest first.
        known: figures from elsewhere, or `None`.
    """

    title: str
    url: str
    night: str
    created: datetime
    by: Metric
    metrics: tuple[str, ...]
    models: tuple[ListedState, ...]
    withdrawn: tuple[ListedState, ...]
    history: History
    events: tuple[Event, ...]
    known: Known | None

    @property
    def tonight(self) -> tuple[Event, ...]:
        """What happened tonight."""
        return of_night(self.events, self.night)

    @property
    def families(self) -> tuple[str, ...]:
        """The families of the listed models, each once."""
        return tuple(dict.fromkeys(model.family for model in self.models if model.family))


def point_of(record: ModelRecord | None, status: Status, reason: str, night: str) -> Point:
    """A model's point of a night: the values are those of its record, whichever night that is of."""
    if record is None:
        return Point(night, status, reason, None, "", {}, {})
    values = {name: figure.value for name, figure in record.figures.items()}
    return Point(night, status, reason, record.revision, record.version, values, record.verdicts)


def state_of(
    name: str, point: Point, record: ModelRecord | None, history: History, candidate: Candidate | None = None
) -> ListedState:
    """A model as it stands, from tonight's point and the history that has it."""
    points = history.models[name]
    others = [place for place, each in enumerate(points) if each.status != point.status]
    since = points[others[-1] + 1 if others else 0].night
    licence = candidate.licence if candidate else record.licence if record else ""
    year = candidate.year if candidate else record.year if record else None
    listed = (candidate.ref.family or "") if candidate else ""
    family = record.family if record else listed
    return ListedState(name, point.status, point.reason, since, record, points, licence, year, family)

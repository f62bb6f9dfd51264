"""The records that a site's pages are made from: its models, their history, events and published results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from wqscore.cached_property import cached_property
from wqscore.leaderboards.candidates import Candidate
from wqscore.leaderboards.events import Event, of_night
from wqscore.leaderboards.history import History, Point, Status
from wqscore.leaderboards.record import ModelRecord
from wqscore.leaderboards.slugs import file_names
from wqscore.metrics.metric import Metric

#: Size limit of a page.
MAX_BYTES = 150_000


@dataclass(frozen=True)
class ListedState:
    """A model's state tonight.

    Attributes:
        name: its name.
        status: whether it was scored tonight.
        reason: why it could not be scored tonight; empty where it was.
        since: the first night of this status.
        record: tonight's record, or the last one; `None` for a model that was never scored.
        points: its history.
        licence: the licence given in its list, or empty.
        year: the year given in its list, or `None`.
        family: the family of its record, or of its list where it has no record.
        slug: the name of its files.
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
    slug: str

    @property
    def changes(self) -> tuple[tuple[Point | None, Point], ...]:
        """Each point with its predecessor, oldest first."""
        return tuple(zip((None, *self.points), self.points, strict=False))


class SiteFile(NamedTuple):
    """A model and the name of its files."""

    model: str
    slug: str


@dataclass(frozen=True)
class Known:
    """Published results of the models.

    Attributes:
        y: their name, the table's column.
        values: by name of a model.
        notes: the metrics' correlations with them, a line each.
    """

    y: str
    values: Mapping[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """Everything that the pages show.

    Attributes:
        title: the heading.
        url: where it is published; empty where not given.
        night: tonight, as an ISO date.
        created: the moment of the build.
        by: the metric that models are ranked by.
        metrics: the metrics of every model.
        models: the listed models: ranked ones family by family, then the others.
        withdrawn: models that are no longer in any list, by name.
        history: all nights, tonight last.
        events: all events, latest first.
        known: published results, or `None`.
        files: the name of each model's files, those of the history too.
        answers: what the ranking answers of each family, by its name; under an empty name what it answers of models
            of several families, or of none.
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
    files: Mapping[str, str]
    answers: Mapping[str, str]

    @cached_property
    def family_files(self) -> Mapping[str, str]:
        """The name of each family's files."""
        return file_names({model.family: "" for model in (*self.models, *self.withdrawn) if model.family})

    @property
    def tonight(self) -> tuple[Event, ...]:
        """Tonight's events."""
        return of_night(self.events, self.night)

    @property
    def families(self) -> tuple[str, ...]:
        """The families of the listed models, each once."""
        return tuple(dict.fromkeys(model.family for model in self.models if model.family))


def point_of(record: ModelRecord | None, status: Status, reason: str, night: str) -> Point:
    """Return a model's point for a night, with the values of its record, which may be of an earlier night."""
    if record is None:
        return Point(night, status, reason, None, "", {}, {})
    values = {name: figure.value for name, figure in record.figures.items()}
    return Point(night, status, reason, record.revision, record.version, values, record.verdicts)


def state_of(
    point: Point, record: ModelRecord | None, history: History, file: SiteFile, candidate: Candidate | None = None
) -> ListedState:
    """Return a model's state, from tonight's point and a history that includes tonight."""
    name = file.model
    points = history.models[name]
    others = [index for index, each in enumerate(points) if each.status != point.status]
    since = points[others[-1] + 1 if others else 0].night
    licence = candidate.licence if candidate else record.licence if record else ""
    year = candidate.year if candidate else record.year if record else None
    listed = (candidate.ref.family or "") if candidate else ""
    family = record.family if record else listed
    return ListedState(name, point.status, point.reason, since, record, points, licence, year, family, file.slug)

"""The track of a training: what was scored at which step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from wqscore.results import Result, opened

if TYPE_CHECKING:
    import altair as alt

#: What happened at a step at which a score was due.
PointStatus = Literal["scored", "skipped", "failed"]


@dataclass(frozen=True)
class TrackPoint:
    """One step at which a score was due.

    Attributes:
        step: the step.
        status: `scored`; `skipped`, to keep within the share of time; or `failed`.
        reason: why it was skipped or failed; empty if it was scored.
        stalled: seconds that the training waited for the copy of the weights.
        seconds: seconds that the scoring process took.
        document: the score's JSON document, with the values that count in place of its matrices' rows
            (`document_of`); `None` unless scored.
    """

    step: int
    status: PointStatus
    reason: str = ""
    stalled: float = 0.0
    seconds: float = 0.0
    document: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, repr=False)
class Track(Result):
    """The scores of a live model over the steps of its training.

    Attributes:
        name: the model.
        by: the metric that the preset ranks by, which `plot` shows.
        points: the steps at which a score was due, in order.
    """

    name: str
    by: str
    points: tuple[TrackPoint, ...]

    def __repr__(self) -> str:
        """The model, and how many points were scored."""
        counts = ", ".join(
            f"{sum(point.status == status for point in self.points)} {status}"
            for status in ("scored", "skipped", "failed")
        )
        return f"<Track {self.name:.80}: {len(self.points)} points: {counts}>"

    @property
    def scored(self) -> tuple[TrackPoint, ...]:
        """The points that have a score."""
        return tuple(point for point in self.points if point.status == "scored")

    def plot(self, metric: str | None = None) -> alt.TopLevelMixin:
        """Draw a metric over the steps, with its interval, as an Altair chart.

        Args:
            metric: one that was computed; the one that the preset ranks by if `None`.

        Raises:
            UsageError: no point has the metric.
        """
        drawn: alt.TopLevelMixin = opened(self, "chart", metric or self.by)
        return drawn

"""Events: what happened to each model on each night, derived from its history, for the feed and a build's output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wqscore.leaderboards.history import History, Point
from wqscore.rendering.numbers import figure

Kind = Literal["new", "changed", "stale", "failed", "recovered", "withdrawn"]


@dataclass(frozen=True)
class Event:
    """A model's change of status or score on a night.

    Attributes:
        night: ISO date.
        kind: `new`, `changed`, `recovered`, or the new status.
        name: the model's name.
        text: what happened, without the name.
    """

    night: str
    kind: Kind
    name: str
    text: str


def events_of(history: History, by: str) -> tuple[Event, ...]:
    """Return all events, latest night first, models sorted by name.

    A commit that changes no score is not an event.

    Args:
        history: all nights.
        by: the metric whose values are given.
    """
    found = [
        event
        for name, points in history.models.items()
        for before, after in zip((None, *points), points, strict=False)
        if (event := event_between(name, before, after, by))
    ]
    found.sort(key=lambda event: event.name)
    return tuple(sorted(found, key=lambda event: event.night, reverse=True))


def event_between(name: str, before: Point | None, after: Point, by: str) -> Event | None:
    """Return the event between two successive points; `None` for a commit without a change of score."""
    found = _kind_and_text(before, after, by)
    return found and Event(after.night, found[0], name, found[1])


def what_changed(before: Point, after: Point, by: str) -> str:
    """Return how the scores of two points differ, in words; empty where they do not."""
    if after.scores_as(before):
        return ""
    names = [n for n in after.values if n in before.values and figure(after.values[n]) != figure(before.values[n])]
    moved = f"{by} {figure(before.values.get(by))} → {figure(after.values.get(by))}" if by in names else ""
    others = len(names) - (by in names)
    more = f"{others} {'other ' if moved else ''}metric{'' if others == 1 else 's'} changed" if others else ""
    return f"{', '.join(filter(None, (moved, more))) or 'verdicts changed'} ({_cause(before, after)})"


def _kind_and_text(before: Point | None, after: Point, by: str) -> tuple[Kind, str] | None:
    was = before.status if before else None
    if after.status == "scored":
        if before is None or was == "withdrawn":
            again = "back in the lists, " if before else ""
            return "new", f"{again}{by} {figure(after.values.get(by))}"
        change = what_changed(before, after, by) if before.values else f"{by} {figure(after.values.get(by))}"
        if was in ("stale", "failed"):
            return "recovered", f"scored again: {change or 'no change of score'}"
        return ("changed", change) if change else None
    if was == after.status:
        return None
    if after.status == "withdrawn":
        return "withdrawn", "no longer in any list"
    kept = ", its last row is kept" if after.status == "stale" else ""
    return after.status, f"could not be scored{kept}: {after.reason}"


def _cause(before: Point, after: Point) -> str:
    if before.revision != after.revision and after.revision:
        return f"commit {after.revision[:7]}"
    if before.version != after.version:
        return f"wqscore {after.version} instead of {before.version}"
    return "other weights"


def of_night(events: Sequence[Event], night: str) -> tuple[Event, ...]:
    """Return the events of one night."""
    return tuple(event for event in events if event.night == night)

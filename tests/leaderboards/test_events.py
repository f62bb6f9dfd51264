"""A model's events, from its points: each change once, and nothing for a commit that changes no score."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wqscore.errors import UsageError
from wqscore.leaderboards.events import event_between
from wqscore.leaderboards.history import History, Night, Point, history_text, parse_history

OLD = Point("2026-11-22", "scored", "", "a" * 40, "1.0", {"alpha": 3.0, "log_norm": 1.5}, {"ok": 4})
NEXT = replace(OLD, night="2026-11-23", revision="b" * 40)

STEPS = {
    "first": (None, OLD, "new", "alpha 3"),
    "a commit": (OLD, NEXT, None, ""),
    "last bits": (OLD, replace(NEXT, values={"alpha": 3.0 + 1e-12, "log_norm": 1.5}), None, ""),
    "a metric more": (OLD, replace(NEXT, values={**OLD.values, "entropy": 0.5}), None, ""),
    "weights": (
        OLD,
        replace(NEXT, values={"alpha": 3.2, "log_norm": 1.5}),
        "changed",
        "alpha 3 → 3.2 (commit bbbbbbb)",
    ),
    "another metric": (
        OLD,
        replace(NEXT, values={"alpha": 3.0, "log_norm": 1.6}),
        "changed",
        "1 metric changed (commit bbbbbbb)",
    ),
    "a version": (
        OLD,
        replace(OLD, version="1.1", values={"alpha": 3.2, "log_norm": None}),
        "changed",
        "alpha 3 → 3.2, 1 other metric changed (wqscore 1.1 instead of 1.0)",
    ),
    "a folder": (OLD, replace(OLD, verdicts={"ok": 3, "trap": 1}), "changed", "verdicts changed (other weights)"),
    "a failure": (
        OLD,
        replace(NEXT, status="stale", reason="HTTP 500", revision="a" * 40),
        "stale",
        "could not be scored, its last row is kept: HTTP 500",
    ),
    "a failure more": (replace(OLD, status="stale", reason="x"), replace(NEXT, status="stale", reason="y"), None, ""),
    "recovery": (
        replace(OLD, status="stale"),
        NEXT,
        "recovered",
        "scored again: no change of score",
    ),
    "at last": (replace(OLD, status="failed", values={}), NEXT, "recovered", "scored again: alpha 3"),
    "withdrawal": (OLD, replace(NEXT, status="withdrawn"), "withdrawn", "no longer in any list"),
    "back": (replace(OLD, status="withdrawn"), NEXT, "new", "back in the lists, alpha 3"),
}


@pytest.mark.parametrize("step", STEPS)
def test_what_is_told(step: str) -> None:
    before, after, kind, text = STEPS[step]
    event = event_between("org/name", before, after, "alpha")
    assert (event.kind if event else None, event.text if event else "") == (kind, text)


def nights(*points: Point) -> History:
    history = History()
    for point in points:
        history = history.before(point.night).after(Night(point.night, "1.0", 1, 1), {"org/name": point})
    return history


def test_a_night_that_says_nothing_new_adds_no_point() -> None:
    last = replace(OLD, night="2026-11-24", version="1.1")
    history = nights(OLD, replace(OLD, night="2026-11-23"), last)
    assert [night.date for night in history.nights] == ["2026-11-22", "2026-11-23", "2026-11-24"]
    assert history.models["org/name"] == (OLD,)


def test_a_night_replaces_itself() -> None:
    other = replace(NEXT, values={"alpha": 9.0})
    assert nights(OLD, other, NEXT) == nights(OLD, NEXT)


def test_the_file_is_read_as_it_was_written() -> None:
    history = nights(OLD, replace(NEXT, status="stale", reason="\u202e<b>"), replace(OLD, night="2026-11-24"))
    assert parse_history(history_text(history), "history.json") == history


def test_a_night_before_the_last_is_refused() -> None:
    with pytest.raises(UsageError, match="last night is 2026-11-23"):
        nights(NEXT, OLD)

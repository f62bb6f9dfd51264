"""Three nights of a leaderboard, with the real Hub client: models that are added, change, fail and are withdrawn."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import feedparser
import pytest

from tests.hub_server import FOREVER, HubServer
from tests.leaderboards.nights import FIRST, SECOND, THIRD, Nights, contents, files

A, B, C, D, E = "org/steady", "org/tuned", "org/documented", "org/gone", "org/flaky"
FRESH = "org/fresh"
Played = tuple[Nights, list[subprocess.CompletedProcess[str]]]
ATOM = "{http://www.w3.org/2005/Atom}"


def play(nights: Nights) -> list[subprocess.CompletedProcess[str]]:
    """The three nights; the Hub changes between them."""
    hub = nights.hub
    for seed, name in enumerate((A, B, C, D, E)):
        hub.add(name, files(seed))
    first = nights.build(FIRST, A, B, C, D, E)
    hub.add(B, files(11))
    hub.add(C, files(2, "# a better text"))
    hub.add(FRESH, files(12))
    del hub.repos[D]
    hub.fault(f"/api/models/{E}", times=FOREVER, status=500, headers={"Retry-After": "0"})
    second = nights.build(SECOND, A, B, C, D, E, FRESH)
    hub.faults.clear()
    third = nights.build(THIRD, A, B, C, E, FRESH)
    return [first, second, third]


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Played]:
    with HubServer() as hub:
        nights = Nights(hub, tmp_path_factory.mktemp("nights"))
        yield nights, play(nights)


def test_the_command_says_what_changed(played: Played) -> None:
    _, (first, second, third) = played
    assert [done.returncode for done in (first, second, third)] == [0, 3, 0], [d.stderr for d in played[1]]
    assert first.stdout.startswith("2026-11-22: 5 models, 5 new\n")
    assert second.stdout.startswith("2026-11-23: 6 models, ")
    assert "  changed: org/tuned: alpha " in second.stdout
    assert "  new: org/fresh: alpha " in second.stdout
    assert "  stale: org/gone: could not be scored, its last row is kept: no such model on the Hub" in second.stdout
    assert "  stale: org/flaky: could not be scored, its last row is kept: " in second.stdout
    assert "org/documented" not in second.stdout
    assert "  recovered: org/flaky: scored again: no change of score" in third.stdout
    assert "  withdrawn: org/gone: no longer in any list" in third.stdout
    assert all(done.stdout.endswith("site: site/index.html\n") for done in (first, second, third))


def test_the_history_has_a_point_for_each_change(
    played: Played,
) -> None:
    nights, _ = played
    history = nights.data("history.json")
    assert [night["date"] for night in history["nights"]] == ["2026-11-22", "2026-11-23", "2026-11-24"]
    assert [(night["models"], night["scored"]) for night in history["nights"]] == [(5, 5), (6, 4), (5, 5)]
    told = {
        name: [(point["night"][-2:], point["status"]) for point in points]
        for name, points in history["models"].items()
    }
    assert told == {
        A: [("22", "scored")],
        B: [("22", "scored"), ("23", "scored")],
        C: [("22", "scored"), ("23", "scored")],
        D: [("22", "scored"), ("23", "stale"), ("24", "withdrawn")],
        E: [("22", "scored"), ("23", "stale"), ("24", "scored")],
        FRESH: [("23", "scored")],
    }
    before, after = history["models"][C]
    assert before["values"] == after["values"]
    commits = list(nights.hub.repos[C].commits)
    assert [before["revision"], after["revision"]] == commits
    before, after = history["models"][B]
    assert not math.isclose(before["values"]["alpha"], after["values"]["alpha"], rel_tol=1e-6)
    assert history["models"][D][0]["values"] == history["models"][D][2]["values"]


def test_the_feed_tells_of_scores_and_not_of_readmes(
    played: Played,
) -> None:
    nights, _ = played
    root = ElementTree.parse(nights.site / "feed.xml").getroot()
    entries = [
        (entry.findtext(f"{ATOM}updated", "")[8:10], entry.find(f"{ATOM}category").attrib["term"], title)  # type: ignore[union-attr]
        for entry in root.iter(f"{ATOM}entry")
        for title in [entry.findtext(f"{ATOM}title", "").split(":")[0]]
    ]
    assert sorted(entries) == sorted(
        [
            *(("22", "new", name) for name in (A, B, C, D, E)),
            ("23", "changed", B),
            ("23", "new", FRESH),
            ("23", "stale", D),
            ("23", "stale", E),
            ("24", "recovered", E),
            ("24", "withdrawn", D),
        ]
    )
    assert [night for night, _, _ in entries] == sorted((night for night, _, _ in entries), reverse=True)
    links = [link.attrib["href"] for entry in root.iter(f"{ATOM}entry") for link in entry.iter(f"{ATOM}link")]
    pages = [link.removeprefix("https://toys.example/board/") for link in links]
    assert all((nights.site / page).is_file() for page in pages)


def test_feed_readers_read_the_feed(played: Played) -> None:
    read = feedparser.parse((played[0].site / "feed.xml").read_bytes())
    assert not read.bozo
    assert read.version == "atom10"
    assert read.feed.title == "Toys"
    assert len({entry.id for entry in read.entries}) == len(read.entries) == 11


def test_the_row_of_a_failed_night_is_the_last_one(tmp_path: Path) -> None:
    with HubServer() as hub:
        nights = Nights(hub, tmp_path)
        hub.add(A, files(0))
        hub.add(B, files(1))
        assert nights.build(FIRST, A, B).returncode == 0
        before = nights.rows()[B]
        hub.fault(f"/api/models/{B}", times=FOREVER, status=500, headers={"Retry-After": "0"})
        assert nights.build(SECOND, A, B, C).returncode == 3
        row = nights.rows()[B]
        assert (row["status"], row["since"], row["scored"]) == ("stale", "2026-11-23", "2026-11-22")
        assert "HTTP 500" in row["reason"]
        told = {"status", "since", "reason"}
        assert {k: v for k, v in row.items() if k not in told} == {k: v for k, v in before.items() if k not in told}
        never = nights.rows()[C]
        assert (never["status"], never["alpha"], never["rank"]) == ("failed", None, None)
        assert nights.build(THIRD, A, B, C).returncode == 3
        assert nights.rows()[B]["since"] == "2026-11-23"
        feed = (nights.site / "feed.xml").read_text(encoding="utf-8")
        assert (
            feed.count("<title>org/tuned: stale</title>") == feed.count("<title>org/documented: failed</title>") == 1
        )


def test_the_same_nights_give_the_same_bytes(played: Played, tmp_path: Path) -> None:
    nights, _ = played
    before = contents(nights.site)
    with HubServer() as hub:
        again = Nights(hub, tmp_path)
        play(again)
        assert contents(again.site) == before
        # The last night once more, and then from a store that has nothing.
        assert again.build(THIRD, A, B, C, E, FRESH).returncode == 0
        assert contents(again.site) == before
        (tmp_path / "store.sqlite").unlink()
        assert again.build(THIRD, A, B, C, E, FRESH).returncode == 0
        assert contents(again.site) == before


def test_a_clock_that_runs_backwards_is_refused(tmp_path: Path) -> None:
    with HubServer() as hub:
        nights = Nights(hub, tmp_path)
        hub.add(A, files(0))
        assert nights.build(SECOND, A).returncode == 0
        before = contents(nights.site)
        done = nights.build(FIRST, A)
        assert done.returncode == 2
        assert done.stderr.startswith("wqscore: the site's last night is 2026-11-23")
        assert contents(nights.site) == before

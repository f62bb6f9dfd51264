"""Every kind of fault in a site is found, and reported with its file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wqscore.cli import app
from wqscore.leaderboards.checking import check_site


@pytest.fixture
def site(toys: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toys, tmp_path / "site"))


def edit(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def done(site: Path) -> None:
        before = (site / name).read_text(encoding="utf-8")
        after = change(before)
        assert after != before
        (site / name).write_text(after, encoding="utf-8")

    return done


def first_model(**values: object) -> Callable[[str], str]:
    def change(text: str) -> str:
        document = json.loads(text)
        document["models"][0] |= values
        return json.dumps(document)

    return change


MODEL = "models/toy-1.html"
BROKEN = {
    "a page is gone": (lambda site: (site / MODEL).unlink(), f"{MODEL}: is missing"),
    "a badge is gone": (lambda site: (site / "badges/toy-1.svg").unlink(), "links to ../badges/toy-1.svg"),
    "a link": (edit("index.html", lambda t: t.replace("data/schema.html", "data/sketch.html")), "data/sketch.html"),
    "a fragment": (edit(MODEL, lambda t: t.replace("#alpha_hill", "#alpha_hell")), "there is no 'alpha_hell'"),
    "not text": (lambda site: (site / MODEL).write_bytes(b"\xff<a href='x.html'>"), f"{MODEL}: links to x.html"),
    "outside": (edit("index.html", lambda t: t.replace('"feed.xml"', '"../outside.txt"')), "outside the site"),
    "a script": (
        edit("index.html", lambda t: t.replace("assets/site.js", "https://cdn.example/site.js")),
        "loads https://cdn.example/site.js, from elsewhere",
    ),
    "a link elsewhere": (
        edit(MODEL, lambda t: t.replace('href="../feed.xml">', 'href="http://example.org/">')),
        "neither the site nor the Hub",
    ),
    "a link too long for a file": (
        edit("index.html", lambda t: t.replace('"feed.xml"', f'"{"x" * 300}.xml"')),
        "xxx.xml, which is not there",
    ),
    "a link that is no address": (
        edit("index.html", lambda t: t.replace('"feed.xml"', '"http://[x"')),
        "http://[x, which is no address",
    ),
    "a page of no end": (lambda site: os.truncate(site / MODEL, 2**40), f"{MODEL}: can't be read: is larger than"),
    "a declaration that is none": (
        lambda site: (site / MODEL).write_bytes(b"<![CDADA["),
        f"{MODEL}: can't be read: unknown status keyword",
    ),
    "tags without an end": (
        lambda site: (site / MODEL).write_bytes(b"<img src='" * 25_000),
        f"{MODEL}: can't be read: has many tags without an end",
    ),
    "an encoding": (edit("feed.xml", lambda t: t.replace("utf-8", "utf9")), "feed.xml: is not well-formed: unknown"),
    "a large page": (edit(MODEL, lambda t: t + " " * 150_000), "more than 150,000"),
    "a value's type": (edit("data/models.json", first_model(alpha="low")), "alpha is 'low', not a number"),
    "a missing name": (edit("data/models.json", first_model(model=None)), "model is None"),
    "a column more": (edit("data/models.json", first_model(extra=1)), "other columns than the schema"),
    "a page that is not there": (
        edit("data/models.json", first_model(page="models/x.html")),
        "models/x.html is missing",
    ),
    "data that are none": (edit("data/models.json", lambda t: t[:50]), "data/models.json: is not a table of models"),
    "a row less": (edit("data/models.csv", lambda t: t[: t.rindex("\n", 0, -1) + 1]), "does not have the 4 rows"),
    "a header": (
        edit("data/models.csv", lambda t: t.replace("alpha_interval_lo", "alpha_low")),
        "data/models.csv: has other",
    ),
    "a history": (edit("data/history.json", lambda t: t[:50]), "data/history.json: "),
    "a record": (lambda site: (site / "data/models/toy-1.json").unlink(), "data/models/toy-1.json: is missing"),
    "a feed": (edit("feed.xml", lambda t: t.replace("</feed>", "")), "feed.xml: is not well-formed"),
    "an entry": (
        edit("feed.xml", lambda t: t.replace("<id>", "<i>").replace("</id>", "</i>")),
        "without id",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_it_is_found(site: Path, kind: str) -> None:
    (site.parent / "outside.txt").write_text("")
    breaking, finding = BROKEN[kind]
    breaking(site)  # type: ignore[no-untyped-call]
    assert finding in "\n".join(found := check_site(site))
    assert max(map(len, found)) <= 501


def test_a_whole_site_has_nothing_wrong(toys: Path) -> None:
    assert check_site(toys) == []


def test_the_exit_code_says_it(site: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["leaderboard", "check", str(site)]).exit_code == 0
    (site / MODEL).unlink()
    done = CliRunner().invoke(app, ["leaderboard", "check", str(site)])
    assert done.exit_code == 1
    assert f"{MODEL}: is missing" in done.stdout.splitlines()
    other = CliRunner().invoke(app, ["leaderboard", "check", str(tmp_path)])
    assert other.exit_code == 2
    assert "is not a leaderboard" in other.output

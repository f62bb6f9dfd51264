"""Pages stay under 150 kB, whatever is on them, and say what they leave out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.leaderboards.conftest import LONG, NIGHT, build_at, listed, write_model
from wqscore.leaderboards.building import Built
from wqscore.leaderboards.history import Point
from wqscore.leaderboards.pages.site import site_pages
from wqscore.leaderboards.record import ModelRecord
from wqscore.leaderboards.site import Site


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("one")
    return build_at(NIGHT, [listed(write_model(folder / "model", 0), "toy")], folder / "site")


def with_matrices(site: Site, count: int, name: str) -> Site:
    """The same site, its model with many matrices, the last of which is not sound."""
    model = site.models[0]
    assert isinstance(model.record, ModelRecord)
    first = model.record.matrices[0]
    many = [replace(first, name=f"{name}.{i}", depth=i // 8, verdict="ok", alpha=2 + i / 1000) for i in range(count)]
    many[-1] = replace(many[-1], verdict="trap", alpha=2.0)
    return replace(site, models=(replace(model, record=replace(model.record, matrices=tuple(many))),))


@pytest.mark.parametrize("name", ["layer", LONG])
def test_a_model_of_thousands_of_matrices_shows_those_worth_a_look(built: Built, name: str) -> None:
    text = site_pages(with_matrices(built.site, 3000, name))["models/toy.html"]()
    assert len(text.encode()) < 150_000
    said = re.search(r"The (\d+) of 3000 matrices to check first", text)
    assert said is not None
    table = text[text.index('id="matrices-table"') :]
    shown = re.findall(rf"<code>{name}\.(\d+)</code>", table[: table.index("</table>")])
    assert len(shown) == int(said[1])
    # The one that is not sound, then by alpha, which rises with the number.
    assert shown == ["2999", *(str(i) for i in range(2998, 2998 - len(shown) + 1, -1))]


def test_a_model_of_few_shows_all_of_them(built: Built) -> None:
    text = site_pages(with_matrices(built.site, 60, "layer"))["models/toy.html"]()
    assert "to check first" not in text
    assert len(re.findall(r"<code>layer\.\d+</code>", text)) == 60


def test_years_of_changes_and_long_names_fit(built: Built) -> None:
    site = with_matrices(built.site, 290, LONG)
    model = site.models[0]
    points = tuple(
        Point(f"2026-{month:02}-{day:02}", status, LONG, "a" * 40, "1", {"alpha": 2.0 + day}, {"ok": day})
        for month in range(1, 13)
        for day in range(1, 28)
        for status in [("scored", "stale")[day % 2]]
    )
    aged = replace(site, models=(replace(model, points=points),))
    text = site_pages(aged)["models/toy.html"]()
    assert len(text.encode()) < 150_000
    assert "And 284 earlier" in text


def test_an_index_of_long_names_fits(built: Built) -> None:
    model = built.site.models[0]
    names = [f"{i}-{LONG}" for i in range(300)]
    models = tuple(
        replace(model, name=name, slug=f"{LONG[:60]}~{place:08}", family=name, reason=LONG, status="failed")
        for place, name in enumerate(names)
    )
    event = built.site.events[0]
    site = replace(
        built.site,
        title=LONG,
        models=models,
        withdrawn=models,
        events=tuple(replace(event, name=name, text=LONG) for name in names),
        files={each.name: each.slug for each in models},
        answers=dict.fromkeys(["", *names], LONG * 2),
    )
    pages = site_pages(site)
    for name in (name for name in pages if name.startswith("index")):
        assert len(pages[name]().encode()) < 150_000

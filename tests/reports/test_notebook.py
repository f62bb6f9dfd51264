"""Notebook output through an independent parser: tables of text and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from safetensors.numpy import save_file

import wqscore
from tests.oracles import Oracle
from tests.rounding import expected
from tests.small_models import HOSTILE, LONG, bert
from wqscore.escaping import printable
from wqscore.ranking.ranking import Ranking, rank_alone
from wqscore.refs.reference import ModelRef
from wqscore.reports.overview import remarks
from wqscore.reports.trust import warning_notes

webdriver = Oracle("selenium", "webdriver")
By = Oracle("selenium.webdriver.common.by", "By")


ALLOWED = {"table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li", "bdi", "p", "strong"}


class Page(HTMLParser):
    """The elements of a fragment, and the text of each cell, title and item."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        assert attrs in ([], [("scope", "col")])
        if tag == "bdi":
            self.texts.append((self.open[-1], ""))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert self.open[-1] == "bdi"
        place, text = self.texts[-1]
        self.texts[-1] = (place, text + data)

    def of(self, place: str) -> list[str]:
        return [text for where, text in self.texts if where == place]


def test_a_ranking_has_every_model_and_reason(ranking: Ranking) -> None:
    page = Page(ranking._repr_html_())
    columns = len(page.of("th"))
    assert page.of("td")[1::columns] == [model.ref.label for model in ranking.models]
    assert page.of("li") == [*warning_notes(ranking), *remarks(ranking)]
    assert [text for text in page.of("td") if "nan" in text.lower() or "inf" in text.lower()] == []


def test_a_score_has_its_summary_and_first_looks(ranking: Ranking) -> None:
    score = ranking.scores[2]
    cells = Page(score._repr_html_()).of("td")
    found = score.summary.statistics["alpha"]
    width = found.interval.hi - found.interval.lo if found.interval else None
    assert cells[cells.index("alpha") + 1] == expected(found.median, width)
    assert {row.matrix.name for row in score.layers if row.verdict in ("non-finite", "zero")} <= set(cells)


def test_a_description_has_its_tensors(tmp_path: Path) -> None:
    save_file(bert(0), tmp_path / "model.safetensors")
    page = Page(replace(wqscore.describe(str(tmp_path)), every_tensor=True)._repr_html_())
    assert len(page.of("td")) == 20 * 6
    assert "bert.encoder.layer.0.attention.self.query.weight" in page.of("td")
    assert page.of("li")[-1] == f"and {len(bert(0)) - 20} more tensors"
    grouped = Page(wqscore.describe(str(tmp_path))._repr_html_())
    assert sum(int(cells) for cells in grouped.of("td")[1::4]) == len(bert(0))


def test_hostile_names_are_text(hostile_ranking: Ranking) -> None:
    page = Page(hostile_ranking._repr_html_())
    assert {printable(HOSTILE), LONG} <= set(page.of("td"))
    for score in hostile_ranking.scores:
        Page(score._repr_html_())


def test_control_characters_are_escaped_wherever_they_stand(ranking: Ranking, tmp_path: Path) -> None:
    odd = "a\x1b[31m\n\u202eb\x7f"
    score = replace(ranking.scores[0], ref=ModelRef(odd, "folder"), remarks=(f"left out: {odd}",))
    tensors = {f"{odd}{place}.weight": value for place, value in enumerate(bert(0).values())}
    save_file(tensors, tmp_path / "model.safetensors")
    described = replace(wqscore.describe(str(tmp_path)), every_tensor=True)
    alone = rank_alone(score)
    for shown in (score, alone, alone.models[0], described):
        page = shown._repr_html_()
        assert page.isprintable()
        assert r"a\x1b[31m\n\u202eb\x7f" in page


@pytest.mark.oracle("axe_core_python", "selenium")
def test_a_browser_runs_and_fetches_nothing(
    browser: webdriver.Chrome, hostile_ranking: Ranking, tmp_path: Path
) -> None:
    pieces = [hostile_ranking._repr_html_(), *(score._repr_html_() for score in hostile_ranking.scores)]
    file = tmp_path / "cell.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><body>{''.join(pieces)}", encoding="utf-8")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(file.as_uri())
    assert browser.find_elements(By.CSS_SELECTOR, "script, img, style, link, iframe") == []
    cells = browser.find_elements(By.CSS_SELECTOR, "td")
    assert printable(HOSTILE) in [cell.get_property("textContent") for cell in cells]
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [each["params"] for each in sent if each["method"] == "Network.requestWillBeSent"]
    asked = [each["request"]["url"] for each in requests if each["documentURL"] == file.as_uri()]
    assert asked == [file.as_uri()]


def test_a_name_without_an_encoding_can_be_saved(ranking: Ranking) -> None:
    score = replace(ranking.scores[0], ref=ModelRef("a\udcffb", "folder"))
    assert r"a\udcffb" in score._repr_html_().encode("utf-8").decode()

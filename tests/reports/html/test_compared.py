"""Models and pairs compared in a real Chromium: every mark and number equals one computed elsewhere."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.oracles import Oracle
from tests.reports.html.asking import Visit, column, marks, wait_for_charts
from tests.reports.html.parsed import Page
from tests.rounding import expected, expected_ends
from tests.small_models import bert
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.refs.reference import ModelRef
from wqscore.reports.csv import layers_csv, pairs_csv
from wqscore.reports.html.ranking_marks import AXIS, ranking_marks, tie_lanes
from wqscore.scoring.score_checkpoint import score_checkpoint

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

By = Oracle("selenium.webdriver.common.by", "By")
Select = Oracle("selenium.webdriver.support.select", "Select")
WebDriverWait = Oracle("selenium.webdriver.support.wait", "WebDriverWait")


def alphas(ranking: Ranking, model: str) -> dict[str, float]:
    """Alpha by matrix, as a reader of layers.csv has it."""
    rows = csv.DictReader(StringIO(layers_csv(ranking.scores)))
    return {row["name"]: float(row["alpha"]) for row in rows if row["model"] == model and row["alpha"]}


def differences(ranking: Ranking, first: str, second: str) -> dict[str, float]:
    one, other = alphas(ranking, first), alphas(ranking, second)
    return {name: one[name] - other[name] for name in one.keys() & other.keys()}


def shown_differences(browser: Chrome) -> dict[str, float]:
    return dict(
        zip(column(browser, "changes-table", 0), map(float, column(browser, "changes-table", 5)), strict=True)
    )


def wait_until_written(browser: Chrome, file: Path, size: int) -> None:
    """Until a download, which is named at once and written some moments later, has its size."""
    WebDriverWait(browser, 120).until(lambda _: file.is_file() and file.stat().st_size == size)


@pytest.mark.oracle("axe_core_python", "selenium")
def test_a_mark_for_every_model_and_for_every_matrix_of_those_compared(
    visit: Visit, html: str, ranking: Ranking
) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    scored = [score for score in ranking.scores if np.isfinite(score.summary.statistics["alpha"].median)]
    browser.find_element(By.CSS_SELECTOR, "#sizes summary").click()
    WebDriverWait(browser, 120).until(lambda _: len(marks(browser, "chart-size")) == len(scored))
    assert len(browser.find_elements(By.CSS_SELECTOR, "#chart-size .ring_marks path")) == 1
    boxes = browser.find_elements(By.CSS_SELECTOR, "#compared input")
    assert len(boxes) == len(ranking.scores)
    for box in boxes:
        if box.is_selected():
            box.click()
    boxes[1].click()
    name = ranking.scores[1].ref.label
    points = ".points_marks path"
    WebDriverWait(browser, 120).until(
        lambda _: len(browser.find_elements(By.CSS_SELECTOR, f"#chart-roles {points}")) == len(alphas(ranking, name))
    )
    assert browser.current_url.endswith("#compare=" + name.replace("/", "%2F"))
    Select(browser.find_element(By.ID, "metric")).select_by_visible_text("stable_rank")
    defined = sum(np.isfinite(layer.metrics["stable_rank"]) for layer in ranking.scores[1].layers)
    WebDriverWait(browser, 120).until(
        lambda _: len(browser.find_elements(By.CSS_SELECTOR, f"#chart-roles {points}")) == defined
    )
    assert browser.get_log("browser") == []


@pytest.mark.oracle("axe_core_python", "selenium")
def test_a_click_on_a_mark_brings_its_matrix_up_everywhere(visit: Visit, html: str) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    browser.find_element(By.CSS_SELECTOR, "#matrix-by-matrix summary").click()
    WebDriverWait(browser, 120).until(lambda _: marks(browser, "chart-pair"))
    for chart in ("#chart-roles", "#chart-pair"):
        before = browser.current_url
        for number in (3, 4, 5):
            # Every click draws the marks anew.
            browser.find_elements(By.CSS_SELECTOR, f"{chart} .points_marks path")[number].click()
        assert browser.current_url != before
        name = Select(browser.find_element(By.ID, "explorer-layer")).first_selected_option.text
        row = browser.find_element(By.CSS_SELECTOR, "table.layers tr[aria-current]")
        assert row.find_element(By.TAG_NAME, "th").get_attribute("textContent") == name


@pytest.mark.oracle("axe_core_python", "selenium")
def test_the_pairs_matrices_differ_by_what_layers_csv_says(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    for number, pair in enumerate(ranking.pairs):
        button = browser.find_element(By.CSS_SELECTOR, f"#pairs-table tr[data-pair='{number}'] button")
        button.click()
        more = browser.find_element(By.ID, "more-changes")
        if more.is_displayed():
            more.click()
        expected = differences(ranking, pair.ahead.label, pair.behind.label)
        shown = shown_differences(browser)
        assert shown == pytest.approx(expected, rel=5.1e-4)
        assert [abs(value) for value in shown.values()] == sorted(map(abs, shown.values()), reverse=True)
        finding = browser.find_element(By.ID, "pair-finding").text
        assert f"over {len(expected)} matrices" in finding
        assert f"typical change of alpha is {median(map(abs, expected.values())):.4g}" in finding
        assert next(iter(shown)) in finding
    Select(browser.find_element(By.ID, "pair-metric")).select_by_visible_text("log_norm")
    by_name = [{layer.matrix.name: layer.metrics["log_norm"] for layer in s.layers} for s in ranking.scores]
    labels = [score.ref.label for score in ranking.scores]
    last = ranking.pairs[-1]
    one, other = (by_name[labels.index(ref.label)] for ref in (last.ahead, last.behind))
    both = [name for name in one.keys() & other.keys() if np.isfinite(one[name] - other[name])]
    expected = {name: one[name] - other[name] for name in both}
    assert shown_differences(browser) == pytest.approx(expected, rel=5.1e-4, abs=1e-12)


@pytest.mark.oracle("axe_core_python", "selenium")
def test_three_clicks_from_the_ranking_to_a_spectrum(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    browser.find_element(By.LINK_TEXT, "Pairs").click()
    browser.find_element(By.CSS_SELECTOR, "#pairs-table tr[data-pair='1'] button").click()
    picked = browser.find_element(By.CSS_SELECTOR, "#changes-table tbody button")
    name = picked.text
    picked.click()
    pair = ranking.pairs[1]
    assert max(differences(ranking, pair.ahead.label, pair.behind.label).items(), key=lambda d: abs(d[1]))[0] == name
    assert Select(browser.find_element(By.ID, "explorer-layer")).first_selected_option.text == name
    assert len(marks(browser, "chart-spectrum")) > 15


def test_the_pairs_table_says_without_scripts_how_much_and_where(html: str, ranking: Ranking) -> None:
    tables = [Page(html).table(name) for name in ("pairs-table", "pairs-details")]
    columns = [head for table in tables for head in table.header]
    cells = [
        dict(zip(columns, [*one, *more], strict=True)) for one, more in zip(*(t.body for t in tables), strict=True)
    ]
    assert len(cells) == len(ranking.pairs) == 3
    for row, pair in zip(cells, ranking.pairs, strict=True):
        found = differences(ranking, pair.ahead.label, pair.behind.label)
        where, largest = max(found.items(), key=lambda item: abs(item[1]))
        assert row["in"] == where
        assert float(row["largest change"]) == pytest.approx(largest, rel=5.1e-4)
        assert float(row["typical change"]) == pytest.approx(median(map(abs, found.values())), rel=5.1e-4)
        assert float(row["p"]) == pytest.approx(pair.difference.p, rel=5.1e-4)
        assert float(row["p, Holm"]) == pytest.approx(pair.difference.p_holm, rel=5.1e-4)


def test_verdicts_are_counted_and_their_bar_is_as_long(html: str, ranking: Ranking) -> None:
    table = Page(html).table("verdicts-table")
    for row, score in zip(table.body, ranking.scores, strict=True):
        told = dict(zip((head.strip() for head in table.header), row, strict=True))
        verdicts = [layer.verdict for layer in score.layers]
        assert {name: int(count) for name, count in list(told.items())[2:-1] if int(count)} == {
            verdict: verdicts.count(verdict) for verdict in verdicts
        }
        assert int(told["matrices"]) == len(verdicts)


def test_every_interval_holds_its_number_and_is_drawn_to_scale(ranking: Ranking) -> None:
    (drawn,) = ranking_marks(ranking)
    assert drawn.band is not None
    assert drawn.low <= 2 < 6 <= drawn.high
    ranked = [model for model in ranking.models if model.rank]
    assert drawn.models == tuple(ranked)
    widest = max(model.interval.hi - model.interval.lo for model in ranked if model.interval)
    for mark, model in zip(drawn.placed, ranked, strict=True):
        assert mark.interval is not None
        assert mark.interval == model.interval
        assert mark.text == expected_ends(*mark.interval, widest)
        assert mark.shown == expected(mark.value, widest)
        assert drawn.low <= mark.interval.lo <= mark.value <= mark.interval.hi <= drawn.high
        places = [(mark.interval.lo, mark.start), (mark.value, mark.at), (mark.interval.hi, mark.end)]
        places += [*zip((2, 6), drawn.band, strict=True), *((float(text), place) for text, place in drawn.ticks)]
        for number, place in places:
            assert drawn.low + place / AXIS * (drawn.high - drawn.low) == pytest.approx(number, rel=1e-2)


def test_a_metric_of_whole_models_has_bars_from_zero_and_no_interval(tmp_path: Path) -> None:
    metrics = ("alpha", "param_norm")
    scores = []
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        save_file({name: value * (1 + seed) for name, value in bert(seed).items()}, folder / "model.safetensors")
        ref = ModelRef(f"m{seed}", "folder", path=folder)
        scores.append(score_checkpoint(open_checkpoint(ref), "bert", metrics=metrics))
    ranking = rank_models(scores, by="param_norm", metrics=metrics)
    (drawn,) = ranking_marks(ranking)
    assert drawn.band is None
    assert drawn.low == 0
    for mark in drawn.placed:
        assert mark.start == 0
        assert mark.end == pytest.approx(mark.value / drawn.high * AXIS, abs=0.06)
        assert mark.interval is None
        assert mark.text == "–"
    page = Page(ranking.to_html())
    assert "from 0" in [head.strip() for head in page.table("ranking-table").header]
    assert not any(table.attributes.get("id") == "pairs-table" for table in page.tables)


@pytest.mark.parametrize(
    ("ties", "lanes"),
    [
        ([["a"], ["a"], []], (("a",), ("a",), ("",))),
        ([["a"], ["a", "b"], ["b", "c"], ["c"]], (("a", ""), ("a", "b"), ("c", "b"), ("c", ""))),
        ([["a"], ["b"], ["a", "b"]], (("a", ""), ("", "b"), ("a", "b"))),
        ([[], []], ((), ())),
    ],
)
def test_groups_of_the_same_models_have_lanes_of_their_own(ties: list[list[str]], lanes: tuple[object, ...]) -> None:
    assert tie_lanes(ties) == lanes


@pytest.mark.oracle("axe_core_python", "selenium")
def test_what_is_downloaded_is_what_the_folder_has(
    visit: Visit, html: str, ranking: Ranking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    browser = visit(ranking.to_html())
    wait_for_charts(browser)
    target = tmp_path / "downloads"
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(target)})
    expected = {
        "ranking.csv": ranking.to_csv(),
        "pairs.csv": pairs_csv(ranking),
        "layers.csv": layers_csv(ranking.scores),
        "ranking.json": ranking.to_json(),
    }
    for name, text in expected.items():
        browser.find_element(By.CSS_SELECTOR, f"button[data-file='{name}']").click()
        file = target / name
        content = text.encode("utf-8", "backslashreplace")
        wait_until_written(browser, file, len(content))
        assert file.read_bytes() == content
    assert browser.execute_script("return window.violations") == []
    assert browser.get_log("browser") == []


def test_without_an_interval_a_dash_stands_there_and_a_dot_alone_is_drawn(tmp_path: Path) -> None:
    """Each role has one matrix: there is nothing to resample."""
    rng = np.random.default_rng(0)
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    factors = {name: rng.standard_normal((2, 64, 60)) * rng.pareto(2, 60) for name in names}
    tensors = {f"model.layers.0.self_attn.{name}.weight": (a @ b.T).astype("f4") for name, (a, b) in factors.items()}
    save_file(tensors, tmp_path / "model.safetensors")
    score = score_checkpoint(open_checkpoint(ModelRef("one-layer", "folder", path=tmp_path)))
    page = Page(rank_models([score], by="log_norm").to_html())
    (row,) = page.table("ranking-table").body
    assert "–" in [cell.strip() for cell in row]
    assert not [attributes for _, attributes in page.elements if "nan" in (attributes.get("d") or "").lower()]

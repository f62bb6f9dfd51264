"""The page of a study: every number of it, every point where it belongs, no script, and names that stay names."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from tests.axe import serious_violations
from tests.examples import sized
from tests.oracles import Oracle
from tests.reports.html.asking import Visit
from tests.reports.html.parsed import Page, Table
from tests.small_models import HOSTILE, LONG
from tests.studies.published import LEADERBOARD, TAXONOMY, TORCHVISION, published
from wqscore.errors import UsageError
from wqscore.rendering.folder import ReportError
from wqscore.rendering.html.palette import BLUE, GREEN, INK, MARKS, ORANGE, OTHERS, PINK, SKY, VERMILLION
from wqscore.rendering.html.scatter_marks import largest_groups
from wqscore.studies.correlation.correlate import Correlations, correlate
from wqscore.studies.correlation.files import write_correlations
from wqscore.studies.correlation.page import correlations_html
from wqscore.studies.known.score_table import Joined, ScoreTable, single_table

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

By = Oracle("selenium.webdriver.common.by", "By")


#: Pixels of a chart's plot, and the extent of tau in it.
_WIDTH, _HEIGHT = 480, 300
_SVG = "{http://www.w3.org/2000/svg}"
Point = tuple[float, float, str]
Open = Callable[..., "Chrome"]


def table(columns: dict[str, list[object]]) -> Joined:
    rows = tuple(tuple(map(str, cells)) for cells in zip(*columns.values(), strict=True))
    return single_table(ScoreTable("models.csv", tuple(columns), rows), ["model"])


def grid(models: int, metrics: int, groups: int, **more: list[object]) -> Joined:
    rng = np.random.default_rng(5)
    columns: dict[str, list[object]] = {"model": [f"org/model-{i}" for i in range(models)]}
    columns |= {"family": [f"family-{i % groups}" for i in range(models)], "accuracy": list(rng.random(models))}
    columns |= {"params": [10 ** (6 + i // 2 % 5) for i in range(models)]}
    return table(columns | {f"metric_{i}": list(rng.normal(size=models)) for i in range(metrics)} | more)


def hostile_study() -> Correlations:
    rng = np.random.default_rng(1)
    columns = {"model": [HOSTILE, LONG, *range(10)], HOSTILE: list(rng.random(12)), LONG: list(rng.random(12))}
    columns |= {f"y{HOSTILE}": list(range(12)), f"g{HOSTILE}": [HOSTILE] * 6 + [LONG] * 6}
    columns |= {f"p{HOSTILE}": list(range(1, 13)), f"a{HOSTILE}": [0, 1] * 6, f"b{LONG}": [0, 0, 1, 1, 2, 2] * 2}
    axes = [f"a{HOSTILE}", f"b{LONG}"]
    return correlate(
        table(columns), [HOSTILE, LONG], f"y{HOSTILE}", f"g{HOSTILE}", axes, params=f"p{HOSTILE}", better="lower"
    )


@pytest.fixture(scope="module")
def torchvision() -> Correlations:
    return correlate(published(TORCHVISION), (), "top1_error", "series", better="lower")


@pytest.fixture(scope="module")
def html(torchvision: Correlations) -> str:
    return correlations_html(torchvision)


@pytest.fixture(scope="module")
def hostile_html() -> str:
    return correlations_html(hostile_study())


def charts(html: str) -> list[tuple[str, list[Point]]]:
    """The text of each chart with the points in it: where they are in the plot, and their colour."""
    found = []
    for svg in re.findall(r"<svg [^>]*class=\"marks\".*?</svg>", html, re.DOTALL):
        root = ElementTree.fromstring(svg)
        text = " ".join(element.text or "" for element in root.iter(f"{_SVG}text"))
        marks = [group for group in root.iter(f"{_SVG}g") if "points_marks" in group.get("class", "")]
        found.append((text, [_point(path) for group in marks for path in group.iter(f"{_SVG}path")]))
    return found


def _point(path: ElementTree.Element) -> Point:
    x, y = re.fullmatch(r"translate\((.+),(.+)\)", path.get("transform", "")).groups()
    return float(x), float(y), path.get("fill", "")


def cells(found: Table, *leading: str) -> list[str]:
    return next(row for row in found.body if tuple(row[: len(leading)]) == leading)


def test_every_model_with_both_numbers_is_a_point(html: str, torchvision: Correlations) -> None:
    scatters = charts(html)[1:]
    with TORCHVISION.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(scatters) == len(torchvision.tried) == 7
    series = [row["series"] for row in rows]
    colours = {"vgg": BLUE, "resnet": VERMILLION, "densenet": GREEN}
    for name, (text, points) in zip(torchvision.tried, scatters, strict=True):
        assert name in text
        assert "top1_error" in text
        assert [colour for *_, colour in points] == [colours[group] for group in series]
        x, y = np.array([(float(row[name]), float(row["top1_error"])) for row in rows]).T
        drawn_x, drawn_y = np.array([point[:2] for point in points]).T
        # A linear axis: the places are the numbers, but for where it begins and its scale.
        assert np.corrcoef(x, drawn_x)[0, 1] == pytest.approx(1, abs=1e-9)
        assert np.corrcoef(y, drawn_y)[0, 1] == pytest.approx(-1, abs=1e-9)
        assert drawn_x.min() >= 0
        assert drawn_x.max() <= _WIDTH
        assert drawn_y.min() >= 0
        assert drawn_y.max() <= _HEIGHT


def test_a_missing_number_is_no_point() -> None:
    found = correlate(published(LEADERBOARD), (), "MMLU_5shot")
    ((text, points),) = [chart for chart in charts(correlations_html(found)) if "alpha" in chart[0]]
    with LEADERBOARD.open(newline="") as file:
        known = [row for row in csv.DictReader(file) if row["MMLU_5shot"]]
    assert len(points) == len(known) == 11
    assert "MMLU_5shot" in text


def test_the_boxes_points_are_the_published_taus_within_groups(html: str) -> None:
    """Martin, Peng & Mahoney, Nature Communications 12:4122 (2021), against Top-1 error."""
    text, points = charts(html)[0]
    names = [name for name in text.split() if "_" in name or name == "alpha"]
    assert names == [
        "alpha", "alpha_weighted", "log_norm", "log_spectral_norm", "mp_softrank", "log_alpha_norm", "stable_rank",
    ]  # fmt: skip
    band = _HEIGHT / len(names)
    taus = {(names[int(y // band)], colour): x / (_WIDTH / 2) - 1 for x, y, colour in points}
    assert len(taus) == len(points) == 21
    vgg = {"log_norm": 0.79, "log_spectral_norm": 0.93, "alpha_weighted": 0.93, "log_alpha_norm": 0.93}
    for name, tau in vgg.items():
        assert taus[name, BLUE] == pytest.approx(tau, abs=0.005)
        assert taus[name, VERMILLION] == pytest.approx(1)
        assert taus[name, GREEN] == pytest.approx(1)
    assert taus["alpha", BLUE] == pytest.approx(-0.86, abs=0.005)
    assert taus["alpha", VERMILLION] == pytest.approx(0.60, abs=0.005)


def test_the_table_agrees_with_scipy(html: str) -> None:
    found = Page(html).table("correlations-table")
    with TORCHVISION.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for group in ("all", "vgg", "resnet", "densenet"):
        chosen = [row for row in rows if group in ("all", row["series"])]
        x, y = np.array([(float(row["alpha"]), float(row["top1_error"])) for row in chosen]).T
        row = cells(found, "alpha", group)
        assert row[2] == str(len(chosen))
        assert float(row[3]) == pytest.approx(kendalltau(x, y).statistic, abs=0.0051)
        assert float(row[6]) == pytest.approx(spearmanr(x, y).statistic, abs=0.0051)
    assert all(len(row) == len(found.header) for row in found.body)


def test_the_numbers_behind_the_charts_are_those_of_the_file(html: str, torchvision: Correlations) -> None:
    found = Page(html).table("models-table")
    with TORCHVISION.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert found.header == ["model", "series", "top1_error", *torchvision.tried]
    for shown, row in zip(found.body, rows, strict=True):
        assert shown[:2] == [row["model"], row["series"]]
        for name, cell in zip(found.header[2:], shown[2:], strict=True):
            assert float(cell) == pytest.approx(float(row[name]), rel=5.1e-4)


def test_a_sign_flip_is_a_warning_above_all_else(html: str) -> None:
    page = Page(html)
    warnings = re.findall(r'<p class="warning name">(.*?)</p>', html)
    assert len(warnings) == 1
    assert "alpha changes sign" in warnings[0]
    assert "resnet +0.60" in warnings[0]
    assert "stable_rank (" in page.text  # of which the data can't tell
    assert page.text.index("alpha changes sign") < page.text.index("Kendall’s tau is 1 where")
    assert "so few only one beyond ±0.34" in page.text
    assert "28 taus were tested" in page.text
    assert "about 1.4 of them" in page.text
    assert "The models’ sizes are not known here" in page.text
    assert "over all 17 models tau -0.43 (p 0.018)" in page.text


def test_size_is_a_metric_like_the_others_on_a_log_axis() -> None:
    found = correlate(grid(12, 2, 3), ["metric_0", "metric_1"], "accuracy")
    html = correlations_html(found)
    boxes, params, *_ = charts(html)
    assert "params" in boxes[0]
    assert len(boxes[1]) == 3 * 3  # params and two metrics in three families
    places = sorted({round(x, 6) for x, *_ in params[1]})
    assert np.diff(places) == pytest.approx([np.diff(places)[0]] * 4)  # 1e6 to 1e10, a decade each
    baseline = next(row for row in found.rows if row.x == "params" and row.group is None).correlation
    assert f"params alone has a tau of {baseline.tau.value:.2f} without looking at a weight" in Page(html).text


def test_depth_is_a_second_baseline_and_a_constant_one_explains_nothing() -> None:
    accuracy = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    columns = {"model": list("abcdef"), "accuracy": accuracy, "alpha": [1, 2, 3, 4, 6, 5]}
    sized = table(columns | {"params": [10, 20, 30, 40, 60, 50], "depth": [1, 2, 3, 5, 4, 6]})
    text = Page(correlations_html(correlate(sized, ["alpha"], "accuracy"))).text
    # One pair of 15 is out of order: (14 − 1)/15.
    assert "params alone has a tau of 0.87 and depth has a tau of 0.87 without looking at a weight" in text
    assert "no metric is further from 0 over all models" in text
    better = table(columns | {"alpha": accuracy, "params": [10, 20, 30, 40, 60, 50]})
    text = Page(correlations_html(correlate(better, ["alpha"], "accuracy"))).text
    assert "over all models 1 of 1 metric is further from 0 (alpha)" in text
    constant = table(columns | {"params": [10] * 6})
    text = Page(correlations_html(correlate(constant, ["alpha"], "accuracy"))).text
    assert "params can’t be compared with them: it has no correlation here" in text


def test_too_few_models_are_said_to_be() -> None:
    few = table({"model": list("abc"), "accuracy": [1, 2, 3], "alpha": [1, 2, 3]})
    assert "too few for any to differ clearly from 0" in Page(correlations_html(correlate(few, (), "accuracy"))).text
    same = table({"model": list("abc"), "accuracy": [1, 2, 3], "alpha": [1, 1, 1]})
    assert "There is no correlation to trust" in Page(correlations_html(correlate(same, (), "accuracy"))).text


def test_granulated_means_are_in_a_table() -> None:
    found = correlate(published(TAXONOMY), ["l2_distance"], "test_acc", "width", ["width", "batch_size"])
    page = Page(correlations_html(found))
    header, row = page.table("granulated-table").rows
    assert header == ["metric", "mean", "width", "batch_size"]
    assert row[0] == "l2_distance"
    width, batch = (float(cell.split()[0]) for cell in row[2:])
    assert width > 0 > batch
    assert float(row[1]) == pytest.approx((width + batch) / 2, abs=1e-3)
    # 13 widths: six have a mark of their own.
    others = [a for tag, a in page.elements if tag == "li"]
    assert "7 other groups" in page.text
    assert len(others) >= 7


def test_without_groups_there_is_no_box_plot_and_no_legend() -> None:
    joined = grid(6, 1, 1)
    lone = correlations_html(correlate(joined, ["metric_0"], "accuracy"))
    assert "Kendall’s tau over groups" not in lone
    assert len(charts(lone)) == 2
    columns = [i for i, name in enumerate(joined.scores.columns) if name not in ("family", "params")]
    bare = tuple(tuple(row[i] for i in columns) for row in joined.scores.rows)
    none = single_table(ScoreTable("m.csv", tuple(joined.scores.columns[i] for i in columns), bare), ["model"])
    html = correlations_html(correlate(none, ["metric_0"], "accuracy"))
    assert '<ul class="legend">' not in html
    ((_, points),) = charts(html)
    assert {colour for *_, colour in points} == {BLUE}
    assert len(points) == 6


def test_what_can_not_be_drawn_says_so() -> None:
    columns = {"same": [1] * 6, "none": [""] * 6, "huge": [1e308, -1e308, 0, 1, 2, 3]}
    found = correlate(grid(6, 1, 2, **columns), ["same", "none", "huge"], "accuracy")
    html = correlations_html(found)
    page = Page(html)
    assert "same: no correlation over 6 models: one is the same for all" in page.text
    assert "none: no correlation over 0 models: fewer than 3 models" in page.text
    reasons = {row[0]: row[-1] for row in page.table("correlations-table").body if row[1] == "all"}
    assert reasons["same"] == "one is the same for all"
    assert reasons["params"] == "–"
    assert "Its numbers are too large to draw." in page.text
    assert "NaN" not in html
    drawn = [(name, len(points)) for text, points in charts(html)[1:] for name in found.tried if name in text]
    assert drawn == [("same", 6)]
    assert len(charts(html)) == 3  # the boxes, params and same


def test_no_two_marks_share_a_colour_or_a_shape() -> None:
    colours, outlines = zip(*MARKS.values(), strict=True)
    assert len(set(colours)) == len(set(outlines)) == len(MARKS)
    assert set(colours) == {BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY, INK}


def test_the_largest_groups_have_marks_and_the_rest_share_one() -> None:
    words = [*"aabbccddeeffgh", "", "others", "others", "others"]
    groups = largest_groups(words)
    assert [group.name for group in groups] == ["others", *"abcde"]
    assert OTHERS not in {group.mark for group in groups}


def test_hostile_names_are_text(hostile_html: str, html: str) -> None:
    page, plain = Page(hostile_html), Page(html)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements}
    assert len(page.raw) == 1
    assert {HOSTILE, LONG, f"p{HOSTILE}"} == {row[0] for row in page.table("correlations-table").body}
    assert {HOSTILE, LONG, "all"} == {row[1] for row in page.table("correlations-table").body}
    assert {HOSTILE, LONG} <= {row[0] for row in page.table("models-table").body}
    assert f"y{HOSTILE}" in page.table("models-table").header
    assert f"a{HOSTILE}" in page.table("granulated-table").header
    assert any(HOSTILE in a.get("aria-label", "") for _, a in page.elements)
    # What turns text around would turn the figures of a sentence around with it.
    assert "\u202e" not in "".join(re.findall(r'<li class="name">(.*?)</li>', hostile_html, re.DOTALL))
    assert len(charts(hostile_html)) == 4


def test_control_characters_are_escaped_in_charts() -> None:
    """In a chart's text, a character that XML has not aborts the process that draws it."""
    name = "m\x00\x1b[31m\n\ufffe\udc80[0].x"
    columns = {"model": list("abcdef"), name: [1, 2, 3, 4, 6, 5], f"y{name}": list(range(6)), "g": list("rrrsss")}
    html = correlations_html(correlate(table(columns), [name], f"y{name}", "g"))
    escaped = r"m\x00\x1b[31m\n\ufffe\udc80[0].x"
    boxes, scatter = charts(html)
    assert escaped[:20] in boxes[0]  # the rest is too long for a label
    assert len(boxes[1]) == 2
    assert f"y{escaped}" in scatter[0]
    assert len(scatter[1]) == 6


@pytest.mark.parametrize("name", ["😀" * 300, f"a{'😀' * 300}", "漢" * 300, "👨‍👩‍👧" * 50])
def test_long_names_are_cut_between_characters(name: str) -> None:
    others = {f"{name}{end}": [1, 2, 3, 4, 6, 5] for end in "xyz"}
    found = correlate(grid(6, 1, 2, **others), list(others), "accuracy")
    boxes, *scatters = charts(correlations_html(found))
    assert {int(y // (_HEIGHT / 4)) for _, y, _ in boxes[1]} == {0, 1, 2, 3}  # each its own, though labelled alike
    assert boxes[0].count("…") == 3
    assert all(text.count("…") == 1 for text, _ in scatters[1:])
    assert "\ufffd" not in boxes[0] + scatters[1][0]


def test_no_script_and_nothing_fetched(html: str, hostile_html: str) -> None:
    for page in (Page(html), Page(hostile_html)):
        (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
        assert "script-src 'none'" in policy
        assert "unsafe" not in policy
        assert [tag for tag, *_ in page.raw] == ["style"]
        for name, value in (item for _, a in page.elements for item in a.items()):
            assert name not in {"style", "src"}
            assert not name.startswith("on")
            assert not name.endswith("href") or value.startswith("#")
        ids = [a["id"] for _, a in page.elements if "id" in a]
        assert len(ids) == len(set(ids))
        assert all(found.caption for found in page.tables)
        drawn = [a for _, a in page.elements if a.get("role") == "img"]
        assert len(drawn) == sum("marks" in a.get("class", "").split() for tag, a in page.elements if tag == "svg")
        assert all(a["aria-label"] for a in drawn)


def test_twenty_metrics_of_a_hundred_models_stay_under_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    metrics, models = sized(20, 10), sized(100, 30)
    names = [f"metric_{i}" for i in range(metrics)]
    found = correlate(grid(models, metrics, 5), names, "accuracy")
    html = correlations_html(found)
    assert len(html.encode()) < 1_000_000
    drawn = charts(html)
    summaries = -(-(metrics + 1) // 10)
    # With the parameters as one more metric: ten metrics a figure, each with 5 families.
    assert sum(len(points) for _, points in drawn[:summaries]) == 5 * (metrics + 1)
    assert max(len(points) for _, points in drawn[:summaries]) == 50
    assert [len(points) for _, points in drawn[summaries:]] == [models] * (metrics + 1)
    assert correlations_html(found) == html


def test_three_files_are_written_and_an_index_that_was_there_stays(tmp_path: Path, torchvision: Correlations) -> None:
    folder = tmp_path / "new" / "study"
    assert write_correlations(torchvision, folder) == folder / "index.html"
    assert sorted(file.name for file in folder.iterdir()) == ["correlations.csv", "correlations.json", "index.html"]
    rows = list(csv.DictReader(io.StringIO((folder / "correlations.csv").read_text(encoding="utf-8"))))
    assert {row["scope"] for row in rows} == {"pooled", "group"}
    (folder / "index.html").write_text("another", encoding="utf-8")
    page = write_correlations(torchvision, folder, "correlations.html")
    assert page == folder / "correlations.html"
    assert page.read_text(encoding="utf-8").startswith('<!DOCTYPE html>\n<html lang="en">')
    assert (folder / "index.html").read_text(encoding="utf-8") == "another"


def test_what_can_not_be_written_is_one_line(
    tmp_path: Path, torchvision: Correlations, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ReportError, match=r"file: .*can't be written: .*: name another folder with --out"):
        write_correlations(torchvision, tmp_path / "file")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        write_correlations(torchvision, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.fixture
def opened(browser: Chrome, tmp_path: Path) -> Iterator[Open]:
    """Open a page from a file in a given colour scheme and width."""

    def open_page(html: str, scheme: str = "light", width: int = 1280) -> Chrome:
        file = tmp_path / "index.html"
        file.write_text(html, encoding="utf-8", newline="")
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.get("about:blank")
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(file.as_uri())
        return browser

    yield open_page
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.oracle("axe_core_python", "selenium")
@pytest.mark.parametrize("name", ["html", "hostile_html"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 400)])
def test_a_browser_shows_it_without_a_complaint(
    opened: Open, name: str, scheme: str, width: int, request: pytest.FixtureRequest
) -> None:
    html = request.getfixturevalue(name)
    page = opened(html, scheme, width)
    for details in page.find_elements(By.TAG_NAME, "details"):
        page.execute_script("arguments[0].open = true", details)
    assert page.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    asked = [request["request"]["url"] for request in sent if request["documentURL"] == page.current_url]
    assert asked == [page.current_url]
    assert page.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
    points = page.find_elements(By.CSS_SELECTOR, ".scatter svg .points_marks path")
    assert len(points) == sum(len(drawn) for _, drawn in charts(html)[1:])
    assert all(point.is_displayed() and point.size["width"] > 2 for point in points)
    colour = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    text = page.execute_script(colour, "body", "color")
    assert page.execute_script(colour, ".scatter svg text", "fill") == text
    dark = page.execute_script(colour, "body", "backgroundColor") == "rgb(18, 22, 28)"
    assert dark is (scheme == "dark")


@pytest.mark.oracle("axe_core_python", "selenium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["html", "hostile_html"])
def test_axe_finds_nothing_serious(visit: Visit, page: str, scheme: str, request: pytest.FixtureRequest) -> None:
    browser = visit(request.getfixturevalue(page))
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    assert serious_violations(browser) == []

"""What a tired reader needs: the answer, what to look at first, and no column or word lost on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import wqscore
from tests.oracles import Oracle
from tests.reports.html.asking import Visit, column, overflow, wait_for_charts
from tests.reports.html.parsed import Page
from wqscore.ranking.conclusion import Conclusion
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.refs.reference import ModelRef
from wqscore.reports.html.names import breakable, names_of
from wqscore.reports.html.ranking_marks import ranking_marks, ticks
from wqscore.reports.worth_checking import worth_checking

ActionChains = Oracle("selenium.webdriver", "ActionChains")
By = Oracle("selenium.webdriver.common.by", "By")
Select = Oracle("selenium.webdriver.support.select", "Select")
WebDriverWait = Oracle("selenium.webdriver.support.wait", "WebDriverWait")

in_a_browser = pytest.mark.oracle("axe_core_python", "selenium")
DEMO = ("all-MiniLM-L6-v2", "rxnfp-bert_pretrained", "rxnfp-bert_ft", "rxnfp-bert_ft_10k_25s", "rxnmapper-albert")


@pytest.fixture(scope="module")
def families(ranking: Ranking) -> Ranking:
    """Two families of two models each."""
    zero, one, odd = (model.score for model in ranking.models[:3])
    again = replace(zero, ref=ModelRef("models/again", "folder"))
    placed = [(zero, "left"), (one, "right"), (odd, "left"), (again, "right")]
    return rank_models([replace(score, declared_family=family) for score, family in placed])


@pytest.fixture(scope="module")
def families_html(families: Ranking) -> str:
    return families.to_html()


def sized(visit: Visit, html: str, width: int) -> object:
    browser = visit(html)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wait_for_charts(browser)
    return browser


def test_a_model_is_bold_in_the_headline_only_where_the_answer_is_clear(ranking: Ranking) -> None:
    names = names_of(ranking)
    for kind in ("clear", "tie", "alone", "no-interval"):
        text = "org/one has the lowest alpha, 2.3 (2.1 to 2.6)."
        shown = names.answer(Conclusion(kind, ("org/one",), text))
        assert ("<strong>" in shown) is (kind == "clear")
        assert shown.striptags() == text


def test_the_page_begins_with_the_conclusion_and_three_lines_on_how_to_read_it(html: str, ranking: Ranking) -> None:
    head = html.partition("<h1")[2].partition("</h1>")[0]
    assert "".join(Page(f"<p{head}</p>").text.split()) == "".join(ranking.conclusion.text.split())
    reading = html.partition('<ul class="reading">')[2].partition("</ul>")[0]
    assert reading.count("<li>") == 3
    places = [html.index(f'<section id="{part}"') for part in ("ranking", "worst", "explorer", "models", "each")]
    assert places == sorted(places)
    assert html.index('<ul class="reading">') < html.index('<table id="ranking-table"')


def test_tables_of_models_have_nine_columns_at_most_and_those_of_pairs_eight(html: str) -> None:
    page = Page(html)
    for name in ("ranking-table", "ranking-more", "pairs-details"):
        assert len(page.table(name).header) <= 9
    assert page.table("pairs-table").header == [
        *("A", "B", "A − B", "95 % interval", "smallest difference that counts", "p, Holm", "result"),
        "largest change",
    ]


def test_many_pairs_are_folded_and_few_are_not(html: str, ranking: Ranking) -> None:
    """Twelve checkpoints have 66 pairs, a phone's page of 17,000 pixels; each is there without scripts."""
    scores = [replace(ranking.models[0].score, ref=ModelRef(f"models/{n}", "folder")) for n in range(6)]
    many = rank_models([replace(score, declared_family="one") for score in scores])
    page = many.to_html()
    folded = page.partition('<section id="pairs">')[2].partition('id="pairs-table"')[0]
    assert f"<details><summary>15 pairs: {sum(pair.difference.tied for pair in many.pairs)} tied" in folded
    assert len(Page(page).table("pairs-table").body) == 15
    few = html.partition('<section id="pairs">')[2].partition('id="pairs-table"')[0]
    assert few and "<details" not in few


def test_every_column_of_every_table_has_a_meaning_in_words(html: str, families_html: str) -> None:
    for text in (html, families_html):
        heads = [a for tag, a in Page(text).elements if tag == "th" and a.get("scope") == "col"]
        assert len(heads) > 60
        assert [head for head in heads if len(head.get("title", "").split()) < 3] == []


def test_the_worst_matrices_are_listed_with_verdict_and_reason_five_a_model(html: str, ranking: Ranking) -> None:
    tables = [table for table in Page(html).tables if "look" in table.attributes.get("class", "").split()]
    expected = [found for score in ranking.scores if (found := worth_checking(score))]
    assert len(tables) == len(expected) > 1
    for table, found in zip(tables, expected, strict=True):
        assert [row[0] for row in table.body] == [look.row.matrix.name for look in found[:5]]
        for row, look in zip(table.body, found, strict=False):
            assert row[3].strip() == look.row.verdict
            assert look.row.reason.lower() in row[4].lower()


def test_each_family_has_its_axis_and_its_usual_band(families: Ranking, families_html: str) -> None:
    drawn = ranking_marks(families)
    assert [[model.family for model in each.models] for each in drawn] == [["left"] * 2, ["right"] * 2]
    for each in drawn:
        ends = [end for model in each.models for end in model.interval or ()]
        assert (each.low, each.high) == (min(2.0, *ends), max(6.0, *ends))
    table = Page(families_html).table("ranking-table")
    assert [row[0] for row in table.families] == ["family left", "family right"]
    assert all("usual 2 to 6" in row[1] for row in table.families)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(2.0, 6.0, [2, 3, 4, 5, 6]), (1.4, 30.0, [10, 20, 30]), (0.0, 0.004, [0, 0.001, 0.002, 0.003, 0.004]),
     (5.0, 5.0, [5]), (float("nan"), float("nan"), [])],
)  # fmt: skip
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("rxnfp-bert_ft", ["rxnfp-", "bert_", "ft"]), ("encoder.layer.11.query", ["encoder.", "layer.11.", "query"]),
     ("alpha 2.94, -0.72", ["alpha 2.94, -0.72"]), ("a<b/c", ["a&lt;b/", "c"])],
)  # fmt: skip
def test_names_break_between_words_and_numbers_stay_whole(name: str, parts: list[str]) -> None:
    assert breakable(name) == "<wbr>".join(parts)


@in_a_browser
def test_sorting_keeps_families_apart(visit: Visit, families_html: str, families: Ranking) -> None:
    browser = visit(families_html)
    button = browser.find_element(By.CSS_SELECTOR, "#ranking-table th:nth-child(2) button")
    names = [[model.ref.label for model in each.models] for each in ranking_marks(families)]
    for reverse in (False, True):
        button.click()
        expected = [name for members in names for name in sorted(members, reverse=reverse)]
        assert column(browser, "ranking-table", 1) == expected
        first = browser.find_elements(By.CSS_SELECTOR, "#ranking-table tbody tr:first-child")
        assert [row.get_attribute("class") for row in first] == ["family", "family"]


@in_a_browser
def test_a_click_anywhere_on_a_row_shows_what_it_is_about(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    worst = worth_checking(ranking.scores[0])
    menu = browser.find_element(By.ID, "explorer-layer")
    assert Select(menu).first_selected_option.text == worst[0].row.matrix.name
    browser.find_element(By.CSS_SELECTOR, "table.look tbody tr:nth-child(2) td:nth-child(4)").click()
    assert Select(menu).first_selected_option.text == worst[1].row.matrix.name
    for number, cell in ((1, 4), (2, 8), (0, 2)):
        row = browser.find_element(By.CSS_SELECTOR, f"#pairs-table tr[data-pair='{number}']")
        row.find_element(By.CSS_SELECTOR, f"td:nth-child({cell})").click()
        assert browser.find_element(By.ID, "pair").get_attribute("value") == str(number)
        assert row.get_attribute("aria-current") == "true"
        pair = ranking.pairs[number]
        finding = browser.find_element(By.ID, "pair-finding")
        assert finding.is_displayed()
        assert finding.text.startswith(f"{pair.ahead.label} − {pair.behind.label}")
    assert browser.get_log("browser") == []


@in_a_browser
def test_heads_tell_their_meaning_to_the_pointer_the_keyboard_and_screen_readers(visit: Visit, html: str) -> None:
    browser = visit(html)
    meanings = browser.execute_script(
        "return [...document.querySelectorAll('thead th')].map((head) => document.getElementById("
        "(head.querySelector('button') ?? head).getAttribute('aria-describedby'))?.textContent ?? '')"
    )
    assert len(meanings) > 60 and min(map(len, meanings)) > 10
    head = browser.find_element(By.CSS_SELECTOR, "#ranking-table th:nth-child(4)")
    tip = browser.find_element(By.ID, "tip")
    ActionChains(browser).move_to_element(head).perform()
    assert "drawn again" in tip.text
    browser.execute_script("document.querySelector('#ranking-table th:nth-child(6) button').focus()")
    assert "can't be told apart" in tip.text


@in_a_browser
def test_marks_are_hollow_where_the_verdict_is_not_ok_and_have_their_intervals(
    visit: Visit, html: str, ranking: Ranking
) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    fills = (
        "return [...document.querySelectorAll('#chart-depth .points_marks path')]"
        ".map((path) => path.getAttribute('fill'))"
    )
    for place in (0, 2):
        Select(browser.find_element(By.ID, "explorer-model")).select_by_index(place)
        fitted = [layer for layer in ranking.scores[place].layers if layer.fit]
        hollow = sum(layer.verdict != "ok" for layer in fitted)
        WebDriverWait(browser, 120).until(lambda _, count=fitted: len(browser.execute_script(fills)) == len(count))
        assert browser.execute_script(fills).count("transparent") == hollow
        assert 0 < hollow < len(fitted)
        lines = browser.find_elements(By.CSS_SELECTOR, "#chart-depth .mark-rule.role-mark line")
        assert len(lines) == len(fitted) + 1  # and that of the median
    titles = browser.execute_script(
        "return [...document.querySelectorAll('#chart-roles .role-axis-title text')].map((text) => text.textContent)"
    )
    assert "alpha − first’s" in titles


@in_a_browser
@pytest.mark.parametrize("scripts", [True, False])
def test_on_a_phone_each_model_is_a_card_and_nothing_is_lost_without_a_cue(
    visit: Visit, html: str, scripts: bool
) -> None:
    browser = visit(html, scripts=scripts)
    metrics = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    cells = browser.find_elements(By.CSS_SELECTOR, "#ranking-table tbody tr:not(.family) td")
    assert len(cells) == 3 * 8
    for cell in cells:
        assert cell.is_displayed()
        assert cell.rect["x"] >= 0 and cell.rect["x"] + cell.rect["width"] <= 400
    labels = {cell.get_attribute("data-label") for cell in cells}
    assert {"median alpha", "95 % interval", "ties", "coverage"} <= labels
    if not scripts:
        return
    wait_for_charts(browser)
    browser.execute_script("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    assert overflow(browser) <= 0
    lost = browser.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => setTimeout(() => done("
        "[...document.querySelectorAll('.scroll')].filter((part) => part.scrollWidth > part.clientWidth + 1)"
        ".filter((part) => getComputedStyle(part.nextElementSibling).display === 'none')"
        ".map((part) => part.innerHTML.slice(0, 90))), 100))"
    )
    assert lost == []


@in_a_browser
def test_on_a_tablet_ties_and_interval_stay_and_parameters_go_first(visit: Visit, html: str) -> None:
    browser = sized(visit, html, 800)
    shown = {
        head.get_attribute("textContent").strip(): head.is_displayed()
        for head in browser.find_elements(By.CSS_SELECTOR, "#ranking-table thead th")
    }
    assert [name for name, is_shown in shown.items() if not is_shown] == ["parameters"]
    assert overflow(browser) <= 0
    fits = "const part = document.querySelector('#ranking .scroll'); return part.scrollWidth - part.clientWidth"
    assert browser.execute_script(fits) <= 1


@pytest.fixture(scope="module")
def demo_html(checkpoints: Path) -> str:
    return wqscore.rank([checkpoints / name for name in DEMO], gof=20, bootstrap=50).to_html()


@in_a_browser
@pytest.mark.parametrize("width", [1280, 1400])
def test_the_demo_takes_at_most_4000_pixels_and_no_name_is_split_inside_a_word(
    visit: Visit, demo_html: str, width: int
) -> None:
    browser = sized(visit, demo_html, width)
    assert browser.execute_script("return document.documentElement.scrollHeight") <= 4_000
    assert browser.get_log("browser") == []
    split = browser.execute_script(
        "const found = []; const names = document.querySelectorAll('#ranking-table th .name, #pairs-table .name');"
        "for (const name of names) {"
        "for (const part of name.childNodes) { const range = document.createRange(); range.selectNodeContents(part);"
        "if (part.nodeType === 3 && range.getClientRects().length > 1) found.push(part.textContent); } } return found"
    )
    assert split == []

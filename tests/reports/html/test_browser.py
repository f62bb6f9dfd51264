"""The page in a real Chromium: under its own policy, with scripts and without, in the dark, and at 400 pixels."""

from __future__ import annotations

import pytest

from tests.oracles import Oracle
from tests.reports.html.asking import (
    Visit,
    address,
    brightness,
    column,
    computed,
    marks,
    number_of,
    overflow,
    requests,
    unfold,
    wait_for_charts,
)
from tests.rounding import expected_alpha
from tests.small_models import HOSTILE, LONG
from wqscore.ranking.ranking import Ranking

ActionChains = Oracle("selenium.webdriver", "ActionChains")
Keys = Oracle("selenium.webdriver", "Keys")
By = Oracle("selenium.webdriver.common.by", "By")
Select = Oracle("selenium.webdriver.support.select", "Select")
WebDriverWait = Oracle("selenium.webdriver.support.wait", "WebDriverWait")

pytestmark = pytest.mark.oracle("axe_core_python", "selenium")


def test_the_page_draws_under_its_policy_and_fetches_nothing(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    assert len(marks(browser, "chart-depth")) == sum(layer.fit is not None for layer in ranking.scores[0].layers)
    assert len(marks(browser, "chart-spectrum")) > 15
    assert not browser.find_element(By.CLASS_NAME, "needs-scripts").is_displayed()
    ActionChains(browser).move_to_element(marks(browser, "chart-depth")[0]).perform()
    tooltip = WebDriverWait(browser, 120).until(lambda _: browser.find_element(By.ID, "vg-tooltip-element"))
    assert "bert." in tooltip.text
    assert tooltip.value_of_css_property("position") == "fixed"
    assert browser.execute_script("return window.violations") == []
    assert browser.get_log("browser") == []
    assert requests(browser) == [address(browser)]


def test_a_script_that_is_not_the_pages_own_does_not_run(visit: Visit, html: str) -> None:
    head, end, tail = html.rpartition("</body>")
    browser = visit(f"{head}<script>document.title = 'broken into'</script>{end}{tail}")
    assert browser.title != "broken into"
    assert browser.execute_script("return window.violations") == ["script-src-elem"]
    assert [entry["level"] for entry in browser.get_log("browser")] == ["SEVERE"]


def test_sorting(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    assert column(browser, "ranking-table", 0) == ["1", "2", "3"]
    browser.find_element(By.XPATH, "//table[@id='ranking-more']/ancestor::details/summary").click()
    header = browser.find_element(By.XPATH, "//table[@id='ranking-more']//th[contains(., 'mean')]")
    assert header.get_attribute("aria-sort") == "none"
    expected = sorted(
        (m.score.summary.statistics["alpha"].mean, m.ref.label) for m in ranking.models if m.status == "ranked"
    )
    header.find_element(By.TAG_NAME, "button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert column(browser, "ranking-more", 0) == [name for _, name in expected]
    header.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert header.get_attribute("aria-sort") == "descending"
    assert column(browser, "ranking-more", 0) == [name for _, name in reversed(expected)]


def test_missing_numbers_sort_last_both_ways(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    section = f"model-{number_of(ranking, 'models/odd')}"
    unfold(browser, number_of(ranking, "models/odd"))
    browser.find_element(By.CSS_SELECTOR, f"#{section} details.layers summary").click()
    button = browser.find_element(By.XPATH, f"//table[@id='{section}-layers']//th[.='alpha']/button")
    for reverse in (False, True):
        button.click()
        shown = column(browser, f"{section}-layers", 4)
        numbers = [float(text) for text in shown if text != "–"]
        assert numbers == sorted(numbers, reverse=reverse)
        assert shown[len(numbers) :] == ["–"] * (len(shown) - len(numbers))
        assert 0 < len(numbers) < len(shown)


def test_filtering(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    unfold(browser, 2)
    browser.find_element(By.CSS_SELECTOR, "#model-2 details.layers summary").click()
    field = browser.find_element(By.CSS_SELECTOR, "input[data-filters=model-2-layers]")
    field.send_keys("attention.v layer.1.")
    names = [layer.matrix.name for layer in ranking.scores[1].layers]
    assert column(browser, "model-2-layers", 0) == ["bert.encoder.layer.1.attention.self.value.weight"]
    assert field.find_element(By.XPATH, "../../output").text == f"1 of {len(names)}"
    field.send_keys(Keys.BACKSPACE * len("attention.v layer.1."))
    assert column(browser, "model-2-layers", 0) == names


def test_picking_a_matrix_redraws_the_charts(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    facts = browser.find_element(By.ID, "explorer-facts")
    unfold(browser, 2)
    browser.find_element(By.CSS_SELECTOR, "#model-2 details.layers summary").click()
    score, picked = ranking.scores[1], 5
    browser.find_element(By.CSS_SELECTOR, f"#model-2-layers tr[data-layer='{picked}'] button").click()
    layer = score.layers[picked]
    assert Select(browser.find_element(By.ID, "explorer-model")).first_selected_option.text == score.ref.label
    assert Select(browser.find_element(By.ID, "explorer-layer")).first_selected_option.text == layer.matrix.name
    assert expected_alpha(layer.metrics) in facts.text
    spectrum = "return document.querySelector('#chart-spectrum svg').outerHTML"
    first = browser.execute_script(spectrum)
    Select(browser.find_element(By.ID, "explorer-layer")).select_by_index(picked + 1)
    WebDriverWait(browser, 120).until(lambda _: browser.execute_script(spectrum) != first)
    assert expected_alpha(score.layers[picked + 1].metrics) in facts.text
    marks(browser, "chart-depth")[-1].click()
    chosen = Select(browser.find_element(By.ID, "explorer-layer")).first_selected_option.text
    assert chosen != score.layers[picked + 1].matrix.name
    axis = "//*[@id='chart-depth']//*[contains(concat(@class, ' '), 'role-axis ') and contains(., 'layer')]"
    labels = browser.find_elements(By.XPATH, f"{axis}//*[contains(@class, 'role-axis-label')]/*[name() = 'text']")
    assert [label.text for label in labels] == ["0", "1", "–"]
    assert browser.get_log("browser") == []


def test_the_explorer_shows_the_interval_of_alpha_and_sigma_in_the_details(
    visit: Visit, html: str, ranking: Ranking
) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    layers = ranking.scores[0].layers
    facts = browser.find_element(By.ID, "explorer-facts")
    for place, layer in list(enumerate(layers))[1:4]:
        Select(browser.find_element(By.ID, "explorer-layer")).select_by_index(place)
        found = layer.metrics
        assert expected_alpha(found) in facts.text
        assert "±" not in facts.text and f"{found['sigma']:.4g}" not in facts.text
        details = browser.find_element(By.ID, "explorer-details")
        assert f"sigma {found['sigma']:.4g}" in details.get_attribute("textContent")
    assert browser.get_log("browser") == []


def test_a_metric_without_numbers_of_models_is_drawn_by_layer_alone(visit: Visit, html: str) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    note = browser.find_element(By.ID, "no-model-metric")
    browser.find_element(By.CSS_SELECTOR, "#sizes summary").click()
    chart = browser.find_element(By.ID, "chart-size")
    assert chart.is_displayed() and not note.is_displayed()
    Select(browser.find_element(By.ID, "metric")).select_by_visible_text("alpha_lo")
    assert note.is_displayed() and not chart.is_displayed()
    assert browser.find_element(By.ID, "chart-roles").is_displayed()
    Select(browser.find_element(By.ID, "metric")).select_by_visible_text("alpha")
    assert chart.is_displayed() and not note.is_displayed()
    assert browser.get_log("browser") == []


def test_a_matrix_without_a_fit_says_why_and_draws_no_tail(visit: Visit, html: str) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    Select(browser.find_element(By.ID, "explorer-model")).select_by_visible_text("models/odd")
    for suffix, words in {"0.attention.self.query": "non-finite; NaN", "1.attention.self.query": "zero; every weight",
                          "1.attention.self.key": "degenerate; no eigenvalue"}.items():  # fmt: skip
        menu = Select(browser.find_element(By.ID, "explorer-layer"))
        menu.select_by_visible_text(f"bert.encoder.layer.{suffix}.weight")
        assert words in browser.find_element(By.ID, "explorer-facts").text
        WebDriverWait(browser, 120).until(lambda _: not marks(browser, "chart-distance"))
    assert browser.execute_script("return window.violations") == []


def test_hostile_names_stay_text_in_scripts_too(visit: Visit, hostile_html: str) -> None:
    browser = visit(hostile_html)
    wait_for_charts(browser)
    options = browser.find_elements(By.CSS_SELECTOR, "#explorer-model option")
    shown = [option.get_attribute("textContent") for option in options]
    assert sorted(shown) == sorted([HOSTILE, LONG])
    menu = Select(browser.find_element(By.ID, "explorer-model"))
    browser.execute_script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))",
                           menu._el, str(shown.index(HOSTILE)))  # fmt: skip
    WebDriverWait(browser, 120).until(lambda _: len(marks(browser, "chart-depth")) == 2)
    for mark in marks(browser, "chart-depth"):
        ActionChains(browser).move_to_element(mark).perform()
        tooltip = browser.find_element(By.ID, "vg-tooltip-element")
        WebDriverWait(browser, 120).until(lambda _, tooltip=tooltip: "fc1.weight" in tooltip.text)
        assert tooltip.find_elements(By.CSS_SELECTOR, "img, script") == []
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    assert browser.execute_script("return window.violations") == []
    assert browser.get_log("browser") == []
    assert requests(browser) == [address(browser)]


def test_without_scripts_all_tables_and_charts_are_there(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html, scripts=False)
    assert browser.find_element(By.CLASS_NAME, "needs-scripts").is_displayed()
    assert not browser.find_element(By.ID, "explorer-panel").is_displayed()
    assert not any(e.is_displayed() for e in browser.find_elements(By.CSS_SELECTOR, ".filter, button, select, input"))
    assert column(browser, "ranking-table", 0) == ["1", "2", "3"]
    for number, score in enumerate(ranking.scores, 1):
        unfold(browser, number)
        browser.find_element(By.CSS_SELECTOR, f"#model-{number} details.layers summary").click()
        assert column(browser, f"model-{number}-layers", 0) == [layer.matrix.name for layer in score.layers]
        points = browser.find_elements(By.CSS_SELECTOR, f"#model-{number} .still svg g[stroke-width='1.6'] path")
        assert len(points) == sum(layer.fit is not None for layer in score.layers)
        assert all(point.is_displayed() and point.size["width"] > 2 for point in points)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_text_and_charts_follow_the_colour_scheme(visit: Visit, html: str, scheme: str, dark: bool) -> None:
    browser = visit(html)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    wait_for_charts(browser)
    assert (brightness(computed(browser, "body", "backgroundColor")) < 150) is dark
    text = computed(browser, "body", "color")
    assert computed(browser, ".still svg text", "fill") == text
    assert computed(browser, "#chart-depth svg text", "fill") == text
    assert computed(browser, "#ranking-table td.n", "color") == text


@pytest.mark.parametrize("page", ["html", "hostile_html"])
def test_400_pixels_are_enough(visit: Visit, page: str, request: pytest.FixtureRequest) -> None:
    browser = visit(request.getfixturevalue(page))
    metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    wait_for_charts(browser)
    assert overflow(browser) <= 0


def test_a_browser_that_cannot_unpack_the_data_is_told_and_has_the_tables(visit: Visit, html: str) -> None:
    browser = visit(html)
    source = {"source": "delete window.DecompressionStream"}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        visit(html)
        notes = browser.find_elements(By.CLASS_NAME, "needs-scripts")
        WebDriverWait(browser, 120).until(lambda _: all("DecompressionStream" in note.text for note in notes))
        assert not browser.find_element(By.ID, "explorer-panel").is_displayed()
        assert len(column(browser, "ranking-table", 0)) == 3
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@pytest.mark.parametrize("width", [1000, 1280, 1600])
def test_a_models_chart_has_the_room_that_it_needs(visit: Visit, html: str, width: int) -> None:
    browser = visit(html)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_script("for (const each of document.querySelectorAll('details.model')) each.open = true;")
    boxes = browser.find_elements(By.CSS_SELECTOR, ".model figure .scroll")
    assert len(boxes) == 4
    beyond = "return arguments[0].scrollWidth - arguments[0].clientWidth"
    assert all(browser.execute_script(beyond, box) <= 0 for box in boxes)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width

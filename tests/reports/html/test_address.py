"""Choices in a real Chromium are kept in the address: links restore them, the back button undoes them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

import pytest

from tests.oracles import Oracle
from tests.reports.html.asking import Visit, column, wait_for_charts
from tests.rounding import expected_alpha
from tests.small_models import HOSTILE
from wqscore.ranking.ranking import Ranking

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

Keys = Oracle("selenium.webdriver", "Keys")
By = Oracle("selenium.webdriver.common.by", "By")
Select = Oracle("selenium.webdriver.support.select", "Select")
WebDriverWait = Oracle("selenium.webdriver.support.wait", "WebDriverWait")

pytestmark = pytest.mark.oracle("axe_core_python", "selenium")


def chosen(browser: Chrome, menu: str) -> str:
    return Select(browser.find_element(By.ID, menu)).first_selected_option.get_attribute("textContent")


def in_address(browser: Chrome) -> dict[str, list[str]]:
    return parse_qs(browser.current_url.partition("#")[2])


def until(browser: Chrome, menu: str, text: str) -> None:
    WebDriverWait(browser, 120).until(lambda _: chosen(browser, menu) == text)


def test_a_link_brings_up_model_matrix_metric_filter_and_order(visit: Visit, html: str, ranking: Ranking) -> None:
    score = ranking.scores[1]
    layer = score.layers[5]
    link = {"model": score.ref.label, "matrix": layer.matrix.name, "metric": "log_norm", "sort-ranking-table": "-2"}
    browser = visit(html, fragment="#" + urlencode({**link, "filter-model-2-layers": "o"}))
    wait_for_charts(browser)
    assert chosen(browser, "explorer-model") == score.ref.label
    assert chosen(browser, "explorer-layer") == layer.matrix.name
    assert expected_alpha(layer.metrics) in browser.find_element(By.ID, "explorer-facts").text
    assert chosen(browser, "metric") == "log_norm"
    names = [m.ref.label for m in ranking.models if m.status == "ranked"]
    assert column(browser, "ranking-table", 1) == sorted(names, reverse=True)
    assert browser.find_element(By.CSS_SELECTOR, "input[data-filters=model-2-layers]").get_attribute("value") == "o"
    row = browser.find_element(By.CSS_SELECTOR, "table.layers tr[aria-current]")
    assert row.find_element(By.TAG_NAME, "th").get_attribute("textContent") == layer.matrix.name


def test_the_back_button_takes_choices_back_one_by_one(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    first = chosen(browser, "explorer-layer")
    names = [layer.matrix.name for layer in ranking.scores[0].layers]
    one, other = [index for index in range(3, 6) if names[index] != first][:2]
    for index in (one, other):
        Select(browser.find_element(By.ID, "explorer-layer")).select_by_index(index)
    browser.find_element(By.CSS_SELECTOR, "#ranking-table th:nth-child(2) button").click()
    assert in_address(browser) == {
        "model": [ranking.scores[0].ref.label],
        "matrix": [names[other]],
        "sort-ranking-table": ["2"],
    }
    ranked = [m.ref.label for m in ranking.models if m.status == "ranked"]
    assert column(browser, "ranking-table", 1) == sorted(ranked) != ranked
    browser.back()
    WebDriverWait(browser, 120).until(lambda _: column(browser, "ranking-table", 1) == ranked)
    assert chosen(browser, "explorer-layer") == names[other]
    browser.back()
    until(browser, "explorer-layer", names[one])
    browser.back()
    until(browser, "explorer-layer", first)
    browser.forward()
    until(browser, "explorer-layer", names[one])


def test_a_link_within_the_page_keeps_what_is_chosen(visit: Visit, html: str) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    Select(browser.find_element(By.ID, "explorer-layer")).select_by_index(4)
    picked = chosen(browser, "explorer-layer")
    browser.find_element(By.CSS_SELECTOR, "nav a[href='#method']").click()
    assert chosen(browser, "explorer-layer") == picked
    browser.back()
    assert chosen(browser, "explorer-layer") == picked


def test_an_address_of_nonsense_is_the_usual_page(visit: Visit, html: str, ranking: Ranking) -> None:
    nonsense = {
        "model": "none",
        "matrix": HOSTILE,
        "metric": "x",
        "sort-ranking-table": "99",
        "pair": "1",
        "first": "",
    }
    browser = visit(html, fragment="#" + urlencode(nonsense) + "&%ff=%zz&sort-pairs-table=NaN")
    wait_for_charts(browser)
    assert chosen(browser, "explorer-model") == ranking.scores[0].ref.label
    assert chosen(browser, "metric") == "alpha"
    assert browser.execute_script("return window.violations") == []
    assert browser.get_log("browser") == []


def test_hostile_names_survive_the_address(visit: Visit, hostile_html: str, hostile_ranking: Ranking) -> None:
    name = f"layers.0.{HOSTILE}.fc1.weight"
    browser = visit(hostile_html, fragment="#" + urlencode({"model": HOSTILE, "matrix": name}))
    wait_for_charts(browser)
    assert chosen(browser, "explorer-model") == HOSTILE
    assert chosen(browser, "explorer-layer") == name
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []


def test_the_keyboard_reaches_and_works_every_control(visit: Visit, html: str) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    controls = browser.find_elements(By.CSS_SELECTOR, "button, select, input, a[href], summary")
    wanted = {e.id: e.accessible_name for e in controls if e.is_displayed() and e.is_enabled()}
    reached: set[str] = set()
    for _ in range(2 * len(wanted)):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        focused = browser.switch_to.active_element
        if focused.tag_name == "body":
            break
        reached.add(focused.id)
        assert focused.value_of_css_property("outline-style") != "none", focused.accessible_name
    assert {wanted[e] for e in wanted.keys() - reached} == set()
    assert len(reached) > 40


def test_arrow_keys_walk_through_the_matrices(visit: Visit, html: str, ranking: Ranking) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    menu = browser.find_element(By.ID, "explorer-layer")
    Select(menu).select_by_index(2)
    menu.send_keys(Keys.ARROW_DOWN)
    name = ranking.scores[0].layers[3].matrix.name
    until(browser, "explorer-layer", name)
    assert in_address(browser)["matrix"] == [name]
    menu.send_keys(Keys.ARROW_UP)
    until(browser, "explorer-layer", ranking.scores[0].layers[2].matrix.name)

"""The page for everyone, in a real Chromium: what axe-core finds, what it weighs, and when its first row is there."""

from __future__ import annotations

import pytest

from tests.axe import serious_violations
from tests.oracles import Oracle
from tests.reports.html.asking import Visit, overflow, wait_for_charts

By = Oracle("selenium.webdriver.common.by", "By")

pytestmark = pytest.mark.oracle("axe_core_python", "selenium")


_OPEN = "document.querySelectorAll('details').forEach((part) => (part.open = true))"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("page", "width"), [("html", 1280), ("html", 400), ("hostile_html", 1280)])
def test_axe_finds_nothing_serious(
    visit: Visit, page: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    browser = visit(request.getfixturevalue(page))
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wait_for_charts(browser)
    browser.execute_script(_OPEN)
    assert serious_violations(browser) == []


def test_the_budget_of_a_small_page(visit: Visit, html: str) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    assert len(html.encode()) < 1_400_000
    assert browser.execute_script("return document.querySelectorAll('*').length") < 15_000
    # The browser's own timeline: bounds that only a page that waits for its charts would miss.
    painted = browser.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert 0 < painted < 10_000


def test_on_paper_every_table_is_open_and_no_control_is_left(visit: Visit, html: str) -> None:
    browser = visit(html)
    wait_for_charts(browser)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    controls = browser.find_elements(By.CSS_SELECTOR, "select, input, .downloads button, nav")
    assert not any(control.is_displayed() for control in controls)
    assert browser.find_element(By.ID, "ranking-table").is_displayed()
    assert browser.find_element(By.ID, "chart-spectrum").is_displayed()
    heights = "return [...document.querySelectorAll('#model-1-layers tbody th')].map((cell) => cell.offsetHeight)"
    assert min(browser.execute_script(heights)) > 5


def test_nothing_sticks_out_at_400_pixels_with_all_open(visit: Visit, html: str) -> None:
    browser = visit(html)
    metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wait_for_charts(browser)
    browser.execute_script(_OPEN)
    assert overflow(browser) <= 0

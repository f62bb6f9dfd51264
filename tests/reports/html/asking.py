"""What a real browser is asked about a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.oracles import Oracle
from wqscore.ranking.ranking import Ranking

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

By = Oracle("selenium.webdriver.common.by", "By")
WebDriverWait = Oracle("selenium.webdriver.support.wait", "WebDriverWait")


CHARTS = ("chart-depth", "chart-spectrum", "chart-distance", "chart-exponent")

Visit = Callable[..., "Chrome"]


def marks(browser: Chrome, chart: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, f"#{chart} svg .mark-symbol.role-mark:not(.ring_marks) path")


def wait_for_charts(browser: Chrome) -> None:
    WebDriverWait(browser, 120).until(lambda _: all(marks(browser, chart) for chart in CHARTS))


def requests(browser: Chrome) -> list[str]:
    """Everything that was asked for since the page was opened, itself included."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def address(browser: Chrome) -> str:
    """The page's own, without what is chosen in it."""
    return browser.current_url.partition("#")[0]


def column(browser: Chrome, table: str, cell: int) -> list[str]:
    rows = browser.find_elements(By.CSS_SELECTOR, f"#{table} tbody tr:not(.family)")
    return [row.find_elements(By.XPATH, "*")[cell].text for row in rows if row.is_displayed()]


def computed(browser: Chrome, selector: str, style: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    return browser.execute_script(script, selector, style)


def brightness(colour: str) -> int:
    """Of `rgb(r, g, b)`: 0 is black, 765 white."""
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


def overflow(browser: Chrome) -> int:
    """How much wider the page is than the screen; a phone's window grows with the page, its screen does not."""
    return browser.execute_script("return document.documentElement.scrollWidth - Math.min(innerWidth, screen.width)")


def number_of(ranking: Ranking, label: str) -> int:
    """The number that a model's section has in the page."""
    return [score.ref.label for score in ranking.scores].index(label) + 1


def unfold(browser: Chrome, number: int) -> None:
    """Open a model's part of the page."""
    summary = f"//section[@id='model-{number}']/ancestor::details[1]/summary"
    browser.find_element(By.XPATH, summary).click()

"""The site in a real Chromium, from files and from a server: under its own policy, and with axe-core."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.axe import serious_violations
from tests.leaderboards.conftest import NIGHT, build_at, listed, write_model
from tests.oracles import Oracle

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

ActionChains = Oracle("selenium.webdriver", "ActionChains")
Keys = Oracle("selenium.webdriver", "Keys")
By = Oracle("selenium.webdriver.common.by", "By")
Select = Oracle("selenium.webdriver.support.select", "Select")

pytestmark = pytest.mark.oracle("axe_core_python", "selenium")


_RECORD_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""
PAGES = ("index.html", "models/toy-1.html", "models/toy-4.html", "families/small.html", "data/schema.html")

Visit = Callable[..., "Chrome"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(params=["file", "http"])
def root(request: pytest.FixtureRequest, toys: Path) -> Iterator[str]:
    """The address of the site."""
    if request.param == "file":
        yield toys.as_uri()
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(toys)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(browser: Chrome) -> Iterator[Visit]:
    """Open an address, its policy's violations recorded, with scripts on or off."""
    script = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _RECORD_VIOLATIONS})

    def opened(address: str, scripts: bool = True) -> Chrome:
        browser.get("about:blank")
        browser.get_log("browser"), browser.get_log("performance")
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        browser.get(address)
        return browser

    yield opened
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def names(browser: Chrome) -> list[str]:
    return [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#models-table tbody th a")]


def column(browser: Chrome, place: int) -> list[str]:
    cells = browser.find_elements(By.CSS_SELECTOR, f"#models-table tbody tr > :nth-child({place})")
    return [cell.text for cell in cells]


def requested(browser: Chrome) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_for_nothing_but_the_sites_files(visit: Visit, root: str, page: str) -> None:
    browser = visit(f"{root}/{page}")
    urls = [url for url in requested(browser) if url != "about:blank"]
    assert f"{root}/assets/style.css" in urls
    assert all(url.startswith(f"{root}/") for url in urls)
    assert browser.execute_script("return window.violations") == []
    assert browser.get_log("browser") == []
    images = browser.find_elements(By.TAG_NAME, "img")
    assert all(browser.execute_script("return arguments[0].naturalWidth", image) > 0 for image in images)


def test_the_script_shows_the_rows_that_are_there_without_it(visit: Visit, root: str) -> None:
    browser = visit(f"{root}/index.html", scripts=False)
    without = browser.find_element(By.CSS_SELECTOR, "#models-table tbody").text
    assert not browser.find_element(By.ID, "controls").is_displayed()
    browser = visit(f"{root}/index.html")
    assert browser.find_element(By.ID, "controls").is_displayed()
    assert browser.find_element(By.CSS_SELECTOR, "#models-table tbody").text == without
    assert len(browser.find_elements(By.CSS_SELECTOR, "#models-table svg.interval line")) == 4


def test_it_sorts_by_every_metric(visit: Visit, root: str, toys: Path) -> None:
    browser = visit(f"{root}/index.html")
    document = json.loads((toys / "data/models.json").read_text(encoding="utf-8"))
    select = Select(browser.find_element(By.ID, "metric"))
    assert [option.text for option in select.options] == document["metrics"]
    header = browser.find_element(By.CSS_SELECTOR, "#metric-column button")
    for metric in ("log_norm", "stable_rank"):
        select.select_by_value(metric)
        assert header.text.startswith(metric)
        header.click()
        if browser.find_element(By.ID, "metric-column").get_attribute("aria-sort") == "descending":
            header.click()
        values = {row["model"]: row[metric] for row in document["models"]}
        assert names(browser) == by_family(document, sorted(values, key=lambda name: values[name]))
        header.click()
        ordered = by_family(document, sorted(values, key=lambda name: values[name], reverse=True))
        assert names(browser) == ordered
        shown = [float(text.replace(",", "")) for text in column(browser, 4)]
        assert shown == pytest.approx([values[name] for name in ordered], rel=1e-3)
        # A line stands between the two families.
        rows = browser.find_elements(By.CSS_SELECTOR, "#models-table tbody tr")
        assert [row.get_attribute("class") for row in rows].count("next-family") == 1


def by_family(document: dict[str, Any], ordered: list[str]) -> list[str]:
    """Names in an order, those of one family together: the family of the first name first."""
    family = {row["model"]: row["family"] for row in document["models"]}
    first = list(dict.fromkeys(family[name] for name in ordered))
    return sorted(ordered, key=lambda name: first.index(family[name]))


def test_the_axis_follows_the_metric(visit: Visit, root: str) -> None:
    browser = visit(f"{root}/index.html", scripts=False)
    ticks = "#models-table thead .axis text"
    without = [tick.text for tick in browser.find_elements(By.CSS_SELECTOR, ticks)]
    browser = visit(f"{root}/index.html")
    assert [tick.text for tick in browser.find_elements(By.CSS_SELECTOR, ticks)] == without
    Select(browser.find_element(By.ID, "metric")).select_by_value("stable_rank")
    values = [float(text.replace(",", "")) for text in column(browser, 4)]
    shown = [float(tick.text) for tick in browser.find_elements(By.CSS_SELECTOR, ticks)]
    assert len(shown) > 1
    assert shown == sorted(shown)
    marks = browser.find_elements(By.CSS_SELECTOR, "#models-table svg.interval circle")
    places = [float(mark.get_attribute("cx")) for mark in marks]
    at = [float(tick.get_attribute("x")) for tick in browser.find_elements(By.CSS_SELECTOR, ticks)]
    scale = (at[-1] - at[0]) / (shown[-1] - shown[0])
    assert places == pytest.approx([at[0] + (value - shown[0]) * scale for value in values], abs=0.2)


def test_it_filters_and_the_address_keeps_it(visit: Visit, root: str) -> None:
    browser = visit(f"{root}/index.html")
    Select(browser.find_element(By.ID, "family")).select_by_value("small")
    assert sorted(names(browser)) == ["toy-1", "toy-2"]
    Select(browser.find_element(By.ID, "licence")).select_by_value("mit")
    assert names(browser) == ["toy-1"]
    assert browser.find_element(By.ID, "count").text == "1 of 4 models"
    address = browser.current_url
    visit("about:blank")
    browser = visit(address)
    assert names(browser) == ["toy-1"]
    browser.find_element(By.CSS_SELECTOR, "#controls button[type=reset]").click()
    assert len(names(browser)) == 4
    Select(browser.find_element(By.ID, "year")).select_by_value("2024")
    assert names(browser) == ["toy-4"]
    browser.find_element(By.CSS_SELECTOR, "#controls button[type=reset]").click()
    Select(browser.find_element(By.ID, "size")).select_by_value("1e8-1e9")
    assert names(browser) == []


def test_the_keyboard_is_enough(visit: Visit, root: str) -> None:
    browser = visit(f"{root}/index.html")
    ActionChains(browser).send_keys("/", "stale").perform()
    assert browser.switch_to.active_element.get_attribute("id") == "search"
    assert names(browser) == ["toy-4"]
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys("odd").perform()
    assert sorted(names(browser)) == ["toy-3", "toy-4"]
    for _ in range(40):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        if browser.switch_to.active_element.text.startswith("Model"):
            break
    ActionChains(browser).send_keys(Keys.ENTER, Keys.ENTER).perform()
    assert names(browser) == ["toy-4", "toy-3"]
    assert browser.find_element(By.CSS_SELECTOR, "th[aria-sort]").get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize("page", PAGES)
def test_dark_pages_are_dark_and_narrow_ones_fit(visit: Visit, toys: Path, page: str) -> None:
    browser = visit(f"{toys.as_uri()}/{page}")
    colour = "return getComputedStyle(document.body).backgroundColor"
    for scheme, dark in (("light", False), ("dark", True)):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        parts = browser.execute_script(colour).removeprefix("rgb(").removesuffix(")").split(",")
        assert (sum(map(int, parts)) < 150) is dark
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth - 400") <= 0


@pytest.mark.parametrize("scripts", [False, True])
@pytest.mark.parametrize("page", ["index.html", "families/small.html"])
def test_on_a_phone_each_model_is_a_card_with_its_numbers_named(
    visit: Visit, toys: Path, page: str, scripts: bool
) -> None:
    browser = visit(f"{toys.as_uri()}/{page}")
    heads = browser.execute_script("return [...document.querySelectorAll('thead th')].map(th => th.innerText.trim())")
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser = visit(f"{toys.as_uri()}/{page}", scripts=scripts)
    assert (
        browser.execute_script("const t = document.querySelector('.scroll'); return t.scrollWidth - t.clientWidth")
        <= 0
    )
    rows = browser.find_elements(By.CSS_SELECTOR, "table.cards tbody tr")
    assert len(rows) > 1
    axis = browser.find_element(By.CSS_SELECTOR, "thead .axis").rect
    for row in rows:
        cells = row.find_elements(By.CSS_SELECTOR, "td, th")
        assert all(cell.rect["x"] >= -1 and cell.rect["x"] + cell.rect["width"] <= 391 for cell in cells)
        for cell, head in zip(cells, heads, strict=True):
            said = browser.execute_script("return getComputedStyle(arguments[0], '::before').content", cell)
            if cell.tag_name == "td" and "drawn" not in (cell.get_attribute("class") or ""):
                assert said.strip('"').replace("\xa0", " ") == head.replace("\xa0", " ").removesuffix("↕").strip()
        for bar in row.find_elements(By.CSS_SELECTOR, ".interval"):
            assert bar.rect["x"] == pytest.approx(axis["x"], abs=2)
    sorting = browser.find_elements(By.CSS_SELECTOR, "thead button")
    assert all(button.is_displayed() for button in sorting) and bool(sorting) == (scripts and page == "index.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious(visit: Visit, toys: Path, page: str, scheme: str) -> None:
    browser = visit(f"{toys.as_uri()}/{page}")
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    assert serious_violations(browser) == []


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 models that are one on disk, and one of 700 matrices."""
    folder = tmp_path_factory.mktemp("many")
    write_model(folder / "one", 0)
    models = []
    for number in range(400):
        (folder / f"m{number}").mkdir()
        (folder / f"m{number}" / "model.safetensors").symlink_to(folder / "one" / "model.safetensors")
        models.append(listed(folder / f"m{number}", f"toy-{number:03}", family=f"family-{number // 20}"))
    from wqscore.stores.store import Store

    with Store.open(folder / "store.sqlite") as store:
        build_at(NIGHT, models, folder / "site", store=store)
    return folder / "site"


def test_many_models_fill_pages_that_stay_small(visit: Visit, many: Path) -> None:
    pages = sorted(many.glob("index*.html"))
    assert len(pages) > 1
    assert all(page.stat().st_size < 150_000 for page in many.rglob("*.html"))
    seen: list[str] = []
    for page in pages:
        browser = visit(page.as_uri(), scripts=False)
        seen += names(browser)
    assert sorted(seen) == [f"toy-{number:03}" for number in range(400)]
    browser = visit((many / "index.html").as_uri())
    assert len(names(browser)) == 150
    assert browser.execute_script("return document.querySelectorAll('*').length") < 4_500
    browser.find_element(By.CSS_SELECTOR, "#more button").click()
    assert len(names(browser)) == 300
    browser.find_element(By.ID, "search").send_keys("toy-399")
    assert names(browser) == ["toy-399"]

"""Take the README's pictures of the demo's report and leaderboard, in headless Chromium: `make screenshots`."""

from __future__ import annotations

import base64
from pathlib import Path
from shutil import which
from urllib.parse import urlencode

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).parent.parent
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
_WIDTH = 1180
_TUNED, _BASE = "rxnfp-bert_ft", "rxnfp-bert_pretrained"
#: The report is ready when it has drawn these.
_DRAWN = ("#chart-depth svg", "#chart-exponent svg")
_MATRIX = "encoder.layer.11.attention.self.value.weight"

#: Per file: the choices in the page's address, and the elements at the top and the bottom of the picture.
PICTURES: dict[str, tuple[dict[str, str], str, str]] = {
    "report-ranking.png": ({}, "body > header", "#ranking .trust"),
    "report-pairs.png": ({"first": _TUNED, "second": _BASE}, "#pairs h2", "#changes-table tbody tr:nth-child(5)"),
    "report-layer.png": ({"model": _TUNED, "matrix": _MATRIX}, "#explorer h2", "#explorer .thirds figure"),
}


#: Per file: a page of the leaderboard, and the elements at the top and the bottom of the picture.
SITE_PICTURES = {"leaderboard.png": ("index.html", "header", "main table")}


def take(report: Path, site: Path, folder: Path) -> None:
    """Write every picture.

    Args:
        report: the `index.html` of the demo's report.
        site: the folder of the demo's leaderboard.
        folder: the folder to write the pictures to.
    """
    options = ChromeOptions()
    for option in _OPTIONS:
        options.add_argument(option)
    options.binary_location = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), "")
    browser = Chrome(options=options, service=ChromeService(which("chromedriver")))
    try:
        size = {"width": _WIDTH, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for name, (chosen, top, bottom) in PICTURES.items():
            browser.get("about:blank")
            browser.get(report.absolute().as_uri() + (f"#{urlencode(chosen)}" if chosen else ""))
            parts = (*_DRAWN, "#chart-pair svg") if "first" in chosen else _DRAWN
            WebDriverWait(browser, 30).until(
                lambda _, parts=parts: all(browser.find_elements(By.CSS_SELECTOR, part) for part in parts)
            )
            (folder / name).write_bytes(_picture(browser, top, bottom))
        for name, (page, top, bottom) in SITE_PICTURES.items():
            browser.get((site / page).absolute().as_uri())
            (folder / name).write_bytes(_picture(browser, top, bottom))
    finally:
        browser.quit()


def _picture(browser: Chrome, top: str, bottom: str) -> bytes:
    edges = "return arguments[0].getBoundingClientRect().{0} + scrollY"
    start = browser.execute_script(edges.format("top"), browser.find_element(By.CSS_SELECTOR, top)) - 12
    end = browser.execute_script(edges.format("bottom"), browser.find_element(By.CSS_SELECTOR, bottom)) + 12
    clip = {"x": 0, "y": max(0, start), "width": _WIDTH, "height": end - max(0, start), "scale": 1}
    shot = {"captureBeyondViewport": True, "clip": clip}
    return base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", shot)["data"])


if __name__ == "__main__":
    take(ROOT / "reports" / "demo" / "index.html", ROOT / "reports" / "nightly", ROOT / "docs")

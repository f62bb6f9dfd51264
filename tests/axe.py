"""Run axe-core on a page in a browser."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.oracles import missing

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


_RUN = "const done = arguments[0]; axe.run().then(done, (error) => done({ error: String(error) }));"


def serious_violations(browser: Chrome) -> list[tuple[str, list[str]]]:
    """The rules of serious or critical impact that are broken, each with the elements that break it."""
    # Through the debugger, which no policy stops: the page may not run what is not its own.
    browser.execute_script(_script())
    browser.set_script_timeout(240)
    found = browser.execute_async_script(_RUN)
    assert "error" not in found
    assert len(found["passes"]) > 15
    serious = [rule for rule in found["violations"] if rule["impact"] in ("serious", "critical")]
    return [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in serious]


def _script() -> str:
    """The script of axe-core, which ships in a Python package."""
    spec = find_spec("axe_core_python")
    if spec is None or not spec.submodule_search_locations:
        missing("axe-core-python is not installed")
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")

"""Charts that can't be drawn on a machine cost a line, not the process, and not what was scored."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import vl_convert
from typer.testing import Result

from tests.cli.conftest import invoke, toy
from wqscore.rendering.folder import ReportError
from wqscore.rendering.html import charts, kept_scripts, vega

__all__ = ["invoke"]

Invoke = Callable[..., Result]


def test_a_limit_on_address_space_costs_the_report_alone(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine would end the process: SIGTRAP, after hours of scoring."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (16 << 30, 16 << 30))
    monkeypatch.setattr(kept_scripts, "standard_folder", lambda: None)
    charts.scripts.cache_clear()
    toy(tmp_path / "a")
    toy(tmp_path / "b", seed=1)
    done = invoke("rank", "a", "b", "--out", "report", "--format", "json", "-q")
    assert done.exit_code == 3
    assert '"conclusion"' in done.stdout
    (line,) = done.stderr.splitlines()
    assert "wqscore: charts can't be drawn" in line
    assert "ulimit -v unlimited" in line
    assert not (tmp_path / "report").exists()


def test_what_the_engine_raises_is_a_report_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise ValueError("Vega-Lite to SVG conversion failed:\noneshot canceled")

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", fail)
    with pytest.raises(ReportError, match="charts can't be drawn: Vega-Lite to SVG conversion failed: oneshot"):
        vega.svg({})


def test_without_limits_and_without_the_module_nothing_stands_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `resource`."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert vega._address_space() == float("inf")
    assert vega.svg({"mark": "point", "data": {"values": []}}).startswith("<svg")

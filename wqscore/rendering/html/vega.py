"""Vega-Lite as vl-convert runs it, in a JavaScript engine within this process: charts, and the scripts for pages.

Its Vega-Lite is the newest of those that the installed version of vl-convert has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from wqscore.rendering.folder import ReportError

Made = TypeVar("Made", str, bytes)

#: The engine reserves so much address space, most of it never used, and ends the process where it can't.
_RESERVED = 80 * 10**9


def svg(chart: dict[str, Any]) -> str:
    """Draw a chart.

    Raises:
        ReportError: the engine can't run on this machine.
    """
    from vl_convert import vegalite_to_svg

    return _run(lambda: str(vegalite_to_svg(dict(chart))))


def png(drawing: str, scale: float) -> bytes:
    """Turn an SVG drawing into a PNG picture, each of its units so many pixels.

    Raises:
        ReportError: it can't be drawn on this machine.
    """
    from vl_convert import svg_to_png

    return _run(lambda: bytes(svg_to_png(drawing, scale=scale)))


def pdf(drawing: str) -> bytes:
    """Turn an SVG drawing into a PDF page of its size, a point for each of its units.

    Raises:
        ReportError: it can't be drawn on this machine.
    """
    from vl_convert import svg_to_pdf

    return _run(lambda: bytes(svg_to_pdf(drawing)))


def bundle(script: str) -> str:
    """Put a script together with Vega, Vega-Lite and Vega-Embed.

    Raises:
        ReportError: the engine can't run on this machine.
    """
    from vl_convert import javascript_bundle

    return _run(lambda: str(javascript_bundle(script)))


def _run(task: Callable[[], Made]) -> Made:
    """Run the engine, whose failure would end this process with a report of its own.

    Raises:
        ReportError: it can't run.
    """
    if _address_space() < _RESERVED:
        raise ReportError(
            "charts can't be drawn: what draws them reserves 80 GB of address space, of which it uses little, and a "
            "limit forbids it: run `ulimit -v unlimited` before, or rank with --no-report, which draws none"
        )
    try:
        return task()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ReportError(
            f"charts can't be drawn: {reason}: give this process more, or rank with --no-report, which draws none"
        ) from error


def _address_space() -> float:
    """Bytes that this process may reserve; infinite where nothing limits them, as on Windows."""
    try:
        import resource
    except ImportError:
        return float("inf")
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return float("inf") if limit == resource.RLIM_INFINITY else limit

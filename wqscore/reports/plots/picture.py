"""A chart with its data and title: as an Altair chart, and as an SVG, PNG or PDF file, dark on white."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wqscore.errors import UsageError
from wqscore.escaping import printable
from wqscore.rendering.html import vega
from wqscore.rendering.layout import fold

if TYPE_CHECKING:
    import altair as alt

Rows = Mapping[str, Sequence[Mapping[str, object]]]

#: The endings of files that a picture can be written to.
ENDINGS = (".svg", ".png", ".pdf")
#: Characters in a line of the title for each pixel of the chart's width.
_CHARACTERS = 0.15
#: A unit of the drawing is a point, 1/72 inch.
POINTS = 72
_WIDTH, _HEIGHT = 480, 300
_INK, _PAPER = "#1a1a1a", "#ffffff"


@dataclass(frozen=True)
class Look:
    """How a picture is drawn.

    Attributes:
        width: inches from edge to edge; `None` for an axis of 480 points. Grids keep the sizes of their parts.
        dpi: pixels for each inch of a PNG.
        font: of all text; a reader without it takes another.
    """

    width: float | None = None
    dpi: float = 216.0
    font: str = "sans-serif"


#: The usual look.
USUAL = Look()


@dataclass(frozen=True)
class Picture:
    """A chart with its data.

    Attributes:
        spec: a Vega-Lite specification.
        data: the rows of its datasets.
        width: of the drawing in points, without what stands around it; `None` where the specification has sizes.
    """

    spec: dict[str, Any]
    data: Rows
    width: float | None = _WIDTH

    def chart(self, look: Look = USUAL) -> alt.TopLevelMixin:
        """The picture as an Altair chart with its data."""
        import altair as alt

        kinds = {"layer": alt.LayerChart, "facet": alt.FacetChart, "vconcat": alt.VConcatChart}
        kind = next(found for key, found in kinds.items() if key in self.spec)
        drawn = self._drawn(look)
        datasets = drawn.pop("datasets")
        chart: alt.TopLevelMixin = kind.from_dict(drawn)
        # Added last: Altair would check every row against its schema.
        chart.datasets = datasets
        return chart

    def svg(self, look: Look = USUAL) -> str:
        """The picture as SVG."""
        return vega.svg(self._drawn(look))

    def png(self, look: Look = USUAL) -> bytes:
        """The picture as PNG."""
        return vega.png(self.svg(look), look.dpi / POINTS)

    def pdf(self, look: Look = USUAL) -> bytes:
        """The picture as a PDF page of its own size, with text as text."""
        return vega.pdf(self.svg(look))

    def file(self, ending: str, look: Look = USUAL) -> bytes:
        """The picture as the content of a file.

        Args:
            ending: one of `ENDINGS`, in any case.
            look: how it is drawn.

        Raises:
            UsageError: no picture has this ending.
        """
        if ending.lower() == ".svg":
            return self.svg(look).encode()
        if ending.lower() not in ENDINGS:
            raise UsageError(f"pictures are {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, not {ending or 'nameless'}")
        return self.png(look) if ending.lower() == ".png" else self.pdf(look)

    def _drawn(self, look: Look) -> dict[str, Any]:
        """The specification with data, sizes and font."""
        whole = self.spec | {"datasets": {name: list(rows) for name, rows in self.data.items()}}
        if look.font != "sans-serif":
            whole |= {"config": whole["config"] | {"font": look.font}}
        if self.width is None:
            return whole
        if look.width is None:
            return whole | {"width": self.width, "height": _HEIGHT}
        across = look.width * POINTS
        fit = {"type": "fit", "contains": "padding"}
        return whole | {"width": across, "height": across * _HEIGHT / _WIDTH, "autosize": fit}


def picture(
    spec: dict[str, Any], data: Rows, head: str, below: Sequence[str], width: float | None = _WIDTH
) -> Picture:
    """A chart with its title, in ink on white paper.

    Args:
        spec: a specification in the page's own colours.
        data: the rows of its datasets.
        head: the first line of the title.
        below: the lines under it.
        width: as for `Picture`.
    """
    across = int((width or _WIDTH) * _CHARACTERS)
    title = {"text": _folded(head, across), "subtitle": [part for line in below for part in _folded(line, across)]}
    sizes = {"anchor": "start", "fontSize": 12, "subtitleFontSize": 11, "color": _INK, "subtitleColor": _INK}
    return Picture(_on_paper(spec) | {"background": _PAPER, "padding": 12, "title": title | sizes}, data, width)


def _folded(line: str, width: int) -> list[str]:
    """A line folded to the chart's width, so that no name is cut."""
    return fold(printable(line), width).split("\n")


def _on_paper(part: Any) -> Any:
    """A specification with `currentColor`, the page's colour, replaced by ink."""
    if isinstance(part, dict):
        return {key: _on_paper(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_on_paper(value) for value in part]
    return _INK if part == "currentColor" else part

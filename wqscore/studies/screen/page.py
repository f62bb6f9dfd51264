"""The HTML page of a screening: what it comes to, z-scores by depth, and the modules of each adapter."""

from __future__ import annotations

from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.rendering.html.charts import finish, layer_axis, to_svg
from wqscore.rendering.html.page import environment, still_page
from wqscore.rendering.html.palette import GREY, VERMILLION
from wqscore.rendering.html.vega_lite import Spec, field, if_else, layer, mark, value
from wqscore.rendering.numbers import figure
from wqscore.studies.screen.report import answer, screening_notes, signed
from wqscore.studies.screen.screen import ScreenedAdapter, ScreenedModule, Screening
from wqscore.studies.screen.statistics import STATISTICS

#: More modules would make the page too large; screen.csv has all.
_MOST = 500


def screening_html(found: Screening) -> str:
    """Render a screening as one self-contained HTML page, which fetches nothing and runs no code.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    return still_page(
        environment(__package__, figure=figure, signed=signed, printable=printable),
        "screen.html.j2",
        found=found,
        statistics=STATISTICS,
        first=[printable(line) for line in answer(found)],
        notes=[printable(note) for note in screening_notes(found)],
        charts={each.name: _charts(each) for each in found.adapters},
        listed={each.name: _listed(each) for each in found.adapters},
        most=_MOST,
    )


def _listed(adapter: ScreenedAdapter) -> list[ScreenedModule]:
    """The modules of the table: those that stand out first, then those that can't be measured, then the others."""
    return sorted(
        adapter.modules,
        key=lambda each: (not (each.outlying or each.bank_outlying), not each.module.reason),
    )[:_MOST]


def _charts(adapter: ScreenedAdapter) -> list[tuple[str, Markup]]:
    """For each statistic the z-scores by depth; none where modules have no depth."""
    placed = [each for each in adapter.modules if each.z and each.module.matrix.depth is not None]
    charts = []
    for name in STATISTICS:
        layers = [
            {
                "place": str(each.module.matrix.depth),
                "order": each.module.matrix.depth,
                "z": each.z[name],
                "outlying": name in each.outlying,
            }
            for each in placed
            if name in each.z
        ]
        if layers:
            limits = [{"z": adapter.limit}, {"z": -adapter.limit}]
            charts.append((name, Markup(to_svg(by_depth(name), {"layers": layers, "limits": limits}))))
    return charts


def by_depth(statistic: str) -> Spec:
    """The z-scores of a statistic layer by layer, with the limit.

    Datasets: `layers` (place, order, z, outlying), `limits` (z).

    Args:
        statistic: its name.
    """
    y = field("z:Q", title=f"z of {statistic}")
    colour = if_else("datum.outlying", value(VERMILLION), value(GREY))
    size = if_else("datum.outlying", value(110), value(40))
    points = mark("point", filled=True, opacity=0.9)
    return finish(
        [
            layer("limits", mark("rule", strokeDash=[5, 4], color=GREY), y=y),
            layer("layers", points, x=layer_axis(grid=True), y=y, color=colour, size=size),
        ]
    )

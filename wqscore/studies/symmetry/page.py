"""The HTML page of a study of symmetries: what applies, how far every metric moves, and what doesn't apply."""

from __future__ import annotations

from wqscore.escaping import printable
from wqscore.rendering.html.page import environment, still_page
from wqscore.studies.symmetry.report import answer, cell
from wqscore.studies.symmetry.symmetry import DRAWS, Symmetry
from wqscore.symmetries.transformations import SPREAD


def symmetry_html(found: Symmetry) -> str:
    """Render a study as one self-contained HTML page, which fetches nothing and runs no code.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    return still_page(
        environment(__package__, cell=cell),
        "symmetry.html.j2",
        label=printable(found.score.ref.label),
        answer=[printable(line) for line in answer(found)],
        applying=[each for each in found.transformations if each.applies],
        others=[(each.name, printable(each.reason)) for each in found.transformations if not each.applies],
        metrics=found.score.metrics,
        headline=found.score.preset.headline,
        seed=found.score.seed,
        draws=DRAWS,
        spread=SPREAD,
    )

"""The HTML page of a comparison: the trees, a map of all cosines, the pairs and the models."""

from __future__ import annotations

from math import isfinite

from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.rendering.html import charts
from wqscore.rendering.html.page import environment, still_page
from wqscore.studies.kin.charts import cosine_map
from wqscore.studies.kin.kin import Kin
from wqscore.studies.kin.report import answer, cosine_text, fitted, kin_notes, short, shown_pairs, tree_lines

#: More models have no room in a map.
_MAX_DRAWN = 40
_WIDTH, _LABEL = 100, 28


def kin_html(found: Kin) -> str:
    """Render a comparison as one self-contained HTML page, which fetches nothing and runs no code.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    return still_page(
        environment(__package__, cosine=cosine_text, short=short),
        "kin.html.j2",
        found=found,
        answer=[printable(line) for line in answer(found)],
        notes=[printable(note) for note in kin_notes(found)],
        tree="\n".join(map(printable, tree_lines(found, _WIDTH))),
        map=_map(found),
        pairs=shown_pairs(found),
    )


def _map(found: Kin) -> Markup | None:
    """The cosines of all pairs that have one, and 1 of each model with itself."""
    count = len(found.models)
    if not 2 <= count <= _MAX_DRAWN:
        return None
    labels = [f"{place + 1} {fitted(printable(found.label(place)), _LABEL)}" for place in range(count)]
    cells = [{"a": label, "b": label, "size": 1.0, "shown": ""} for label in labels]
    for pair in found.pairs:
        size = abs(pair.cosine) if isfinite(pair.cosine) else 0.0
        for a, b in ((pair.a, pair.b), (pair.b, pair.a)):
            cells.append({"a": labels[a], "b": labels[b], "size": size, "shown": cosine_text(pair)})
    return Markup(charts.to_svg(cosine_map(labels), {"cells": cells}))

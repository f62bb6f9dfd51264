"""The chart of a comparison as a Vega-Lite specification without data: the cosine of every pair."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.rendering.html.charts import shaded_cells
from wqscore.rendering.html.vega_lite import Spec, field


def cosine_map(labels: Sequence[str]) -> Spec:
    """Return a map of all pairs: the stronger the colour, the more alike; the cosine is written in each cell.

    Dataset: `cells` (a, b: labels; size: |cosine|; shown).

    Args:
        labels: of the models, each once, in order: a number, a blank and a name.
    """
    # The names stand beside the rows; the columns have their numbers.
    numbers = {"labelAngle": 0, "labelExpr": "split(datum.label, ' ')[0]", "grid": False}
    x = field("a:O", title=None, sort=list(labels), axis=numbers)
    y = field("b:O", title=None, sort=list(labels), axis={"labelLimit": 200, "grid": False})
    return shaded_cells("size", x, y, font=10)

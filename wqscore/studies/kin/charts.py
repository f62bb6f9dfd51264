"""The chart of a comparison as a Vega-Lite specification without data: the cosine of every pair."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.rendering.html.charts import finish
from wqscore.rendering.html.palette import BLUE
from wqscore.rendering.html.vega_lite import Spec, field, layer, mark


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
    opacity = field("size:Q", scale={"domain": [0, 1], "range": [0.04, 0.75]}, legend=None)
    squares = layer("cells", mark("rect", color=BLUE), x=x, y=y, opacity=opacity)
    words = layer("cells", mark("text", fontSize=10, color="currentColor"), x=x, y=y, text=field("shown:N"))
    return finish([squares, words])

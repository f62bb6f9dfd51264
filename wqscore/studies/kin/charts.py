"""The chart of a comparison as a Vega-Lite specification without data: the cosine of every pair."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from wqscore.rendering.html.charts import Spec, finish
from wqscore.rendering.html.palette import BLUE


def cosine_map(labels: Sequence[str]) -> Spec:
    """Return a map of all pairs: the darker, the more alike; the cosine is written in each cell.

    Dataset: `cells` (a, b: labels; size: |cosine|; shown).

    Args:
        labels: of the models, each once, in order: a number, a blank and a name.
    """
    # The names stand beside the rows; the columns have their numbers.
    numbers = alt.Axis(labelAngle=0, labelExpr="split(datum.label, ' ')[0]", grid=False)
    x = alt.X("a:O", title=None, sort=list(labels), axis=numbers)
    y = alt.Y("b:O", title=None, sort=list(labels), axis=alt.Axis(labelLimit=200, grid=False))
    cells = alt.Chart(alt.NamedData(name="cells"))
    opacity = alt.Opacity("size:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.75]), legend=None)
    squares = cells.mark_rect(color=BLUE).encode(x=x, y=y, opacity=opacity)
    words = cells.mark_text(fontSize=10, color="currentColor").encode(x=x, y=y, text="shown:N")
    return finish(alt.layer(squares, words))

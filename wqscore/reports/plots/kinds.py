"""The charts of each kind of result by name: what `score.plot(...)` and `ranking.plot(...)` return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from wqscore.errors import UsageError, nearest
from wqscore.ranking.ranking import Ranking
from wqscore.refs.reference import Model
from wqscore.reports.plots.matrix import distance_picture, spectra_picture, spectrum_picture
from wqscore.reports.plots.models import depth_picture, ranking_picture, roles_picture
from wqscore.reports.plots.picture import USUAL, Look, Picture
from wqscore.scoring.find_layer import choose_layer
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.spectra_of import all_spectra, matrix_spectrum, spectrum_of

if TYPE_CHECKING:
    import altair as alt

_OF_SCORE = ("depth", "spectrum", "distance")
_OF_RANKING: Mapping[str, Callable[[Ranking, Look], Picture]] = {
    "intervals": ranking_picture,
    "roles": roles_picture,
    "depth": lambda ranking, look: depth_picture(ranking.scores, ranking.by.name),
}


def score_chart(
    score: ModelScore,
    chart: str,
    layer: str | None,
    metric: str,
    bulk: bool,
    shuffled: bool,
    model: Model,
) -> alt.TopLevelMixin:
    """The chart of a score, as `ModelScore.plot` describes it."""
    return score_picture(score, chart, layer, metric, bulk, shuffled, model).chart()


def ranking_chart(ranking: Ranking, chart: str) -> alt.TopLevelMixin:
    """The chart of a ranking, as `Ranking.plot` describes it."""
    if chart not in _OF_RANKING:
        raise UsageError(f"a ranking has no chart {chart!r}: {nearest(chart, list(_OF_RANKING))}")
    return _OF_RANKING[chart](ranking, USUAL).chart()


def score_picture(
    score: ModelScore,
    chart: str,
    layer: str | None = None,
    metric: str = "alpha",
    bulk: bool = False,
    shuffled: bool = False,
    model: Model = None,
    look: Look = USUAL,
) -> Picture:
    """A chart of one model.

    Args:
        score: the model.
        chart: `depth`, `spectrum` or `distance`.
        layer: the matrix of the last two; all matrices for `spectrum` if `None`.
        metric: what `depth` shows.
        bulk: draw the Marchenko–Pastur law of the bulk over a spectrum.
        shuffled: draw the spectrum of the shuffled weights behind it.
        model: where to read the weights for that; the scored model's files if `None`.
        look: how it is drawn.

    Raises:
        UsageError: there is no such chart or matrix, or an argument is not for this chart.
        CheckpointError: there is nothing to draw, or the weights are not at hand any more.
    """
    check_chart(chart, layer, metric, bulk or shuffled or model is not None)
    if chart == "depth":
        return depth_picture([score], metric)
    if chart == "distance":
        row = choose_layer(score, layer or "")
        matrix_spectrum(score, row)
        return distance_picture(score, row)
    if layer is None:
        return spectra_picture(score, all_spectra(score, shuffled, model), bulk, look)
    return spectrum_picture(score, spectrum_of(score, layer, shuffled, model), bulk)


def check_chart(chart: str, layer: str | None, metric: str = "alpha", overlays: bool = False) -> None:
    """Refuse arguments that are not for a chart.

    Raises:
        UsageError: there is no such chart, or it does not take what is given.
    """
    if chart not in _OF_SCORE:
        raise UsageError(f"a score has no chart {chart!r}: {nearest(chart, list(_OF_SCORE))}")
    if chart == "depth" and layer is not None:
        raise UsageError("the chart depth shows every layer: leave --layer out (layer= in Python)")
    if chart == "distance" and layer is None:
        raise UsageError("the chart distance is of one matrix: name it with --layer, or layer= in Python")
    if overlays and chart != "spectrum":
        raise UsageError(f"bulk and shuffled are drawn over spectra: leave them out of the chart {chart}")
    if metric != "alpha" and chart != "depth":
        raise UsageError(f"a metric is for the chart depth: leave it out of the chart {chart}")

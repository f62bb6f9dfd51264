"""What the scripts of a report read: its models in numbers, the charts, and the packed files behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wqscore.ranking.ranked_model import Pair
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.html import charts
from wqscore.rendering.html.packing import packed
from wqscore.rendering.numbers import number
from wqscore.reports.html import comparison_charts
from wqscore.reports.html.explorer import ALPHA_STEPS, D_STEPS, XMIN_STEPS, band_rows, explorer_models, present_roles
from wqscore.reports.html.names import names_of
from wqscore.reports.html.worst import worst_of
from wqscore.reports.tables import has_interval_columns, of_matrices, summary_metrics
from wqscore.reports.trust import pair_sentence


def page_data(ranking: Ranking, pairs: Sequence[Pair], files: Mapping[str, str]) -> dict[str, Any]:
    """The data block of a report, to be written as JSON.

    Args:
        ranking: at least one of its models has a matrix.
        pairs: those that can be chosen.
        files: texts that can be downloaded by name, `layers.csv` among them.
    """
    roles = present_roles(ranking.scores)
    place_of = {id(score.ref): place for place, score in enumerate(ranking.scores)}
    label = ranking.preset.label(ranking.by.name)
    return {
        "charts": {
            "depth": charts.alpha_by_depth(roles),
            "spectrum": charts.spectrum(),
            "distance": charts.distance(),
            "exponent": charts.exponent(),
            "size": comparison_charts.by_size(),
            "role": comparison_charts.by_depth(),
            "pair": comparison_charts.differences(roles),
        },
        "band": band_rows(),
        "steps": [XMIN_STEPS, D_STEPS, ALPHA_STEPS],
        "roles": roles,
        "by": ranking.by.name,
        # As in the columns of layers.csv between the shape and the verdict.
        "matrixMetrics": of_matrices(ranking.metrics),
        "metrics": [[name, ranking.preset.label(name)] for name in ranking.metrics],
        "models": _models(ranking),
        "pairs": [
            {
                "first": place_of[id(pair.ahead)],
                "second": place_of[id(pair.behind)],
                "finding": pair_sentence(pair, label),
            }
            for pair in pairs
        ],
        "explorer": packed(json.dumps(explorer_models(ranking.scores), separators=(",", ":"), allow_nan=False)),
        "files": {name: packed(text) for name, text in files.items()},
    }


def _models(ranking: Ranking) -> list[dict[str, Any]]:
    of_ref = {id(model.ref): model for model in ranking.models}
    summarised = summary_metrics(ranking)
    found = names_of(ranking)
    return [
        {
            "name": score.ref.label,
            "shown": found.shown[id(score.ref)],
            "family": of_ref[id(score.ref)].family or "unknown",
            "colour": found.marks[id(score.ref)].colour,
            "outline": found.marks[id(score.ref)].outline,
            "parameters": score.parameters,
            "worst": [each.place for each in worst_of(score).listed],
            "values": {name: number(score.summary.headline(name, ranking.preset)) for name in summarised},
            "intervals": {name: score.summary.interval(name) for name in summarised if has_interval_columns(name)},
        }
        for score in ranking.scores
    ]

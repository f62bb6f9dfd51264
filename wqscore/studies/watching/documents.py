"""What is kept of a step's score: its JSON document, with the values that count in place of the matrices' rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wqscore.presets.registry import find_preset
from wqscore.reports.tables import has_summary
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.role_draws import matrix_key
from wqscore.scoring.summary import counted_rows
from wqscore.studies.watching.track import Track


def document_of(score: ModelScore) -> dict[str, Any]:
    """The score's document, with `matrices` in place of `layers`.

    A matrix has `name` (without the prefixes that differ between copies of a model), `role`, `shape` (slices, rows,
    columns), `verdict` and `values`: its value of each metric in whose average it counts.

    Args:
        score: the step's score.
    """
    document: dict[str, Any] = json.loads(score.to_json())
    document.pop("layers")
    matrices: dict[int, dict[str, Any]] = {}
    for row in score.layers:
        role, name, shape = matrix_key(row)
        known = {"name": name, "role": role, "shape": list(shape), "verdict": row.verdict}
        matrices[id(row)] = {**known, "values": {}}
    for metric in score.summary.statistics:
        for row in counted_rows(score.layers, metric, score.preset):
            matrices[id(row)]["values"][metric] = row.metrics[metric]
    return document | {"matrices": list(matrices.values())}


def metrics_of(track: Track) -> list[str]:
    """The metrics of `ranking.csv` that a point has, the one that ranks first."""
    names: dict[str, None] = {track.by: None} if track.scored else {}
    for point in track.scored:
        names |= dict.fromkeys(headlines(point.document or {}))
    return list(names)


def headlines(document: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """For each metric that tables of models have, the number that ranks and the ends of its interval.

    Args:
        document: a score's, as `TrackPoint` has it.
    """
    preset = find_preset(document["preset"]["name"])
    found = [*document["summary"], *document["model_metrics"]]
    return {name: number_of(document, name) for name in found if has_summary(name, preset)}


def number_of(document: Mapping[str, Any], metric: str) -> list[float | None]:
    """The number that a document's preset ranks by, and the ends of its interval; `None` where there is none.

    Args:
        document: a score's; `{}` for a step without one.
        metric: the metric.
    """
    found = document.get("summary", {}).get(metric)
    if found is None:
        whole = document.get("model_metrics", {}).get(metric)
        return [whole["value"] if whole else None, None, None]
    value = found.get("total", found[document["preset"]["headline"]])
    return [value, *(found.get("interval") or (None, None))]

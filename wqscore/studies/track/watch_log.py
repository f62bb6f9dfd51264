"""Read the track that `wqscore.watch` made, as its `to_json()` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from wqscore.errors import UsageError, read_small
from wqscore.metrics.registry import METRICS
from wqscore.presets.registry import find_preset
from wqscore.studies.watching.track import PointStatus, Track, TrackPoint

#: Bytes; a step of a model of a thousand matrices takes one million.
_LARGEST = 1 << 30


def read_log(path: Path) -> Track:
    """Read a track from a file.

    Raises:
        UsageError: it can't be read, or is no track.
    """
    try:
        document = json.loads(read_small(path, _LARGEST), parse_constant=_refuse)
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: write it with watching.track.to_json()") from error
    try:
        points = tuple(map(_point, document["points"]))
        return Track(_text(document["model"]), METRICS[document["by"]].name, points)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: not the track of a watch: write it with watching.track.to_json()") from error


def in_order(track: Track) -> Track:
    """The same track, its points by step.

    Raises:
        UsageError: two points have one step.
    """
    points = sorted(track.points, key=lambda point: point.step)
    for one, two in pairwise(points):
        if one.step == two.step:
            raise UsageError(f"{track.name}: step {one.step} has two points: track one run")
    return replace(track, points=tuple(points))


def _point(found: Mapping[str, Any]) -> TrackPoint:
    step, status = found["step"], found["status"]
    if type(step) is not int or status not in get_args(PointStatus):
        raise ValueError("no point")
    document = found["score"] if status == "scored" else None
    return TrackPoint(
        step,
        status,
        _text(found["reason"] or ""),
        float(found["stalled"]),
        float(found["seconds"]),
        None if document is None else _document(document),
    )


def _document(found: Mapping[str, Any]) -> dict[str, Any]:
    """A score's document, without metrics that this version doesn't know."""
    known: dict[str, Any] = dict(found)
    find_preset(known["preset"]["name"])
    for part in ("summary", "model_metrics"):
        known[part] = {name: dict(value) for name, value in known[part].items() if name in METRICS}
    known["matrices"] = [_matrix(each) for each in known.get("matrices", ())]
    for name in ("n_matrices", "n_fitted", "n_ok", "n_random", "seed"):
        if type(known[name]) is not int:
            raise TypeError(name)
    return known


def _matrix(found: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: float(value) for name, value in found["values"].items()}
    shape = [int(side) for side in found["shape"]]
    return {name: _text(found[name]) for name in ("name", "role", "verdict")} | {"shape": shape, "values": values}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise TypeError("no text")
    return found

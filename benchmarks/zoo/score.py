"""Score a network with wqscore as any checkpoint is scored: out of a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save_file

import wqscore
from wqscore import WqscoreError
from wqscore.metrics.registry import MATRIX_METRICS, METRICS, WHOLE_METRICS

#: Every metric that needs nothing but the weights.
DATA_FREE = tuple(name for name, metric in METRICS.items() if metric.cost != "base")


def metric_columns() -> list[str]:
    """Return the columns of metrics: median and mean over matrices, or the metric alone where it is the model's."""
    columns = []
    for name in DATA_FREE:
        columns += [name] if name in WHOLE_METRICS else [f"{name}_median", f"{name}_mean"]
    return columns


def save_weights(weights: Mapping[str, np.ndarray], path: Path) -> None:
    """Write a safetensors file; a file of that name is there wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    save_file({name: np.ascontiguousarray(array) for name, array in weights.items()}, unfinished)
    unfinished.replace(path)


def score_weights(weights: Mapping[str, np.ndarray]) -> dict[str, float | int]:
    """Return the metrics by column, how many matrices they rest on, and how many of those look random.

    A network that wqscore can't score has NaN in every column.
    """
    with TemporaryDirectory(prefix="zoo-") as folder:
        save_weights(weights, Path(folder) / "model.safetensors")
        try:
            summary = wqscore.score(folder, metrics=DATA_FREE, jobs=1).summary
        except WqscoreError:
            return {"matrices": 0, "random": 0, **dict.fromkeys(metric_columns(), nan)}
    scores: dict[str, float | int] = {"matrices": summary.n_fitted, "random": summary.n_random}
    for name in DATA_FREE:
        if name in MATRIX_METRICS:
            statistic = summary.statistics[name]
            scores[f"{name}_median"], scores[f"{name}_mean"] = statistic.median, statistic.mean
        else:
            scores[name] = summary.values[name].value
    return scores

"""Widen ties by how far a model's number moves under transformations that keep its function (`wqscore symmetry`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from wqscore.errors import UsageError
from wqscore.rendering.numbers import figure
from wqscore.scoring.model_score import ModelScore

#: The file that `wqscore symmetry --out` writes into its folder.
_FILE = "symmetry.json"
#: Transformations that the balanced form undoes.
_UNDONE = frozenset({"attention.qk", "attention.vo", "norm.gain", "neuron.scale"})


@dataclass(frozen=True)
class GaugeSpread:
    """What a study of symmetries found of one model.

    Attributes:
        file: where it was read.
        model: the model's name.
        revision: its commit, `None` for files on disk.
        constants: the preset's name and the statistic that sums a model up.
        moves: for each transformation that applies, the spread of each metric.
    """

    file: Path
    model: str
    revision: str | None
    constants: tuple[str, str]
    moves: Mapping[str, Mapping[str, float]]

    def of(self, metric: str, gauge: str) -> float:
        """The largest spread of a metric over the transformations that a gauge leaves; 0 where none is known."""
        left = [each for name, each in self.moves.items() if gauge == "none" or name not in _UNDONE]
        return max((each.get(metric, 0.0) for each in left), default=0.0)


def read_gauge_spreads(paths: Iterable[Path | str]) -> list[GaugeSpread]:
    """Read what `wqscore symmetry REF --out DIR` wrote.

    Args:
        paths: the folders, or the files `symmetry.json` in them.

    Raises:
        UsageError: one can't be read, or is no such file.
    """
    return [_read(Path(path)) for path in paths]


def _read(path: Path) -> GaugeSpread:
    file = path / _FILE if path.is_dir() else path
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return _parsed(file, document)
    except OSError as error:
        raise UsageError(f"{file}: can't be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{file}: is no {_FILE} of wqscore symmetry: give the folder of its --out") from error


def _parsed(file: Path, document: Any) -> GaugeSpread:
    moves = {
        str(each["name"]): {str(metric): _spread(moved["spread"]) for metric, moved in each["metrics"].items()}
        for each in document["transformations"]
        if each["applies"]
    }
    revision = document["revision"]
    constants = str(document["preset"]), str(document["headline"])
    return GaugeSpread(file, str(document["model"]), None if revision is None else str(revision), constants, moves)


def _spread(value: Any) -> float:
    """A spread, 0 for one that is not defined.

    Raises:
        ValueError: it is no number.
    """
    found = 0.0 if value is None else float(value)
    if not isfinite(found) or found < 0:
        raise ValueError(value)
    return found


def widened(
    scores: Sequence[ModelScore], found: Sequence[GaugeSpread], metric: str, models: Iterable[str]
) -> list[ModelScore]:
    """Scores that know how far their number moves, with a line that says so.

    Args:
        scores: the scores.
        found: what is known of some models.
        metric: the metric that ranks.
        models: the names of all models that were asked for, failed ones included.

    Raises:
        UsageError: something is known of a model that is not among them, or with another preset.
    """
    names = frozenset(models)
    for each in found:
        if each.model not in names:
            raise UsageError(f"{each.file}: is of {each.model}, which is not among the models")
    by_name = {each.model: each for each in found}
    return [
        _widened(score, by_name[score.ref.label], metric) if score.ref.label in by_name else score for score in scores
    ]


def _widened(score: ModelScore, found: GaugeSpread, metric: str) -> ModelScore:
    constants = score.preset.name, score.preset.headline
    if found.constants != constants or found.revision != score.revision:
        raise UsageError(f"{found.file}: was made with another preset or revision: run wqscore symmetry again")
    spread = found.of(metric, score.gauge)
    if not spread:
        return score
    remark = f"its {metric} moves by up to {figure(spread)} where its function doesn't: no smaller difference counts"
    return replace(score, gauge_spread=spread, remarks=(*score.remarks, remark))

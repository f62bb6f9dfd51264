"""The part of a report that one model has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.numbers import Cell
from wqscore.reports.html.depth_picture import depth_svg
from wqscore.reports.html.explorer import average_rows, band_rows, depth_rows, present_roles
from wqscore.reports.overview import value_overview_rows
from wqscore.reports.tables import layer_rows
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore


@dataclass(frozen=True)
class Skips:
    """Skipped tensors of one reason."""

    reason: str
    tensors: Sequence[SkippedTensor]


@dataclass(frozen=True)
class Section:
    """A scored model's part of the page.

    Attributes:
        id: the fragment that links lead to.
        model: its place in the ranking.
        score: its score.
        values: the cells of the table of metrics of the whole model.
        chart: alpha by depth as SVG, empty without any alpha.
        rows: the cells of `layers.csv` for its matrices, without the model's name.
        missing: skipped tensors that should have been scored, or are scored elsewhere.
        skips: the others, which are no matrices, by reason.
    """

    id: str
    model: RankedModel
    score: ModelScore
    values: Sequence[Sequence[str]]
    chart: str = ""
    rows: Sequence[Sequence[Cell]] = ()
    missing: Sequence[SkippedTensor] = ()
    skips: Sequence[Skips] = ()


def sections(ranking: Ranking, whole: bool) -> list[Section]:
    """The scored models in the ranking's order.

    Args:
        ranking: the ranking.
        whole: with every matrix and every skipped tensor; else without any.
    """
    make = _whole if whole else _short
    return [make(f"model-{i}", model, model.score) for i, model in enumerate(ranking.models, 1) if model.score]


def _short(identifier: str, model: RankedModel, score: ModelScore) -> Section:
    return Section(identifier, model, score, value_overview_rows(score))


def _whole(identifier: str, model: RankedModel, score: ModelScore) -> Section:
    rows = zip(layer_rows(score), score.rows, strict=True)
    reasons: dict[str, list[SkippedTensor]] = {}
    for skip in score.skipped:
        if skip.kind == "not-a-matrix":
            reasons.setdefault(skip.reason, []).append(skip)
    return Section(
        identifier,
        model,
        score,
        value_overview_rows(score),
        _chart(score),
        [cells[1:] for cells, row in rows if isinstance(row, LayerScore)],
        [skip for skip in score.skipped if skip.kind != "not-a-matrix"],
        [Skips(reason, tensors) for reason, tensors in reasons.items()],
    )


def _chart(score: ModelScore) -> str:
    rows = depth_rows(score)
    if not rows:
        return ""
    return depth_svg(present_roles([score]), rows, average_rows(score), band_rows())

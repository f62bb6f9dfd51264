"""The record that a site stores of a model, from which its pages can be written again without scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wqscore.fits.interval import Interval
from wqscore.leaderboards.candidates import Candidate
from wqscore.metrics.registry import METRICS
from wqscore.ranking.ranked_model import RankedModel
from wqscore.rendering.numbers import number
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.version import __version__


@dataclass(frozen=True)
class Figure:
    """A metric's value for a model.

    Attributes:
        value: the preset's headline statistic, `None` where it is not defined.
        interval: the summary's interval of it, `None` without one.
        count: number of matrices that it is computed from.
    """

    value: float | None
    interval: Interval | None
    count: int


@dataclass(frozen=True)
class MatrixRecord:
    """One scored matrix, as a page shows it; `None` for what is not defined."""

    name: str
    role: str
    depth: int | None
    shape: str
    alpha: float | None
    alpha_lo: float | None
    alpha_hi: float | None
    D: float | None
    p_value: float | None
    stable_rank: float | None
    log_norm: float | None
    verdict: str
    remark: str


@dataclass(frozen=True)
class ModelRecord:
    """A model as it was scored on a night.

    Attributes:
        name: its name on the site.
        scored: the night, as an ISO date.
        version: the version of wqscore.
        repo: `org/name` on the Hub, `None` for a model on disk.
        revision: the commit, `None` for a model on disk.
        family: the family, within which models are ranked; empty where unknown.
        licence: the licence given in its list, or empty.
        year: the year given in its list, or `None`.
        parameters: number of weights of all tensors, `None` where it can't be told.
        hidden_size: its width, or `None`.
        depth: number of numbered layers.
        coverage: weights with a fit ÷ weights that belong in the averages, or `None`.
        n_matrices: number of matrices that belong in the averages.
        n_fitted: number of those that have a fit.
        rank: rank within the family, 1 being best; `None` where it has none.
        rank_best: the best rank it could have.
        rank_worst: the worst rank it could have.
        tied: whether another model has the same rank.
        ties: letters of its tie groups.
        reason: why it has no rank; empty where it has one.
        figures: metrics by name; bounds and nuisance parameters are only in the matrices.
        verdicts: number of rows by verdict, `skipped` included.
        matrices: the scored matrices.
        family_id: the family from the model alone; empty where unknown.
        warning: what published work says of its number, if it leads, or could, and the number can't be read as
            quality; else empty.
        ranked_with: how many models share its ranks, itself among them; `None` without a rank, or where not known.
    """

    name: str
    scored: str
    version: str
    repo: str | None
    revision: str | None
    family: str
    licence: str
    year: int | None
    parameters: int | None
    hidden_size: int | None
    depth: int
    coverage: float | None
    n_matrices: int
    n_fitted: int
    rank: int | None
    rank_best: int | None
    rank_worst: int | None
    tied: bool
    ties: tuple[str, ...]
    reason: str
    figures: Mapping[str, Figure]
    verdicts: Mapping[str, int]
    matrices: tuple[MatrixRecord, ...]
    family_id: str = ""
    warning: str = ""
    ranked_with: int | None = None


def record_of(
    model: RankedModel,
    score: ModelScore,
    candidate: Candidate,
    night: str,
    metrics: Sequence[str],
    ranked_with: int | None = None,
) -> ModelRecord:
    """Make the record of a model that was scored.

    Args:
        model: its row in the ranking.
        score: its score.
        candidate: its entry in a list.
        night: an ISO date.
        metrics: of which the site has numbers of models.
        ranked_with: how many models share its ranks.
    """
    summary = score.summary
    return ModelRecord(
        name=candidate.name,
        scored=night,
        version=__version__,
        repo=score.ref.repo,
        revision=score.revision,
        family=model.family,
        licence=candidate.licence,
        year=candidate.year,
        parameters=score.parameters,
        hidden_size=score.architecture.hidden_size,
        depth=score.architecture.depth,
        coverage=number(summary.coverage),
        n_matrices=summary.n_matrices,
        n_fitted=summary.n_fitted,
        rank=model.rank,
        rank_best=model.best,
        rank_worst=model.worst,
        tied=model.tied,
        ties=model.ties,
        reason=model.reason,
        figures={name: _figure(score, name) for name in metrics},
        verdicts=dict(sorted(summary.verdicts.items())),
        matrices=tuple(_matrix(row) for row in score.layers),
        family_id=score.family_id,
        warning=model.warning,
        ranked_with=ranked_with if model.rank else None,
    )


def _figure(score: ModelScore, name: str) -> Figure:
    summary = score.summary
    value = number(summary.headline(name, score.preset), METRICS[name].count)
    counted = summary.values[name] if name in summary.values else summary.statistics[name]
    return Figure(value, summary.interval(name), counted.count)


def _matrix(row: LayerScore) -> MatrixRecord:
    matrix = row.matrix

    def value(name: str) -> float | None:
        return number(row.metrics[name]) if name in row.metrics else None

    return MatrixRecord(
        matrix.name,
        matrix.role,
        matrix.depth,
        f"{matrix.rows}×{matrix.columns}" + (f"×{matrix.slices}" if matrix.slices > 1 else ""),
        value("alpha"),
        value("alpha_lo"),
        value("alpha_hi"),
        value("D"),
        value("p_value"),
        value("stable_rank"),
        value("log_norm"),
        row.verdict,
        "; ".join(filter(None, (row.reason, *row.flags))),
    )

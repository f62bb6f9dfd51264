"""One model of a ranking as one small table, for a notebook."""

from __future__ import annotations

from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import rank_alone
from wqscore.rendering.numbers import MISSING, beside, ends, figure, size
from wqscore.rendering.sections import Medium, Section, Table


def model_sections(model: RankedModel, _: Medium) -> list[Section]:
    """A table of what the ranking says of the model."""
    return [Table(model.ref.label, ["", "value"], [[name, text] for name, text in _facts(model).items()])]


def _facts(model: RankedModel) -> dict[str, str]:
    status = {"status": model.status} if model.rank is None else {}
    place = {"rank": f"{model.rank}, could be {model.best} to {model.worst}"} if model.rank else {}
    ties = {"ties": ", ".join(model.ties)} if model.ties else {}
    reasons = {"reason": model.reason or model.warning} if model.reason or model.warning else {}
    if model.score is None:
        return status | reasons
    score, summary = model.score, model.score.summary
    by = rank_alone(score).by.name
    number = f"{beside(summary.headline(by, score.preset), summary.interval(by))} ({ends(summary.interval(by))})"
    return (
        status
        | place
        | {"family": model.family or MISSING}
        | ties
        | {
            score.preset.label(by): number,
            "fitted": f"{summary.n_fitted} of {summary.n_matrices} matrices, {summary.n_ok} ok",
            "coverage": figure(summary.coverage),
            "parameters": size(score.parameters),
        }
        | reasons
    )

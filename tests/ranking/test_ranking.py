"""Ranks, ties, and unranked models."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest

from wqscore.errors import UsageError
from wqscore.fits.sampling import USUAL
from wqscore.matrices.architecture import Architecture
from wqscore.metrics.metric import ModelValue
from wqscore.metrics.registry import CORE
from wqscore.presets.registry import DEFAULT
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.ranking.ranking import rank_models
from wqscore.refs.reference import ModelRef
from wqscore.reports.overview import family_notes
from wqscore.scoring.model_score import Failure, ModelScore
from wqscore.scoring.summary import ModelSummary, Statistic


def scored(name: str, median: float, mean: float = 0.0, coverage: float = 1.0, matrices: int = 10) -> ModelScore:
    statistics = dict.fromkeys(
        CORE, Statistic(median, mean, mean, mean, median, median, median, mean * matrices, matrices)
    )
    summary = ModelSummary(statistics, {}, coverage, coverage, matrices, matrices, matrices, 0, {}, None, coverage)
    return ModelScore(
        ModelRef(name, "hub", repo=name), "0" * 40, "bert", Architecture(), 10, DEFAULT, USUAL, CORE, (), summary
    )


def order(*args: object, **kwargs: object) -> list[tuple[int | None, str]]:
    return [(model.rank, model.ref.label) for model in rank_models(*args, **kwargs).models]


def test_lower_is_better_where_the_registry_says_so() -> None:
    models = [scored("a", 3), scored("b", 1), scored("c", 2)]
    assert order(models, by="alpha") == [(1, "b"), (2, "c"), (3, "a")]
    assert order(models, by="matrix_rank") == [(1, "a"), (2, "c"), (3, "b")]


def test_equal_scores_share_a_rank_and_keep_the_order_asked_for() -> None:
    ranking = rank_models([scored("a", 2), scored("b", 1), scored("c", 2 * (1 + 1e-12)), scored("d", 3)])
    assert [(m.rank, m.ref.label) for m in ranking.models] == [
        (1, "b"), (2, "a"), (2, "c"), (4, "d"),
    ]  # fmt: skip


def test_low_coverage_is_listed_last_with_the_reason_even_if_its_score_is_best() -> None:
    ranking = rank_models([scored("a", 9), scored("b", 1, coverage=0.49), scored("c", 5)])
    assert [(m.rank, m.status, m.ref.label) for m in ranking.models] == [
        (1, "ranked", "c"), (2, "ranked", "a"), (None, "unranked", "b"),
    ]  # fmt: skip
    assert "49%" in ranking.models[-1].reason


def test_no_matrix_and_no_value_are_unranked() -> None:
    reasons = [m.reason for m in rank_models([scored("a", nan), scored("b", 1, matrices=0, coverage=nan)]).models]
    assert reasons == ["alpha is not defined for any of its matrices", "no matrix that belongs in an average"]


def test_failures_come_last() -> None:
    failure = Failure(ModelRef("x", "hub", repo="org/x"), "org/x: gone")
    assert order([scored("a", 1)], failures=[failure]) == [(1, "a"), (None, "org/x")]
    assert order([], failures=[failure]) == [(None, "org/x")]


def test_presets_choose_the_statistic_and_never_mix() -> None:
    with pytest.raises(UsageError, match="different presets"):
        rank_models([scored("a", 1)], preset=WW_0_7)


def test_models_scored_with_other_metrics_are_refused() -> None:
    with pytest.raises(UsageError, match="different metrics"):
        rank_models([scored("a", 1)], metrics=("alpha",))
    with pytest.raises(UsageError, match="tpl_alpha is not among the metrics that were computed"):
        rank_models([scored("a", 1)], by="tpl_alpha")


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UsageError, match="no metric called 'alhpa': did you mean alpha"):
        rank_models([scored("a", 1)], by="alhpa")


def test_nothing_says_whether_a_difference_of_whole_models_can_be_trusted() -> None:
    models = [
        replace(
            model, metrics=("param_norm",), summary=replace(model.summary, values={"param_norm": ModelValue(v, 3)})
        )
        for model, v in ((scored("a", 0), 2.0), (scored("b", 0), 1.0), (scored("c", 0), 2.0))
    ]
    ranking = rank_models(models, by="param_norm", metrics=("param_norm",))
    assert [(m.ref.label, m.rank, m.best, m.worst, m.ties) for m in ranking.models] == [
        ("b", 1, 1, 3, ("a",)), ("a", 2, 1, 3, ("a",)), ("c", 2, 1, 3, ("a",)),
    ]  # fmt: skip
    assert ranking.pairs == ()


def test_each_family_has_ranks_of_its_own_unless_they_are_asked_for_together() -> None:
    models = [
        replace(scored(name, alpha), declared_family=family)
        for name, alpha, family in (
            *(("a", 3, "bert"), ("b", 1, "gpt2"), ("c", 2, "bert")),
            *(("d", 5, ""), ("e", 9, "gpt2")),
        )
    ]
    ranking = rank_models(models)
    assert [(m.rank, m.ref.label) for m in ranking.models] == [(1, "c"), (2, "a"), (1, "b"), (2, "e"), (1, "d")]
    assert ranking.families == ("bert", "gpt2", "")
    assert family_notes(ranking) == [
        "models of 3 families (bert, gpt2, unknown): ranks are within each, "
        "since alpha can be compared only inside a family"
    ]
    together = rank_models(models, across_families=True)
    assert [(m.rank, m.ref.label) for m in together.models] == [(1, "b"), (2, "c"), (3, "a"), (4, "d"), (5, "e")]
    assert family_notes(together)[0].startswith("warning: models of 3 families")
    assert family_notes(rank_models(models[:1])) == []

"""Rules against scores with given numbers: each outcome worked out by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf, isnan, nan, nextafter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from wqscore.checkpoints.opening import open_checkpoint
from wqscore.gating.baseline import Baseline
from wqscore.gating.grammar import parse_rule
from wqscore.gating.judge import RuleOutcome, apply_rules
from wqscore.gating.rules import Quantity
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.metrics.metric import ModelValue
from wqscore.refs.reference import ModelRef
from wqscore.scoring.layer_score import Verdict
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import score_checkpoint
from wqscore.scoring.summary import Statistic


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> ModelScore:
    """Ten matrices of a real run; the tests give it the numbers that they judge by."""
    folder = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(0)
    tensors = {f"layers.{i}.fc1.weight": rng.standard_normal((64, 52)).astype("f4") for i in range(10)}
    save_file(tensors, folder / "model.safetensors")
    names = ("alpha", "log_norm", "entropy", "log_path_norm")
    return score_checkpoint(open_checkpoint(ModelRef("toy", "folder", path=folder)), metrics=names)


def given_numbers(
    scored: ModelScore, verdicts: Sequence[Verdict] = ("ok",) * 10, unread: int = 0, coverage: float = 1.0
) -> ModelScore:
    """Alpha with median 3, mean 4; log_norm 0; no entropy; no path norm; the verdicts; so many unread matrices."""
    rows: list[object] = [
        replace(row, verdict=verdict) for row, verdict in zip(scored.layers, verdicts, strict=False)
    ]
    rows += [SkippedTensor(f"q{i}", (64, 64), "I8", "ffn", "quantised", "unread", 4096) for i in range(unread)]
    rows += [SkippedTensor("bias", (64,), "F32", "-", "1-D", "not-a-matrix")]
    alpha = Statistic(3.0, 4.0, 5.0, 3.5, 2.5, 1.0, 9.0, 30.0, 10)
    summary = replace(
        scored.summary,
        statistics={
            "alpha": alpha,
            "log_norm": replace(alpha, median=0.0),
            "entropy": Statistic(*[nan] * 8, 0),
        },
        values={"log_path_norm": ModelValue(nan, 0, "it has attention")},
        coverage=coverage,
        coverage_all=0.25,
        n_matrices=10,
        n_fitted=10,
        n_random=0,
        verdicts=Counter(verdicts),
    )
    return replace(scored, rows=tuple(rows), summary=summary)


def one(text: str, score: ModelScore, baseline: Baseline | None = None) -> RuleOutcome:
    return apply_rules([parse_rule(text)], score, baseline)[0]


def base(model: str = "old", doubt: str = "", **values: float) -> Baseline:
    return Baseline(model, "", doubt, {Quantity(name): value for name, value in values.items()})


@pytest.mark.parametrize(
    ("rule", "status", "value"),
    [
        ("alpha > 2.9", "failed", 3),
        ("alpha > 3", "passed", 3),
        ("alpha >= 3", "failed", 3),
        ("alpha < 3", "passed", 3),
        ("alpha <= 3", "failed", 3),
        ("alpha < 3.1", "failed", 3),
        ("alpha.median > 3", "passed", 3),
        ("alpha.mean > 3", "failed", 4),
        ("alpha.param_mean > 4.5", "failed", 5),
        ("alpha.trimmed_mean > 3.6", "passed", 3.5),
        ("alpha.ok_median < 3", "failed", 2.5),
        ("alpha.lowest < 2", "failed", 1),
        ("alpha.highest > 8", "failed", 9),
        ("coverage < 0.9", "passed", 1),
        ("coverage_all < 0.9", "failed", 0.25),
        ("non_finite > 0", "passed", 0),
        ("unread > 0", "passed", 0),
        ("share(ok) < 1", "passed", 1),
    ],
)
def test_absolute_rules(scored: ModelScore, rule: str, status: str, value: float) -> None:
    outcome = one(rule, given_numbers(scored))
    assert (outcome.status, outcome.value) == (status, value)


@pytest.mark.parametrize(
    ("rule", "before", "status", "value"),
    [
        ("delta(alpha) > 0.5", 2.0, "failed", 1.0),
        ("delta(alpha) > 0.5", 2.75, "passed", 0.25),
        ("delta(alpha) > 0.5", 5.0, "passed", -2.0),
        ("delta(alpha) < -0.5", 5.0, "failed", -2.0),
        ("relative(alpha) > 0.4", 2.0, "failed", 0.5),
        ("relative(alpha) > 0.5", 2.0, "passed", 0.5),
        ("relative(alpha) > 1.7", -4.0, "failed", 1.75),
        ("delta(alpha) > 2", 0.0, "failed", 3.0),
    ],
)
def test_changes(scored: ModelScore, rule: str, before: float, status: str, value: float) -> None:
    outcome = one(rule, given_numbers(scored), base(alpha=before))
    assert (outcome.status, outcome.value) == (status, value)
    assert f"3, in the baseline {before:g}" in outcome.reason


@pytest.mark.parametrize(
    ("rule", "baseline", "reason"),
    [
        ("entropy > 0.1", None, "entropy is not defined"),
        ("entropy < 0.1", None, "entropy is not defined"),
        ("entropy.mean < 0.1", None, "entropy is not defined"),
        ("log_path_norm > 0", None, "it has attention"),
        ("delta(alpha) > 0.1", None, "there is no baseline"),
        ("delta(alpha) > 0.1", base(), "the baseline old has no value of alpha"),
        ("delta(alpha) > 0.1", base(alpha=nan), "the baseline old has no value of alpha"),
        ("delta(alpha) < 0.1", base(alpha=inf), "the baseline old has no value of alpha"),
        ("delta(alpha.mean) > 0.1", base(alpha=1), "the baseline old has no value of alpha.mean"),
        ("delta(entropy) > 0.1", base(entropy=1), "entropy is not defined"),
        ("delta(alpha) > 0.1", base(alpha=3, doubt="less than 50%"), "can't be trusted: less than 50%"),
        ("relative(alpha) > 0.1", base(alpha=0), "the baseline is 0: use delta"),
        ("relative(alpha) > 0.1", base(alpha=5e-324), "too large for a number"),
    ],
)
def test_what_has_no_value_never_passes(
    scored: ModelScore, rule: str, baseline: Baseline | None, reason: str
) -> None:
    outcome = one(rule, given_numbers(scored), baseline)
    assert outcome.status == "unscored"
    assert isnan(outcome.value)
    assert reason in outcome.reason


def test_a_number_that_gives_no_rank_decides_nothing(scored: ModelScore) -> None:
    score = given_numbers(scored, coverage=0.3)
    assert "only 30% of its weights" in one("alpha > 6", score).reason
    assert one("delta(alpha) > 1", score, base(alpha=3)).status == "unscored"
    assert one("coverage < 0.5", score).status == "failed"
    noise = replace(score, summary=replace(score.summary, coverage=1.0, n_random=9))
    assert one("alpha > 6", noise).status == "unscored"
    assert "noise" in one("alpha > 6", noise).reason


@pytest.mark.parametrize(
    ("rule", "unread", "status"),
    [
        # 2 random and 1 non-finite of 10; each unread matrix may be one more.
        ("share(random) > 0.2", 0, "passed"),
        ("share(random) >= 0.2", 0, "failed"),
        ("share(random) > 0.19", 0, "failed"),
        ("share(random) > 0.19", 1, "unscored"),
        ("share(random) > 0.5", 10, "unscored"),
        ("share(random) > 0.6", 10, "passed"),
        ("share(random) > 0.09", 10, "failed"),
        ("share(ok) < 0.5", 0, "passed"),
        ("share(ok) < 0.5", 10, "unscored"),
        ("share(ok) < 0.9", 10, "failed"),
        ("non_finite > 0", 0, "failed"),
        ("non_finite > 0", 3, "failed"),
        ("non_finite > 1", 0, "passed"),
        ("non_finite > 1", 1, "unscored"),
        ("non_finite < 2", 1, "unscored"),
        ("zero > 0", 0, "passed"),
        ("zero > 0", 1, "unscored"),
        ("unread > 0", 1, "failed"),
    ],
)
def test_unread_matrices_may_be_anything(scored: ModelScore, rule: str, unread: int, status: str) -> None:
    score = given_numbers(scored, ("random", "random", "non-finite", *("ok",) * 7), unread)
    outcome = one(rule, score)
    assert outcome.status == status
    if status == "unscored":
        assert outcome.reason.startswith("could not be read: q0")


def test_the_matrices_are_named(scored: ModelScore) -> None:
    score = given_numbers(scored, ("non-finite",) * 5 + ("ok",) * 5)
    first = ", ".join(row.matrix.name for row in score.layers[:3])
    assert one("non_finite > 0", score).reason == f"{first} and 2 more"


def test_nothing_to_judge_never_passes(scored: ModelScore) -> None:
    score = given_numbers(scored, verdicts=())
    score = replace(score, summary=replace(score.summary, coverage=nan, coverage_all=nan, n_matrices=0, n_fitted=0))
    for rule in ("alpha>9", "non_finite>0", "unread>0", "share(random)>0.5", "coverage<0.9", "coverage_all<0.1"):
        assert one(rule, score).status == "unscored", rule


def test_distances_are_compared_from_one_base_only(scored: ModelScore) -> None:
    score = given_numbers(scored)
    statistics = {**score.summary.statistics, "fro_dist": replace(score.summary.statistics["alpha"], total=12.0)}
    score = replace(
        score,
        metrics=(*score.metrics, "fro_dist"),
        summary=replace(score.summary, statistics=statistics),
        base="org/base@1",
    )
    before = Baseline("old", "org/base@1", "", {Quantity("fro_dist"): 10.0})
    # A distance of models is a sum.
    assert one("delta(fro_dist) > 1", score, before).value == 2.0
    outcome = one("delta(fro_dist) > 1", score, replace(before, base="org/base@2"))
    assert (outcome.status, outcome.reason) == (
        "unscored",
        "measured from org/base@1, in the baseline from org/base@2",
    )


@given(limit=st.floats(-1e3, 1e3), value=st.floats(-1e3, 1e3))
def test_a_rule_and_its_opposite_never_agree(scored: ModelScore, limit: float, value: float) -> None:
    score = given_numbers(scored)
    statistics = {**score.summary.statistics, "alpha": replace(score.summary.statistics["alpha"], median=value)}
    score = replace(score, summary=replace(score.summary, statistics=statistics))
    for rule, opposite in ((">", "<="), (">=", "<")):
        pair = {one(f"alpha {sign} {limit!r}", score).status for sign in (rule, opposite)}
        assert pair == {"passed", "failed"}
    assert one(f"alpha > {nextafter(value, -inf)!r}", score).status == "failed"
    assert one(f"alpha > {value!r}", score).status == "passed"

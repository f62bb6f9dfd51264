"""Prometheus text through Prometheus's own parser."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, nan

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.small_models import HOSTILE
from wqscore.escaping import printable
from wqscore.gating.gate import GateResult
from wqscore.gating.grammar import parse_rule
from wqscore.gating.judge import RuleOutcome, all_unscored
from wqscore.gating.policy import Policy
from wqscore.gating.prometheus import gate_prometheus
from wqscore.ranking.ranking import Ranking
from wqscore.refs.reference import ModelRef


def judged(ranking: Ranking, model: str = "org/model", limit: float = 6.0, value: float = 3.0) -> GateResult:
    """One rule passed, one unscored; the last of the ranking's models, with every kind of row."""
    policy = Policy((replace(parse_rule("alpha > 6"), limit=limit), parse_rule("share(random) > 0.5")))
    outcomes = (
        RuleOutcome(policy.rules[0], "passed", value, ""),
        RuleOutcome(policy.rules[1], "unscored", nan, "why"),
    )
    score = next(score for score in ranking.scores if score.ref.label == "models/odd")
    return GateResult(ModelRef(model, "folder"), policy, outcomes, score, None)


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_prometheus_reads_it(ranking: Ranking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    judgement = judged(ranking)
    text = gate_prometheus(judgement)
    found = families(text)
    assert text.endswith("\n")
    assert {family.type for family in found.values()} == {"gauge"}
    assert all(family.documentation for family in found.values())
    samples = [sample for family in found.values() for sample in family.samples]
    assert {sample.labels["model"] for sample in samples} == {"org/model"}
    assert all(isfinite(sample.value) for sample in samples)
    assert found["wqscore_gate_passed"].samples[0].value == 0
    assert found["wqscore_gate_timestamp_seconds"].samples[0].value == 86400
    passed = {s.labels["rule"]: s.value for s in found["wqscore_gate_rule_passed"].samples}
    assert passed == {"alpha > 6": 1, "share(random) > 0.5": 0}
    values = {s.labels["rule"]: s.value for s in found["wqscore_gate_rule_value"].samples}
    assert values == {"alpha > 6": 3}
    assert judgement.score is not None
    summary = judgement.score.summary
    assert {s.labels["verdict"]: s.value for s in found["wqscore_matrices"].samples} == dict(summary.verdicts)
    assert found["wqscore_coverage"].samples[0].value == summary.coverage
    shown = {s.labels["metric"]: s.value for s in found["wqscore_metric"].samples}
    assert shown == {name: statistic.median for name, statistic in summary.statistics.items()}


def test_an_unread_model_has_the_gate_alone(ranking: Ranking) -> None:
    judgement = judged(ranking)
    outcomes = all_unscored(judgement.policy.rules, "cut short")
    found = families(gate_prometheus(replace(judgement, outcomes=outcomes, score=None)))
    assert set(found) == {
        "wqscore_gate_passed",
        "wqscore_gate_rule_passed",
        "wqscore_gate_rule_limit",
        "wqscore_gate_timestamp_seconds",
    }


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
@example(HOSTILE, 0.0, -0.0)
@example('a"b\\c\\n\n\r\x00{},=#\u2028\ud800', 1e300, 5e-324)
def test_any_name_and_number_come_back(ranking: Ranking, model: str, limit: float, value: float) -> None:
    found = families(gate_prometheus(judged(ranking, model, limit, value)))
    # A rule names its limit in full.
    labels = found["wqscore_gate_rule_limit"].samples[0].labels
    assert labels["model"] == printable(model)
    assert parse_rule(labels["rule"]).limit == limit
    assert found["wqscore_gate_rule_limit"].samples[0].value == limit
    assert found["wqscore_gate_rule_value"].samples[0].value == value

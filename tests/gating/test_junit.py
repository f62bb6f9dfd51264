"""JUnit XML through parsers that are not ours."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from math import nan

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml

from tests.small_models import HOSTILE
from wqscore.escaping import printable
from wqscore.gating.gate import GateResult
from wqscore.gating.grammar import parse_rule
from wqscore.gating.judge import RuleOutcome, all_unscored
from wqscore.gating.junit import gate_junit
from wqscore.gating.policy import Policy
from wqscore.ranking.ranking import Ranking
from wqscore.refs.reference import ModelRef


def judged(ranking: Ranking, model: str = "org/model", reason: str = "why") -> GateResult:
    """One rule passed, one failed, one unscored."""
    policy = Policy(tuple(map(parse_rule, ("alpha > 6", "non_finite > 0", "entropy < 0.5"))))
    first, second, third = policy.rules
    outcomes = (
        RuleOutcome(first, "passed", 3.0, ""),
        RuleOutcome(second, "failed", 2.0, reason),
        RuleOutcome(third, "unscored", nan, reason),
    )
    return GateResult(ModelRef(model, "folder"), policy, outcomes, ranking.scores[0], None)


def test_a_real_parser_reads_it(ranking: Ranking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    document = JUnitXml.fromstring(gate_junit(judged(ranking)).encode())
    suites = list(document)
    assert len(suites) == 1
    suite = suites[0]
    assert (suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) == (
        "wqscore gate org/model",
        3,
        1,
        1,
        0,
    )
    assert suite.timestamp == "1970-01-01T00:00:00"
    cases = list(suite)
    assert [case.name for case in cases] == ["alpha > 6", "non_finite > 0", "entropy < 0.5"]
    assert [case.is_passed for case in cases] == [True, False, False]
    failure, error = cases[1].result[0], cases[2].result[0]
    assert isinstance(failure, Failure)
    assert failure.message == "non_finite is 2 (why) (fails if non_finite > 0)"
    assert isinstance(error, Error)
    assert error.message == "entropy: why (fails if entropy < 0.5)"
    # What the parser counts for itself is what the file claims.
    suite.update_statistics()
    assert (suite.tests, suite.failures, suite.errors) == (3, 1, 1)


def test_a_model_that_cant_be_scored_is_an_error(ranking: Ranking) -> None:
    judgement = judged(ranking)
    outcomes = all_unscored(judgement.policy.rules, "cut short")
    suite = next(iter(JUnitXml.fromstring(gate_junit(replace(judgement, outcomes=outcomes, score=None)).encode())))
    assert (suite.tests, suite.failures, suite.errors) == (3, 0, 3)


def test_nothing_fitted_is_an_error_though_no_rule_minds(ranking: Ranking) -> None:
    judgement = judged(ranking)
    score = ranking.scores[0]
    score = replace(score, summary=replace(score.summary, n_fitted=0))
    judgement = replace(judgement, outcomes=judgement.outcomes[:1], score=score)
    assert judgement.status == "unscored"
    suite = next(iter(JUnitXml.fromstring(gate_junit(judgement).encode())))
    assert (suite.tests, suite.failures, suite.errors) == (2, 0, 1)


@given(st.text(), st.text())
@example(HOSTILE, HOSTILE)
@example("\x00\x1b[31m\ud800\ufffe\uffff", "]]>&#0;\n\t")
def test_any_name_comes_back_as_text(ranking: Ranking, model: str, reason: str) -> None:
    root = ET.fromstring(gate_junit(judged(ranking, model, reason)).encode())
    assert {case.get("classname") for case in root.iter("testcase")} == {f"wqscore gate {printable(model)}"}
    expected = f"entropy: {printable(reason)} (fails if entropy < 0.5)"
    assert [(error.get("message"), error.text) for error in root.iter("error")] == [(expected, expected)]
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "testcase", "failure", "error", "system-out"
    }  # fmt: skip

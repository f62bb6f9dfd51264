"""JUnit XML, which CI systems show as test results: a suite for each model, a test case for each rule.

The elements and attributes are those of Ant's junit task that Jenkins, GitLab and reporters for GitHub read:
`failure` for a rule that failed, `error` for one that could not be judged. A suite's time is that of scoring and
judging its model, a case's that of judging its rule.
"""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from wqscore.escaping import printable
from wqscore.gating.gate import GateResult, GateRun
from wqscore.gating.judge import RuleOutcome
from wqscore.gating.report import headline
from wqscore.gating.wording import fails_if, measured, outcome_of, results_of
from wqscore.rendering.timestamp import created_at, duration

_ELEMENTS = {"failed": "failure", "unscored": "error"}


def gate_junit(judgement: GateResult | GateRun) -> str:
    """Return a suite for each model, with a case for each rule.

    There is one more case where all rules passed but no matrix has a fit.
    """
    suites = [_suite(result) for result in results_of(judgement)]
    counts = {
        name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in ("tests", "failures", "errors")
    }
    seconds = _time(sum(result.seconds for result in results_of(judgement)))
    root = _element("testsuites", name="wqscore gate", **counts, time=seconds)
    root.extend(suites)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(judgement: GateResult) -> ElementTree.Element:
    cases = [_case(judgement, outcome) for outcome in judgement.outcomes]
    if judgement.status == "unscored" and all(outcome.status == "passed" for outcome in judgement.outcomes):
        cases.append(_element("testcase", classname=_name(judgement), name="scored", time="0"))
        cases[-1].append(_element("error", message="none of its matrices has a fit", type="unscored"))
    kinds = Counter(child.tag for case in cases for child in case)
    suite = _element(
        "testsuite",
        name=_name(judgement),
        tests=str(len(cases)),
        failures=str(kinds["failure"]),
        errors=str(kinds["error"]),
        skipped="0",
        time=_time(judgement.seconds),
        timestamp=f"{created_at():%Y-%m-%dT%H:%M:%S}",
    )
    suite.extend(cases)
    output = ElementTree.SubElement(suite, "system-out")
    output.text = printable(f"{headline(judgement)} · {outcome_of(judgement)}")
    return suite


def _name(judgement: GateResult) -> str:
    return f"wqscore gate {judgement.ref.label}"


def _case(judgement: GateResult, outcome: RuleOutcome) -> ElementTree.Element:
    case = _element("testcase", classname=_name(judgement), name=str(outcome.rule), time=_time(outcome.seconds))
    if outcome.status in _ELEMENTS:
        message = f"{measured(outcome)} ({fails_if(outcome)})"
        problem = _element(_ELEMENTS[outcome.status], message=message, type=outcome.status)
        problem.text = printable(message)
        case.append(problem)
    return case


def _time(seconds: float) -> str:
    return f"{duration(seconds):g}"


def _element(tag: str, **attributes: str) -> ElementTree.Element:
    # XML can't represent most control characters.
    return ElementTree.Element(tag, {name: printable(value) for name, value in attributes.items()})

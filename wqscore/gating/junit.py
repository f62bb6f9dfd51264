"""JUnit XML, which CI systems show as test results: a test case for each rule.

The elements and attributes are those of Ant's junit task that Jenkins, GitLab and reporters for GitHub read:
`failure` for a rule that failed, `error` for one that could not be judged.
"""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from wqscore.escaping import printable
from wqscore.gating.gate import GateResult
from wqscore.gating.judge import RuleOutcome
from wqscore.gating.report import explanation, headline
from wqscore.rendering.timestamp import created_at

_ELEMENTS = {"failed": "failure", "unscored": "error"}


def gate_junit(judgement: GateResult) -> str:
    """Return a suite with a case for each rule, and one for the model if all rules passed but no matrix has a fit."""
    cases = [_case(judgement, outcome) for outcome in judgement.outcomes]
    if judgement.status == "unscored" and all(outcome.status == "passed" for outcome in judgement.outcomes):
        cases.append(_element("testcase", classname=_suite(judgement), name="scored", time="0"))
        cases[-1].append(_element("error", message="none of its matrices has a fit", type="unscored"))
    kinds = Counter(child.tag for case in cases for child in case)
    counts = {"tests": str(len(cases)), "failures": str(kinds["failure"]), "errors": str(kinds["error"])}
    suite = _element(
        "testsuite",
        name=_suite(judgement),
        **counts,
        skipped="0",
        time="0",
        timestamp=f"{created_at():%Y-%m-%dT%H:%M:%S}",
    )
    suite.extend(cases)
    output = ElementTree.SubElement(suite, "system-out")
    output.text = printable(headline(judgement))
    root = _element("testsuites", name="wqscore gate", **counts, time="0")
    root.append(suite)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(judgement: GateResult) -> str:
    return f"wqscore gate {judgement.ref.label}"


def _case(judgement: GateResult, outcome: RuleOutcome) -> ElementTree.Element:
    case = _element("testcase", classname=_suite(judgement), name=str(outcome.rule), time="0")
    if outcome.status in _ELEMENTS:
        message = f"{outcome.rule}: {outcome.status}: {explanation(outcome)}"
        problem = _element(_ELEMENTS[outcome.status], message=message, type=outcome.status)
        problem.text = printable(message)
        case.append(problem)
    return case


def _element(tag: str, **attributes: str) -> ElementTree.Element:
    # XML can't represent most control characters.
    return ElementTree.Element(tag, {name: printable(value) for name, value in attributes.items()})

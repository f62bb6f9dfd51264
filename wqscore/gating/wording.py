"""A gate in words: what each rule measured, when it fails, and the outcome. Every format shows the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType

from wqscore.gating.gate import GateResult, GateRun
from wqscore.gating.judge import RuleOutcome
from wqscore.gating.rules import Operator, Worse
from wqscore.metrics.registry import METRICS
from wqscore.rendering.numbers import decimals, figure

#: A rule's status as people read it.
WORDS = {"passed": "ok", "failed": "FAILED", "unscored": "UNSCORED"}
_SIDES: Mapping[Operator, str] = MappingProxyType({">": "above", ">=": "from", "<": "below", "<=": "up to"})
#: No more than this many failures are told in one sentence.
_TOLD = 3


def results_of(judgement: GateResult | GateRun) -> tuple[GateResult, ...]:
    """The results of one model or of several."""
    return judgement.results if isinstance(judgement, GateRun) else (judgement,)


def measured(outcome: RuleOutcome) -> str:
    """What a rule measured: `alpha is 3.04 (2.10 to 3.28)`; or why it measured nothing."""
    term = outcome.rule.value
    if outcome.status == "unscored":
        return f"{term}: {outcome.reason}"
    value, interval = shown_value(outcome), shown_interval(outcome)
    if isinstance(term, Worse):
        return f"{term.quantity} changed by {value} ({interval}), {outcome.reason}"
    reason = f" ({outcome.reason})" if outcome.reason else ""
    return f"{term} is {value}{f' ({interval})' if interval else reason}"


def fails_if(outcome: RuleOutcome) -> str:
    """When a rule fails: `fails if alpha > 6`."""
    return f"fails if {outcome.rule}"


def shown_value(outcome: RuleOutcome) -> str:
    """The value, as precise as its interval deserves, or in all digits if rounding would cross the limit."""
    value, rule = outcome.value, outcome.rule
    if not isfinite(value):
        return figure(None)
    sign = "+" if isinstance(rule.value, Worse) else ""
    short = f"{value:{sign}.{_decimals(outcome)}f}" if outcome.interval else f"{value:{sign}.4g}"
    for text in (short, f"{value:{sign}.4g}"):
        if rule.fails(float(text)) == rule.fails(value):
            return text
    return repr(value)


def shown_interval(outcome: RuleOutcome) -> str:
    """The interval of the value, empty where it has none."""
    if outcome.interval is None:
        return ""
    sign, places = "+" if isinstance(outcome.rule.value, Worse) else "", _decimals(outcome)
    lo, hi = outcome.interval
    return f"{lo:{sign}.{places}f} to {hi:{sign}.{places}f}"


def _decimals(outcome: RuleOutcome) -> int:
    assert outcome.interval is not None
    lo, hi = outcome.interval
    return decimals(hi - lo) or 3


def outcome_of(judgement: GateResult | GateRun) -> str:
    """The outcome in a sentence or two, as a ranking's conclusion answers: what failed, and why."""
    results = results_of(judgement)
    if len(results) > 1:
        return _outcome_of_all(results, judgement.status)
    (result,) = results
    rules = len(result.outcomes)
    failed = [each for each in result.outcomes if each.status == "failed"]
    unscored = [each for each in result.outcomes if each.status == "unscored"]
    if result.status == "passed":
        return f"Passed: {_count(rules, 'rule')}."
    if result.error:
        return f"Not scored: {result.error.rstrip('.')}{'' if result.error.endswith('?') else '.'}"
    if result.status == "unscored" and not unscored:
        return "Not scored: none of its matrices has a fit."
    of = f"{len(failed or unscored)} of {_count(rules, 'rule')}"
    head = f"Failed: {of}." if failed else f"Not passed: {of} could not be judged."
    told = [f"{measured(each)}, and the rule {_when(each)}." for each in failed[:_TOLD]]
    told += [f"{measured(each)}." for each in unscored[: _TOLD - len(told)]]
    more = len(failed) + len(unscored) - len(told)
    if failed and unscored:
        head = f"Failed: {of}; {len(unscored)} could not be judged."
    return " ".join([head, *told, *([f"And {more} more."] if more > 0 else [])])


def _when(outcome: RuleOutcome) -> str:
    """When the rule fails, after its value was told: `fails above 6`."""
    rule = outcome.rule
    if rule.comparison is None or rule.limit is None:
        side = "above" if rule.quantity and METRICS[rule.quantity.metric].better == "lower" else "below"
        return f"fails if the whole interval is {side} 0"
    return f"fails {_SIDES[rule.comparison]} {repr(rule.limit).removesuffix('.0')}"


def _outcome_of_all(results: Sequence[GateResult], status: str) -> str:
    names = {
        kind: [result.ref.label for result in results if result.status == kind]
        for kind in ("failed", "unscored", "passed")
    }
    total = _count(len(results), "model")
    if status == "passed":
        return f"Passed: {total}."
    failed, unscored = names["failed"], names["unscored"]
    first = f"Failed: {len(failed)} of {total}: {_named(failed)}." if failed else ""
    second = f"{'' if failed else 'Not passed: '}{len(unscored)} could not be scored: {_named(unscored)}."
    return " ".join(filter(None, [first, second if unscored else ""]))


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"{', '.join(names[:_TOLD])}{more}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

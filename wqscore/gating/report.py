"""The output of `gate`: a row per rule, then the reasons of those that did not pass."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import Any

from wqscore.gating.gate import GateResult
from wqscore.gating.judge import COMPARISONS, RuleOutcome
from wqscore.metrics.registry import METRICS
from wqscore.rendering.numbers import Cell, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.rendering.timestamp import created_at
from wqscore.version import __version__

#: Version of the JSON document; goes up when a field's name or meaning changes.
SCHEMA_VERSION = 1

_COLUMNS = ["rule", "outcome", "value"]
_RULE_COLUMNS = ["rule", "comparison", "limit", "status", "value", "reason"]


def gate_sections(judgement: GateResult, _: Medium) -> list[Section]:
    """A table of the rules and their outcomes, then the reasons."""
    rows = [[str(outcome.rule), outcome.status, shown_value(outcome)] for outcome in judgement.outcomes]
    table = Table(headline(judgement), _COLUMNS, rows, folding=["rule"], markdown_title="listed")
    return [table, Notes(_notes(judgement))]


def gate_rows(judgement: GateResult) -> Rows:
    """A CSV row per rule."""
    rules = [_rule(outcome) for outcome in judgement.outcomes]
    rows = [[judgement.ref.label, *rule.values()] for rule in rules]
    return Rows(["model", *_RULE_COLUMNS], rows, frozenset({"model", *_RULE_COLUMNS} - {"limit", "value"}))


def gate_document(judgement: GateResult) -> dict[str, Any]:
    """The JSON document; undefined values are `null`."""
    policy, score, baseline = judgement.policy, judgement.score, judgement.baseline
    return {
        "schema_version": SCHEMA_VERSION,
        "wqscore": __version__,
        "created": created_at().isoformat(),
        "model": judgement.ref.label,
        "revision": score.revision if score else None,
        "preset": policy.preset,
        "seed": score.seed if score else None,
        "baseline": baseline.model if baseline else None,
        "status": judgement.status,
        "error": judgement.error or None,
        "rules": [_rule(outcome) for outcome in judgement.outcomes],
        "coverage": number(score.summary.coverage) if score else None,
        "n_matrices": score.summary.n_matrices if score else None,
        "n_fitted": score.summary.n_fitted if score else None,
        "verdicts": dict(sorted(score.summary.verdicts.items())) if score else {},
        "metrics": headline_values(judgement),
    }


def headline(judgement: GateResult) -> str:
    """One line: the gate's status, the model, and how many rules passed or failed."""
    counts = Counter(outcome.status for outcome in judgement.outcomes)
    rules = ", ".join(f"{counts[status]} {status}" for status in ("failed", "unscored", "passed") if counts[status])
    return f"gate {judgement.status}: {judgement.ref.label} · rules: {rules} · preset {judgement.policy.preset}"


def headline_values(judgement: GateResult) -> dict[str, Cell]:
    """Each metric's headline value, the one models are ranked by; empty if the model could not be scored."""
    score = judgement.score
    if score is None:
        return {}
    summary, preset = score.summary, score.preset
    return {name: number(summary.headline(name, preset), METRICS[name].count) for name in score.metrics}


def explanation(outcome: RuleOutcome) -> str:
    """The reason if a rule is unscored, otherwise its value with the reason, if any, in brackets."""
    if outcome.status == "unscored":
        return outcome.reason
    return f"{shown_value(outcome)}{f' ({outcome.reason})' if outcome.reason else ''}"


def shown_value(outcome: RuleOutcome) -> str:
    """The value to four digits, or to all if rounding would cross the limit; a dash if there is none."""
    if not isfinite(outcome.value):
        return figure(None)
    short, rule = f"{outcome.value:.4g}", outcome.rule
    fails = COMPARISONS[rule.comparison]
    same_side = fails(float(short), rule.limit) == fails(outcome.value, rule.limit)
    return short if same_side else repr(outcome.value)


def _notes(judgement: GateResult) -> list[str]:
    """A line per rule that has a reason, and what was taken as the model; only the error if it was not scored."""
    if judgement.error:
        return [judgement.error]
    remarks = judgement.score.remarks if judgement.score else ()
    return [*(f"{o.rule}: {o.status}: {o.reason}" for o in judgement.outcomes if o.reason), *remarks]


def _rule(outcome: RuleOutcome) -> dict[str, Cell]:
    rule = outcome.rule
    value, reason = number(outcome.value), outcome.reason or None
    cells: list[Cell] = [str(rule), rule.comparison, rule.limit, outcome.status, value, reason]
    return dict(zip(_RULE_COLUMNS, cells, strict=True))

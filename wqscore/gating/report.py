"""The output of `gate`: what each rule measured and when it fails, then the outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from wqscore.gating.gate import GateResult, GateRun
from wqscore.gating.judge import RuleOutcome
from wqscore.gating.wording import WORDS, fails_if, measured, outcome_of, results_of, shown_value
from wqscore.metrics.registry import METRICS
from wqscore.rendering.numbers import Cell, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.rendering.timestamp import created_at
from wqscore.version import __version__

#: Version of the JSON document; goes up when a field's name or meaning changes.
SCHEMA_VERSION = 1

_COLUMNS = ["rule", "outcome", "value", "measured"]
_RULE_COLUMNS = ["rule", "comparison", "limit", "status", "value", "reason"]
#: What a rule measured is padded to at most this width, so that one long line doesn't push the others apart.
_PADDED = 96


def gate_sections(judgement: GateResult | GateRun, medium: Medium) -> list[Section]:
    """A line per rule in a terminal, a table of them elsewhere; then the outcome, which comes first in Markdown."""
    sections: list[Section] = []
    for result in results_of(judgement):
        sections += _lines(result) if medium == "table" else _table(result)
    return [*sections, Answer([outcome_of(judgement)])]


def gate_rows(judgement: GateResult | GateRun) -> Rows:
    """A CSV row per rule of each model."""
    rows: list[Sequence[Cell]] = [
        [result.ref.label, *_rule(outcome).values()]
        for result in results_of(judgement)
        for outcome in result.outcomes
    ]
    return Rows(["model", *_RULE_COLUMNS], rows, frozenset({"model", *_RULE_COLUMNS} - {"limit", "value"}))


def gate_document(judgement: GateResult | GateRun) -> dict[str, Any]:
    """The JSON document; undefined values are `null`. Of several models, each has the fields of a single one."""
    head = {"schema_version": SCHEMA_VERSION, "wqscore": __version__, "created": created_at().isoformat()}
    if isinstance(judgement, GateResult):
        return {**head, **_document(judgement)}
    models = [_document(result) for result in judgement.results]
    return {**head, "status": judgement.status, "outcome": outcome_of(judgement), "models": models}


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


def rule_lines(judgement: GateResult) -> list[str]:
    """A line per rule: `ok        alpha is 3.04   (fails if alpha > 6)`."""
    texts = [measured(outcome) for outcome in judgement.outcomes]
    width = max((len(text) for text in texts if len(text) <= _PADDED), default=0)
    words = [WORDS[outcome.status] for outcome in judgement.outcomes]
    first = max(map(len, words), default=0)
    return [
        f"{word.ljust(first)}  {text.ljust(width)}   ({fails_if(outcome)})"
        for word, text, outcome in zip(words, texts, judgement.outcomes, strict=True)
    ]


def _lines(judgement: GateResult) -> list[Section]:
    lines = [judgement.error] if judgement.error else rule_lines(judgement)
    return [Notes([headline(judgement), *lines, *_remarks(judgement)])]


def _table(judgement: GateResult) -> list[Section]:
    rows = [[str(each.rule), each.status, shown_value(each), measured(each)] for each in judgement.outcomes]
    table = Table(headline(judgement), _COLUMNS, rows, folding=["rule"], markdown_title="above")
    return [table, Notes([*([judgement.error] if judgement.error else []), *_remarks(judgement)])]


def _remarks(judgement: GateResult) -> Sequence[str]:
    """What was taken as the model."""
    return judgement.score.remarks if judgement.score else ()


def _document(judgement: GateResult) -> dict[str, Any]:
    policy, score, baseline = judgement.policy, judgement.score, judgement.baseline
    return {
        "model": judgement.ref.label,
        "revision": score.revision if score else None,
        "preset": policy.preset,
        "seed": score.seed if score else None,
        "baseline": baseline.model if baseline else None,
        "status": judgement.status,
        "outcome": outcome_of(judgement),
        "error": judgement.error or None,
        "rules": [{**_rule(each), "interval": each.interval, "text": measured(each)} for each in judgement.outcomes],
        "coverage": number(score.summary.coverage) if score else None,
        "n_matrices": score.summary.n_matrices if score else None,
        "n_fitted": score.summary.n_fitted if score else None,
        "verdicts": dict(sorted(score.summary.verdicts.items())) if score else {},
        "metrics": headline_values(judgement),
    }


def _rule(outcome: RuleOutcome) -> dict[str, Cell]:
    rule = outcome.rule
    value, reason = number(outcome.value), outcome.reason or None
    cells: list[Cell] = [str(rule), rule.comparison, rule.limit, outcome.status, value, reason]
    return dict(zip(_RULE_COLUMNS, cells, strict=True))

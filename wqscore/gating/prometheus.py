"""Prometheus text for node_exporter's textfile collector: the gate, its rules, and the model's numbers.

The format is the text-based exposition format, version 0.0.4. A rule or metric without a value has no sample; alert
on `wqscore_gate_passed == 0` and on the age of `wqscore_gate_timestamp_seconds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from wqscore.escaping import printable
from wqscore.gating.gate import GateResult
from wqscore.gating.report import headline_values
from wqscore.rendering.timestamp import created_at


def gate_prometheus(judgement: GateResult) -> str:
    """Return all gauges of a gate, each labelled with the model."""
    score, rules = judgement.score, {str(outcome.rule): outcome for outcome in judgement.outcomes}
    summary = score.summary if score else None
    families: list[tuple[str, str, str, Mapping[str, object]]] = [
        ("gate_passed", "1 if every rule passed, else 0.", "", {"": judgement.status == "passed"}),
        (
            "gate_rule_passed",
            "1 if the rule passed, 0 if it failed or could not be judged.",
            "rule",
            {rule: outcome.status == "passed" for rule, outcome in rules.items()},
        ),
        ("gate_rule_value", "What the rule measured.", "rule", {rule: o.value for rule, o in rules.items()}),
        ("gate_rule_limit", "The rule's limit.", "rule", {rule: o.rule.limit for rule, o in rules.items()}),
        ("gate_timestamp_seconds", "When the gate was judged.", "", {"": created_at().timestamp()}),
        (
            "coverage",
            "Weights behind the model's numbers, of those that belong there.",
            "",
            {"": summary.coverage if summary else None},
        ),
        (
            "matrices",
            "Matrices and skipped tensors by verdict.",
            "verdict",
            dict(sorted(summary.verdicts.items())) if summary else {},
        ),
        ("metric", "The number that models are ranked by, of each metric.", "metric", headline_values(judgement)),
    ]
    model = _escape(judgement.ref.label)
    return "".join(
        _text(f"wqscore_{name}", meaning, model, label, values) for name, meaning, label, values in families
    )


def _text(name: str, meaning: str, model: str, label: str, values: Mapping[str, object]) -> str:
    """The samples of one gauge, by the value of its label other than `model` if it has one; empty without samples."""
    samples = []
    for key, value in values.items():
        if isinstance(value, int | float) and isfinite(value):
            more = f',{label}="{_escape(key)}"' if label else ""
            samples.append(f'{name}{{model="{model}"{more}}} {repr(float(value)).removesuffix(".0")}\n')
    return f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{''.join(samples)}" if samples else ""


def _escape(value: str) -> str:
    # `printable` removes line breaks, the third character that the format escapes.
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')

"""Prometheus text for node_exporter's textfile collector: the gate, its rules, and the model's numbers.

The format is the text-based exposition format, version 0.0.4. A rule or metric without a value has no sample; alert
on `wqscore_gate_passed == 0` and on the age of `wqscore_gate_timestamp_seconds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from wqscore.escaping import printable
from wqscore.gating.gate import GateResult, GateRun
from wqscore.gating.report import headline_values
from wqscore.gating.wording import results_of
from wqscore.rendering.timestamp import created_at

_Gauge = tuple[str, str, str, Mapping[str, object]]


def gate_prometheus(judgement: GateResult | GateRun) -> str:
    """Return all gauges of a gate, each labelled with the model."""
    results = results_of(judgement)
    gauges = [_gauges(result) for result in results]
    labels = [_escape(result.ref.label) for result in results]
    lines = []
    for name, meaning, label, _ in gauges[0]:
        values = [next(gauge[3] for gauge in each if gauge[0] == name) for each in gauges]
        lines.append(_text(f"wqscore_{name}", meaning, label, dict(zip(labels, values, strict=True))))
    return "".join(lines)


def _gauges(judgement: GateResult) -> list[_Gauge]:
    """Name, meaning, label and values of each gauge of one model."""
    score, rules = judgement.score, {str(outcome.rule): outcome for outcome in judgement.outcomes}
    summary = score.summary if score else None
    return [
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


def _text(name: str, meaning: str, label: str, models: Mapping[str, Mapping[str, object]]) -> str:
    """The samples of one gauge, by model and the value of its other label if it has one; empty without samples."""
    samples = []
    for model, values in models.items():
        for key, value in values.items():
            if isinstance(value, int | float) and isfinite(value):
                more = f',{label}="{_escape(key)}"' if label else ""
                samples.append(f'{name}{{model="{model}"{more}}} {repr(float(value)).removesuffix(".0")}\n')
    return f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{''.join(samples)}" if samples else ""


def _escape(value: str) -> str:
    # `printable` removes line breaks, the third character that the format escapes.
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')

"""Prometheus text, for node_exporter's textfile collector: the gate, its rules, and the model's numbers.

The format is the text-based exposition format, version 0.0.4. A rule or metric without a value has no sample: alert
on `wqscore_gate_passed == 0` and on the age of `wqscore_gate_timestamp_seconds`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from wqscore.escaping import printable
from wqscore.gating.gate import Judgement
from wqscore.gating.report import headline_values
from wqscore.rendering.numbers import number
from wqscore.rendering.timestamp import created_at


@dataclass(frozen=True)
class _Family:
    """Samples of one name.

    Attributes:
        name: the metric's name.
        help: what it is, in a line.
        samples: its labels beside `model`, and their value; left out where that is `None`.
    """

    name: str
    help: str
    samples: Iterable[tuple[dict[str, str], float | None]]


def gate_prometheus(judgement: Judgement) -> str:
    """All gauges of a gate, each labelled with the model."""
    return "".join(_text(family, judgement.ref.label) for family in _families(judgement))


def _families(judgement: Judgement) -> list[_Family]:
    outcomes, score = judgement.outcomes, judgement.score
    summary = score.summary if score else None
    return [
        _Family("gate_passed", "1 if every rule passed, else 0.", [({}, judgement.status == "passed")]),
        _Family(
            "gate_rule_passed",
            "1 if the rule passed, 0 if it failed or could not be judged.",
            [({"rule": str(o.rule)}, o.status == "passed") for o in outcomes],
        ),
        _Family(
            "gate_rule_value",
            "What the rule measured.",
            [({"rule": str(o.rule)}, o.value if isfinite(o.value) else None) for o in outcomes],
        ),
        _Family("gate_rule_limit", "The rule's limit.", [({"rule": str(o.rule)}, o.rule.limit) for o in outcomes]),
        _Family("gate_timestamp_seconds", "When the gate was judged.", [({}, created_at().timestamp())]),
        _Family(
            "coverage",
            "Weights behind the model's numbers, of those that belong there.",
            [({}, number(summary.coverage) if summary else None)],
        ),
        _Family(
            "matrices",
            "Matrices and skipped tensors by verdict.",
            [({"verdict": name}, count) for name, count in sorted(summary.verdicts.items())] if summary else [],
        ),
        _Family(
            "metric",
            "The number that models are ranked by, of each metric.",
            [({"metric": name}, _as_float(value)) for name, value in headline_values(judgement).items()],
        ),
    ]


def _as_float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(family: _Family, model: str) -> str:
    samples = [
        f"wqscore_{family.name}{{{_labels({'model': model, **labels})}}} {_sample(value)}\n"
        for labels, value in family.samples
        if value is not None
    ]
    head = f"# HELP wqscore_{family.name} {family.help}\n# TYPE wqscore_{family.name} gauge\n"
    return head + "".join(samples) if samples else ""


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    # What printable leaves has no line break, the third character that the format escapes.
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')


def _sample(value: float) -> str:
    return repr(float(value)).removesuffix(".0")

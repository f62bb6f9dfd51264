"""A gate's policy: its rules and how to score the model for them, in a TOML file kept with the code.

    rules = ["alpha > 6", "share(random) > 0.2", "delta(alpha) > 0.3"]
    preset = "default"
    metrics = ["core"]              # shown in addition to those that the rules name
    baseline = "production.json"    # relative to the policy's folder
    base = "org/base"               # for rules on distances; ./… is relative to the policy's folder
    evidence = "mine.csv"           # the record behind odds(…) in place of the usual one; relative, too

All keys are optional.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wqscore.errors import UsageError, nearest, read_small
from wqscore.evidence.lore import NONE
from wqscore.gating.grammar import parse_rule
from wqscore.gating.rules import Rule
from wqscore.metrics.registry import choose_metrics
from wqscore.presets.registry import find_preset
from wqscore.refs.model_list import parse_toml
from wqscore.refs.reference import Model
from wqscore.scoring.model_score import ModelScore

#: A policy is a page of text; a larger file was named by mistake.
_LARGEST = 1_000_000
_LISTS = ("rules", "metrics")
_KEYS = ("rules", "preset", "metrics", "baseline", "base", "evidence", "bank")


@dataclass(frozen=True)
class Policy:
    """The rules of a gate, and how to score for them.

    Attributes:
        rules: the rules, each once.
        preset: the preset to score with.
        metrics: names and groups to compute in addition to the metrics that rules name.
        baseline: a score, or a file that `wqscore score --format json` or `wqscore rank` wrote.
        base: the checkpoint that distances are measured from.
        evidence: a table of the record to take odds from; the tables that ship and the user's own if `None`.
        bank: the JSON of a screening of trusted adapters, that outliers are measured from.
    """

    rules: tuple[Rule, ...] = ()
    preset: str = "default"
    metrics: tuple[str, ...] = ("core",)
    baseline: Path | ModelScore | None = None
    base: Model | None = None
    evidence: str | None = None
    bank: Path | None = None

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """The metrics to compute, as `wqscore.score` takes them."""
        return (*self.metrics, *(rule.quantity.metric for rule in self.rules if rule.quantity))


def read_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Parse rules, each once.

    Raises:
        UsageError: a text that is not a rule.
    """
    return tuple(dict.fromkeys(map(parse_rule, texts)))


def load_policy(file: Path) -> Policy:
    """Read a policy file.

    Args:
        file: a TOML file.

    Raises:
        UsageError: it can't be read, is not a policy, or has an unknown key, rule, preset or metric.
    """
    table = parse_toml(_read(file), str(file), "policy")
    for key, value in table.items():
        _check_kind(key, value, str(file))
    try:
        return _policy(table, file.parent)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error


def _policy(table: dict[str, Any], folder: Path) -> Policy:
    found: dict[str, Any] = dict(table)
    if "rules" in found:
        found["rules"] = read_rules(found["rules"])
    if "preset" in found:
        find_preset(found["preset"])
    if "metrics" in found:
        choose_metrics(found["metrics"])
        found["metrics"] = tuple(found["metrics"])
    if "baseline" in found:
        found["baseline"] = folder / found["baseline"]
    if "bank" in found:
        found["bank"] = folder / found["bank"]
    if found.get("evidence", NONE) != NONE:
        found["evidence"] = str(folder / found["evidence"])
    if found.get("base", "").startswith("."):
        found["base"] = str((folder / found["base"]).absolute())
    return Policy(**found)


def _read(file: Path) -> bytes:
    try:
        return read_small(file, _LARGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{file}: can't be read: {reason}: a policy is a short TOML file") from error


def _check_kind(key: str, value: object, where: str) -> None:
    if key not in _KEYS:
        raise UsageError(f"{where}: unknown key {key[:100]!r}: {nearest(key.lower(), _KEYS)}")
    if key in _LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{where}: {key} must be an array of strings")
    elif not isinstance(value, str) or not value.strip() or "\0" in value:
        raise UsageError(f"{where}: {key} must be a string with something in it")

"""`wqscore.gate`: hold a model to rules, a policy or a policy's file, with numbers to compare with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.errors import UsageError
from wqscore.execution.progress import RankProgress
from wqscore.gating.gate import GateResult
from wqscore.gating.gate import gate as gate_by_policy
from wqscore.gating.policy import Policy, load_policy, read_rules
from wqscore.refs.reference import Model
from wqscore.scoring.model_score import ModelScore

#: The settings that a policy has too; a keyword overrides the policy's.
_IN_POLICY = ("preset", "metrics", "base")


@takes_settings
def gate(
    model: Model,
    rules: str | os.PathLike[str] | Policy | Iterable[str],
    baseline: str | os.PathLike[str] | ModelScore | None = None,
    *,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> GateResult:
    """Score a model and check it against rules, as `wqscore gate` does.

    Args:
        model: the model, as for `wqscore.score`.
        rules: what fails the gate: a rule such as `"alpha > 6"`, several of them, a policy, or the path of a policy
            (a `PathLike`, or text that ends in `.toml`).
        baseline: numbers to compare with: a score, or a file that `score --format json` or `rank` wrote; the policy's
            if `None`.
        settings: as for `wqscore.score`. Preset, metrics and base are the policy's, unless a keyword gives them.
        progress: receives progress.
        **changes: settings by name, as for `wqscore.score`.

    Returns:
        The outcome of each rule; `status` is `passed`, `failed` or `unscored`.

    Raises:
        UsageError: an invalid rule, policy, reference or setting; a rule lacks the baseline or the base it needs.
        StoreError: the store can't be opened.

    Example:
        `wqscore.gate("./run-2", ["alpha > 6", "delta(alpha) > 0.3"], baseline=wqscore.score("./run-1")).status`
    """
    chosen = changed(settings, changes)
    policy = _policy(rules)
    own: dict[str, Any] = {name: getattr(chosen, name) for name in _IN_POLICY if name in changes}
    if isinstance(own.get("metrics"), str):
        own["metrics"] = tuple(own["metrics"].split(","))
    if baseline is not None:
        own["baseline"] = baseline if isinstance(baseline, ModelScore) else Path(baseline)
    return gate_by_policy(model, replace(policy, **own), settings=chosen, progress=progress)


def _policy(rules: str | os.PathLike[str] | Policy | Iterable[str]) -> Policy:
    if isinstance(rules, Policy):
        return rules
    if isinstance(rules, os.PathLike) or (isinstance(rules, str) and rules.endswith(".toml")):
        return load_policy(Path(rules))
    texts = [rules] if isinstance(rules, str) else list(rules)
    if not texts:
        raise UsageError('no rule given: pass one, such as "alpha > 6"')
    return Policy(read_rules(texts))

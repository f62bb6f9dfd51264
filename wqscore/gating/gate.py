"""Score a model and judge it by a policy's rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Unpack

from wqscore.api.score import score
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.errors import CheckpointError, UsageError
from wqscore.evidence.lore import Lore, load_lore
from wqscore.execution.progress import RankProgress
from wqscore.gating.baseline import Baseline, load_baseline
from wqscore.gating.judge import GateStatus, RuleOutcome, all_unscored, apply_rules
from wqscore.gating.policy import Policy
from wqscore.gating.rules import AGAINST_BASELINE, OddsOver, Outlier, Rule
from wqscore.metrics.registry import METRICS
from wqscore.presets.registry import find_preset
from wqscore.refs.callers import as_ref, refs_of
from wqscore.refs.reference import Model, ModelRef, Models
from wqscore.results import Result
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.selection import selection_of
from wqscore.studies.screen.bank import load_bank
from wqscore.studies.screen.screen import screen


@dataclass(frozen=True)
class GateResult(Result):
    """The result of a gate: a model and the outcome of each rule.

    Attributes:
        ref: the model.
        policy: the policy.
        outcomes: one for each rule, in the policy's order.
        score: its score, `None` where it could not be scored.
        baseline: the baseline that changes were measured from, `None` without one.
        error: why it could not be scored; empty if it could.
        seconds: how long it took to score and judge it.
    """

    ref: ModelRef
    policy: Policy
    outcomes: tuple[RuleOutcome, ...]
    score: ModelScore | None
    baseline: Baseline | None
    error: str = ""
    seconds: float = 0.0

    def __repr__(self) -> str:
        """The model and the outcome."""
        rules = f"{len(self.outcomes)} rule{'' if len(self.outcomes) == 1 else 's'}"
        return f"<GateResult {self.ref.label:.80}: {self.status}, {rules}>"

    @property
    def status(self) -> GateStatus:
        """`failed` if a rule failed or, where something was scored, could not be judged; `unscored`; or `passed`.

        A model without a fit is scored where a rule on a metric that needs none passed.
        """
        statuses = {outcome.status for outcome in self.outcomes}
        if "failed" in statuses:
            return "failed"
        is_scored = any(_needs_no_fit(outcome.rule) for outcome in self.outcomes if outcome.status == "passed")
        if self.score is None or not (self.score.summary.n_fitted or is_scored):
            return "unscored"
        return "failed" if "unscored" in statuses else "passed"


def _needs_no_fit(rule: Rule) -> bool:
    """Whether a rule tells something of a model none of whose matrices has a fit."""
    quantity = rule.quantity
    return isinstance(rule.value, Outlier) or bool(quantity and not METRICS[quantity.metric].needs_fit)


@dataclass(frozen=True)
class GateRun(Result):
    """The results of a gate that several models were held to.

    Attributes:
        results: one for each model, in the order in which they were named.
    """

    results: tuple[GateResult, ...]

    def __repr__(self) -> str:
        """How many models there are, and the outcome."""
        models = f"{len(self.results)} model{'' if len(self.results) == 1 else 's'}"
        return f"<GateRun of {models}: {self.status}>"

    @property
    def status(self) -> GateStatus:
        """`failed` if one of them failed, else `unscored` if one could not be scored, else `passed`."""
        statuses = {result.status for result in self.results}
        return "failed" if "failed" in statuses else "unscored" if "unscored" in statuses else "passed"


@takes_settings
def gate(
    ref: Model,
    policy: Policy,
    *,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> GateResult:
    """Score a model and judge it by a policy's rules.

    Args:
        ref: the model, as for `wqscore.score`.
        policy: the rules, and how to score for them.
        settings: as for `wqscore.score`; preset, metrics and base come from the policy. The seed must be the
            baseline's.
        progress: notified as matrices are done.
        **changes: settings by name, as for `wqscore.score`.

    Returns:
        The outcome of each rule; all of them `unscored` for a model that can't be found, fetched or read.

    Raises:
        UsageError: there is no rule; a reference, preset or metric is invalid; a rule needs a baseline or a base that
            is missing; the baseline is not comparable.
        StoreError: the store can't be opened.
    """
    return gate_all([as_ref(ref)], policy, settings=settings, progress=progress, **changes).results[0]


@takes_settings
def gate_all(
    refs: Models,
    policy: Policy,
    *,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> GateRun:
    """Hold several models to one policy; one that can't be scored stops no other.

    Args:
        refs: the models, as for `wqscore.rank`; one named twice counts once.
        policy: as for `gate`; the baseline may be a ranking that has each of the models, by its name.
        settings: as for `gate`.
        progress: notified as matrices are done.
        **changes: settings by name, as for `gate`.

    Raises:
        UsageError: as for `gate`; nothing has been scored then.
        StoreError: the store can't be opened.
    """
    if not policy.rules:
        raise UsageError('no rule given: write one with --rule "alpha > 6", or rules = [...] in a policy')
    models = refs_of(refs)
    if not models:
        raise UsageError("no model given: name one or more")
    chosen = replace(changed(settings, changes), preset=policy.preset, metrics=policy.all_metrics, base=policy.base)
    if chosen.gauge != "none":
        raise UsageError("rules and baselines are of the stored weights: leave gauge out")
    preset = find_preset(chosen.preset)
    of_changes = [rule for rule in policy.rules if isinstance(rule.value, AGAINST_BASELINE)]
    if of_changes and policy.baseline is None:
        raise UsageError(f"{of_changes[0].value} needs numbers to compare with: name a file of them with --baseline")
    of_bank = [rule for rule in policy.rules if isinstance(rule.value, Outlier) and rule.value.of_bank]
    if of_bank and policy.bank is None:
        raise UsageError(f"{of_bank[0].value} needs adapters to compare with: name their screening with --bank")
    if policy.bank is not None:
        load_bank([policy.bank])
    file, selection = policy.baseline, str(selection_of(chosen.layers, chosen.roles))
    baselines = [
        load_baseline(file, each, preset, chosen.seed, policy.rules, selection) if file else None for each in models
    ]
    with_odds = any(isinstance(rule.value, OddsOver) for rule in policy.rules)
    lore = load_lore(policy.evidence) if with_odds else None
    pairs = zip(models, baselines, strict=True)
    return GateRun(tuple(_judged(*pair, policy, lore, chosen, progress) for pair in pairs))


def _judged(
    model: ModelRef,
    baseline: Baseline | None,
    policy: Policy,
    lore: Lore | None,
    settings: Settings,
    progress: RankProgress | None,
) -> GateResult:
    start = perf_counter()
    try:
        scored = score(model, settings=settings, progress=progress)
    except CheckpointError as error:
        outcomes = all_unscored(policy.rules, str(error))
        return GateResult(model, policy, outcomes, None, baseline, str(error), perf_counter() - start)
    screened = None
    if any(isinstance(rule.value, Outlier) for rule in policy.rules):
        screened = screen([model], bank=policy.bank or (), settings=settings, progress=progress).adapters[0]
    outcomes = apply_rules(policy.rules, scored, baseline, lore, screened)
    return GateResult(model, policy, outcomes, scored, baseline, seconds=perf_counter() - start)


__all__ = ["GateResult", "GateRun", "gate", "gate_all"]

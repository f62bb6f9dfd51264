"""Judge a scored model by rules: each rule passes, fails, or can't be judged, which never counts as passed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite, nan
from time import perf_counter
from types import MappingProxyType
from typing import Literal

from wqscore.escaping import listed
from wqscore.evidence.advice import odds_of_gap
from wqscore.evidence.kinship import kind_between, traits_of
from wqscore.evidence.lore import Lore
from wqscore.fits.interval import Interval
from wqscore.gating.baseline import Baseline
from wqscore.gating.rules import STATISTICS, Change, IntegrityTerm, OddsOver, Outlier, Quantity, Rule, Share, Worse
from wqscore.matrices.uncounted import UncountedTensor
from wqscore.metrics.registry import MATRIX_METRICS, find_metric
from wqscore.ranking.differences import difference
from wqscore.ranking.differences import measured as measured_matrices
from wqscore.ranking.ranking import why_unranked
from wqscore.scoring.layer_score import Verdict
from wqscore.scoring.model_score import ModelScore
from wqscore.studies.screen.screen import ScreenedAdapter

GateStatus = Literal["passed", "failed", "unscored"]

_COUNTED: Mapping[str, Verdict] = MappingProxyType({"non_finite": "non-finite", "zero": "zero"})
#: At most this many matrices are named.
_NAMED = 3


@dataclass(frozen=True)
class RuleOutcome:
    """The outcome of one rule.

    Attributes:
        rule: the rule.
        status: `passed`; `failed`; `unscored`, which counts as failed.
        value: the measured value, NaN for `unscored`.
        reason: why it is unscored; otherwise a detail of the value, or empty.
        interval: the 95 % interval of the value; `None` where it has none.
        seconds: how long it took to judge.
    """

    rule: Rule
    status: GateStatus
    value: float
    reason: str
    interval: Interval | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class _Measured:
    """A value, and its largest possible value, reached if every unread matrix counts."""

    value: float
    at_most: float
    detail: str
    interval: Interval | None = None


class _UnscoredError(Exception):
    """A rule's value does not exist; the message says why."""


@dataclass(frozen=True)
class _Known:
    """What rules are judged by, beside the score."""

    baseline: Baseline | None
    lore: Lore | None
    screened: ScreenedAdapter | None


def apply_rules(
    rules: Iterable[Rule],
    score: ModelScore,
    baseline: Baseline | None,
    lore: Lore | None = None,
    screened: ScreenedAdapter | None = None,
) -> tuple[RuleOutcome, ...]:
    """Judge a scored model by rules.

    Numbers too poor to rank the model (too little coverage, mostly noise) leave a rule unscored. Unread matrices may
    have any verdict: a rule on counts or shares passes or fails only if it does so for every possible verdict.

    Args:
        rules: the rules; the metrics that they name must have been computed.
        score: the model's score.
        baseline: the baseline of changes; rules on changes are unscored without one.
        lore: the record of decisions; rules on odds are unscored without one.
        screened: the adapter's modules; rules on outliers are unscored without them.

    Returns:
        An outcome for each rule, in their order.
    """
    known = _Known(baseline, lore, screened)
    return tuple(_timed(rule, score, known) for rule in rules)


def all_unscored(rules: Iterable[Rule], reason: str) -> tuple[RuleOutcome, ...]:
    """Return the outcomes for a model that could not be scored at all."""
    return tuple(RuleOutcome(rule, "unscored", nan, reason) for rule in rules)


def _timed(rule: Rule, score: ModelScore, known: _Known) -> RuleOutcome:
    start = perf_counter()
    outcome = _outcome(rule, score, known)
    return replace(outcome, seconds=perf_counter() - start)


def _outcome(rule: Rule, score: ModelScore, known: _Known) -> RuleOutcome:
    try:
        measured = _measure(rule, score, known)
    except _UnscoredError as error:
        return RuleOutcome(rule, "unscored", nan, str(error))
    if isinstance(rule.value, Worse):
        ends = {_is_worse(measured, rule.value)}
    else:
        ends = {rule.fails(measured.value), rule.fails(measured.at_most)}
    if len(ends) == 2:
        return RuleOutcome(rule, "unscored", nan, f"could not be read: {_unread(score)}")
    status: GateStatus = "failed" if ends == {True} else "passed"
    return RuleOutcome(rule, status, measured.value, measured.detail, measured.interval)


def _is_worse(change: _Measured, rule: Worse) -> bool:
    """Whether the interval of a change excludes 0 on the worse side."""
    if change.interval is None:
        return False
    grows = find_metric(rule.quantity.metric).better == "lower"
    return change.interval.lo > 0 if grows else change.interval.hi < 0


def _measure(rule: Rule, score: ModelScore, known: _Known) -> _Measured:
    match rule.value:
        case Quantity() as quantity:
            value = _quantity(quantity, score)
            interval = None if quantity.statistic else score.summary.interval(quantity.metric)
            return _Measured(value, value, "", interval)
        case Change() as change:
            return _change(change, score, known.baseline)
        case Worse(quantity):
            return _worse(quantity, score, known.baseline)
        case OddsOver(quantity):
            return _odds(quantity, score, known.baseline, known.lore)
        case Share(verdict):
            return _of_matrices(verdict, score, as_share=True)
        case Outlier() as outlier:
            return _outlier(outlier, known.screened)
        case IntegrityTerm(check):
            return _integrity(check, score)


def _quantity(quantity: Quantity, score: ModelScore) -> float:
    name = quantity.metric
    doubt = why_unranked(score, find_metric(name), score.preset)
    if doubt:
        raise _UnscoredError(doubt)
    if not quantity.statistic:
        return score.summary.headline(name, score.preset)
    value: float = getattr(score.summary.statistics[name], STATISTICS[quantity.statistic])
    if not isfinite(value):
        raise _UnscoredError(f"{quantity} is not defined: {MATRIX_METRICS[name].undefined}")
    return value


def _before_and_now(quantity: Quantity, score: ModelScore, baseline: Baseline) -> tuple[float, float]:
    """The quantity in the baseline and in the model, where the two can be compared."""
    doubt = baseline.doubt if find_metric(quantity.metric).needs_fit else baseline.doubt_without_fit
    if doubt:
        raise _UnscoredError(f"the baseline {baseline.model} can't be trusted: {doubt}")
    if find_metric(quantity.metric).cost == "base" and baseline.base != score.base:
        raise _UnscoredError(
            f"measured from {score.base or 'nothing'}, in the baseline from {baseline.base or 'nothing'}"
        )
    now, before = _quantity(quantity, score), baseline.values.get(quantity, nan)
    if not isfinite(before):
        raise _UnscoredError(f"the baseline {baseline.model} has no value of {quantity}")
    return before, now


def _change(change: Change, score: ModelScore, baseline: Baseline | None) -> _Measured:
    if baseline is None:
        raise _UnscoredError("there is no baseline")
    before, now = _before_and_now(change.quantity, score, baseline)
    if change.kind == "relative" and before == 0:
        raise _UnscoredError("the baseline is 0: use delta")
    value = (now - before) / abs(before) if change.kind == "relative" else now - before
    if change.kind == "abs_delta":
        value = abs(value)
    if not isfinite(value):
        raise _UnscoredError("the change is too large for a number")
    return _Measured(value, value, f"{now:.6g}, in the baseline {before:.6g}")


def _worse(quantity: Quantity, score: ModelScore, baseline: Baseline | None) -> _Measured:
    """The change of a metric, with its interval over pairs of matrices.

    Where rounding can do as much, the interval contains 0.
    """
    if baseline is None:
        raise _UnscoredError("there is no baseline")
    before, now = _before_and_now(quantity, score, baseline)
    matrices = baseline.matrices.get(quantity.metric, "its matrices are not known")
    if isinstance(matrices, str):
        raise _UnscoredError(f"the baseline {baseline.model} can't be compared: {matrices}")
    found = difference(measured_matrices(score, MATRIX_METRICS[quantity.metric]), matrices)
    if not isfinite(found.hi - found.lo):
        raise _UnscoredError(f"too few matrices to compare with the baseline {baseline.model}")
    over = f"{found.pairs} pairs of matrices" if found.pairs else "matrices of the same roles"
    detail = f"from {before:.4g} to {now:.4g} over {over}"
    is_rounding = abs(found.value) <= found.delta
    interval = Interval(min(found.lo, 0.0), max(found.hi, 0.0)) if is_rounding else Interval(found.lo, found.hi)
    return _Measured(found.value, found.value, detail, interval)


def _odds(quantity: Quantity, score: ModelScore, baseline: Baseline | None, lore: Lore | None) -> _Measured:
    """The odds that the model is better than the baseline; one half where the record can't tell."""
    if baseline is None or baseline.traits is None:
        raise _UnscoredError("there is no baseline")
    if lore is None:
        raise _UnscoredError("there is no record to take odds from")
    before, now = _before_and_now(quantity, score, baseline)
    gap = now - before if find_metric(quantity.metric).better == "higher" else before - now
    kind = kind_between(traits_of(score), baseline.traits)
    found = odds_of_gap(gap, kind, quantity.metric, score.preset, score.family_id, lore)
    if found.verdict == "unknown":
        raise _UnscoredError(found.basis)
    odds = 0.5 if found.odds is None else found.odds
    detail = f"a toss-up: {found.basis}" if found.odds is None else f"from {found.basis}"
    return _Measured(odds, odds, detail)


def _outlier(outlier: Outlier, screened: ScreenedAdapter | None) -> _Measured:
    """The largest |z| of a statistic, and the module that has it."""
    if screened is None or screened.reason:
        raise _UnscoredError(screened.reason if screened else "it was not screened")
    value = screened.largest(outlier.statistic, outlier.of_bank)
    if not isfinite(value):
        others = "adapters in the bank have its modules" if outlier.of_bank else "modules of one role and shape"
        raise _UnscoredError(f"too few {others}")
    unread = screened.changes.skipped
    if unread:
        raise _UnscoredError(f"could not be read: {listed([each.name for each in unread], _NAMED)}")
    found = screened.farthest(outlier.statistic, outlier.of_bank)
    return _Measured(value, value, found.module.matrix.name if found else "")


def _integrity(check: str, score: ModelScore) -> _Measured:
    if check in _COUNTED:
        return _of_matrices(_COUNTED[check], score)
    if check == "unread":
        count = len(_unread_names(score))
        if not score.layers and not count:
            raise _UnscoredError("it has no matrix")
        return _Measured(count, count, _unread(score))
    value = score.summary.coverage if check == "coverage" else score.summary.coverage_all
    if not isfinite(value):
        raise _UnscoredError(_why_not_covered(score))
    return _Measured(value, value, "")


def _why_not_covered(score: ModelScore) -> str:
    """Why a model has no coverage."""
    open_ones = [skip for skip in score.skipped if isinstance(skip, UncountedTensor)]
    if open_ones:
        return f"its coverage is not known: {open_ones[0].name}: {open_ones[0].reason}"
    return "it has no matrix that belongs in an average"


def _of_matrices(verdict: Verdict, score: ModelScore, as_share: bool = False) -> _Measured:
    """The number of matrices with a verdict, or their share of all."""
    found = [row.matrix.name for row in score.layers if row.verdict == verdict]
    unread = len(_unread_names(score))
    matrices = len(score.layers) + unread
    if not matrices:
        raise _UnscoredError("it has no matrix")
    whole = matrices if as_share else 1
    return _Measured(len(found) / whole, (len(found) + unread) / whole, listed(found, _NAMED))


def _unread(score: ModelScore) -> str:
    return listed(_unread_names(score), _NAMED)


def _unread_names(score: ModelScore) -> list[str]:
    return [skip.name for skip in score.skipped if skip.kind == "unread"]

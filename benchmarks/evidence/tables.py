"""The tables of docs/evidence.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isnan

from benchmarks.evidence.combination import Combination
from benchmarks.evidence.development import Choice
from wqscore.evidence.decisions import decisions
from wqscore.evidence.kinds import KINDS
from wqscore.evidence.odds import SIZE, measure_gaps
from wqscore.evidence.record import KnownModel
from wqscore.evidence.report import MEANING, verdict
from wqscore.evidence.track_record import Entry, TrackRecord
from wqscore.evidence.validation import Agreement, Bin, calibration, left_out_losses

#: So many metrics of a kind are shown, beside alpha and size.
_SHOWN = 8


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def kind_tables(record: TrackRecord) -> Iterator[str]:
    """For each kind of decision what chooses, how often, and what does not."""
    columns = ["metric", "right in", "decisions", "families", "log-loss", "with size", "size alone", "verdict"]
    for kind in KINDS:
        entries = [entry for entry in record.entries if entry.kind == kind]
        if not entries:
            continue
        yield f"### {kind}: {MEANING[kind]}"
        yield ""
        shown = [each for place, each in enumerate(entries) if place < _SHOWN or each.metric in ("alpha", SIZE)]
        yield from markdown(columns, (_row(entry) for entry in shown))
        good = [entry for entry in entries if entry.informative and entry.metric != SIZE]
        yield f"{len(good)} of {len(entries)} entries are informative."
        yield ""


def _row(entry: Entry) -> list[str]:
    return [
        "size" if entry.metric == SIZE else f"`{entry.metric}`",
        right_in(entry.agreement),
        f"{entry.pairs:,}",
        str(entry.families),
        loss(entry.log_loss.mean, entry.log_loss.error),
        loss(entry.log_loss_with_size.mean),
        loss(entry.log_loss_size.mean),
        verdict(entry),
    ]


def right_in(agreed: Agreement) -> str:
    """How often a metric was right, with the interval."""
    ends = "" if isnan(agreed.lo) else f" ({100 * agreed.lo:.0f} to {100 * agreed.hi:.0f})"
    return f"{100 * agreed.share:.0f} %{ends}"


def loss(mean: float, error: float | None = None) -> str:
    """A log-loss, with its standard error."""
    if isnan(mean):
        return "–"
    return f"{mean:.3f}" if error is None else f"{mean:.3f} ± {error:.3f}"


def calibration_rows(models: Sequence[KnownModel], metric: str, kind: str) -> Iterator[Bin]:
    """Predicted odds of families left out against what came true."""
    found = measure_gaps(metric, decisions(models, kind))
    yield from calibration(left_out_losses(found.bent, found.of), found.of)


def calibration_tables(models: Sequence[KnownModel], entries: Sequence[Entry]) -> Iterator[str]:
    """The calibration of entries, and for each whether any bin is off by more than its interval."""
    rows = []
    for entry in entries:
        for each in calibration_rows(models, entry.metric, entry.kind):
            off = "off" if each.is_off else ""
            observed = f"{each.observed:.2f} ({each.lo:.2f} to {each.hi:.2f})"
            rows.append([entry.kind, f"`{entry.metric}`", f"{each.predicted:.2f}", observed, f"{each.pairs:,}", off])
    yield from markdown(["kind", "metric", "predicted", "observed", "decisions", ""], rows)


def choice_table(choices: Sequence[Choice]) -> Iterator[str]:
    """What was chosen on the development families."""
    rows = []
    for each in choices:
        metric, mixed = each.metric, each.combination
        alone = "none is informative" if metric is None else f"`{metric.metric}`, {loss(metric.log_loss.mean)}"
        rows.append([each.kind, alone, "not tried" if mixed is None else combination_text(mixed)])
    yield from markdown(["kind", "metric that `--by auto` takes", "combination (weights of typical gaps)"], rows)


def combination_text(mixed: Combination) -> str:
    """The terms of a combination, and its log-loss."""
    terms = [f"{weight:+.2f} `{name}`" for name, weight in zip(mixed.metrics, mixed.weights, strict=True)]
    return f"{' '.join(terms) or 'none'}, {loss(mixed.log_loss.mean)}"


def families_of(models: Sequence[KnownModel]) -> str:
    """How many families, models and decisions there are."""
    counts = [f"{len(decisions(models, kind)):,} {kind}" for kind in KINDS if len(decisions(models, kind))]
    return (
        f"{len({model.family for model in models})} families, {len(models):,} models; decisions: {', '.join(counts)}"
    )

"""The choices, made on the development families alone."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.evidence.combination import Combination, choose_combination
from wqscore.evidence.decisions import decisions
from wqscore.evidence.kinds import KINDS
from wqscore.evidence.record import KnownModel, shipped_models
from wqscore.evidence.split import is_development
from wqscore.evidence.track_record import Entry, TrackRecord
from wqscore.metrics.registry import CORE, METRICS

#: What a ranking computes by default, less what a model has no number of: bounds and nuisance parameters.
CANDIDATES = tuple(name for name in CORE if METRICS[name].summarised)
#: Kinds for which a combination is tried; across families there are too many decisions, and size chooses.
COMBINED = tuple(kind for kind in KINDS if kind != "across")


@dataclass(frozen=True)
class Choice:
    """What was chosen for one kind of decision.

    Attributes:
        kind: the kind.
        metric: the informative candidate of the lowest log-loss in its own direction; `None` without one.
        combination: of candidates; `None` where none was tried.
    """

    kind: str
    metric: Entry | None
    combination: Combination | None


def part(development: bool) -> list[KnownModel]:
    """The models of the development families, or of the test families."""
    return [model for model in shipped_models() if is_development(model.family) == development]


def choices(record: TrackRecord) -> list[Choice]:
    """The choices for every kind.

    Args:
        record: the track record of the development families.
    """
    models = part(development=True)
    return [Choice(kind, chosen_metric(record, kind), _combination(models, kind)) for kind in KINDS]


def chosen_metric(record: TrackRecord, kind: str) -> Entry | None:
    """The metric that `rank --by auto` takes for a kind: never size."""
    able = [
        entry
        for entry in record.entries
        if entry.kind == kind and entry.metric in CANDIDATES and entry.informative and entry.slope > 0
    ]
    return min(able, key=lambda entry: entry.log_loss.mean, default=None)


def _combination(models: list[KnownModel], kind: str) -> Combination | None:
    if kind not in COMBINED:
        return None
    decided = decisions(models, kind)
    return choose_combination(CANDIDATES, decided) if len(decided) else None

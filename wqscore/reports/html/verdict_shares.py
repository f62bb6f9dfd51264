"""The verdicts of each model's matrices, as shares of a bar; and its skipped tensors by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from wqscore.rendering.html.palette import VERDICTS
from wqscore.scoring.model_score import ModelScore

#: Colour of each verdict, in the order of a bar.
COLOURS = MappingProxyType({verdict: mark.colour for verdict, mark in VERDICTS.items()})


@dataclass(frozen=True)
class Share:
    """The part of a bar that one verdict has.

    Attributes:
        verdict: the verdict.
        count: matrices with it.
        start: where the part begins, in percent.
        width: how long it is, in percent.
    """

    verdict: str
    count: int
    start: float
    width: float


def verdict_shares(score: ModelScore) -> list[Share]:
    """The verdicts that a model's matrices have, in the order of `COLOURS`."""
    counts = Counter(layer.verdict for layer in score.layers)
    total = sum(counts.values()) or 1
    shares: list[Share] = []
    before = 0
    for verdict in COLOURS:
        count = sum(found for name, found in counts.items() if name == verdict)
        if count:
            shares.append(Share(verdict, count, round(before / total * 100, 2), round(count / total * 100, 2)))
        before += count
    return shares


def present_verdicts(scores: Sequence[ModelScore]) -> list[str]:
    """The verdicts of any of these models' matrices, in the order of `COLOURS`."""
    found = {layer.verdict for score in scores for layer in score.layers}
    return [verdict for verdict in COLOURS if verdict in found]


def skips_by_reason(score: ModelScore) -> list[tuple[str, str, int, int]]:
    """Kind, reason, tensors and the weights missing from the averages, those that should have been scored first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for skip in score.skipped:
        reason = "tied to another tensor" if skip.kind == "tied" else skip.reason
        groups.setdefault((skip.kind, reason), []).append(skip.weights)
    order = ("unread", "tied", "not-a-matrix")
    rows = [(kind, reason, len(weights), sum(weights)) for (kind, reason), weights in groups.items()]
    return sorted(rows, key=lambda row: (order.index(row[0]), -row[2], row[1]))

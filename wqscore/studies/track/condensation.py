"""Neurons that do the same along a training: the effective width of each pair of layers at each step.

From a small start neurons condense: many do the same (Zhou et al., "Towards understanding the condensation of neural
networks at initial training", 2105.11686). Such a network is near the embedding of a narrow one, and has all of its
critical points (Zhang et al., "Embedding principle of loss landscape of deep neural networks", 2105.14573).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from wqscore.api.settings import Settings
from wqscore.errors import CheckpointError, UsageError
from wqscore.execution.progress import RankProgress
from wqscore.refs.reference import ModelRef
from wqscore.studies.width.activations import Activation
from wqscore.studies.width.report import lacking
from wqscore.studies.width.width import Width, width_of_blocks

#: How far apart merged neurons may be: near an embedding, and not only one up to rounding.
TOLERANCE = 0.05
#: Up to this part of the most that a pair has at any step, its effective width is low. Part of the neurons of a layer
#: with few inputs are near each other by chance, at all steps.
LOW = Fraction(1, 2)
#: From this share of a pair's neurons on, its effective width has changed between two steps.
CHANGE = Fraction(1, 10)


@dataclass(frozen=True)
class Condensation:
    """How many neurons each step needs.

    Attributes:
        widths: by step, of those of which a pair of layers was measured.
        reasons: by step, why pairs have no numbers, a line each.
    """

    widths: Mapping[int, Width]
    reasons: Mapping[int, tuple[str, ...]]

    @cached_property
    def shares(self) -> dict[int, dict[str, Fraction]]:
        """Effective over stored width, by step and pair of layers."""
        return {
            step: {each.name: Fraction(each.effective[0], each.stored or 1) for each in width.measured}
            for step, width in self.widths.items()
        }

    @property
    def pairs(self) -> tuple[str, ...]:
        """The pairs of layers that have numbers at some step."""
        return tuple(dict.fromkeys(name for of_pairs in self.shares.values() for name in of_pairs))

    @property
    def low(self) -> list[int]:
        """The steps at which a pair has at most half of the share that it has at another."""
        most = {name: max(each.get(name, 0) for each in self.shares.values()) for name in self.pairs}
        return [
            step
            for step, of_pairs in self.shares.items()
            if any(share <= LOW * most[name] for name, share in of_pairs.items())
        ]

    @property
    def changed(self) -> list[int]:
        """The steps to which a pair's share has moved by a tenth or more since the step before."""
        return [
            step
            for (_, before), (step, after) in pairwise(self.shares.items())
            if any(abs(after[name] - before[name]) >= CHANGE for name in after.keys() & before.keys())
        ]


def condensation_of(
    refs: Mapping[int, ModelRef], activation: Activation | None, settings: Settings, progress: RankProgress | None
) -> Condensation:
    """Measure the steps of a run; what can't be measured is a reason, and stops nothing.

    Args:
        refs: the checkpoints by step, ascending.
        activation: what pairs of layers compute; as each configuration says if `None`.
        settings: `stream`, `jobs`, `memory` are used.
        progress: receives progress.
    """
    widths: dict[int, Width] = {}
    reasons: dict[int, tuple[str, ...]] = {}
    for step, ref in refs.items():
        try:
            width = width_of_blocks(ref, TOLERANCE, activation, settings, progress)
        except (CheckpointError, UsageError) as error:
            reasons[step] = (str(error),)
            continue
        if width.stored:
            widths[step] = width
        if not width.blocks:
            reasons[step] = ("no pair of layers with neurons between them is found",)
        elif without := lacking(width):
            reasons[step] = tuple(without)
    return Condensation(widths, reasons)

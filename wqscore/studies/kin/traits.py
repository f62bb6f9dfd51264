"""What a model's values show by themselves: weights that were set to 0, and few distinct ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wqscore.sketches.portrait import Portrait

#: Padding rows and unused tokens make less zeros than this.
_PRUNED = 0.05
#: No more values fit into 4 bits.
_FEW = 16
_MOST = 0.5


@dataclass(frozen=True)
class Traits:
    """What a model's values show.

    Attributes:
        zeros: the share of its weights that are 0.
        few_values: the share of its weights in matrices with at most 16 distinct values among 32 neighbours.
        coded: the share that is stored as codes of a quantised format.
    """

    zeros: float
    few_values: float
    coded: float

    @property
    def is_pruned(self) -> bool:
        """Whether more weights are 0 than padding explains; few bits round many to 0."""
        return self.zeros >= _PRUNED and not self.is_quantised

    @property
    def is_quantised(self) -> bool:
        """Whether most weights are codes, or have as few values as 4 bits have."""
        return max(self.few_values, self.coded) > _MOST

    @property
    def words(self) -> tuple[str, ...]:
        """What stands out, in words."""
        found = []
        if self.is_pruned:
            found.append(f"{self.zeros:.0%} of its weights are 0")
        if self.coded > _MOST:
            found.append("stored as codes of a quantised format")
        elif self.is_quantised:
            found.append("few distinct values, as of 4 bits or fewer")
        return tuple(found)


def traits_of(model: Portrait) -> Traits:
    """What a model's values show; shares are of the weights."""

    def share(flags: np.ndarray) -> float:
        return float(np.average(flags, weights=model.sizes)) if model.sizes.size else 0.0

    return Traits(share(model.zeros), share((model.levels > 0) & (model.levels <= _FEW)), share(model.coded))

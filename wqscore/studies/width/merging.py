"""Merge the neurons of a block that do the same up to a tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wqscore.studies.width.neurons import Neurons, lengths_of

#: Neurons that are compared with all later ones at a time.
_BLOCK = 512
#: What a cosine in float32 may be off by.
_ROUGH = 1e-4


@dataclass(frozen=True)
class Merged:
    """A block after merging at one tolerance.

    Attributes:
        kept: which neurons stay, ascending.
        members: which are merged into one of those.
        places: of each member the place in `kept` of the neuron that takes it.
        factors: of each member, what its outgoing weights are multiplied with.
        folded: what is added to the next layer's bias, shape (outputs,).
        silent: neurons without an effect, or that cancel each other.
        constant: neurons that don't depend on their input, whether they were folded or not.
        error_bound: how far outputs move at most for an input (x, 1) of length 1.
    """

    kept: np.ndarray
    members: np.ndarray
    places: np.ndarray
    factors: np.ndarray
    folded: np.ndarray
    silent: int
    constant: int
    error_bound: float

    @property
    def effective(self) -> int:
        """The number of neurons that stay."""
        return len(self.kept)

    def outgoing(self, weights: np.ndarray) -> np.ndarray:
        """The outgoing weights of those that stay, in float64, from those of all, shape (neurons, outputs)."""
        found: np.ndarray = weights[self.kept].astype(np.float64)
        np.add.at(found, self.places, self.factors[:, None] * weights[self.members])
        return found


def merge(neurons: Neurons, tolerances: Sequence[float]) -> tuple[list[Merged], float]:
    """Merge a block's neurons at each of some tolerances.

    A neuron is silent if ‖w‖ is at most the tolerance times the largest of the block. Of the others the one with the
    largest ‖w‖‖z‖ takes all that are near enough to it, then the next that is left, and so on. What can be merged at
    a tolerance can be at a larger one, so that a width never rises.

    Args:
        neurons: the block's.
        tolerances: ascending, each above 0 and below 1.

    Returns:
        For each tolerance what is left, and the largest cosine of the z of two neurons; NaN where there are no two.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _merge(neurons, tolerances)


def _merge(neurons: Neurons, tolerances: Sequence[float]) -> tuple[list[Merged], float]:
    largest = float(neurons.sizes.max(initial=0.0))
    constants = neurons.constants
    alive = [neurons.sizes > tolerance * largest for tolerance in tolerances]
    # A constant is dropped where it is 0, and where the next layer has a bias to add it to.
    dropped = ~np.isnan(constants) & (neurons.folds | (constants == 0))
    active = [each & ~dropped for each in alive]
    leaders, nearest = _leaders(neurons, active, tolerances)
    found: list[Merged] = []
    for tolerance, living, moving, of_each in zip(tolerances, alive, active, leaders, strict=True):
        made = _merged(neurons, living, moving, of_each, tolerance * largest)
        found.append(min(found[-1], made, key=lambda each: each.effective) if found else made)
    return found, nearest


def _merged(neurons: Neurons, alive: np.ndarray, active: np.ndarray, leaders: np.ndarray, limit: float) -> Merged:
    steady = alive & ~np.isnan(neurons.constants)
    folding = steady & ~active
    everyone = np.flatnonzero(active)
    heads = leaders[everyone]
    kept, places = np.unique(heads, return_inverse=True)
    moved = everyone != heads
    members, taking = everyone[moved], heads[moved]
    made = Merged(
        kept=kept,
        members=members,
        places=places[moved],
        factors=neurons.scales(members, taking)[1],
        folded=neurons.constants[folding] @ neurons.outgoing[folding].astype(np.float64),
        silent=neurons.count - int(np.count_nonzero(alive)),
        constant=int(np.count_nonzero(steady)),
        error_bound=float(neurons.errors(members, taking).sum() + neurons.reaches(np.flatnonzero(~alive)).sum()),
    )
    sizes = lengths_of(made.outgoing(neurons.outgoing))
    cancelled = sizes <= limit
    if not cancelled.any():
        return made
    reaches = neurons.reaches(kept[cancelled]) * sizes[cancelled] / neurons.sizes[kept[cancelled]]
    stay = ~cancelled[made.places]
    return replace(
        made,
        kept=kept[~cancelled],
        members=members[stay],
        places=(np.cumsum(~cancelled) - 1)[made.places[stay]],
        factors=made.factors[stay],
        silent=made.silent + int(np.count_nonzero(cancelled[places])),
        error_bound=made.error_bound + float(reaches.sum()),
    )


def _leaders(
    neurons: Neurons, active: Sequence[np.ndarray], tolerances: Sequence[float]
) -> tuple[list[np.ndarray], float]:
    """The neuron that takes each neuron at each tolerance, and the largest cosine of two that differ."""
    into = neurons.into
    order = np.flatnonzero(active[0])
    weights = neurons.sizes[order] * into.lengths[order]
    order = order[np.argsort(-weights, kind="stable")]
    leaders = [np.arange(neurons.count) for _ in tolerances]
    is_free = [each.copy() for each in active]
    least = neurons.least_cosine(tolerances[-1]) - _ROUGH
    rough = np.concatenate(
        [into.directions(part).astype(np.float32) for part in np.array_split(order, len(order) // _BLOCK + 1)]
    )
    nearest = -np.inf
    for start in range(0, len(order), _BLOCK):
        cosines = rough[start : start + _BLOCK] @ rough[start:].T
        # A neuron is compared with later ones alone.
        cosines[np.tril_indices(len(cosines), 0, cosines.shape[1])] = -np.inf
        if neurons.may_flip:
            cosines = np.where(cosines > -np.inf, np.abs(cosines), cosines)
        nearest = max(nearest, float(cosines.max()))
        near = cosines >= least
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        if not rows.size:
            continue
        firsts, seconds = order[start + rows], order[start + columns]
        apart = neurons.apart(firsts, seconds)
        later = columns[None, :] > rows[:, None]
        for tolerance, free, of_each in zip(tolerances, is_free, leaders, strict=True):
            close = (apart <= tolerance) & later
            for row in np.flatnonzero(close.any(axis=1)):
                first = firsts[row]
                if free[first]:
                    taken = seconds[close[row] & free[seconds]]
                    of_each[taken], free[taken] = first, False
    return leaders, min(nearest, 1.0) if np.isfinite(nearest) else float("nan")

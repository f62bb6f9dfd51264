"""Find models that are a weighted average of two others: sketches are linear, and so is the average of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wqscore.sketches.alignment import LEAST
from wqscore.sketches.portrait import Portrait

#: As many of a model's nearest relatives are tried as its parents.
_CANDIDATES = 16
#: The average leaves at most this share of the squared distance from the nearest relative.
_LEFT = 0.1
#: Either parent has at least this weight.
_LEAST_WEIGHT = 0.05


@dataclass(frozen=True)
class Merge:
    """A model that two others average to.

    Attributes:
        model: its place.
        parents: those of the two.
        weight: of the second, the median over matrices; that of the first is one less it.
        left: the squared distance from the average, relative to that from the nearest relative.
    """

    model: int
    parents: tuple[int, int]
    weight: float
    left: float


class _Fit(NamedTuple):
    left: np.ndarray
    weights: np.ndarray


def find_merges(models: Sequence[Portrait], cosine: np.ndarray, families: Sequence[Sequence[int]]) -> list[Merge]:
    """Find the models of each family that are, matrix by matrix, a weighted average of two others of it.

    Args:
        models: the models.
        cosine: median cosines, shape (models, models).
        families: places of models that share weights; equal copies but once.
    """
    found = []
    for family in families:
        for model in family:
            others = sorted((other for other in family if other != model), key=lambda other: -cosine[model, other])
            if len(others) >= 2 and (merge := _merge(models, model, others[:_CANDIDATES])):
                found.append(merge)
    return found


def _merge(models: Sequence[Portrait], model: int, others: Sequence[int]) -> Merge | None:
    shared = set(models[model].keys).intersection(*(models[other].keys for other in others))
    if len(shared) < LEAST:
        return None
    own, *rest = (_linear(models[place], shared) for place in (model, *others))
    fit = _averages(np.stack(rest) - own, np.square(own).sum(axis=1))
    nearest = fit.left.diagonal().min()
    upper = np.where(np.triu(np.ones_like(fit.left, bool), 1), fit.left, np.inf)
    one, other = divmod(int(upper.argmin()), len(upper))
    weight = float(np.nanmedian(fit.weights[:, one, other])) if np.isfinite(fit.weights[:, one, other]).any() else 0.0
    if not (nearest > 0 and upper[one, other] <= _LEFT * nearest and _LEAST_WEIGHT <= weight <= 1 - _LEAST_WEIGHT):
        return None
    return Merge(model, (others[one], others[other]), weight, float(upper[one, other] / nearest))


def _averages(away: np.ndarray, squares: np.ndarray) -> _Fit:
    """Fit each pair's best average to the origin, matrix by matrix.

    Args:
        away: sketches of the candidates less the model's, shape (candidates, matrices, buckets).
        squares: of the lengths of the model's sketches, shape (matrices,).

    Returns:
        The squared distances that averages of two leave, over those of the model, shape (candidates, candidates); of
        each candidate alone on the diagonal. And the weights of the second, shape (matrices, candidates, candidates).
    """
    products = np.einsum("ikb,jkb->kij", away, away)
    own = np.einsum("kii->ki", products)
    apart = own[:, :, None] + own[:, None, :] - 2 * products
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = (own[:, :, None] - products) / apart
    taken = np.where(np.isfinite(weights), np.clip(weights, 0, 1), 0)
    left = own[:, :, None] - 2 * taken * (own[:, :, None] - products) + taken**2 * apart
    total = np.maximum(left, 0).sum(axis=0) / squares.sum()
    np.fill_diagonal(total, own.sum(axis=0) / squares.sum())
    return _Fit(total, weights)


def _linear(model: Portrait, keys: set[tuple[str, int, int, int]]) -> np.ndarray:
    """The sketches of the weights themselves, of some matrices, float64; 0 for those without a direction."""
    places = [place for place, key in enumerate(model.keys) if key in keys]
    found: np.ndarray = np.nan_to_num(model.units[places].astype(np.float64) * model.lengths[places][:, None])
    return found

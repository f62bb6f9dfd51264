"""Small models whose kinship is known, since it is made here."""

from __future__ import annotations

import numpy as np

from tests.small_models import bert

Tensors = dict[str, np.ndarray]
#: What is made of a base, in this order: three fine-tunes, the merge of two, one pruned and one of 4 bits.
KINDS = ("base", "tuned-1", "tuned-2", "tuned-3", "merge", "pruned", "4bit")


def family(seed: int, layers: int = 2) -> dict[str, Tensors]:
    """A base and its offspring; bases of other seeds share nothing with it."""
    rng = np.random.default_rng([seed, 1])
    base = bert(seed, layers)
    tuned = [changed(base, rng, share) for share in (0.05, 0.1, 0.2)]
    models = [base, *tuned, averaged(tuned[0], tuned[1], 0.4), pruned(base, 0.5), four_bits(base)]
    return dict(zip(KINDS, models, strict=True))


def changed(base: Tensors, rng: np.random.Generator, share: float) -> Tensors:
    """A fine-tune: each matrix changed by noise of a share of its norm, and by a matrix of rank 2 of as much."""

    def tune(weights: np.ndarray) -> np.ndarray:
        rows, columns = weights.shape
        noise = rng.standard_normal(weights.shape)
        thin = rng.standard_normal((rows, 2)) @ rng.standard_normal((2, columns))
        norm = np.linalg.norm(weights)
        return (weights + share * norm * sum(part / np.linalg.norm(part) for part in (noise, thin))).astype("f4")

    return {name: tune(value) if value.ndim == 2 else value for name, value in base.items()}


def averaged(one: Tensors, other: Tensors, weight: float) -> Tensors:
    """The weighted average of two models."""
    return {name: ((1 - weight) * value + weight * other[name]).astype("f4") for name, value in one.items()}


def pruned(base: Tensors, share: float) -> Tensors:
    """The smallest weights of each matrix set to 0."""
    limits = {name: np.quantile(np.abs(value), share) for name, value in base.items()}
    return {name: np.where(np.abs(value) < limits[name], 0, value).astype("f4") for name, value in base.items()}


def four_bits(base: Tensors) -> Tensors:
    """Each matrix rounded to 4 bits, with a scale for each row."""

    def rounded(weights: np.ndarray) -> np.ndarray:
        scale = np.abs(weights).max(axis=1, keepdims=True) / 7
        return (np.rint(weights / scale) * scale).astype("f4")

    return {name: rounded(value) if value.ndim == 2 else value for name, value in base.items()}

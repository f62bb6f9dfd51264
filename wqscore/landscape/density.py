"""The spectral density of a task's Hessian, by stochastic Lanczos quadrature.

Ghorbani, Krishnan & Xiao, "An investigation into neural net optimization via Hessian eigenvalue density", ICML 2019:
each random vector's Lanczos matrix gives a quadrature of the density, exact for polynomials up to degree 2·steps − 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wqscore.errors import UsageError
from wqscore.landscape.hessian import Product, products
from wqscore.landscape.measure import Choices, Estimate, ModelMeasure
from wqscore.landscape.task import Task, prepared, trainable

#: Lanczos stops where the next vector is rounding.
_BREAKDOWN = 1e-10
_PROBES, _STEPS = 10, 60


@dataclass(frozen=True)
class Density:
    """A density as points with weights.

    Attributes:
        nodes: eigenvalues of the Lanczos matrices, shape (probes, steps); NaN where Lanczos has ended.
        weights: their weights, which sum to 1 in each row; 0 where Lanczos has ended.
        n_params: m.
    """

    nodes: np.ndarray
    weights: np.ndarray
    n_params: int

    def share_below(self, value: float) -> tuple[float, float]:
        """The share of eigenvalues below a value, and its standard error over the probes."""
        shares = np.where(self.nodes < value, self.weights, 0.0).sum(axis=1)
        return float(shares.mean()), float(shares.std(ddof=1) / shares.size**0.5)

    def smooth(self, at: np.ndarray, width: float) -> np.ndarray:
        """The density at some values, every node a Gaussian of a width.

        Args:
            at: shape (points,).
            width: the standard deviation, above 0.
        """
        nodes, weights = self.nodes.ravel(), self.weights.ravel() / len(self.nodes)
        kept = weights > 0
        bumps = np.exp(-0.5 * ((np.asarray(at)[:, None] - nodes[kept]) / width) ** 2)
        density: np.ndarray = bumps @ weights[kept] / (width * (2 * np.pi) ** 0.5)
        return density


def spectral_density(task: Task, probes: int = _PROBES, steps: int = _STEPS, seed: int = 0) -> Density:
    """Estimate the density of the Hessian's eigenvalues.

    Args:
        task: the task.
        probes: random vectors; at least 2.
        steps: products for each, all of whose vectors are kept and orthogonalised; at most the parameters.
        seed: of the vectors.

    Raises:
        UsageError: a number out of range.
        LandscapeError: the loss is not finite, or the model too large for the memory that is free.
    """
    if probes < 2 or steps < 1:
        raise UsageError(f"probes is {probes} and steps {steps}: give at least 2, and at least 1")
    rng = np.random.default_rng(seed)
    with prepared(task):
        size = sum(each.numel() for each in trainable(task.model).values())
        steps = min(steps, size)
        product = products(task, vectors=steps + 2)
        nodes, weights = np.full((probes, steps), np.nan), np.zeros((probes, steps))
        for index in range(probes):
            start = rng.choice([-1.0, 1.0], size=size) / size**0.5
            values, vectors = np.linalg.eigh(_tridiagonal(product, start, steps))
            nodes[index, : values.size] = values
            weights[index, : values.size] = vectors[0] ** 2
    return Density(nodes, weights, size)


def _tridiagonal(product: Product, start: np.ndarray, steps: int) -> np.ndarray:
    """The Lanczos matrix of a unit vector, with full orthogonalisation."""
    basis = np.zeros((steps, start.size))
    diagonal, beside = np.zeros(steps), np.zeros(steps)
    basis[0] = start
    for step in range(steps):
        vector = product(basis[step][:, None])[:, 0]
        diagonal[step] = basis[step] @ vector
        scale = float(np.linalg.norm(vector))
        for _ in range(2):
            vector = vector - basis[: step + 1].T @ (basis[: step + 1] @ vector)
        beside[step] = np.linalg.norm(vector)
        if step + 1 == steps or beside[step] <= _BREAKDOWN * max(scale, np.finfo(np.float64).tiny):
            count = step + 1
            inner = beside[: count - 1]
            return np.diag(diagonal[:count]) + np.diag(inner, 1) + np.diag(inner, -1)
        basis[step + 1] = vector / beside[step]
    raise AssertionError("the last step returns")


def _estimates(task: Task, choices: Choices) -> list[Estimate]:
    found = spectral_density(task, seed=choices.seed)
    how = f"stochastic Lanczos quadrature, {_PROBES} probes of {_STEPS} steps, ± 2 standard errors"
    share, error = found.share_below(0.0)
    low, high = max(0.0, share - 2 * error), min(1.0, share + 2 * error)
    return [Estimate("hessian_negative_share", share, how, low, high)]


MEASURE = ModelMeasure("density", ("hessian_negative_share",), _estimates)

"""The Hessian of a task's loss: its extreme eigenvalues by Lanczos, and its trace by Hutchinson's estimator.

Eigenvalues are ARPACK's. Power iteration is not used: it finds the largest |λ|, and may stop early by luck. Trace:
Hutchinson, "A stochastic estimator of the trace of the influence matrix", Communications in Statistics, 1990.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from wqscore.errors import UsageError
from wqscore.landscape.measure import Choices, Estimate, ModelMeasure
from wqscore.landscape.memory import check_memory
from wqscore.landscape.second_derivatives import differentiable_twice
from wqscore.landscape.task import LandscapeError, Task, prepared, trainable

#: Up to so many parameters the whole matrix is made.
MAX_DENSE = 200
#: The vectors that Lanczos keeps at least.
_VECTORS = 20
#: Relative precision of the eigenvalues by type; their error is its square, by Ritz's theorem.
_TOLERANCES = {torch.float64: 1e-10}
_TOLERANCE = 1e-5
#: Restarts after which Lanczos gives up.
_RESTARTS = 300
#: Probes that are multiplied at a time, in numbers held.
_BLOCK = 1 << 22

#: From an array of vectors, shape (parameters, vectors), to their products with the Hessian.
Product = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Hessian:
    """The Hessian of the mean loss with respect to the parameters that need a gradient.

    Attributes:
        top: the algebraically largest eigenvalues, descending.
        least: the smallest.
        trace: the sum of all, estimated.
        trace_se: the estimate's standard error, s/√probes.
        trace_low: lower end of its 95 % interval by Student's t.
        trace_high: upper end.
        n_params: m, the number of parameters.
        top_residuals: ‖Hv − λv‖ of each of `top`, for unit v: an eigenvalue lies within it.
        least_residual: the same of `least`.
        is_exact: whether the whole matrix was made, for at most 200 parameters.
    """

    top: tuple[float, ...]
    least: float
    trace: float
    trace_se: float
    trace_low: float
    trace_high: float
    n_params: int
    top_residuals: tuple[float, ...]
    least_residual: float
    is_exact: bool


def hessian(task: Task, top: int = 1, probes: int = 30, seed: int = 0) -> Hessian:
    """Measure the Hessian of a task's loss.

    Everything is computed in the type of the parameters: make the model and its inputs float64 (`.double()`) for more
    than some five digits.

    Args:
        task: the task.
        top: how many of the largest eigenvalues.
        probes: random vectors behind the trace, each with entries ±1; at least 2.
        seed: of these, and of the vector that Lanczos starts from.

    Raises:
        UsageError: a number out of range.
        LandscapeError: the loss is not finite, the model is too large for the memory that is free, or Lanczos doesn't
            converge.
    """
    if probes < 2:
        raise UsageError(f"probes is {probes}: give at least 2")
    with prepared(task):
        parameters = trainable(task.model).values()
        size, dtype = sum(each.numel() for each in parameters), next(iter(parameters)).dtype
        if not 1 <= top <= size:
            raise UsageError(f"top is {top}: give a number from 1 to the {size:,} parameters")
        product = products(task, vectors=max(_VECTORS, 2 * top + 1))
        rng = np.random.default_rng(seed)
        if size <= MAX_DENSE:
            dense = product(np.eye(size))
            dense = (dense + dense.T) / 2
            product = dense.__matmul__
            values = np.linalg.eigvalsh(dense)
            largest, rest, least = tuple(values[::-1][:top].tolist()), (0.0,) * top, (float(values[0]), 0.0)
        else:
            largest, rest, least = _extremes(product, size, top, _TOLERANCES.get(dtype, _TOLERANCE), rng)
        trace, error, margin = _trace(product, size, probes, rng, torch.finfo(dtype).eps)
    return Hessian(
        largest, least[0], trace, error, trace - margin, trace + margin, size, rest, least[1], size <= MAX_DENSE
    )


def products(task: Task, vectors: int = _VECTORS) -> Product:
    """The function that multiplies vectors by the Hessian, float64 in and out, computed in the parameters' type.

    The gradient is differentiated backwards once more, by autograd: torch.func.hessian, and curvlinops that is built
    on it, give wrong second derivatives of a layer norm's weight (torch 2.13, against differences of gradients).

    Args:
        task: the task, in evaluation mode.
        vectors: vectors of the parameters' length that the caller will hold.

    Raises:
        LandscapeError: there is too little memory.
    """
    parameters = list(trainable(task.model).values())
    size = sum(each.numel() for each in parameters)
    check_memory(size, parameters[0].element_size(), vectors)
    lengths = [each.numel() for each in parameters]

    def product(given: np.ndarray) -> np.ndarray:
        columns = torch.from_numpy(np.ascontiguousarray(given.T)).to(parameters[0])
        total = np.zeros_like(given, dtype=np.float64)
        for inputs, targets in task.batches:
            share = len(targets) / task.n
            gradient = _gradient(task, inputs, targets, parameters)
            for index, column in enumerate(columns):
                pieces = [piece.view_as(each) for piece, each in zip(column.split(lengths), parameters, strict=True)]
                total[:, index] += share * _second(gradient, parameters, pieces)
        return total

    return product


def _gradient(task: Task, inputs: Any, targets: Any, parameters: Sequence[Any]) -> tuple[Any, ...]:
    """The gradient of a batch's loss, with the graph that it was computed by; `None` of what the loss doesn't use."""
    with differentiable_twice():
        loss = task.loss(task.model(inputs), targets).reshape(())
        found: tuple[Any, ...] = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    return found


def _second(gradient: Sequence[Any], parameters: Sequence[Any], vector: Sequence[Any]) -> np.ndarray:
    """The derivative of a gradient's product with a vector, flat, in float64."""
    pairs = [
        (each, piece) for each, piece in zip(gradient, vector, strict=True) if each is not None and each.requires_grad
    ]
    found: Sequence[Any] = [None] * len(parameters)
    if pairs:
        ends, pieces = zip(*pairs, strict=True)
        found = torch.autograd.grad(ends, parameters, pieces, retain_graph=True, allow_unused=True)
    whole = [torch.zeros_like(of) if each is None else each for each, of in zip(found, parameters, strict=True)]
    flat: np.ndarray = torch.cat([each.reshape(-1) for each in whole]).double().cpu().numpy()
    return flat


def _extremes(
    product: Product, size: int, top: int, tolerance: float, rng: np.random.Generator
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, float]]:
    """The largest eigenvalues and the smallest, each with its residual."""
    start = rng.standard_normal(size)
    if not np.any(product(start[:, None])):
        return (0.0,) * top, (0.0,) * top, (0.0, 0.0)
    values, vectors = _lanczos(product, start, top, tolerance)
    order = np.argsort(-values)
    values, vectors = values[order], vectors[:, order]
    residuals = np.linalg.norm(product(vectors) - vectors * values, axis=0)
    # The smallest as the largest of a shifted matrix: relative precision is never reached of a value near 0.
    shift = max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    shifted, vector = _lanczos(lambda given: shift * given - product(given), start, 1, tolerance)
    least = shift - float(shifted[0])
    rest = float(np.linalg.norm(product(vector) - vector * least))
    return tuple(values.tolist()), tuple(residuals.tolist()), (least, rest)


def _lanczos(product: Product, start: np.ndarray, count: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    operator = LinearOperator(
        (start.size, start.size),
        matvec=lambda vector: product(vector.reshape(-1, 1))[:, 0],
        matmat=product,
        dtype=np.float64,
    )
    try:
        values, vectors = eigsh(operator, k=count, which="LA", v0=start, tol=tolerance, maxiter=_RESTARTS)
    except ArpackError as error:
        raise LandscapeError(f"Lanczos finds no eigenvalue of the Hessian: {error}") from error
    return values, vectors


def _trace(
    product: Product, size: int, probes: int, rng: np.random.Generator, roundoff: float
) -> tuple[float, float, float]:
    """The trace, its standard error, and half the length of its interval: Hutchinson's mean of zᵀHz."""
    from scipy.stats import t as student

    at_a_time = max(1, min(probes, _BLOCK // size))
    samples: list[float] = []
    noise: list[float] = []
    while len(samples) < probes:
        signs = rng.choice([-1.0, 1.0], size=(size, min(at_a_time, probes - len(samples))))
        terms = signs * product(signs)
        samples += terms.sum(axis=0).tolist()
        noise += np.abs(terms).sum(axis=0).tolist()
    error = float(np.std(samples, ddof=1) / probes**0.5)
    # A diagonal Hessian has no error but rounding.
    margin = float(student.ppf(0.975, probes - 1)) * error + 8 * roundoff * float(np.mean(noise))
    return float(np.mean(samples)), error, margin


def _estimates(task: Task, choices: Choices) -> list[Estimate]:
    found = hessian(task, probes=choices.probes, seed=choices.seed)
    how = "dense" if found.is_exact else "Lanczos (ARPACK), the ends are the residual's"
    top, rest = found.top[0], found.top_residuals[0]
    return [
        Estimate("hessian_top", top, how, top - rest, top + rest),
        Estimate(
            "hessian_least", found.least, how, found.least - found.least_residual, found.least + found.least_residual
        ),
        Estimate(
            "hessian_trace",
            found.trace,
            f"Hutchinson, {choices.probes} probes, 95 % by Student's t",
            found.trace_low,
            found.trace_high,
        ),
    ]


MEASURE = ModelMeasure("hessian", ("hessian_top", "hessian_least", "hessian_trace"), _estimates)

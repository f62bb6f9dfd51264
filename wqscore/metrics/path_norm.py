"""The path norm of a chain of linear layers, from its weights alone."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, inf, log, nan

import numpy as np

#: A vector of numbers ≥ 0, written as entries of at most 1 times e^scale: the entries and the scale.
_Scaled = tuple[np.ndarray, float]


def log_path_norm(layers: Iterable[tuple[np.ndarray, np.ndarray | None]]) -> float:
    """Compute the natural log of the path norm: the sum of the outputs for ones, with every parameter squared.

    Without biases that is 1ᵀ(W_d∘W_d)⋯(W_1∘W_1)1, the sum over all paths from an input to an output of the product
    of the squared weights along it. A bias starts additional paths. ReLU passes these non-negative sums unchanged;
    whether the network has ReLU can't be seen from its weights.

    Source: Neyshabur, Tomioka & Srebro, "Norm-based capacity control in neural networks" (COLT 2015); squared, and
    computed this way, by Jiang et al., "Fantastic generalization measures and where to find them" (ICLR 2020),
    eq. 44, without its division by the number of training samples.

    Args:
        layers: weight, shape (out, in), and bias, shape (out,), or `None`, of each layer, inputs first; any real
            float dtype. Read one at a time. Each `in` is the `out` before it.

    Returns:
        NaN when there is no layer, an entry is not finite, or every path has a weight of 0. Scales are kept in logs,
        so that depth can't overflow or underflow; units under 1e-308 of their layer's largest count as 0.

    Example:
        >>> weight = np.array([[1.0, -2.0], [0.0, 3.0]])
        >>> round(exp(log_path_norm([(weight, None), (np.array([[1.0, 1.0]]), np.array([2.0]))])), 9)  # 5 + 9 + 4
        18.0
    """
    flow: _Scaled | None = None
    for weight, bias in layers:
        entries, scale = flow or (np.ones(weight.shape[1]), 0.0)
        squares, weight_scale = _squared(weight)
        terms = [(squares @ entries, scale + weight_scale)]
        if bias is not None:
            terms.append(_squared(bias))
        flow = _sum(terms)
    if flow is None:
        return nan
    total, scale = float(flow[0].sum()), flow[1]
    return log(total) + scale if total > 0 else nan


def _squared(parameters: np.ndarray) -> _Scaled:
    """The squared entries; all NaN when one is not finite."""
    sizes = np.abs(np.asarray(parameters, dtype=np.float64))
    largest = float(sizes.max(initial=0.0))
    if not largest < inf:
        return np.full(sizes.shape, nan), 0.0
    return ((sizes / largest) ** 2, 2 * log(largest)) if largest > 0 else (sizes, -inf)


def _sum(terms: list[_Scaled]) -> _Scaled:
    """The sum of non-negative vectors, its largest entry scaled to 1 unless all are 0."""
    top = max(scale for _, scale in terms)
    if top == -inf:
        return terms[0]
    total = sum((entries * exp(scale - top) for entries, scale in terms), start=np.zeros(1))
    largest = float(total.max())
    return (total / largest, top + log(largest)) if largest > 0 else (total, -inf)

"""How alike two models answer: linear centred kernel alignment (CKA) of their outputs.

Kornblith et al., "Similarity of neural network representations revisited", ICML 2019, equation 5. In Yang et al.
(arXiv 2107.11228) it compares softmax outputs for mixed inputs: one λ ~ Beta(16, 16) a batch.
"""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import torch

from wqscore.errors import UsageError
from wqscore.landscape.measure import Choices, Compared, Estimate, PairMeasure
from wqscore.landscape.task import Task, evaluating, outputs, prepared

#: λ of mixed inputs is drawn from Beta(a, a).
_BETA = 16
#: Numbers compared of each model at most: a text has a row as long as the vocabulary for each position.
_MAX_NUMBERS = 1 << 25


def cka(X: Any, Y: Any) -> float:
    """Return ‖YᵀX‖_F²/(‖XᵀX‖_F·‖YᵀY‖_F) of centred X and Y, in float64.

    Args:
        X: shape (examples, features), an array or tensor.
        Y: shape (examples, other features), the same examples.

    Returns:
        From 0 to 1; NaN where one of them is constant or not finite.

    Raises:
        UsageError: they are no matrices with the same number of rows.

    Example:
        >>> X = np.random.default_rng(0).standard_normal((20, 3))
        >>> round(cka(X, 2 * X + 1), 12)
        1.0
    """
    one, other = _array(X), _array(Y)
    if one.ndim != 2 or other.ndim != 2 or len(one) != len(other):
        raise UsageError(
            f"CKA of shapes {one.shape} and {other.shape}: give two matrices with a row for each example"
        )
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return nan
    centred = [_centred(each) for each in (one, other)]
    if any(each is None for each in centred):
        return nan
    a, b = centred
    if len(a) < max(a.shape[1], b.shape[1]):
        gram, other_gram = a @ a.T, b @ b.T
        alike = float((gram * other_gram).sum())
        return alike / float(np.linalg.norm(gram) * np.linalg.norm(other_gram))
    alike = float(np.linalg.norm(b.T @ a) ** 2)
    return alike / float(np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))


def answers_alike(one: Task, other: Task, compared: Compared = "softmax", seed: int = 0) -> float:
    """Return the CKA of two models' outputs for the first one's inputs, mixed as published where they are numbers.

    Args:
        one: the task whose inputs both models see.
        other: the other model's.
        compared: `softmax` of the outputs over the last dimension, or the `outputs` themselves.
        seed: of the mixing.
    """
    generator = np.random.default_rng(seed)
    rows: list[list[np.ndarray]] = [[], []]
    at_most = max(1, _MAX_NUMBERS // len(one.batches))
    with prepared(one), prepared(other), torch.no_grad():
        for inputs, _ in one.batches:
            mixed = _mixed(inputs, generator)
            for task, found in zip((one, other), rows, strict=True):
                found.append(_rows(outputs(task.model, mixed), compared, at_most))
    return cka(*(np.concatenate(each) for each in rows))


def _rows(output: Any, compared: Compared, at_most: int) -> np.ndarray:
    """One row for each example, or each position of it, evenly thinned to so many numbers."""
    logits = getattr(output, "logits", output)
    logits = logits.reshape(-1, logits.shape[-1]) if logits.ndim > 1 else logits[:, None]
    count = max(1, at_most // logits.shape[1])
    if len(logits) > count:
        logits = logits[torch.linspace(0, len(logits) - 1, count, device=logits.device).long()]
    logits = logits.double()
    found: np.ndarray = (logits.softmax(1) if compared == "softmax" else logits).cpu().numpy()
    return found


def _mixed(inputs: Any, generator: np.random.Generator) -> Any:
    """λ·x + (1 − λ)·x of another order; token ids and mappings as they are."""
    if not _are_numbers(inputs):
        return inputs
    share = generator.beta(_BETA, _BETA)
    order = torch.from_numpy(generator.permutation(len(inputs))).to(inputs.device)
    return share * inputs + (1 - share) * inputs[order]


def _are_numbers(inputs: Any) -> bool:
    """Whether inputs can be mixed."""
    return isinstance(inputs, torch.Tensor) and inputs.is_floating_point()


def _array(given: Any) -> np.ndarray:
    array = given.detach().cpu().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    return array.astype(np.float64)


def _centred(array: np.ndarray) -> Any:
    """The array less its mean row, scaled to 1; `None` if it is constant up to rounding."""
    centred = array - array.mean(axis=0)
    largest = float(np.abs(centred).max(initial=0.0))
    if not largest > 8 * np.finfo(np.float64).eps * float(np.abs(array).max(initial=0.0)):
        return None
    return centred / largest


def _check(one: Task, other: Task) -> None:
    inputs = one.batches[0][0]
    with torch.no_grad(), evaluating(other.model):
        try:
            outputs(other.model, inputs)
        except Exception as error:
            raise UsageError(f"the second model doesn't take the first one's inputs: {error}") from error


def _estimates(one: Task, other: Task, choices: Choices) -> list[Estimate]:
    is_mixed = _are_numbers(one.batches[0][0])
    what = "softmax outputs" if choices.cka == "softmax" else "outputs"
    how = f"linear CKA of {what}, {'mixed' if is_mixed else 'plain'} inputs"
    return [Estimate("cka", answers_alike(one, other, choices.cka, choices.seed), how)]


MEASURE = PairMeasure("cka", ("cka",), _estimates, _check)

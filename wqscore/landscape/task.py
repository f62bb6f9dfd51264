"""What a loss is measured on: a model, batches of examples, and a mean loss; and the checks that it must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from wqscore.errors import UsageError, WqscoreError

#: From an output and its targets to one number.
Loss = Callable[[Any, Tensor], Tensor]
#: Rounding that the mean of two halves may differ by, in units of the type's roundoff: of its size, and of 1, since
#: the logarithm of nearly 1 has few digits; and the most of either.
_RELATIVE, _ABSOLUTE = 1e4, 100
_MOST_RELATIVE, _MOST_ABSOLUTE = 0.02, 1e-3


class LandscapeError(WqscoreError):
    """What can't be measured of a model, such as a loss that is NaN."""


@dataclass(frozen=True)
class Task:
    """A model with a loss.

    Attributes:
        model: called with the inputs of a batch.
        batches: pairs of inputs and targets, read in order and more than once; inputs are a tensor, or a mapping of
            tensors that the model takes as one argument; examples are the first dimension of both.
        loss: from outputs and targets to the mean over the examples, a tensor of one number.
        error: the same for the percentage that is wrong; `None` without.

    Raises:
        UsageError: a part is of another kind.
    """

    model: Any
    batches: Sequence[tuple[Any, Tensor]]
    loss: Loss
    error: Loss | None = None

    def __post_init__(self) -> None:
        """Refuse what is no task, before anything is measured."""
        if not isinstance(self.model, nn.Module):
            raise UsageError(f"the task's model is a {type(self.model).__name__}: give a torch.nn.Module")
        if not isinstance(self.batches, Sequence) or isinstance(self.batches, str | bytes):
            kind = type(self.batches).__name__
            raise UsageError(f"the task's batches are a {kind}, and are read more than once: give list(batches)")
        if not self.batches:
            raise UsageError("the task has no batches: give at least one pair of inputs and targets")
        for index, batch in enumerate(self.batches):
            _check_batch(index, batch)
        for name, function in (("loss", self.loss), ("error", self.error)):
            if not callable(function) and not (name == "error" and function is None):
                raise UsageError(f"the task's {name} is a {type(function).__name__}: give a function")

    @property
    def n(self) -> int:
        """The number of examples."""
        return sum(len(targets) for _, targets in self.batches)


@dataclass(frozen=True)
class Level:
    """How good a model is at its task.

    Attributes:
        loss: the mean over all examples.
        error: the percentage that is wrong; NaN for a task without.
    """

    loss: float
    error: float


@contextmanager
def prepared(task: Task) -> Iterator[Level]:
    """Measure a task's model in evaluation mode; afterwards each module's mode and each gradient is as before.

    Yields:
        The loss and error over all examples.

    Raises:
        UsageError: the loss is no mean over examples, or no number.
        LandscapeError: the loss is not finite.
    """
    gradients = [(parameter, parameter.grad) for parameter in task.model.parameters()]
    with evaluating(task.model):
        try:
            yield _checked(task)
        finally:
            for parameter, gradient in gradients:
                parameter.grad = gradient


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode meanwhile; afterwards each module's mode is as before."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def level(task: Task, weights: Mapping[str, Tensor] | None = None) -> Level:
    """The loss and error over all examples, batches weighted by their size.

    Args:
        task: the task, whose model is in evaluation mode.
        weights: parameters by name in place of the model's own.
    """
    loss = error = 0.0
    with torch.no_grad():
        for inputs, targets in task.batches:
            output = outputs(task.model, inputs, weights)
            loss += float(task.loss(output, targets)) * len(targets)
            error += (nan if task.error is None else float(task.error(output, targets))) * len(targets)
    return Level(loss / task.n, error / task.n)


def outputs(model: Any, inputs: Any, weights: Mapping[str, Tensor] | None = None) -> Any:
    """What a model says of inputs, with its own parameters or others."""
    return model(inputs) if weights is None else functional_call(model, dict(weights), (inputs,))


def trainable(model: Any) -> dict[str, Any]:
    """The parameters that need a gradient, by name; a shared one once.

    Raises:
        UsageError: there is none, or they are not all on one device and of one floating type.
    """
    found = {name: each for name, each in model.named_parameters() if each.requires_grad}
    if not found:
        raise UsageError(
            "no parameter of the task's model needs a gradient: call requires_grad_() on those that count"
        )
    kinds = sorted({f"{each.dtype} on {each.device}".removeprefix("torch.") for each in found.values()})
    if len(kinds) > 1:
        raise UsageError(f"the model's parameters are {' and '.join(kinds)}: convert them to one type on one device")
    return found


def _check_batch(index: int, batch: Any) -> None:
    where = f"the task's batch {index}"
    if not isinstance(batch, Sequence) or len(batch) != 2:
        raise UsageError(f"{where} is a {type(batch).__name__}: give a pair of inputs and targets")
    inputs, targets = batch
    parts = list(inputs.values()) if isinstance(inputs, Mapping) else [inputs]
    if not parts or not all(isinstance(each, Tensor) and each.ndim for each in (*parts, targets)):
        raise UsageError(f"{where}: give tensors whose first dimension is the examples")
    counts = {int(each.shape[0]) for each in (*parts, targets)}
    if len(counts) > 1 or 0 in counts:
        raise UsageError(f"{where} has {' and '.join(map(str, sorted(counts)))} examples in inputs and targets")


def _checked(task: Task) -> Level:
    inputs, targets = max(task.batches, key=lambda batch: min(len(batch[1]), 2))
    with torch.no_grad():
        whole = task.loss(outputs(task.model, inputs), targets)
        if not isinstance(whole, Tensor) or whole.numel() != 1 or not whole.is_floating_point():
            kind = f"a tensor of shape {tuple(whole.shape)}" if isinstance(whole, Tensor) else type(whole).__name__
            raise UsageError(f"the task's loss returns {kind}: return the mean over the examples, one number")
        _check_finite(float(whole))
        count, half = len(targets), len(targets) // 2
        if half:
            parts = ((_part(inputs, cut), targets[cut]) for cut in (slice(half), slice(half, count)))
            halves = sum(float(task.loss(outputs(task.model, x), y)) * len(y) for x, y in parts) / count
            eps = torch.finfo(whole.dtype).eps
            relative, absolute = min(_RELATIVE * eps, _MOST_RELATIVE), min(_ABSOLUTE * eps, _MOST_ABSOLUTE)
            if not abs(halves - float(whole)) <= max(relative * max(abs(halves), abs(float(whole))), absolute):
                raise UsageError(
                    f"the loss is no mean: of two halves of a batch it is {halves:.6g} on average, of the whole "
                    f"{float(whole):.6g}: return the mean over examples, without chance"
                )
    found = level(task)
    _check_finite(found.loss)
    return found


def _part(inputs: Any, cut: slice) -> Any:
    if isinstance(inputs, Mapping):
        return {name: each[cut] for name, each in inputs.items()}
    return inputs[cut]


def _check_finite(loss: float) -> None:
    if not isfinite(loss):
        raise LandscapeError(f"the loss is {loss}: nothing can be measured around it")

"""Training on one thread, determined by a seed, and measuring what was learned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import cos, log, pi

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.zoo.families import TARGET_LOSS, Optimiser
from benchmarks.zoo.tasks import Task

_WARM_UP = 0.05
_MOMENTUM = 0.9
_LARGEST_GRADIENT = 1.0  # its norm is clipped there
_EVALUATED_AT_ONCE = 500
#: Training examples that the training loss is measured on; of text, characters.
_TRAINING_SAMPLE = {"text": 10_000}
_USUAL_SAMPLE = 1_000


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        optimiser: AdamW, or SGD with momentum.
        lr: highest learning rate.
        batch: examples in a step.
        weight_decay: as the optimiser means it.
        steps: optimiser steps.
        seed: of the batches and of dropout.
    """

    optimiser: Optimiser
    lr: float
    batch: int
    weight_decay: float
    steps: int
    seed: int


@dataclass(frozen=True)
class Examples:
    """Inputs and the labels that a network is trained with, noise included."""

    inputs: Tensor
    labels: Tensor


def training_examples(task: Task, share: float, label_noise: float, seed: int) -> Examples:
    """Draw the part of a task's training examples that a run sees, and replace some labels by random classes.

    Of text, whose windows overlap, the part is one stretch.
    """
    rng = np.random.default_rng(seed)
    count = len(task.labels)
    kept = round(count * share)
    if task.name.startswith("text"):
        start = int(rng.integers(count - kept + 1))
        chosen = np.arange(start, start + kept)
    else:
        chosen = rng.permutation(count)[:kept]
    labels = task.labels[chosen].copy()
    wrong = rng.random(labels.shape) < label_noise
    labels[wrong] = rng.integers(task.classes, size=int(wrong.sum()))
    return Examples(torch.from_numpy(task.inputs[chosen]), torch.from_numpy(labels))


def learning_rate_factor(step: int, steps: int) -> float:
    """Return what the learning rate is multiplied by: a linear warm-up, then a cosine down to 0.

    Example:
        >>> [round(learning_rate_factor(step, 100), 2) for step in (0, 4, 5, 99)]
        [0.2, 1.0, 1.0, 0.0]
    """
    warm = max(1, round(_WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return (1 + cos(pi * (step - warm) / max(1, steps - warm))) / 2


def train(network: nn.Module, examples: Examples, schedule: Schedule, stops: Collection[int]) -> Iterator[int]:
    """Train a network in place, and yield each step of `stops` right after it, the network in evaluation mode."""
    generator = torch.Generator().manual_seed(schedule.seed)
    torch.manual_seed(schedule.seed)
    optimiser = _optimiser(network, schedule)
    network.train()
    for step in range(schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.lr * learning_rate_factor(step, schedule.steps)
        batch = torch.randint(len(examples.labels), (schedule.batch,), generator=generator)
        optimiser.zero_grad()
        _loss(network(examples.inputs[batch]), examples.labels[batch]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        optimiser.step()
        if step + 1 in stops:
            state = torch.get_rng_state()
            network.eval()
            yield step + 1
            network.train()
            torch.set_rng_state(state)


def losses(network: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the mean cross-entropy in nats and the accuracy."""
    network.eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(labels), _EVALUATED_AT_ONCE):
            logits = network(inputs[start : start + _EVALUATED_AT_ONCE]).flatten(0, -2).double()
            expected = labels[start : start + _EVALUATED_AT_ONCE].flatten()
            total += float(F.cross_entropy(logits, expected, reduction="sum"))
            right += int((logits.argmax(1) == expected).sum())
    return total / labels.numel(), right / labels.numel()


@dataclass(frozen=True)
class Learned:
    """What a network has learned.

    Attributes:
        train_loss: mean cross-entropy on training examples with the labels they were trained with.
        train_accuracy: the accuracy there.
        test_loss: mean cross-entropy on held-out examples.
        test_accuracy: the accuracy there.
    """

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float


def measure(task: Task, examples: Examples) -> Callable[[nn.Module], Learned]:
    """Return the function that measures a network on a task; the training examples are the first of a run's."""
    labels_each = examples.labels[0].numel()
    sample = _TRAINING_SAMPLE.get(task.name.split("-")[0], _USUAL_SAMPLE) // labels_each
    held_out = torch.from_numpy(task.held_out_inputs), torch.from_numpy(task.held_out_labels)

    def of(network: nn.Module) -> Learned:
        train_loss, train_accuracy = losses(network, examples.inputs[:sample], examples.labels[:sample])
        return Learned(train_loss, train_accuracy, *losses(network, *held_out))

    return of


def target_loss(task: str, classes: int, label_noise: float) -> float:
    """Return the training loss that counts as trained: the task's, and the entropy of the label noise.

    Example:
        >>> target_loss("digits", 10, 0.0), round(target_loss("digits", 10, 0.3), 3)
        (0.5, 1.677)
    """
    wrong = label_noise / classes
    right = 1 - label_noise + wrong
    entropy = -right * log(right) - (classes - 1) * wrong * log(wrong) if label_noise else 0.0
    return TARGET_LOSS[task] + entropy


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten())


def _optimiser(network: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """Decay the weights of matrices and kernels alone."""
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": schedule.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if schedule.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=schedule.lr, momentum=_MOMENTUM)
    return torch.optim.AdamW(groups, lr=schedule.lr)

"""scikit-learn's digits, a small part to train on, a part to choose by, and the rest to test on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.zoo.data import digits

TRAIN, VALIDATION = 200, 400
CLASSES = 10


@dataclass(frozen=True)
class Digits:
    """One seed's parts: inputs, shape (examples, 64), standardised, and classes.

    Attributes:
        train: with wrong labels, where there is label noise.
        validation: with as many wrong labels.
        test: the rest, with the right labels.
    """

    train: tuple[torch.Tensor, torch.Tensor]
    validation: tuple[torch.Tensor, torch.Tensor]
    test: tuple[torch.Tensor, torch.Tensor]


def split(seed: int, label_noise: float, train: int = TRAIN) -> Digits:
    """Draw the parts.

    Args:
        seed: decides the parts and which labels are wrong.
        label_noise: the share of labels of training and validation that are replaced by another class.
        train: number of training examples.
    """
    rng = np.random.default_rng(seed)
    images, labels = digits()
    order = rng.permutation(len(labels))
    inputs, noisy = images.reshape(len(labels), -1)[order], labels[order].copy()
    right = noisy.copy()
    wrong = np.flatnonzero(rng.random(len(noisy)) < label_noise)
    noisy[wrong] = (noisy[wrong] + rng.integers(1, CLASSES, len(wrong))) % CLASSES
    inputs = torch.tensor((inputs - inputs.mean()) / inputs.std(), dtype=torch.float32)
    end = train + VALIDATION
    parts = ((slice(train), noisy), (slice(train, end), noisy), (slice(end, None), right))
    return Digits(*((inputs[part], torch.tensor(classes[part])) for part, classes in parts))


def error(model: torch.nn.Module, part: tuple[torch.Tensor, torch.Tensor]) -> float:
    """The percentage of a part that a model gets wrong."""
    with torch.no_grad():
        return 100 * float((model(part[0]).argmax(dim=1) != part[1]).double().mean())

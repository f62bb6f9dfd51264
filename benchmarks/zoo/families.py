"""The families: which architecture learns which task, at which widths, for how many steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Architecture = Literal["mlp", "cnn", "transformer"]
Optimiser = Literal["adamw", "sgd"]

#: Training loss that a run has to reach, beyond what its label noise makes unavoidable; in nats.
TARGET_LOSS = {"digits": 0.5, "mnist": 0.5, "cut": 1.0, "clarity": 1.6, "text": 2.4}


@dataclass(frozen=True)
class Family:
    """Networks of one architecture and depth that learn one task with one optimiser in equal steps.

    Attributes:
        architecture: kind of network.
        depth: hidden layers of an MLP, convolutions after the stem, or blocks of a transformer.
        task: what it learns, a key of `TARGET_LOSS`.
        optimiser: AdamW, or SGD with momentum.
        widths: small, main and large.
        steps: optimiser steps of every run.
        learning_rates: low, middle and high.
        batch_sizes: small, middle and large.
    """

    architecture: Architecture
    depth: int
    task: str
    optimiser: Optimiser
    widths: tuple[int, int, int]
    steps: int
    learning_rates: tuple[float, float, float]
    batch_sizes: tuple[int, int, int]

    @property
    def name(self) -> str:
        """Stable name; AdamW is not named.

        Example:
            >>> mlp(2, "digits", "sgd").name
            'mlp2-digits-sgd'
        """
        suffix = "" if self.optimiser == "adamw" else f"-{self.optimiser}"
        return f"{self.architecture}{self.depth}-{self.task}{suffix}"

    @property
    def weight_decays(self) -> tuple[float, float, float]:
        """None, some, much: decoupled for AdamW, an L2 penalty for SGD."""
        return (0.0, 0.1, 1.0) if self.optimiser == "adamw" else (0.0, 1e-3, 5e-3)


def mlp(depth: int, task: str, optimiser: Optimiser = "adamw") -> Family:
    """Return a family of MLPs; the deeper, the narrower."""
    widths = {2: (128, 256, 512), 4: (96, 192, 384), 6: (64, 128, 256)}[depth]
    rates = (5e-4, 2e-3, 8e-3) if optimiser == "adamw" else (0.01, 0.03, 0.1)
    return Family("mlp", depth, task, optimiser, widths, 2000, rates, (16, 64, 256))


def cnn(depth: int, task: str, optimiser: Optimiser = "adamw") -> Family:
    """Return a family of CNNs; widths are channels."""
    widths = {2: (64, 96, 160), 3: (64, 96, 128), 4: (64, 80, 128)}[depth]
    rates = (5e-4, 2e-3, 5e-3) if optimiser == "adamw" else (0.01, 0.03, 0.1)
    return Family("cnn", depth, task, optimiser, widths, 600, rates, (8, 32, 128))


def transformer(depth: int, task: str) -> Family:
    """Return a family of transformers; the deeper, the narrower."""
    widths = {2: (64, 128, 192), 4: (64, 96, 128), 6: (64, 80, 96)}[depth]
    batches = (4, 16, 64) if task == "text" else (8, 32, 128)
    steps = 800 if task == "text" else 500
    return Family("transformer", depth, task, "adamw", widths, steps, (5e-4, 1.5e-3, 4e-3), batches)


def families() -> Iterator[Family]:
    """Yield every family, in an order that mixes architectures and tasks."""
    for depth in (2, 4, 6):
        for task in ("digits", "mnist", "cut", "clarity", "text"):
            yield mlp(depth, task)
            if depth < 6 or task in ("text", "mnist", "cut"):
                yield transformer(depth, task)
    for depth in (2, 3, 4):
        for task in ("digits", "mnist"):
            yield cnn(depth, task)
    yield mlp(2, "mnist", "sgd")
    yield mlp(4, "digits", "sgd")
    yield mlp(6, "cut", "sgd")
    yield cnn(2, "mnist", "sgd")
    yield cnn(3, "digits", "sgd")

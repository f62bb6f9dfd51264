"""Wider networks that compute what a given one computes: neurons split, scaled, silent or constant, and permuted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Layers:
    """A block as plain matrices: rows of `into` and `up`, entries of `bias` and columns of `out` are neurons."""

    into: np.ndarray
    bias: np.ndarray | None
    out: np.ndarray
    out_bias: np.ndarray | None = None
    up: np.ndarray | None = None

    @property
    def width(self) -> int:
        return len(self.into)

    def taken(self, chosen: np.ndarray) -> Layers:
        """The chosen neurons, in their order; one may be chosen several times."""
        return Layers(
            self.into[chosen],
            None if self.bias is None else self.bias[chosen],
            self.out[:, chosen],
            self.out_bias,
            None if self.up is None else self.up[chosen],
        )


def drawn(
    rng: np.random.Generator, width: int, inputs: int, outputs: int, bias: bool = True, gated: bool = False
) -> Layers:
    """A block of Gaussian weights, in float64."""

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) / shape[-1] ** 0.5

    return Layers(
        normal(width, inputs),
        normal(width) if bias else None,
        normal(outputs, width),
        normal(outputs) if bias else None,
        normal(width, inputs) if gated else None,
    )


def widened(
    rng: np.random.Generator,
    block: Layers,
    copies: int,
    silent: int = 0,
    scales: bool = False,
    signs: bool = False,
) -> Layers:
    """Split every neuron, with unequal and negative parts of its outgoing weights, and permute all.

    Args:
        rng: draws.
        block: the narrow block.
        copies: of each neuron.
        silent: how many neurons without outgoing weights are added.
        scales: whether copies differ by positive factors, as ReLU allows; in a gated block of any sign, in `up`.
        signs: whether copies differ in sign, as odd activations allow.
    """
    width = block.width
    delta = rng.uniform(-1.5, 1.5, (width, copies))
    delta[:, -1] = 1 - delta[:, :-1].sum(axis=1)
    made = block.taken(np.repeat(np.arange(width), copies))
    made.out = made.out * delta.reshape(-1)
    factors = np.exp(rng.normal(0, 0.7, width * copies)) if scales else np.ones(width * copies)
    if signs or (scales and made.up is not None):
        factors = factors * rng.choice([-1.0, 1.0], width * copies)
    if made.up is not None:
        made.up = made.up * factors[:, None]
    else:
        made.into = made.into * factors[:, None]
        made.bias = None if made.bias is None else made.bias * factors
    made.out = made.out / factors
    if silent:
        extra = drawn(rng, silent, block.into.shape[1], len(block.out), block.bias is not None, block.up is not None)
        made = Layers(
            np.concatenate([made.into, extra.into]),
            None if made.bias is None or extra.bias is None else np.concatenate([made.bias, extra.bias]),
            np.concatenate([made.out, np.zeros_like(extra.out)], axis=1),
            made.out_bias,
            None if made.up is None or extra.up is None else np.concatenate([made.up, extra.up]),
        )
    return made.taken(rng.permutation(made.width))

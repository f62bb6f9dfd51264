"""Pairs of lines of which only products count: one side may be multiplied by A, the other by A⁻ᵀ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from wqscore.symmetries.acting import Mix
from wqscore.symmetries.lines import Lines
from wqscore.symmetries.sites import Attention, Layout, Neurons, Norm


@dataclass(frozen=True)
class Pair:
    """Where one matrix A acts.

    Attributes:
        firsts: lines multiplied by A.
        seconds: lines multiplied by A⁻ᵀ.
        size: of A.
        is_diagonal: whether A has to be diagonal: scales, one for each line.
        rotary: how many of the first dimensions are rotated by position, i with i + rotary/2: there A may rotate and
            scale each plane alone.
    """

    firsts: tuple[Lines, ...]
    seconds: tuple[Lines, ...]
    size: int
    is_diagonal: bool = False
    rotary: int = 0

    def acted(self, factor: np.ndarray, inverse: np.ndarray) -> Iterator[Mix]:
        """What happens to each tensor.

        Args:
            factor: A, shape (size, size), or its diagonal, shape (size,).
            inverse: A⁻ᵀ in the same shape.
        """
        yield from (Mix(lines, factor) for lines in self.firsts)
        yield from (Mix(lines, inverse) for lines in self.seconds)


def query_key_pairs(attention: Attention) -> Iterator[Pair]:
    """The queries of each key head with its key, weights and biases."""
    for group in attention.groups:
        yield Pair(tuple(chain(*group.queries)), group.key, attention.size, rotary=attention.rotary)


def value_output_pairs(attention: Attention) -> Iterator[Pair]:
    """Each value head with the inputs of the output projection that read it."""
    for group in attention.groups:
        yield Pair(group.value, group.reads, attention.size)


def norm_pair(norm: Norm) -> Pair:
    """A norm's gain and shift with the inputs of its readers."""
    size = norm.readers[0].count
    own = tuple(Lines(name, 0, 0, size) for name in (norm.gain, norm.shift) if name)
    return Pair(own, norm.readers, size, is_diagonal=True)


def neuron_pair(neurons: Neurons) -> Pair:
    """What goes into each hidden neuron with what comes out of it."""
    return Pair(neurons.carriers, (neurons.reads,), neurons.width, is_diagonal=True)


def continuous_pairs(layout: Layout) -> dict[str, tuple[Pair, ...]]:
    """The pairs whose A can be moved from the identity step by step, by the name of the transformation.

    Others are discrete, leave the gradient as it is (`norm.mean`), hold only once gains are folded
    (`residual.rotation`), or change shapes or the configuration.
    """
    free = [each for each in layout.attentions if not each.norms]
    found = {
        "attention.qk": tuple(pair for each in free for pair in query_key_pairs(each)),
        "attention.vo": tuple(pair for each in layout.attentions for pair in value_output_pairs(each)),
        "norm.gain": tuple(map(norm_pair, layout.norms)),
        "neuron.scale": tuple(map(neuron_pair, layout.neurons)),
    }
    return {name: pairs for name, pairs in found.items() if pairs and name not in layout.reasons}

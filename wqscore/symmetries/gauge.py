"""The balanced form of a whole checkpoint, each tensor computed when it is read from those that it is balanced with.

Gains are folded into what reads their norm; then each head's query with its key and its output with its value, and
each hidden neuron's weights in with those out. Equal functions then have equal spectra.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.errors import CheckpointError
from wqscore.symmetries.acting import Mix
from wqscore.symmetries.balancing import (
    balanced_product,
    carried,
    chain_scales,
    largest_signs,
    line_scales,
    plane_scales,
    turned_planes,
)
from wqscore.symmetries.derived import DerivedTensor
from wqscore.symmetries.finding import find_layout
from wqscore.symmetries.lines import Lines
from wqscore.symmetries.sites import Layout, Neurons, Norm, Unknown

Gauge = Literal["none", "balanced"]
BALANCED: Gauge = "balanced"
#: What a result of balanced matrices says of itself.
_REMARK = "balanced: the numbers are of the balanced form of its weights, which equal functions share"

_Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Pair:
    """Two sets of lines of which only firstᵀ·second counts, each weight and bias.

    Attributes:
        firsts: of each query head, the query; or the inputs of the output projection.
        second: the key, or the value.
        rotary: how many rows form planes that are only scaled.
    """

    firsts: tuple[tuple[Lines, ...], ...]
    second: tuple[Lines, ...]
    rotary: int = 0

    @property
    def lines(self) -> Iterator[Lines]:
        """All lines that it changes."""
        for each in (*self.firsts, self.second):
            yield from each


@dataclass(frozen=True)
class _Chain:
    """All hidden layers of a chain of linear layers, balanced together."""

    layers: tuple[Neurons, ...]

    @property
    def lines(self) -> Iterator[Lines]:
        """All lines that it changes."""
        for neurons in self.layers:
            yield from (*neurons.carriers, neurons.reads)


_Block = _Pair | Neurons | _Chain


@dataclass(frozen=True)
class _Recipe:
    """How one tensor is balanced.

    Attributes:
        target: its name.
        names: of the tensors it is computed from.
        norms: the norms whose gains are folded into them.
        blocks: what is balanced in them, in order.
    """

    target: str
    names: tuple[str, ...]
    norms: tuple[Norm, ...]
    blocks: tuple[_Block, ...]

    def compute(self, *arrays: np.ndarray) -> np.ndarray:
        """The balanced tensor, in float64.

        Args:
            arrays: the tensors of `names`.

        Raises:
            CheckpointError: NaN or Inf in one that it is balanced with.
        """
        values = {name: np.array(each, dtype=np.float64) for name, each in zip(self.names, arrays, strict=True)}
        broken = [name for name, each in values.items() if not np.isfinite(each).all()]
        if self.target in broken:
            return values[self.target]
        if broken:
            raise CheckpointError(f"{self.target}: has no balanced form: NaN or Inf in {broken[0]}")
        for norm in self.norms:
            _fold(values, norm)
        for block in self.blocks:
            _balance(values, block)
        return values[self.target]


def balanced(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint whose weights are balanced when they are read; its configuration stays.

    Raises:
        CheckpointError: it isn't known where its symmetries act.
    """
    layout = find_layout(checkpoint)
    if isinstance(layout, Unknown):
        raise CheckpointError(f"{checkpoint.ref.label}: has no balanced form: {layout.reason}: leave the gauge out")
    stored = {tensor.name: tensor for tensor in checkpoint.tensors}
    recipes = _recipes(layout, stored)
    tensors = tuple(
        DerivedTensor(
            tensor,
            tuple(stored[name] for name in recipe.names),
            tensor.shape,
            recipe.compute,
            f"{BALANCED} {recipe!r}",
        )
        if (recipe := recipes.get(tensor.name))
        else tensor
        for tensor in checkpoint.tensors
    )
    remark = _REMARK
    if layout.stream is not None and (reason := layout.reasons.get("norm.gain")):
        remark = f"{remark}, but for the gains of its norms: {reason}"
    return replace(checkpoint, tensors=tensors, gauge=BALANCED, remarks=(*checkpoint.remarks, remark))


def _recipes(layout: Layout, stored: Iterable[str]) -> dict[str, _Recipe]:
    """How each tensor that changes is balanced, by name."""
    norms = () if "norm.gain" in layout.reasons else layout.norms
    blocks = [*_pairs(layout), *_neurons(layout)]
    by_tensor: dict[str, list[_Block]] = {}
    for block in blocks:
        for name in dict.fromkeys(lines.tensor for lines in _lines(block)):
            by_tensor.setdefault(name, []).append(block)
    folded: dict[str, list[Norm]] = {}
    for norm in norms:
        for name in filter(None, (norm.gain, norm.shift, *(lines.tensor for lines in norm.readers))):
            folded.setdefault(name, []).append(norm)
    found = {}
    for target in stored:
        own = tuple(by_tensor.get(target, ()))
        if not own and target not in folded:
            continue
        weights = [target, *_weights(own)]
        needed = [norm for name in weights for norm in folded.get(name, ())]
        names = [*weights, *(norm.gain for norm in needed)]
        found[target] = _Recipe(target, tuple(dict.fromkeys(names)), tuple(dict.fromkeys(needed)), own)
    return found


def _weights(blocks: Sequence[_Block]) -> list[str]:
    """The names of the weights, without biases, that some blocks are balanced by."""
    found = []
    for block in blocks:
        if isinstance(block, _Pair):
            found += [each[0].tensor for each in (*block.firsts, block.second)]
        for neurons in block.layers if isinstance(block, _Chain) else [block] if isinstance(block, Neurons) else []:
            found += [neurons.carriers[0].tensor, neurons.reads.tensor]
    return found


def _lines(block: _Block) -> Iterable[Lines]:
    return (*block.carriers, block.reads) if isinstance(block, Neurons) else block.lines


def _pairs(layout: Layout) -> Iterator[_Pair]:
    for attention in layout.attentions:
        for group in attention.groups:
            if not attention.norms:
                yield _Pair(group.queries, group.key, attention.rotary)
            yield _Pair(tuple((lines,) for lines in group.reads), group.value)


def _neurons(layout: Layout) -> list[Neurons] | list[_Chain]:
    if "neuron.scale" in layout.reasons:
        return []
    return [_Chain(layout.neurons)] if layout.is_chain else list(layout.neurons)


def _fold(values: _Values, norm: Norm) -> None:
    """Multiply what reads a norm by its gain, and set that to 1."""
    gain = values[norm.gain].copy()
    _mix(values, norm.readers, gain)
    if norm.shift in values:
        values[norm.shift] /= np.where(gain == 0, 1.0, gain)
    values[norm.gain][:] = 1.0


def _balance(values: _Values, block: _Block) -> None:
    if isinstance(block, _Pair):
        _balance_pair(values, block)
    elif isinstance(block, _Chain):
        _balance_chain(values, block)
    else:
        into = _first(values, block.carriers)
        scales = line_scales(into, block.reads.of(values[block.reads.tensor]))
        _scale(values, block, scales * largest_signs(into) if block.signed else scales)


def _balance_pair(values: _Values, pair: _Pair) -> None:
    firsts, second = [each[0].of(values[each[0].tensor]) for each in pair.firsts], _first(values, pair.second)
    stacked, rotary = np.concatenate(firsts, axis=1), pair.rotary
    scales = plane_scales(stacked, second, rotary)[:, None]
    free = balanced_product(stacked[rotary:], second[rotary:])
    turned = turned_planes(stacked[:rotary] * scales, second[:rotary] / scales, rotary)
    one, other = (np.concatenate(each) for each in zip(turned, free, strict=True))
    _carry(values, [bias for _, *biases in pair.firsts for bias in biases], stacked, one)
    _carry(values, pair.second[1:], second, other)
    ends = np.cumsum([each.shape[1] for each in firsts])[:-1]
    for view, new in zip(firsts, np.split(one, ends, axis=1), strict=True):
        view[...] = new
    second[...] = other


def _first(values: _Values, lines: tuple[Lines, ...]) -> np.ndarray:
    return lines[0].of(values[lines[0].tensor])


def _carry(values: _Values, biases: Sequence[Lines], before: np.ndarray, after: np.ndarray) -> None:
    """Multiply biases by what the weights were multiplied by."""
    if any(lines.tensor in values for lines in biases):
        _mix(values, biases, carried(before, after))


def _mix(values: _Values, lines: Iterable[Lines], factor: np.ndarray) -> None:
    """Multiply the lines of those tensors that are there, in place."""
    for each in lines:
        if each.tensor in values:
            Mix(each, factor).apply(values[each.tensor])


def _balance_chain(values: _Values, chain: _Chain) -> None:
    weights = [_first(values, neurons.carriers) for neurons in chain.layers]
    last = chain.layers[-1].reads
    scales = chain_scales([*weights, last.of(values[last.tensor]).T])
    for neurons, each in zip(chain.layers, scales, strict=True):
        _scale(values, neurons, each)


def _scale(values: _Values, neurons: Neurons, scale: np.ndarray) -> None:
    _mix(values, neurons.carriers, scale)
    reads = neurons.reads.of(values[neurons.reads.tensor])
    reads /= scale[:, None]

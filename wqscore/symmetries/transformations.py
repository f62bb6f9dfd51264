"""The ten transformations: a random element of each, as actions on single tensors.

Their rules: for heads, neurons and norms Zhao et al., "Symmetries, flat minima and the conserved quantities of
gradient flow" (ICLR 2023) and "Improving convergence and generalization using parameter symmetries" (ICLR 2024); for
norms and the residual stream Ashkboos et al., "SliceGPT" (ICLR 2024); for neurons split in two Zhang et al.,
"Embedding principle" (NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType

import numpy as np

from wqscore.symmetries import elements
from wqscore.symmetries.acting import Action, Mix, Shift, Take
from wqscore.symmetries.lines import Lines
from wqscore.symmetries.pairs import neuron_pair, norm_pair, query_key_pairs, value_output_pairs
from wqscore.symmetries.sites import Attention, HeadGroup, Layout

#: The standard deviation of the logarithms of random scales.
SPREAD = 0.25
#: Of the neurons of a layer, the share that is split.
_SPLIT = 0.125


@dataclass(frozen=True)
class Stored:
    """What a transformation needs to know of the stored tensors.

    Attributes:
        shapes: their shapes by name.
        read: reads a one-dimensional tensor by its name.
        eps: what norms add to the variance, where the configuration holds it.
    """

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], np.ndarray]
    eps: float = 0.0

    def whole(self, lines: Lines) -> Lines:
        """All lines along the axis of some."""
        return Lines(lines.tensor, lines.axis, 0, self.shapes[lines.tensor][lines.axis])


@dataclass(frozen=True)
class Transformation:
    """One element: what happens to each tensor, and to the configuration.

    Attributes:
        actions: the actions on each tensor that changes, in order.
        config: keys of the configuration that change, with their new values.
    """

    actions: Mapping[str, tuple[Action, ...]]
    config: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def draw(
    name: str, layout: Layout, stored: Stored, rng: np.random.Generator, spread: float = SPREAD
) -> Transformation:
    """Draw a random element of a transformation that applies.

    Args:
        name: one of `NAMES`.
        layout: where it acts.
        stored: the stored tensors.
        rng: where the draws come from.
        spread: standard deviation of the logarithms of scales.

    Returns:
        What it does. Applied to every tensor, it leaves the model's function alone.
    """
    if name == "residual.scale":
        scale = float(elements.scales(1, spread, rng)[0])
        return Transformation(_collected(_residual_scale(layout, scale)), {layout.eps_key: stored.eps * scale**2})
    made = _collected(_DRAWN[name](layout, stored, rng, spread))
    if name != "neuron.split" or not layout.width_key:
        return Transformation(made)
    width = layout.neurons[0].width
    return Transformation(made, {layout.width_key: width + _extra(width)})


def why_not(name: str, layout: Layout, stored: Stored) -> str:
    """Why a transformation doesn't apply to a model; empty if it does."""
    if name in layout.reasons:
        return layout.reasons[name]
    if name == "residual.rotation" and layout.stream is not None:
        for norm in layout.stream.norms:
            gain = np.asarray(stored.read(norm.gain), dtype=np.float64)
            if not (np.isfinite(gain) & (gain != 0)).all():
                return f"{norm.gain} has an entry that is 0 or not finite, and can't be folded"
    return ""


def _collected(actions: Iterable[Action]) -> dict[str, tuple[Action, ...]]:
    found: dict[str, list[Action]] = {}
    for action in actions:
        found.setdefault(action.lines.tensor, []).append(action)
    return {name: tuple(each) for name, each in found.items()}


def _mixed(lines: Iterable[Lines], factor: np.ndarray) -> Iterator[Mix]:
    return (Mix(each, factor) for each in lines)


def _query_key(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    for attention in layout.attentions:
        gains = np.array([stored.read(name) for name in attention.norms])
        for pair in query_key_pairs(attention):
            yield from pair.acted(*_query_key_element(attention, gains, rng, spread))


def _query_key_element(
    attention: Attention, gains: np.ndarray, rng: np.random.Generator, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """A and A⁻ᵀ."""
    if attention.norms:
        turned = elements.signed(attention.size, attention.rotary, gains, rng)
        return turned, turned
    if attention.rotary:
        return elements.planes(attention.size, attention.rotary, spread, rng)
    return elements.invertible(attention.size, spread, rng)


def _value_output(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    for attention in layout.attentions:
        for pair in value_output_pairs(attention):
            yield from pair.acted(*elements.invertible(attention.size, spread, rng))


def _norm_gain(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    for norm in layout.norms:
        pair = norm_pair(norm)
        scale = elements.scales(pair.size, spread, rng)
        yield from pair.acted(scale, 1 / scale)


def _norm_mean(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    for lines in layout.centred:
        yield Shift(lines, spread * rng.standard_normal(stored.shapes[lines.tensor][1 - lines.axis]))


def _neuron_scale(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    for neurons in layout.neurons:
        scale = elements.scales(neurons.width, spread, rng)
        if neurons.signed:
            scale *= rng.choice([-1.0, 1.0], neurons.width)
        yield from neuron_pair(neurons).acted(scale, 1 / scale)


def _neuron_permutation(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    for neurons in layout.neurons:
        order = rng.permutation(neurons.width)
        yield from _taken((*neurons.carriers, *neurons.gates), order, stored)
        yield from _taken([neurons.reads], order, stored)


def _neuron_split(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    """Store some neurons twice: with the same weights into both, and the weights out of them shared between both."""
    for neurons in layout.neurons:
        twice = rng.choice(neurons.width, _extra(neurons.width), replace=False)
        share = 1 / (1 + np.exp(spread * rng.standard_normal(len(twice))))
        order = np.concatenate([np.arange(neurons.width), twice])
        outgoing = np.ones(len(order))
        outgoing[twice], outgoing[neurons.width :] = share, 1 - share
        yield from _taken((*neurons.carriers, *neurons.gates), order, stored)
        yield from _taken([neurons.reads], order, stored, outgoing)


def _extra(width: int) -> int:
    return max(1, int(_SPLIT * width))


def _taken(
    lines: Sequence[Lines], order: np.ndarray, stored: Stored, scale: np.ndarray | None = None
) -> Iterator[Take]:
    """Take lines in an order within each of several parts; what lies beside the parts stays.

    Args:
        lines: the parts; several of one tensor along one axis are taken at once.
        order: of the lines within each part.
        stored: the stored tensors.
        scale: of each line, for a single part of a tensor.
    """
    parts: dict[Lines, list[Lines]] = {}
    for each in lines:
        parts.setdefault(stored.whole(each), []).append(each)
    for whole, members in parts.items():
        index: list[np.ndarray] = []
        factors: list[np.ndarray] = []
        place = 0
        for part in sorted(members, key=lambda each: each.start):
            index += [np.arange(place, part.start), part.start + order]
            factors += [np.ones(part.start - place), np.ones(len(order)) if scale is None else scale]
            place = part.start + part.count
        index.append(np.arange(place, whole.count))
        factors.append(np.ones(whole.count - place))
        yield Take(whole, np.concatenate(index), None if scale is None else np.concatenate(factors))


def _head_permutation(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    """Permute key–value heads, each with its query heads, and the query heads of each."""
    for attention in layout.attentions:
        moved: dict[Lines, np.ndarray] = {}
        sources = rng.permutation(len(attention.groups))
        for group, source in zip(attention.groups, sources, strict=True):
            order = rng.permutation(len(group.queries))
            for target, origin in _moves(group, attention.groups[source], order):
                whole = stored.whole(target)
                index = moved.setdefault(whole, np.arange(whole.count))
                index[target.start : target.start + target.count] = np.arange(
                    origin.start, origin.start + origin.count
                )
        yield from (Take(whole, index) for whole, index in moved.items())


def _moves(group: HeadGroup, source: HeadGroup, order: np.ndarray) -> Iterator[tuple[Lines, Lines]]:
    """Which lines of one group are replaced by which of another."""
    yield from zip(group.key, source.key, strict=True)
    yield from zip(group.value, source.value, strict=True)
    for place, origin in enumerate(order):
        yield from zip(group.queries[place], source.queries[origin], strict=True)
        yield group.reads[place], source.reads[origin]


def _residual_rotation(layout: Layout, stored: Stored, rng: np.random.Generator, spread: float) -> Iterator[Action]:
    """Fold the gains into their readers, and rotate the stream."""
    stream = layout.stream
    assert stream is not None, "a stream to rotate"
    turn = elements.rotation(stream.width, stream.keeps_mean, rng).T
    yield from _mixed(stream.writers, turn)
    for norm in stream.norms:
        scale = 1 / np.asarray(stored.read(norm.gain), dtype=np.float64)
        yield from norm_pair(norm).acted(scale, 1 / scale)
        yield from _mixed(norm.readers, turn)
        if norm.shift:
            yield Mix(Lines(norm.shift, 0, 0, stream.width), turn)


def _residual_scale(layout: Layout, scale: float) -> Iterator[Action]:
    """Scale all that is added to the stream.

    A tied head's larger weights are undone by the last norm. What norms add to the variance is scaled alike in the
    configuration, and so are queries and keys that are normalised with the same number.
    """
    stream = layout.stream
    assert stream is not None, "a stream to scale"
    yield from _mixed(stream.writers, np.full(stream.width, scale))
    if stream.is_tied:
        for name in filter(None, (stream.last.gain, stream.last.shift)):
            yield Mix(Lines(name, 0, 0, stream.width), np.full(stream.width, 1 / scale))
    for attention in layout.attentions:
        for group in attention.groups if attention.norms else ():
            yield from _mixed(chain(*group.queries, group.key), np.full(attention.size, scale))


_Drawn = Callable[[Layout, Stored, np.random.Generator, float], Iterator[Action]]
_DRAWN: Mapping[str, _Drawn] = MappingProxyType(
    {
        "attention.qk": _query_key,
        "attention.vo": _value_output,
        "norm.gain": _norm_gain,
        "norm.mean": _norm_mean,
        "neuron.scale": _neuron_scale,
        "neuron.permutation": _neuron_permutation,
        "neuron.split": _neuron_split,
        "head.permutation": _head_permutation,
        "residual.rotation": _residual_rotation,
    }
)

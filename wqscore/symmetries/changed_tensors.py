"""Which tensors a transformation changes, known without drawing one, which takes seconds in a large model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from wqscore.symmetries.lines import Lines
from wqscore.symmetries.sites import HeadGroup, Layout, Neurons, Norm


def changed_tensors(name: str, layout: Layout) -> frozenset[str]:
    """The names of the tensors that a transformation changes; none where the layout says that it doesn't apply.

    Args:
        name: one of `NAMES`.
        layout: where it acts.
    """
    return frozenset() if name in layout.reasons else frozenset(_changed(name, layout))


def gains_read(name: str, layout: Layout) -> frozenset[str]:
    """The names of the gains that drawing a transformation reads."""
    if name == "residual.rotation" and name not in layout.reasons and layout.stream is not None:
        return frozenset(norm.gain for norm in layout.stream.norms)
    return frozenset(chain(*(each.norms for each in layout.attentions))) if name == "attention.qk" else frozenset()


def _changed(name: str, layout: Layout) -> Iterator[str]:
    groups = [group for attention in layout.attentions for group in attention.groups]
    match name:
        case "attention.qk":
            yield from _names(_queries_and_keys(groups))
        case "attention.vo":
            yield from _names(_values_and_reads(groups))
        case "head.permutation":
            yield from _names(chain(_queries_and_keys(groups), _values_and_reads(groups)))
        case "norm.mean":
            yield from _names(layout.centred)
        case "norm.gain":
            yield from chain(*map(_of_norm, layout.norms))
        case "neuron.scale" | "neuron.permutation" | "neuron.split":
            yield from chain(*(_of_neurons(each, gates=name != "neuron.scale") for each in layout.neurons))
        case "residual.rotation" | "residual.scale":
            yield from _of_stream(name, layout)


def _of_stream(name: str, layout: Layout) -> Iterator[str]:
    stream = layout.stream
    assert stream is not None, "a stream to change"
    yield from _names(stream.writers)
    if name == "residual.rotation":
        yield from chain(*map(_of_norm, stream.norms))
        return
    if stream.is_tied:
        yield from filter(None, (stream.last.gain, stream.last.shift))
    yield from _names(chain(*(_queries_and_keys(each.groups) for each in layout.attentions if each.norms)))


def _of_norm(norm: Norm) -> Iterator[str]:
    yield from filter(None, (norm.gain, norm.shift))
    yield from _names(norm.readers)


def _of_neurons(neurons: Neurons, gates: bool) -> Iterator[str]:
    yield from _names((*neurons.carriers, neurons.reads, *(neurons.gates if gates else ())))


def _queries_and_keys(groups: Iterable[HeadGroup]) -> Iterator[Lines]:
    for group in groups:
        yield from chain(*group.queries, group.key)


def _values_and_reads(groups: Iterable[HeadGroup]) -> Iterator[Lines]:
    for group in groups:
        yield from chain(group.value, group.reads)


def _names(lines: Iterable[Lines]) -> Iterator[str]:
    return (each.tensor for each in lines)

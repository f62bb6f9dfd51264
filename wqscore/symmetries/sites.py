"""Where a model's symmetries act: its attention heads, hidden neurons, norms, and what it adds its layers to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from wqscore.symmetries.lines import Lines

#: The transformations, in the order in which they are listed.
NAMES = (
    *("attention.qk", "attention.vo", "norm.gain", "norm.mean", "neuron.scale", "neuron.permutation"),
    *("neuron.split", "head.permutation", "residual.rotation", "residual.scale"),
)


@dataclass(frozen=True)
class HeadGroup:
    """One key–value head and the query heads that use it.

    Attributes:
        queries: the outputs of each query head, weight and bias.
        key: the outputs of the key head.
        value: the outputs of the value head.
        reads: the inputs of the output projection that read each query head.
    """

    queries: tuple[tuple[Lines, ...], ...]
    key: tuple[Lines, ...]
    value: tuple[Lines, ...]
    reads: tuple[Lines, ...]


@dataclass(frozen=True)
class Attention:
    """The heads of one attention layer.

    Attributes:
        groups: its key–value heads with their query heads, all groups alike.
        size: the size of a head.
        rotary: how many of a head's first dimensions are rotated by position, i with i + rotary/2; 0 for none.
        norms: the names of the gains that normalise each head's query and key; empty for none.
    """

    groups: tuple[HeadGroup, ...]
    size: int
    rotary: int = 0
    norms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Neurons:
    """The hidden neurons between two linear layers.

    Attributes:
        carriers: outputs that may be scaled if the outgoing weights are divided: of the one layer before, or of the
            factor without activation of a gated MLP.
        gates: outputs of the factor that goes through the activation of a gated MLP.
        reads: the inputs of the layer after, one for each neuron.
        signed: whether the scale may be negative.
    """

    carriers: tuple[Lines, ...]
    gates: tuple[Lines, ...]
    reads: Lines
    signed: bool = False

    @property
    def width(self) -> int:
        """How many neurons."""
        return self.reads.count


@dataclass(frozen=True)
class Norm:
    """A normalisation whose output only linear layers read.

    Attributes:
        gain: the name of its gain.
        shift: the name of its shift; empty for none.
        readers: the inputs of every layer that reads it.
    """

    gain: str
    shift: str
    readers: tuple[Lines, ...]


@dataclass(frozen=True)
class Stream:
    """The residual stream of a pre-norm model: what embeddings start, layers add to, and norms read.

    Attributes:
        width: its size.
        writers: lines along it of the embeddings, and of weights and biases of the layers that add to it.
        norms: the norms that read it, the last one included where it has readers of its own.
        last: the last norm.
        is_tied: whether the output head is the embedding.
        keeps_mean: whether the norms subtract the mean, so that only rotations that keep it are symmetries.
    """

    width: int
    writers: tuple[Lines, ...]
    norms: tuple[Norm, ...]
    last: Norm
    is_tied: bool
    keeps_mean: bool


@dataclass(frozen=True)
class Layout:
    """Where the symmetries of a model act.

    Attributes:
        attentions: its attention layers.
        neurons: its hidden neurons, layer by layer.
        norms: the norms whose gain may move into their readers.
        centred: weights, lines along the residual stream, whose mean over that axis every reader subtracts.
        stream: the residual stream of a pre-norm model; `None` for any other.
        activation: the activation between linear layers; empty where it is not told.
        width_key: the key of the configuration that holds the number of hidden neurons; empty without one.
        eps_key: the key that holds what all norms add to the variance; empty where it has none.
        is_chain: whether it is a chain of linear layers.
        reasons: for each transformation that the model hasn't, why.
    """

    attentions: tuple[Attention, ...] = ()
    neurons: tuple[Neurons, ...] = ()
    norms: tuple[Norm, ...] = ()
    centred: tuple[Lines, ...] = ()
    stream: Stream | None = None
    activation: str = ""
    width_key: str = ""
    eps_key: str = ""
    is_chain: bool = False
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def sites(self, name: str) -> int:
        """How many places of the model a transformation acts at; 0 where it doesn't apply."""
        if name in self.reasons:
            return 0
        groups = sum(len(attention.groups) for attention in self.attentions)
        return {
            "attention.qk": groups,
            "attention.vo": groups,
            "norm.gain": len(self.norms),
            "norm.mean": len(self.centred),
            "head.permutation": len(self.attentions),
            "residual.rotation": int(self.stream is not None),
            "residual.scale": int(self.stream is not None),
        }.get(name, len(self.neurons))


@dataclass(frozen=True)
class Unknown:
    """Why nothing is known of a model's symmetries, in one line."""

    reason: str

"""Look a model's layers up by the names that its architecture gives them, and check their shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from wqscore.matrices.config_names import HEAD_SIZE, HEADS, HIDDEN, KEY_VALUE_HEADS
from wqscore.matrices.model_config import ModelConfig
from wqscore.symmetries.lines import Linear, Lines
from wqscore.symmetries.sites import HeadGroup, Neurons

#: Activations σ with σ(cx) = c·σ(x) for c > 0.
_HOMOGENEOUS = frozenset({"relu", "leaky_relu", "leakyrelu", "linear", "identity"})
#: Buffers of models that have no part in the layout.
_BUFFERS = re.compile(
    r"(attn|attention)\.(bias|masked_bias)$|rotary_emb\.|inv_freq$|position_ids$|rotary\.|num_batches_tracked$"
)
_ACTIVATIONS = (
    *("hidden_act", "activation_function", "activation", "hidden_activation", "act", "act_fn", "activation_fn"),
    "nonlinearity",
)


class UnfitError(Exception):
    """A model that is not laid out as its architecture says; the message says where."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of attention that the configuration gives."""

    hidden: int
    heads: int
    key_value: int
    size: int

    @property
    def shared(self) -> int:
        """Query heads of each key–value head."""
        return self.heads // self.key_value


@dataclass
class Weights:
    """The stored tensors of a model, looked up by name below a prefix.

    Attributes:
        shapes: their shapes by name.
        config: the model's configuration.
        prefix: of the names of the model's body.
        claimed: the names that were looked up and found.
    """

    shapes: Mapping[str, tuple[int, ...]]
    config: ModelConfig
    prefix: str = ""
    claimed: set[str] = field(default_factory=set)

    def at(self, first: str) -> Weights:
        """The same below the prefix at which a tensor of this name is.

        Raises:
            UnfitError: there is none, or there are several.
        """
        found = [name for name in self.shapes if name == first or name.endswith(f".{first}")]
        if len(found) != 1:
            raise UnfitError(f"it has {len(found) or 'no'} tensor{'s' if found else ''} {first}, not one")
        return Weights(self.shapes, self.config, found[0].removesuffix(first), self.claimed)

    def linear(self, name: str, outputs: int, inputs: int, transposed: bool = False) -> Linear:
        """A linear layer of these sizes.

        Args:
            name: its name below the prefix.
            outputs: how many outputs it has.
            inputs: how many inputs.
            transposed: whether it is stored (in, out).

        Raises:
            UnfitError: it isn't there, or has another shape.
        """
        weight = self._found(f"{name}.weight", (inputs, outputs) if transposed else (outputs, inputs))
        bias = f"{self.prefix}{name}.bias"
        return Linear(weight, int(transposed), self._found(f"{name}.bias", (outputs,)) if bias in self.shapes else "")

    def vector(self, name: str, size: int) -> str:
        """The full name of a tensor of one axis.

        Raises:
            UnfitError: it isn't there, or has another shape.
        """
        return self._found(name, (size,))

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name below the prefix."""
        return f"{self.prefix}{name}" in self.shapes

    def width(self, name: str, axis: int = 0) -> int:
        """The size of a tensor along an axis.

        Raises:
            UnfitError: it isn't there.
        """
        shape = self.shapes.get(f"{self.prefix}{name}")
        if shape is None or len(shape) <= axis:
            raise UnfitError(f"{self.prefix}{name} is missing")
        return shape[axis]

    def embedding(self, name: str, hidden: int) -> Lines:
        """The columns of an embedding.

        Raises:
            UnfitError: it isn't there, or is not so wide.
        """
        full = self._found(f"{name}.weight", (self.width(f"{name}.weight"), hidden))
        return Lines(full, 1, 0, hidden)

    def layers(self, pattern: str, first: str) -> list[str]:
        """The prefixes of the layers, as many as the configuration says.

        Args:
            pattern: of a layer's prefix, with `{}` for its number.
            first: a tensor that every layer has.

        Raises:
            UnfitError: there are fewer.
        """
        count = 0
        while self.has(f"{pattern.format(count)}{first}"):
            count += 1
        stated = self.config.integer("num_hidden_layers", "n_layer", "n_layers", "num_layers")
        if not count or (stated is not None and count != stated):
            raise UnfitError(f"it has {count} layers where its configuration has {stated}")
        return [pattern.format(number) for number in range(count)]

    def sizes(self) -> Sizes:
        """The sizes of attention.

        Raises:
            UnfitError: the configuration doesn't give them.
        """
        hidden, heads = self.config.integer(*HIDDEN, "dim"), self.config.integer(*HEADS)
        if hidden is None or heads is None:
            raise UnfitError("its configuration gives no hidden size or no number of heads")
        size = self.config.integer(*HEAD_SIZE)
        if size is None and hidden % heads:
            raise UnfitError(f"its hidden size, {hidden}, is no multiple of its {heads} heads")
        size = size or hidden // heads
        key_value = self.config.integer(*KEY_VALUE_HEADS) or heads
        if heads % key_value:
            raise UnfitError(f"its {heads} heads can't share {key_value} key–value heads evenly")
        return Sizes(hidden, heads, key_value, size)

    def activation(self) -> str:
        """The activation that the configuration names, without its module and in small letters; empty if none."""
        named = (self.config.file.get(key) for key in _ACTIVATIONS)
        return next((name.rpartition(".")[2].lower() for name in named if isinstance(name, str)), "")

    def unclaimed(self) -> list[str]:
        """The tensors that were not looked up, without buffers."""
        return [name for name in self.shapes if name not in self.claimed and not _BUFFERS.search(name)]

    def _found(self, name: str, shape: tuple[int, ...]) -> str:
        full = f"{self.prefix}{name}"
        stored = self.shapes.get(full)
        if stored is None:
            raise UnfitError(f"{full} is missing")
        if stored != shape:
            raise UnfitError(f"{full} is {_by(stored)}, where its configuration makes it {_by(shape)}")
        self.claimed.add(full)
        return full


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def not_homogeneous(activation: str) -> str:
    """Why neurons with this activation can't be scaled; empty if they can be."""
    if activation in _HOMOGENEOUS:
        return ""
    return f"its activation, {activation or 'unnamed'}, doesn't scale with its input"


def different_widths(layers: Iterable[Neurons]) -> str:
    """Why no layer's neurons can be split where the configuration has one number for all; empty if they can be."""
    widths = sorted({neurons.width for neurons in layers})
    if len(widths) < 2:
        return ""
    return f"its layers have {widths[0]:,} to {widths[-1]:,} hidden neurons, which one number can't say"


_Outputs = Callable[[int], tuple[Lines, ...]]


def head_groups(sizes: Sizes, query: _Outputs, key: _Outputs, value: _Outputs, out: Linear) -> tuple[HeadGroup, ...]:
    """The heads of an attention layer.

    Args:
        sizes: of attention.
        query: the outputs of the query head of a number.
        key: the outputs of the key head of a number.
        value: the outputs of the value head of a number.
        out: the output projection, which reads the query heads one after the other.
    """
    shared, size = sizes.shared, sizes.size
    return tuple(
        HeadGroup(
            tuple(query(head) for head in range(group * shared, (group + 1) * shared)),
            key(group),
            value(group),
            tuple(out.inputs(head * size, size) for head in range(group * shared, (group + 1) * shared)),
        )
        for group in range(sizes.key_value)
    )


def separate_heads(sizes: Sizes, query: Linear, key: Linear, value: Linear, out: Linear) -> tuple[HeadGroup, ...]:
    """The heads of an attention layer whose projections are stored apart."""
    size = sizes.size
    return head_groups(
        sizes,
        lambda head: query.outputs(head * size, size),
        lambda head: key.outputs(head * size, size),
        lambda head: value.outputs(head * size, size),
        out,
    )


def fused_heads(sizes: Sizes, fused: Linear, out: Linear, head_by_head: bool) -> tuple[HeadGroup, ...]:
    """The heads of an attention layer whose q, k and v are one layer.

    Args:
        sizes: of attention; as many key–value heads as heads where each head's are together.
        fused: the layer: all of q, then k, then v; or each head's q, k and v together.
        out: the output projection.
        head_by_head: whether each head's are together.
    """
    size, step = sizes.size, (3 if head_by_head else 1) * sizes.size
    starts = (0, size, 2 * size) if head_by_head else _starts(sizes)
    query, key, value = ((lambda head, start=start: fused.outputs(start + head * step, size)) for start in starts)
    return head_groups(sizes, query, key, value, out)


def _starts(sizes: Sizes) -> tuple[int, int, int]:
    """Where q, k and v begin that are stored one after the other."""
    query, narrow = sizes.heads * sizes.size, sizes.key_value * sizes.size
    return 0, query, query + narrow

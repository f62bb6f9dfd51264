"""Models that normalise after each addition: BERT, RoBERTa, DistilBERT, ALBERT and their kin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wqscore.symmetries.lines import Lines
from wqscore.symmetries.naming import UnfitError, Weights, different_widths, not_homogeneous, separate_heads
from wqscore.symmetries.sites import Attention, Layout, Neurons

_GAIN = "its norms come after each addition, so that their gains scale the residual stream itself"
_STREAM = "its norms come after each addition, so that their gains fix the axes of the residual stream"


@dataclass(frozen=True)
class _Names:
    """The names of a model's layers, below its prefix and that of a layer."""

    layer: str
    query: str
    key: str
    value: str
    output: str
    into: str
    out: str
    embeddings: tuple[str, ...]
    shared: bool = False

    @property
    def first(self) -> str:
        """A tensor of every layer."""
        return f"{self.query}.weight"


_EMBEDDINGS = tuple(f"embeddings.{name}_embeddings" for name in ("word", "position", "token_type"))
_BERT = _Names(
    layer="encoder.layer.{}.",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    output="attention.output.dense",
    into="intermediate.dense",
    out="output.dense",
    embeddings=_EMBEDDINGS,
)
_DISTILBERT = _Names(
    layer="transformer.layer.{}.",
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    output="attention.out_lin",
    into="ffn.lin1",
    out="ffn.lin2",
    embeddings=_EMBEDDINGS[:2],
)
_ALBERT = _Names(
    layer="encoder.albert_layer_groups.{}.albert_layers.{}.",
    query="attention.query",
    key="attention.key",
    value="attention.value",
    output="attention.dense",
    into="ffn",
    out="ffn_output",
    embeddings=_EMBEDDINGS,
    shared=True,
)
#: The layout of each type of model.
_NAMES: Mapping[str, _Names] = MappingProxyType(
    {
        **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _BERT),
        "distilbert": _DISTILBERT,
        "albert": _ALBERT,
    }
)
TYPES = frozenset(_NAMES)


def post_norm_layout(weights: Weights) -> Layout:
    """Where the symmetries of such a model act.

    Raises:
        UnfitError: it is not laid out as its type says.
    """
    config = weights.config
    names = _NAMES[config.model_type or ""]
    kind = config.file.get("position_embedding_type")
    if kind not in (None, "absolute"):
        raise UnfitError(f"its positions are {kind}, which queries and keys take part in")
    body = weights.at(f"{names.layer.format(0, 0)}{names.first}")
    sizes = body.sizes()
    if sizes.heads * sizes.size != sizes.hidden or sizes.shared != 1:
        raise UnfitError("its heads don't make up its hidden size")
    activation = body.activation() or "gelu"
    attentions, neurons, centred = [], [], list[Lines]()
    for layer in _layers(body, names):
        query, key, value, out = (
            body.linear(f"{layer}{name}", sizes.hidden, sizes.hidden)
            for name in (names.query, names.key, names.value, names.output)
        )
        attentions.append(Attention(separate_heads(sizes, query, key, value, out), sizes.size))
        width = body.width(f"{layer}{names.into}.weight")
        into = body.linear(f"{layer}{names.into}", width, sizes.hidden)
        behind = body.linear(f"{layer}{names.out}", sizes.hidden, width)
        neurons.append(Neurons(into.outputs(0, width), (), behind.inputs(0, width)))
        centred += [out.outputs(0, sizes.hidden)[0], behind.outputs(0, sizes.hidden)[0]]
    embeddings = [
        body.embedding(name, body.width(f"{name}.weight", 1))
        for name in names.embeddings
        if body.has(f"{name}.weight")
    ]
    is_tied = _has_head(weights) and config.flag("tie_word_embeddings")
    centred += embeddings[1:] if is_tied else embeddings
    reasons = {"norm.gain": _GAIN, "residual.rotation": _STREAM, "residual.scale": _STREAM}
    if reason := not_homogeneous(activation):
        reasons["neuron.scale"] = reason
    if reason := different_widths(neurons):
        reasons["neuron.split"] = reason
    return Layout(
        attentions=tuple(attentions),
        neurons=tuple(neurons),
        centred=tuple(centred),
        activation=activation,
        width_key="hidden_dim" if names is _DISTILBERT else "intermediate_size",
        reasons=MappingProxyType(reasons),
    )


def _layers(body: Weights, names: _Names) -> Iterator[str]:
    """The prefixes of the layers; a configuration may ask for more than there are."""
    if not names.shared:
        yield from body.layers(names.layer, names.first)
        return
    groups, inner = (body.config.integer(key) or 1 for key in ("num_hidden_groups", "inner_group_num"))
    for group in range(groups):
        for layer in range(inner):
            yield names.layer.format(group, layer)


def _has_head(weights: Weights) -> bool:
    """Whether a tensor belongs to a head that may read the word embeddings."""
    return any("predictions" in name or "lm_head" in name or "vocab_" in name for name in weights.shapes)

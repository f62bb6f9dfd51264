"""Models that normalise what each layer reads: GPT-2, OPT, GPT-NeoX, Llama, Mistral, Qwen, Phi-3, Mixtral."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from wqscore.symmetries.lines import Linear, Lines
from wqscore.symmetries.naming import (
    Sizes,
    UnfitError,
    Weights,
    different_widths,
    fused_heads,
    not_homogeneous,
    separate_heads,
)
from wqscore.symmetries.sites import Attention, HeadGroup, Layout, Neurons, Norm, Stream


@dataclass(frozen=True)
class _Names:
    """The names of a model's layers and how it works; those of layers below the prefix of a layer.

    Attributes:
        layer: the prefix of a layer.
        norms: those before attention and before the MLP.
        projections: q, k and v; or the one layer that holds all three.
        output: the output projection of attention.
        into: the layer before the hidden neurons, or the factor without activation of a gated MLP.
        gate: the factor through the activation; the same as `into` where one layer holds the gate, then the other
            factor; empty for a plain MLP.
        out: the layer after the hidden neurons.
        embeddings: what starts the stream, the word embeddings first.
        last: the last norm.
        head: the full name of the output head.
        width_key: the key of the configuration that holds the number of hidden neurons.
        eps_key: the key that holds what all norms add to the variance; empty where it has none.
        subtracts_mean: whether its norms are LayerNorms.
        transposed: whether its layers are stored (in, out).
        head_by_head: whether each head's q, k and v are together where they are fused.
        rotary: the share of a head that is rotated by position; 0 for none.
        experts: the prefixes of an expert's layers, with `{}` for its number; empty for one MLP.
        router: the layer that chooses among experts.
    """

    layer: str
    norms: tuple[str, str]
    projections: tuple[str, ...]
    output: str
    into: str
    out: str
    embeddings: tuple[str, ...]
    last: str
    head: str = "lm_head"
    gate: str = ""
    width_key: str = "intermediate_size"
    eps_key: str = ""
    subtracts_mean: bool = True
    transposed: bool = False
    head_by_head: bool = False
    rotary: float = 0.0
    experts: str = ""
    router: str = ""


_GPT2 = _Names(
    layer="h.{}.",
    norms=("ln_1", "ln_2"),
    projections=("attn.c_attn",),
    output="attn.c_proj",
    into="mlp.c_fc",
    out="mlp.c_proj",
    embeddings=("wte", "wpe"),
    last="ln_f",
    width_key="n_inner",
    eps_key="layer_norm_epsilon",
    transposed=True,
)
_OPT = _Names(
    layer="layers.{}.",
    norms=("self_attn_layer_norm", "final_layer_norm"),
    projections=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    output="self_attn.out_proj",
    into="fc1",
    out="fc2",
    embeddings=("embed_tokens", "embed_positions"),
    last="final_layer_norm",
    width_key="ffn_dim",
)
_NEOX = _Names(
    layer="layers.{}.",
    norms=("input_layernorm", "post_attention_layernorm"),
    projections=("attention.query_key_value",),
    output="attention.dense",
    into="mlp.dense_h_to_4h",
    out="mlp.dense_4h_to_h",
    embeddings=("embed_in",),
    last="final_layer_norm",
    head="embed_out",
    eps_key="layer_norm_eps",
    head_by_head=True,
    rotary=0.25,
)
_LLAMA_PARTS = {
    "layer": "layers.{}.",
    "norms": ("input_layernorm", "post_attention_layernorm"),
    "projections": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "output": "self_attn.o_proj",
    "embeddings": ("embed_tokens",),
    "last": "norm",
    "eps_key": "rms_norm_eps",
    "subtracts_mean": False,
    "rotary": 1.0,
}
_LLAMA = _Names(into="mlp.up_proj", out="mlp.down_proj", gate="mlp.gate_proj", **_LLAMA_PARTS)  # type: ignore[arg-type]
_MIXTRAL = _Names(
    into="w3",
    out="w2",
    gate="w1",
    experts="block_sparse_moe.experts.{}.",
    router="block_sparse_moe.gate",
    **_LLAMA_PARTS,  # type: ignore[arg-type]
)
_PHI3 = replace(_LLAMA, projections=("self_attn.qkv_proj",), into="mlp.gate_up_proj", gate="mlp.gate_up_proj")
_QWEN3_MOE = replace(
    _LLAMA,
    into="up_proj",
    gate="gate_proj",
    out="down_proj",
    experts="mlp.experts.{}.",
    router="mlp.gate",
    width_key="moe_intermediate_size",
)
#: The layout of each type of model.
_NAMES: Mapping[str, _Names] = MappingProxyType(
    {
        "gpt2": _GPT2,
        "opt": _OPT,
        "gpt_neox": _NEOX,
        **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), _LLAMA),
        "mixtral": _MIXTRAL,
        "phi3": _PHI3,
        "qwen3_moe": _QWEN3_MOE,
    }
)
TYPES = frozenset(_NAMES)
#: Settings of OPT with which it is none of these.
_PLAIN_OPT = {"do_layer_norm_before": True, "_remove_final_layer_norm": False, "layer_norm_elementwise_affine": True}


@dataclass
class _Found:
    """What the layers of a model gave so far."""

    attentions: list[Attention] = field(default_factory=list)
    neurons: list[Neurons] = field(default_factory=list)
    norms: list[Norm] = field(default_factory=list)
    writers: list[Lines] = field(default_factory=list)


def pre_norm_layout(weights: Weights) -> Layout:
    """Where the symmetries of such a model act.

    Raises:
        UnfitError: it is not laid out as its type says.
    """
    names = _NAMES[weights.config.model_type or ""]
    _check(weights, names)
    first = f"{names.projections[0]}.weight"
    body = weights.at(f"{names.layer.format(0)}{first}")
    sizes = body.sizes()
    found = _Found()
    for layer in body.layers(names.layer, first):
        _read_attention(body, names, sizes, layer, found)
        _read_mlp(body, names, sizes, layer, found)
    last = _norm(body, names, names.last, sizes.hidden, ())
    embeddings = [body.embedding(name, sizes.hidden) for name in names.embeddings]
    activation = body.activation() or ("silu" if names.gate else "")
    return _whole(weights, names, found, embeddings, last, activation)


def _check(weights: Weights, names: _Names) -> None:
    """Refuse settings that make it another model than its type's usual one."""
    file = weights.config.file
    if names is _OPT:
        for key, usual in _PLAIN_OPT.items():
            if file.get(key, usual) is not usual:
                raise UnfitError(f"{key} is {file[key]}, a layout that is not known")
    if any("crossattention" in name for name in weights.shapes):
        raise UnfitError("it has cross-attention, whose layout is not known")


def _rotary(weights: Weights, names: _Names, size: int) -> int:
    """How many dimensions of a head are rotated by position."""
    file = weights.config.file
    nested = file.get("rope_parameters") or file.get("rope_scaling")
    stated = [file.get("rotary_pct"), file.get("partial_rotary_factor")]
    stated += [nested.get("partial_rotary_factor")] if isinstance(nested, dict) else []
    share = next((each for each in stated if isinstance(each, int | float)), names.rotary)
    if not names.rotary:
        return 0
    if (share != names.rotary and names not in (_NEOX, _PHI3)) or not 0 <= share <= 1:
        raise UnfitError(f"{share:g} of each head is rotated by position, where its type rotates all")
    rotated = int(size * share)
    if rotated % 2:
        raise UnfitError(f"{rotated} dimensions of a head are rotated by position, which are no pairs")
    return rotated


def _read_attention(body: Weights, names: _Names, sizes: Sizes, layer: str, found: _Found) -> None:
    inner = sizes.heads * sizes.size
    narrow = sizes.key_value * sizes.size
    out = body.linear(f"{layer}{names.output}", sizes.hidden, inner, names.transposed)
    if len(names.projections) == 1:
        if narrow != inner and names is not _PHI3:
            raise UnfitError("its heads share keys and values, which its type's fused layer can't hold")
        fused = body.linear(f"{layer}{names.projections[0]}", inner + 2 * narrow, sizes.hidden, names.transposed)
        groups: tuple[HeadGroup, ...] = fused_heads(sizes, fused, out, names.head_by_head)
        readers = [fused]
    else:
        query, key, value = (
            body.linear(f"{layer}{name}", rows, sizes.hidden)
            for name, rows in zip(names.projections, (inner, narrow, narrow), strict=True)
        )
        groups = separate_heads(sizes, query, key, value, out)
        readers = [query, key, value]
    norms = [f"{layer}self_attn.{name}_norm.weight" for name in "qk"]
    has_norms = any(map(body.has, norms))
    heads = tuple(body.vector(name, sizes.size) for name in norms) if has_norms else ()
    found.attentions.append(Attention(groups, sizes.size, _rotary(body, names, sizes.size), heads))
    found.norms.append(_norm(body, names, f"{layer}{names.norms[0]}", sizes.hidden, readers))
    found.writers += out.outputs(0, sizes.hidden)


def _read_mlp(body: Weights, names: _Names, sizes: Sizes, layer: str, found: _Found) -> None:
    places, readers = [layer], []
    if names.experts:
        count = 0
        while body.has(f"{layer}{names.experts.format(count)}{names.into}.weight"):
            count += 1
        places = [f"{layer}{names.experts.format(number)}" for number in range(count)]
        # As many as it chooses among, or the router's shape doesn't fit.
        readers.append(body.linear(f"{layer}{names.router}", count, sizes.hidden))
    for place in places:
        width = body.width(f"{place}{names.out}.weight", 1 - int(names.transposed))
        is_fused = names.gate == names.into
        stored = 2 * width if is_fused else width
        into = body.linear(f"{place}{names.into}", stored, sizes.hidden, names.transposed)
        out = body.linear(f"{place}{names.out}", sizes.hidden, width, names.transposed)
        readers.append(into)
        gates: tuple[Lines, ...] = ()
        if is_fused:
            gates = into.outputs(0, width)
        elif names.gate:
            gate = body.linear(f"{place}{names.gate}", width, sizes.hidden)
            gates = gate.outputs(0, width)
            readers.append(gate)
        carriers = into.outputs(stored - width, width)
        found.neurons.append(Neurons(carriers, gates, out.inputs(0, width), signed=bool(gates)))
        found.writers += out.outputs(0, sizes.hidden)
    found.norms.append(_norm(body, names, f"{layer}{names.norms[1]}", sizes.hidden, readers))


def _norm(body: Weights, names: _Names, name: str, size: int, readers: list[Linear] | tuple[()]) -> Norm:
    gain = body.vector(f"{name}.weight", size)
    shift = body.vector(f"{name}.bias", size) if names.subtracts_mean else ""
    return Norm(gain, shift, tuple(reader.inputs(0, size) for reader in readers))


def _whole(
    weights: Weights, names: _Names, found: _Found, embeddings: list[Lines], last: Norm, activation: str
) -> Layout:
    """The layout of the whole model, with what its head and the tensors beside its layers rule out."""
    hidden = embeddings[0].count
    reasons: dict[str, str] = {}
    head = _head(weights, names)
    top = weights.linear(names.head, weights.width(f"{names.head}.weight"), hidden) if head == "own" else None
    if top is not None:
        last = Norm(last.gain, last.shift, (top.inputs(0, hidden),))
    if head == "tied":
        weights.claimed.add(f"{names.head}.weight")
        reasons["residual.rotation"] = "its head is its embedding, so that the last norm's gain can't be folded"
    elif head == "none":
        reasons["residual.rotation"] = "without a head, its output has the residual stream's own axes"
    left = weights.unclaimed()
    if left or head == "unknown":
        what = f"{left[0]} is no part of the layout" if left else "whether its head is its embedding can't be told"
        reasons |= dict.fromkeys(("norm.gain", "norm.mean", "residual.rotation", "residual.scale"), what)
    if not names.subtracts_mean:
        reasons["norm.mean"] = "its norms, RMSNorm, don't subtract the mean"
    if not names.gate and (reason := not_homogeneous(activation)):
        reasons["neuron.scale"] = reason
    eps_key = names.eps_key if isinstance(weights.config.file.get(names.eps_key), float) else ""
    if not eps_key:
        reasons.setdefault("residual.scale", "what its norms add to the variance is not in its configuration")
    if reason := different_widths(found.neurons):
        reasons["neuron.split"] = reason
    weights_alone = [lines for lines in found.writers if len(weights.shapes[lines.tensor]) > 1]
    norms = (*found.norms, last) if last.readers else tuple(found.norms)
    return Layout(
        attentions=tuple(found.attentions),
        neurons=tuple(found.neurons),
        norms=norms,
        centred=(*weights_alone, *(embeddings[1:] if head == "tied" else embeddings)),
        stream=Stream(hidden, (*embeddings, *found.writers), norms, last, head == "tied", names.subtracts_mean),
        activation=activation,
        width_key=names.width_key,
        eps_key=eps_key,
        reasons=MappingProxyType(reasons),
    )


def _head(weights: Weights, names: _Names) -> str:
    """What the last norm's output goes to: a head of its `own`, the `tied` embedding, `none`, or `unknown`."""
    named = weights.config.file.get("architectures")
    architectures = [each for each in named if isinstance(each, str)] if isinstance(named, list) else []
    generates = any(each.endswith(("ForCausalLM", "LMHeadModel")) for each in architectures)
    is_tied = weights.config.flag("tie_word_embeddings")
    if f"{names.head}.weight" in weights.shapes:
        return "tied" if is_tied else "own"
    if generates:
        return "tied" if is_tied else "unknown"
    return "none" if architectures and all(each.endswith("Model") for each in architectures) else "unknown"

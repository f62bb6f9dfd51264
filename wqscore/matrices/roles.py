"""Derive a tensor's role in its network from its name.

The names are those of the Hugging Face implementations, of timm, and of the original Llama, OpenAI CLIP and
torch modules. The last component of a name decides; if it is ambiguous (`dense`, `proj`), the nearest component
before it that names an attention or an MLP block decides.
"""

from __future__ import annotations

import re

EMBEDDING = "embedding"
HEAD = "head"
CONV = "conv"
OTHER = "other"
#: Roles left out of a model's averages: their spectra have another scale, and published averages leave them out too.
OUTSIDE_AVERAGES = frozenset({EMBEDDING, HEAD})

#: Roles of the parts that fused tensors are cut into.
PART_ROLES = {"q": "attention.q", "k": "attention.k", "v": "attention.v", "gate": "mlp.gate", "up": "mlp.in"}


def _table(**names: str) -> dict[str, str]:
    return {name: role.replace("_", ".") for role, listed in names.items() for name in listed.split()}


#: Names that give the role by themselves. Keys of positions count as keys.
_BY_NAME = _table(
    attention_q="q query query_proj q_proj q_lin wq to_q to_query q_net q_a_proj q_b_proj linear_q q_attn in_proj_q"
    " q_head query_global project_q projection_query queries pos_query_proj pos_q_proj",
    attention_k="k key key_proj k_proj k_lin wk to_k to_key linear_k in_proj_k k_head key_global project_k"
    " projection_key pos_key_proj pos_proj linear_pos relative_k_proj r_net",
    attention_v="v value value_proj v_proj v_lin wv to_v to_value linear_v in_proj_v v_head value_global project_v"
    " projection_value",
    attention_o="o_proj out_lin",
    mlp_gate="gate_proj wi_0 gate_fc linear_gate fc1_g fc12",
    mlp_in="up_proj wi wi_1 c_fc fc1 fc_in lin1 dense_h_to_4h ffn linear1 linear_1 intermediate_dense fc1_x fc11"
    " linear_fc1 dense1 pwconv1 ffw_layer_1 w_in proj_up ff_proj",
    mlp_out="down_proj fc2 fc_out lin2 dense_4h_to_h ffn_output linear2 linear_2 output_dense linear_fc2 dense2"
    " pwconv2 ffw_layer_2 w_out proj_down ff_out weights_out",
)
_IN_ATTENTION = _table(
    attention_o="dense out_proj c_proj wo o proj to_out to_out.0 out linear_out projection output output_proj"
    " projection_layer attention_out post post_proj output_linear",
    attention_q="input_linear",
    attention_k="r",
)
#: The gate, whose output goes through the activation, is w1 in Llama and vision transformers and w2 in Qwen-1; the
#: other factor is w3 in Llama, w2 in vision transformers and w1 in Qwen-1.
_IN_MLP = _table(
    mlp_gate="w1",
    mlp_in="w3 v1 key in_proj proj_in input_linear intermediate layer_1 up ffn.0 mlp.0 ff.0 net.0 net.0.proj",
    mlp_out="w2 value out_proj proj_out output_linear output layer_2 down c_proj wo ffn.2 mlp.2 ff.2 ff.3 net.2",
)
_VISION_MLP = {"w2": "mlp.in", "w3": "mlp.out"}
_QWEN_MLP = {"w1": "mlp.in", "w2": "mlp.gate"}

#: NeoBERT has no attention module, only a block, and its MLP ends in w3, as in vision transformers.
_NEOBERT = {"wo": "attention.o", "w3": "mlp.out"}

_HEAD = re.compile(
    r"cls|lm_heads?|embed_out|score|classifiers?|qa_outputs|vocab_projector|vocab_transform|lm_predictions|lm_loss"
    r"|discriminator_predictions|generator_predictions|predictions|pred_layer|output_projection|sop_classifier|\w+_head"
)
#: Names that mean a head only as the last component: elsewhere they are blocks.
_LAST_OF_HEAD = frozenset({"head", "output", "proj_out", "fc_norm_head"})
#: Layers inside a module called `head`: ModernBERT's before its decoder, timm's classifiers after their pooling.
_INSIDE_HEAD = frozenset({"dense", "fc"})
_EMBEDDING = re.compile(
    r"(?!patch_|class_|bbox_)\w*(embeddings?|embeds?|embedder|emb)"
    r"(_(in|tokens?|positions?|layers?|table|window|global|per_layer|text|audio|timestep|concat|\d+))*"
    r"|wte|wpe|pe|shared|\w*_tokens?|\w*latents|codevectors|relative_attention_bias|relative_position_bias_table"
    r"|rel_pos_[hw]|query_feat|reference_points|posenc|ape|rpe"
    r"|(\w+_)?pos(ition(s|al)?)?(_(enc|encodings?|tables?|bias|matrix|params?))*"
)
#: Components after a layer's name: the parameter, or a wrapper around the layer.
_NOT_A_NAME = frozenset(
    {"weight", "weight_v", "weight_g", "weight_orig", "weight_packed", "qweight", "w_q", "kernel", "linear"}
    | {"base_layer", "parametrizations", "original0", "original1", "_data"}
)
_MLP_WORDS = ("mlp", "ffn", "feed_forward", "moe", "densereludense")
_MAX_NAME_LENGTH = 500
_LAYER_NUMBER = re.compile(r"(?:^|\.)([0-9]{1,9})(?=\.)")


def role_of(name: str, model_type: str | None = None) -> str:
    """Derive a two-dimensional tensor's role from its name.

    Example:
        >>> role_of("encoder.layer.3.attention.self.query.weight")
        'attention.q'
        >>> role_of("encoder.layer.3.output.dense.weight")
        'mlp.out'
    """
    parents, last = _parents_and_last(name.lower()[-_MAX_NAME_LENGTH:])
    if _is_head(parents, last):
        return HEAD
    if _EMBEDDING.fullmatch(last):
        return EMBEDDING
    if "transformer_encoder" in parents and last in _NEOBERT:
        return _NEOBERT[last]
    block = _block([*parents, *last.split(".")[:-1]])
    if block == "attention":
        return _of_block("attention.", _IN_ATTENTION.get(last) or _BY_NAME.get(last))
    if last == "dense" and parents:
        return _dense(parents[-1])
    if block == "mlp":
        own = _QWEN_MLP if model_type == "qwen" else _VISION_MLP if _is_plain_mlp(parents) else {}
        return _of_block("mlp.", own.get(last) or _IN_MLP.get(last) or _BY_NAME.get(last))
    return _BY_NAME.get(last) or ("mlp.out" if last == "c_proj" else OTHER)


def depth_of(name: str) -> int | None:
    """The index of the layer a tensor belongs to: the first number in its name, `None` without one.

    Example:
        >>> depth_of("bert.encoder.layer.11.output.dense.weight")
        11
    """
    match = _LAYER_NUMBER.search(name)
    return int(match[1]) if match else None


def layer_of(name: str) -> str | None:
    """The name of the layer a tensor belongs to, `None` for one in no numbered layer.

    Example:
        >>> layer_of("encoder.block.3.layer.0.SelfAttention.q.weight")
        'encoder.block.3'
    """
    match = _LAYER_NUMBER.search(name)
    return name[: match.end()] if match else None


def _parents_and_last(name: str) -> tuple[list[str], str]:
    path = name.split(".")
    while len(path) > 1 and path[-1] in _NOT_A_NAME:
        path.pop()
    last = path.pop().removesuffix("_weight").removesuffix("_blocks")
    while path and (last[0:1].isdigit() or (last == "proj" and path[-1] == "0")):
        last = f"{path.pop()}.{last}"
    return path, last


def _is_head(parents: list[str], last: str) -> bool:
    """Whether a name is a head's; in a numbered layer only `head` is (layers that predict a further token)."""
    if any(name.isdigit() for name in parents):
        return last == "head"
    if any(_HEAD.fullmatch(name) for name in parents):
        return True
    if last == "decoder":
        return not parents or parents == ["head"]
    if parents[-1:] == ["head"] and last in _INSIDE_HEAD:
        return True
    return last in _LAST_OF_HEAD or _HEAD.fullmatch(last.split(".")[0]) is not None


def _block(parents: list[str]) -> str | None:
    """The kind of the innermost block among the components before the last: `attention`, `mlp` or `None`."""
    for name in reversed(parents):
        if name == "ff" or any(word in name for word in _MLP_WORDS):
            return "mlp"
        if name == "att" or "attn" in name or "attention" in name:
            return "attention"
        # State spaces are mixers too, but of decoders.
        if name == "mixer" and "encoder" in parents:
            return "attention"
    return "mlp" if "experts" in parents else None


def _is_plain_mlp(parents: list[str]) -> bool:
    return parents[-1:] == ["mlp"] and "experts" not in parents


def _of_block(block: str, role: str | None) -> str:
    """The role if it belongs to this kind of block, otherwise `other`: an attention's output gate is no MLP gate."""
    return role if role is not None and role.startswith(block) else OTHER


def _dense(parent: str) -> str:
    """The role of BERT's `intermediate.dense` and `output.dense`, and of their variants for other inputs."""
    if "inter" in parent:
        return "mlp.in"
    return "mlp.out" if "output" in parent else OTHER

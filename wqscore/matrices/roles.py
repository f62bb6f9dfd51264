"""What a tensor does in its network, told from its name.

The names are those of the Hugging Face implementations, of timm, and of the original Llama, OpenAI CLIP and
torch modules. A rule is a pattern over the lower-case name; the first that matches decides.
"""

from __future__ import annotations

import re

EMBEDDING = "embedding"
HEAD = "head"
CONV = "conv"
OTHER = "other"
#: Roles left out of a model's averages: their spectra live on another scale, and published averages leave
#: them out too (METRICS "Which matrices").
OUTSIDE_AVERAGES = frozenset({EMBEDDING, HEAD})

#: Roles of the parts that fused tensors are cut into.
PART_ROLES = {
    "q": "attention.q",
    "k": "attention.k",
    "v": "attention.v",
    "gate": "mlp.gate",
    "up": "mlp.in",
}

_END = r"(\.weight|\.weight_v|_weight|\.base_layer\.weight)?$"


def _last(*names: str) -> str:
    return rf"(^|\.)({'|'.join(names)}){_END}"


_RULES: tuple[tuple[str, str], ...] = (
    (r"(^|\.)(cls\.|lm_head|embed_out|score\.|classifier|classification_head|qa_outputs|vocab_projector"
     r"|vocab_transform|vocab_layer_norm|lm_predictions|discriminator_predictions|generator_predictions"
     r"|generator_lm_head|sop_classifier|predictions\.)", HEAD),
    (_last("head", "output", "heads?\\.head", "fc_norm_head", "proj_out(?=\\.weight$)"), HEAD),
    (_last(r"\w*embeddings?", "wte", "wpe", "tokens_embed", "positions_embed", "embed_tokens", "embed_positions",
           r"embed_in", "shared", r"pos_embed\w*", r"relative_attention_bias", r"relative_position_bias_table",
           "rel_pos_[hw]", "w[pt]e", "cls_token", "dist_token", "mask_token", "lm_embed"), EMBEDDING),
    (_last("query", "query_proj", "q", "q_proj", "q_lin", "wq", "to_q", "q_net", r"q_[ab]_proj", "linear_q", "q_attn",
           "in_proj_q", "q_proj_weight"), "attention.q"),
    (_last("key", "key_proj", "k", "k_proj", "k_lin", "wk", "to_k", "linear_k", "k_proj_weight"), "attention.k"),
    (_last("value", "value_proj", "v", "v_proj", "v_lin", "wv", "to_v", "linear_v", "v_proj_weight"), "attention.v"),
    (r"(attn|attention|attentions\.\d+|att)\w*\.(\w+\.)*"
     rf"(dense|out_proj|o_proj|c_proj|out_lin|wo|o|proj|to_out\.0|out|linear_out|projection){_END}", "attention.o"),
    (_last("o_proj", "out_lin"), "attention.o"),
    (rf"(selfattention|encdecattention)\.o{_END}", "attention.o"),
    (_last("gate_proj", "wi_0", r"experts\.\d+\.w1", "feed_forward\\.w1", "mlp\\.w1", "gate_fc", "linear_gate"), "mlp.gate"),
    (_last("up_proj", "wi", "wi_1", r"experts\.\d+\.w3", "feed_forward\\.w3", "mlp\\.w3", "intermediate\\.dense", "c_fc",
           "fc1", "fc_in", "lin1", "dense_h_to_4h", "ffn", r"linear_?1", "ff\\.net\\.0\\.proj",
           "intermediate_dense"), "mlp.in"),
    (_last("down_proj", "wo", r"experts\.\d+\.w2", "feed_forward\\.w2", "mlp\\.w2", r"output\.dense", "c_proj", "fc2",
           "fc_out", "lin2", "dense_4h_to_h", "ffn_output", r"linear_?2", "ff\\.net\\.2", "output_dense"), "mlp.out"),
)
_COMPILED = tuple((re.compile(pattern), role) for pattern, role in _RULES)

#: Qwen-1 multiplies w1's output by the activation of w2's, and calls its down projection c_proj.
_QWEN_MLP = {"w1": "mlp.in", "w2": "mlp.gate"}

_DEPTH = re.compile(r"(?:^|\.)(\d+)(?=\.)")


def role_of(name: str, model_type: str | None = None) -> str:
    """Tell a two-dimensional tensor's role from its name.

    Example:
        >>> role_of("encoder.layer.3.attention.self.query.weight")
        'attention.q'
        >>> role_of("encoder.layer.3.output.dense.weight")
        'mlp.out'
    """
    lower = name.lower()
    if model_type == "qwen" and (match := re.search(r"\.mlp\.(w[12])\.weight$", lower)):
        return _QWEN_MLP[match[1]]
    return next((role for pattern, role in _COMPILED if pattern.search(lower)), OTHER)


def depth_of(name: str) -> int | None:
    """The index of the layer a tensor belongs to: the first number in its name, `None` without one.

    Example:
        >>> depth_of("bert.encoder.layer.11.output.dense.weight")
        11
    """
    match = _DEPTH.search(name)
    return int(match[1]) if match else None

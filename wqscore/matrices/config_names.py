"""The names by which configurations give the sizes and flags that the layouts of tensors follow from."""

from __future__ import annotations

#: The names of one size, the usual name first.
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
HIDDEN = ("hidden_size", "n_embd", "n_embed", "d_model")
HEAD_SIZE = ("head_dim", "kv_channels")
KEY_VALUE_HEADS = (
    *("num_key_value_heads", "num_kv_heads", "n_head_kv"),
    *("kv_n_heads", "n_kv_heads", "multi_query_group_num"),
)
LINEAR_ATTENTION = (
    *("linear_num_key_heads", "linear_num_value_heads"),
    *("linear_key_head_dim", "linear_value_head_dim"),
)
LATENT_ATTENTION = ("qk_nope_head_dim", "v_head_dim", "kv_lora_rank", "qk_rope_head_dim")
FLAGS = ("multi_query", "multi_query_attention", "new_decoder_architecture", "tie_word_embeddings")

#: Every name whose default is asked for where a file leaves it out.
DEFAULTED = (*HEADS, *HIDDEN, *HEAD_SIZE, *KEY_VALUE_HEADS, *LINEAR_ATTENTION, *LATENT_ATTENTION, *FLAGS)
#: What the defaults may follow from, and the type that each must have: nothing that could make a configuration
#: class fetch, loop over or print what the file says.
TOLD: dict[str, type] = dict.fromkeys((*HEADS, *HIDDEN, *HEAD_SIZE, *KEY_VALUE_HEADS), int) | dict.fromkeys(
    ("multi_query", "new_decoder_architecture", "tie_word_embeddings"), bool
)

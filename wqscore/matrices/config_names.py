"""The configuration keys of the sizes and flags that determine how tensors are laid out."""

from __future__ import annotations

#: Alternative names of one size, the usual one first.
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

#: Every key that is looked up in the defaults when a file lacks it.
DEFAULTED = (*HEADS, *HIDDEN, *HEAD_SIZE, *KEY_VALUE_HEADS, *LINEAR_ATTENTION, *LATENT_ATTENTION, *FLAGS)
#: The keys passed on to work out defaults, and the type each must have. None can make a configuration class fetch,
#: loop over or print what the file says.
TOLD: dict[str, type] = dict.fromkeys((*HEADS, *HIDDEN, *HEAD_SIZE, *KEY_VALUE_HEADS), int) | dict.fromkeys(
    ("multi_query", "new_decoder_architecture", "tie_word_embeddings"), bool
)

"""Find the output head that a model replaces by its input embedding when it loads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices import roles
from wqscore.matrices.model_config import ModelConfig

_TIED_HEAD = re.compile(
    r"(^|\.)(lm_head|embed_out|decoder|output|head|proj_out|vocab_projector|generator_lm_head|output_projection)\.weight$"
)
_INPUT_EMBEDDING = re.compile(
    r"(^|\.)(word_embeddings?|embed_tokens|wte|shared|embed_in|tok_embeddings?|tokens_embed|word_embedding)\.weight$"
)


def head_tied_by_config(
    tensors: Sequence[Tensor], role_by_name: Mapping[str, str], config: ModelConfig
) -> tuple[str, str] | None:
    """Find the head that the configuration ties to an embedding, where the file has both.

    Args:
        tensors: the tensors of the model.
        role_by_name: the role of each.
        config: the model's configuration.

    Returns:
        The names of the head and of the embedding; `None` where nothing is tied, or both are the same bytes.
    """
    embeddings = [t for t in tensors if _INPUT_EMBEDDING.search(t.name) and len(t.shape) == 2]
    for head in tensors:
        if role_by_name[head.name] == roles.HEAD and _TIED_HEAD.search(head.name):
            same = [t for t in embeddings if t.shape == head.shape and t.dtype == head.dtype]
            # Checked last: the flag may require transformers' defaults, which take a second to import.
            shares_bytes = any(t.location == head.location for t in same)
            if same and not shares_bytes and config.flag("tie_word_embeddings"):
                return head.name, same[0].name
    return None

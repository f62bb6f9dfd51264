"""Find where a model's symmetries act, from its configuration and its tensors' names and shapes."""

from __future__ import annotations

import re

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.model_config import ModelConfig
from wqscore.symmetries import post_norm, pre_norm
from wqscore.symmetries.chain import chain_layout
from wqscore.symmetries.naming import UnfitError, Weights
from wqscore.symmetries.sites import Layout, Unknown

#: What types of chains of linear layers are called; a configuration without a type may be of one.
_CHAIN = re.compile(r"|(\w+[-_])?(mlp|feed_?forward|sequential)", re.IGNORECASE)
#: Files whose names or order of rows are not those of transformers.
_OTHER_FILES = frozenset({".gguf", ".onnx", ".npz", ".h5", ".keras", ".msgpack"})


def find_layout(checkpoint: Checkpoint) -> Layout | Unknown:
    """Find where a model's symmetries act; a model that is not laid out as its type says has none.

    Nothing is guessed from names alone: what changes a model that the layout doesn't fit is no symmetry.
    """
    tensors = model_tensors(checkpoint)
    if reason := _refusal(checkpoint, tensors):
        return Unknown(reason)
    config = ModelConfig(checkpoint.config)
    weights = Weights({tensor.name: tensor.shape for tensor in tensors}, config)
    try:
        if config.model_type in post_norm.TYPES:
            return post_norm.post_norm_layout(weights)
        if config.model_type in pre_norm.TYPES:
            return pre_norm.pre_norm_layout(weights)
        return chain_layout(tensors, weights)
    except UnfitError as error:
        untyped = "" if config.model_type else "its configuration names no type of model (model_type), and "
        return Unknown(f"{untyped}{error}")


def model_tensors(checkpoint: Checkpoint) -> list[Tensor]:
    """The tensors that are the model's weights."""
    state = checkpoint.training_state
    return [tensor for tensor in checkpoint.tensors if not tensor.part_of and tensor.name not in state]


def _refusal(checkpoint: Checkpoint, tensors: list[Tensor]) -> str:
    """Why a model's layout can't be known; empty if it may be."""
    if not checkpoint.config:
        return "it has no configuration, so that how its layers are joined can't be told"
    config = ModelConfig(checkpoint.config)
    kind = config.model_type or ""
    is_chain = _CHAIN.fullmatch(kind) is not None
    if not is_chain and kind not in post_norm.TYPES | pre_norm.TYPES:
        return f"models of type {kind} are not among those whose layout is known"
    if is_chain and not Weights({}, config).activation():
        return "its configuration names neither a type of model (model_type) nor an activation (hidden_act)"
    for tensor in tensors:
        if found := next((file for file in tensor.files if file.suffix.lower() in _OTHER_FILES), None):
            return f"the order of rows in a {found.suffix} file may differ from its type's"
        if tensor.refusal and len(tensor.shape) > 1:
            return f"{tensor.name} can't be read: {tensor.refusal}"
    return ""

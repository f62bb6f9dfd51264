"""Open a GGUF file, or all parts of a split one: its stored tensors, and how to decode them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.dtypes import STORED_DTYPES, StoredDtype
from wqscore.checkpoints.gguf.config import architecture, model_config, needed
from wqscore.checkpoints.gguf.decode import decode, decode_latent_keys, is_decodable
from wqscore.checkpoints.gguf.header import StoredTensor, TensorType, read_header
from wqscore.checkpoints.gguf.kinds import check_is_model
from wqscore.checkpoints.gguf.names import hugging_face_names
from wqscore.checkpoints.gguf.package import gguf_package
from wqscore.checkpoints.gguf.split import read_parts
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

#: Depthwise convolutions, which llama.cpp stores without their axis of one input.
_CONVOLUTION = re.compile(r"\.(ssm_conv1d(_[qkv])?|shortconv\.conv)\.weight$")
#: Vectors of state spaces, to which llama.cpp adds axes of 1; a norm is stored group by group.
_STATE_VECTOR = re.compile(r"\.(ssm_a|ssm_d|ssm_norm\.weight)$")

GgufPlan = tuple[dict[str, Any], list[TensorRef], list[Decoding], list[Refusal]]


def read_gguf(file: Path) -> GgufPlan:
    """Read a GGUF model's headers and plan how its tensors are decoded.

    Args:
        file: the file, or any part of a split one.

    Returns:
        The configuration with the keys of `config.json`; all stored tensors by their Hugging Face names, plain
        numbers in their shape and blocks as bytes; the weights to decode from the blocks; and the stored tensors
        that the `gguf` package can't decode.

    Raises:
        CheckpointError: the package is not installed, a part is missing, or a header breaks the format's rules.
    """
    gguf = gguf_package(str(file))
    types = {
        int(kind): TensorType(kind.name, block, nbytes) for kind, (block, nbytes) in gguf.GGML_QUANT_SIZES.items()
    }
    parts = read_parts(file, partial(read_header, types=types, needed=needed))
    check_is_model(parts[0][1].metadata, file)
    stored = {tensor.name: (path, tensor) for path, header in parts for tensor in header.tensors}
    if not stored:
        raise CheckpointError(f"{file}: holds no tensors: a vocabulary alone, or the wrong file")
    shapes = {name: tensor.shape for name, (_, tensor) in stored.items()}
    metadata = parts[0][1].metadata
    names = hugging_face_names(shapes, architecture(metadata), gguf)
    tensors = {name: _tensor_ref(path, tensor, names[name]) for name, (path, tensor) in stored.items()}
    readable = {kind: is_decodable(kind) for kind in {t.type.name for _, t in stored.values() if not _is_plain(t)}}
    decodings = [d for name, (_, tensor) in stored.items() if (d := _decoding(tensor, tensors[name], readable))]
    refusals = [
        Refusal(names[name], f"the gguf package does not decode {tensor.type.name}", _stored_shape(tensor))
        for name, (_, tensor) in stored.items()
        if not readable.get(tensor.type.name, True)
    ]
    return model_config(metadata, shapes), list(tensors.values()), decodings, refusals


def _is_plain(tensor: StoredTensor) -> bool:
    return tensor.type.name in STORED_DTYPES


def _tensor_ref(file: Path, tensor: StoredTensor, name: str) -> TensorRef:
    if _is_plain(tensor):
        return TensorRef(name, _stored_shape(tensor), STORED_DTYPES[tensor.type.name], file, tensor.offset)
    blocks = StoredDtype(tensor.type.name, 8, np.dtype(np.uint8), "quantised")
    return TensorRef(name, (tensor.nbytes,), blocks, file, tensor.offset)


def _decoding(tensor: StoredTensor, part: TensorRef, readable: Mapping[str, bool]) -> Decoding | None:
    kind = tensor.type.name
    if not readable.get(kind, True):
        return None
    if len(tensor.shape) == 3 and tensor.name.endswith(".attn_k_b.weight"):
        heads, latent, size = tensor.shape
        keys = partial(decode_latent_keys, type_name=kind, shape=(heads, latent, size))
        return Decoding(part.name, (heads * size, latent), kind, (part,), keys)
    if _is_plain(tensor):
        return None
    return _whole_or_item(part, _stored_shape(tensor), kind)


def _whole_or_item(part: TensorRef, shape: tuple[int, ...], kind: str) -> Decoding:
    """Decode a tensor of blocks; no block spans two rows, so the bytes of one item of a stack are contiguous."""

    def item(index: int) -> Decoding:
        nbytes = part.shape[0] // shape[0]
        own = replace(part, shape=(nbytes,), offset=part.offset + index * nbytes)
        return _whole_or_item(own, shape[1:], kind)

    items = item if len(shape) == 3 else None
    return Decoding(part.name, shape, kind, (part,), partial(decode, type_name=kind, shape=shape), items=items)


def _stored_shape(tensor: StoredTensor) -> tuple[int, ...]:
    """The original's shape: for some tensors llama.cpp stores the same numbers in another shape."""
    if tensor.name.endswith(".attn_v_b.weight") and len(tensor.shape) == 3:
        heads, size, latent = tensor.shape
        return (heads * size, latent)
    longer = tuple(size for size in tensor.shape if size > 1)
    if _CONVOLUTION.search(tensor.name) and len(longer) == 2:
        channels, width = longer
        return (channels, 1, width)
    if _STATE_VECTOR.search(tensor.name):
        is_vector = len(longer) < 2 or tensor.name.endswith(".ssm_norm.weight")
        return (prod(tensor.shape),) if is_vector else tensor.shape
    return tensor.shape

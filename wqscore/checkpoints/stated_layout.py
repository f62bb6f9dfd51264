"""What a checkpoint's file says of the framework that wrote it, and so of the order of a kernel's axes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.in_memory import ArrayTensor
from wqscore.checkpoints.safetensors import MAX_HEADER_BYTES
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.errors import CheckpointError

#: The frameworks of safetensors' `format`, by the order of axes that each uses.
_FORMATS = {"pt": "torch", "torch": "torch", "mlx": "mlx"} | dict.fromkeys(("flax", "jax", "tf", "keras"), "flax")
#: The frameworks of arrays in memory, by the package that defines them.
_PACKAGES = {"torch": "torch", "mlx": "mlx"} | dict.fromkeys(("jax", "jaxlib", "tensorflow", "keras"), "flax")
_LENGTH_BYTES = 8
_METADATA = b'"__metadata__"'


def stated_layout(tensors: Sequence[Tensor]) -> str:
    """The framework whose order of axes the file says it has: `torch`, `mlx` or `flax`.

    safetensors has a `format` in its header's metadata; torch's pickles, GGUF and ONNX have torch's order; NumPy's
    files say nothing. Arrays in memory have the order of the package that they are of.

    Args:
        tensors: of one checkpoint; the file of the first is asked.

    Returns:
        Empty where the file doesn't say.
    """
    if tensors and isinstance(tensors[0], ArrayTensor):
        return _PACKAGES.get(type(tensors[0].held.values).__module__.partition(".")[0], "")
    stored = next((found for tensor in tensors if (found := _stored(tensor))), None)
    if stored is None or stored.file.suffix in (".npz", ".npy"):
        return ""
    return _FORMATS.get(_format(stored), "") if stored.file.suffix == ".safetensors" else "torch"


def format_word(tensors: Sequence[Tensor]) -> str:
    """The word for safetensors' `format` that says the same of a file of these tensors; empty where there is none."""
    layout = stated_layout(tensors)
    return next((word for word, meant in _FORMATS.items() if meant == layout), "")


def _stored(tensor: Tensor) -> TensorRef | None:
    while isinstance(tensor, DecodedTensor):
        tensor = tensor.decoding.parts[0]
    return tensor if isinstance(tensor, TensorRef) else None


def _format(tensor: TensorRef) -> str:
    try:
        length = int.from_bytes(_bytes(tensor, 0, _LENGTH_BYTES), "little")
        header = _bytes(tensor, _LENGTH_BYTES, min(length, MAX_HEADER_BYTES))
        start = header.index(_METADATA) + len(_METADATA)
        metadata, _ = json.JSONDecoder().raw_decode(header[start:].lstrip(b" \n\r\t:").decode("utf-8"))
    # The file was read when it was opened; one that has changed since says nothing.
    except (CheckpointError, OSError, ValueError, RecursionError):
        return ""
    found = metadata.get("format") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else ""


def _bytes(tensor: TensorRef, offset: int, length: int) -> bytes:
    if tensor.source is not None:
        return tensor.source.read(tensor.file, offset, length)
    with tensor.file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(length)

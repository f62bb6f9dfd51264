"""Take a checkpoint from memory: a torch module, a state dict, or a dict of arrays, nested or not.

torch is used where the caller has imported it, and never imported here. Arrays stay where they are until they are
scored, and each is converted by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.dtypes import STORED_DTYPES, StoredDtype
from wqscore.errors import CheckpointError
from wqscore.refs.reference import ModelRef

#: torch's types by the names of the safetensors format; numpy has no types for the first three.
_TORCH_NAMES = {
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
    "complex64": "C64",
}
_BY_NUMPY = {stored.numpy: stored for stored in STORED_DTYPES.values() if not stored.name.startswith(("F8_", "F6_"))}


@dataclass
class Held:
    """The values of a tensor in memory, until they are let go.

    Attributes:
        values: the torch tensor or array itself; `None` once the model is scored.
    """

    values: Any


@dataclass(frozen=True)
class ArrayTensor:
    """A tensor in memory.

    Attributes:
        name: its key.
        shape: sizes of the dimensions.
        dtype: the data type that it would be stored in.
        held: the torch tensor or array itself.
        location: the memory it is a view of; equal for two names of one tensor.
        refusal: why it can't be read as a weight; empty if it can.
        part_of: always empty.
    """

    name: str
    shape: tuple[int, ...]
    dtype: StoredDtype
    held: Held
    location: tuple[object, ...]
    refusal: str = ""
    part_of: str = ""

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes to convert."""
        return self.parameters * self.dtype.bits // 8

    @property
    def files(self) -> tuple[Path, ...]:
        """No files."""
        return ()

    def read(self) -> np.ndarray:
        """Convert the tensor to an array of `shape` in its own data type, in this machine's memory.

        Raises:
            CheckpointError: its library can't convert it, or the model was let go.
        """
        if self.held.values is None:
            raise CheckpointError(f"{self.name}: the model was in memory, and a score doesn't keep it: pass it again")
        try:
            return _as_numpy(self.held.values)
        except Exception as error:
            raise CheckpointError(f"{self.name}: can't be converted to an array: {error}") from error


def open_in_memory(ref: ModelRef) -> Checkpoint:
    """Make a checkpoint of a model in memory.

    Args:
        ref: a reference with `memory`. Values in it that are no arrays are left out; a nested mapping's names are
            joined by dots.

    Returns:
        The checkpoint; its reference no longer holds the model.

    Raises:
        CheckpointError: there is no array in it.
    """
    assert ref.memory is not None, "a reference to a model in memory"
    weights, config = ref.memory.weights, ref.memory.config
    state = weights.state_dict() if hasattr(weights, "state_dict") else weights
    tensors = tuple(_tensor(name, values) for name, values in _arrays(state))
    if not tensors:
        raise CheckpointError(f"{ref.label}: there is no array in it: pass a module or its state dict")
    found = _config(getattr(weights, "config", None) if config is None else config)
    return Checkpoint(replace(ref, memory=None), None, found, tensors)


def let_go(checkpoint: Checkpoint) -> None:
    """Let go of the arrays of a model in memory, so that its score doesn't keep them alive; no effect on others."""
    for tensor in checkpoint.tensors:
        if isinstance(tensor, ArrayTensor):
            tensor.held.values = None


def _config(config: Any) -> dict[str, Any]:
    """A configuration as a dict; empty for anything else."""
    if hasattr(config, "to_dict"):
        config = config.to_dict()
    return dict(config) if isinstance(config, Mapping) else {}


def _arrays(state: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in state.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _arrays(value, f"{name}.")
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            yield name, value


def _tensor(name: str, values: Any) -> ArrayTensor:
    shape = tuple(int(size) for size in values.shape)
    if _is_torch(values):
        dtype, refusal = _torch_dtype(values)
        location: tuple[object, ...] = (id(values),)
        if not refusal:
            storage = values.untyped_storage().data_ptr()
            location = (storage, values.storage_offset(), values.stride(), shape, dtype.name)
        return ArrayTensor(name, shape, dtype, Held(values), location, refusal)
    array = _as_numpy(values)
    kept = _BY_NUMPY.get(array.dtype)
    refusal = "" if kept else f"numbers of a type that checkpoints don't have: {array.dtype}"
    place = (array.__array_interface__["data"][0], array.strides) if array is values else (id(values),)
    unknown = StoredDtype(str(array.dtype), 8 * array.dtype.itemsize, array.dtype, "other")
    return ArrayTensor(name, shape, kept or unknown, Held(values), (*place, shape, str(array.dtype)), refusal)


def _is_torch(values: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def _torch_dtype(values: Any) -> tuple[StoredDtype, str]:
    """A torch tensor's type, and why its numbers can't be read if they can't."""
    torch_name = str(values.dtype).removeprefix("torch.")
    dtype = STORED_DTYPES.get(_TORCH_NAMES.get(torch_name, ""))
    if dtype is None:
        return StoredDtype(torch_name, 8 * values.element_size(), None, "other"), f"{torch_name} can't be read"
    if values.device.type == "meta":
        return dtype, "on the meta device, so without values"
    if str(values.layout) != "torch.strided":
        return dtype, f"stored as {str(values.layout).removeprefix('torch.')}: make it dense"
    return dtype, ""


def _as_numpy(values: Any) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    if _is_torch(values):
        return _torch_as_numpy(values.detach().cpu())
    if hasattr(values, "__array__"):
        return np.asarray(values)
    if hasattr(values, "__dlpack__"):
        return np.from_dlpack(values)
    raise TypeError(f"{type(values).__name__} has neither __array__ nor __dlpack__")


def _torch_as_numpy(values: Any) -> np.ndarray:
    torch = sys.modules["torch"]
    code = {torch.bfloat16: torch.int16, torch.float8_e4m3fn: torch.uint8, torch.float8_e5m2: torch.uint8}
    array: np.ndarray = values.view(code.get(values.dtype, values.dtype)).numpy()
    return array.view(ml_dtypes.bfloat16) if values.dtype is torch.bfloat16 else array

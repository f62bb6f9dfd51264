"""Weights decoded from stored tensors: how each one is computed, or why it can't be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from types import MappingProxyType

import ml_dtypes
import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.checkpoints.layer_use import GraphTensor, LayerUse
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.errors import CheckpointError

#: Codes that are floats: each weight has its own relative rounding error. Other codes round relative to the largest
#: weight of their block; float32's rounding is used for those.
FLOAT_CODES: dict[str, type] = {
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
}
#: The rounding error of weights that are stored as floats, though not as plain numbers.
_ROUNDING: dict[str, type] = FLOAT_CODES | {"F16": np.float16, "BF16": ml_dtypes.bfloat16}


@dataclass(frozen=True)
class Decoding:
    """How one weight is decoded from stored tensors.

    Attributes:
        name: the weight's name in the unquantised model.
        shape: the weight's shape in the unquantised model.
        dtype: how the weight is stored, for display: `F8_E4M3`, `GPTQ-4`, `NF4`, `Q4_K`.
        parts: the stored tensors to decode, in the order of `decode`'s arguments.
        decode: maps the parts' arrays to a float32 array of `shape`.
        factors: maps the parts' arrays to two thin matrices whose product is the weight; `None` if it is no product.
        items: for a stack whose items can be decoded separately, the decoding of the item at an index of the first
            axis; `None` otherwise.
        flags: notes for the reader of the weight's row.
        is_update: whether it is a low-rank change to a weight, and no weight.
        use: the layer that takes the weight, `None` if the checkpoint doesn't tell it.
        change: where the weight is the first part plus a product of two thin matrices, maps the other parts' arrays
            to these; `None` otherwise.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    parts: tuple[Tensor, ...]
    decode: Callable[..., np.ndarray]
    factors: Callable[..., LowRank] | None = None
    items: Callable[[int], Decoding] | None = None
    flags: tuple[str, ...] = ()
    is_update: bool = False
    use: LayerUse | None = None
    change: Callable[..., LowRank] | None = None


@dataclass(frozen=True)
class Refusal:
    """A stored tensor that can't be decoded, and the reason in one line.

    Attributes:
        name: the tensor's name.
        reason: the reason.
        shape: the weight's shape in the unquantised model, `None` where it is not known.
    """

    name: str
    reason: str
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class DecodedTensor:
    """A `Tensor` that is decoded from others when it is read.

    Attributes:
        decoding: how it is decoded.
        part_of: the weight this tensor is decoded into, empty if it is a weight itself.
        refusal: why it can't be read as a weight, empty if it can.
    """

    decoding: Decoding
    part_of: str = ""
    refusal: str = ""

    @property
    def name(self) -> str:
        """The name in the unquantised model."""
        return self.decoding.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in the unquantised model."""
        return self.decoding.shape

    @property
    def dtype(self) -> StoredDtype:
        """The stored type's name, with the NumPy type whose rounding error the decoded weights have."""
        name = self.decoding.dtype
        kind = "quantised" if self.refusal else "float"
        return StoredDtype(name, 32, np.dtype(_ROUNDING.get(name, np.float32)), kind)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the stored tensors it is decoded from."""
        return sum(part.nbytes for part in self.decoding.parts)

    @property
    def location(self) -> tuple[object, ...]:
        """Equal for two weights exactly when they decode the same bytes to the same shape."""
        return (*(part.location for part in self.decoding.parts), self.shape)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files on disk that hold the stored tensors."""
        return tuple(dict.fromkeys(file for part in self.decoding.parts for file in part.files))

    def read(self) -> np.ndarray:
        """Read the stored tensors and decode them to a float32 array of `shape`."""
        try:
            return self.decoding.decode(*(part.read() for part in self.decoding.parts)).reshape(self.shape)
        except CheckpointError as error:
            raise CheckpointError(f"{self.name}: {error}") from error


def read_contents(tensor: Tensor) -> np.ndarray | LowRank:
    """Read a tensor; if it is a product of two thin matrices, return these without multiplying them.

    Raises:
        CheckpointError: it can't be read.
    """
    if isinstance(tensor, DecodedTensor) and tensor.decoding.factors is not None:
        return tensor.decoding.factors(*(part.read() for part in tensor.decoding.parts))
    return tensor.read()


def is_update(tensor: Tensor) -> bool:
    """Whether a tensor is a low-rank change to a weight, and no weight."""
    return isinstance(tensor, DecodedTensor) and tensor.decoding.is_update


def flags_of(tensor: Tensor) -> tuple[str, ...]:
    """The notes for the reader of a tensor's rows."""
    return tensor.decoding.flags if isinstance(tensor, DecodedTensor) else ()


def renamed(tensor: Tensor, name: str) -> Tensor:
    """The same tensor under another name."""
    if tensor.name == name:
        return tensor
    if isinstance(tensor, DecodedTensor):
        return replace(tensor, decoding=replace(tensor.decoding, name=name))
    assert isinstance(tensor, TensorRef)
    return replace(tensor, name=name)


def part_of(tensor: Tensor, weight: str) -> Tensor:
    """The same tensor as a stored part of a weight."""
    assert isinstance(tensor, DecodedTensor | TensorRef)
    return replace(tensor, part_of=weight)


def refused(tensor: Tensor, reason: str) -> Tensor:
    """The same tensor, which can't be read as a weight."""
    assert isinstance(tensor, DecodedTensor | TensorRef)
    return replace(tensor, refusal=reason)


def use_of(tensor: Tensor) -> LayerUse | None:
    """The layer that takes a tensor; `None` if its checkpoint doesn't tell it."""
    if isinstance(tensor, GraphTensor):
        return tensor.use
    return tensor.decoding.use if isinstance(tensor, DecodedTensor) else None


def prefixed(tensor: Tensor, prefix: str) -> Tensor:
    """Prefix a tensor's name with a component's; an empty prefix leaves the tensor unchanged."""
    if not prefix:
        return tensor
    named = renamed(tensor, f"{prefix}.{tensor.name}")
    return part_of(named, f"{prefix}.{tensor.part_of}") if tensor.part_of else named


def with_decoded(
    tensors: Iterable[Tensor],
    decodings: Sequence[Decoding],
    refusals: Sequence[Refusal],
    beside: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Tensor, ...]:
    """Insert each decoded weight before the first stored tensor it is decoded from.

    The stored tensors stay, marked as parts of the weight, except one with the weight's own name. Tensors that can't
    be decoded stay, marked with the reason.

    Args:
        tensors: the stored tensors.
        decodings: how weights are decoded; no two with the same first part.
        refusals: the tensors that can't be decoded.
        beside: maps further tensors, which belong to a weight but are not needed to decode it, to the weight's name.
    """
    first = {decoding.parts[0].name: decoding for decoding in decodings}
    owners = dict(beside) | {part.name: decoding.name for decoding in decodings for part in decoding.parts}
    reasons = {refusal.name: refusal for refusal in refusals}
    found: list[Tensor] = []
    for tensor in tensors:
        if tensor.name in first:
            decoding = first[tensor.name]
            found.append(
                DecodedTensor(decoding, refusal=reasons[decoding.name].reason if decoding.name in reasons else "")
            )
        owner = owners.get(tensor.name)
        if owner is None:
            found.append(_refused(tensor, reasons[tensor.name]) if tensor.name in reasons else tensor)
        elif owner != tensor.name:
            found.append(part_of(tensor, owner))
    return tuple(found)


def _refused(tensor: Tensor, refusal: Refusal) -> Tensor:
    """Mark a stored tensor with the reason why it can't be decoded, in the weight's shape if that is known."""
    if refusal.shape is None:
        return refused(tensor, refusal.reason)
    decoding = Decoding(
        tensor.name, refusal.shape, tensor.dtype.name, (tensor,), partial(_unreadable, refusal.reason)
    )
    return DecodedTensor(decoding, refusal=refusal.reason)


def _unreadable(reason: str, *_: np.ndarray) -> np.ndarray:
    raise CheckpointError(reason)

"""Weights that are computed from stored tensors: which, from what, and how; or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from types import MappingProxyType

import ml_dtypes
import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.errors import CheckpointError

#: Floating-point codes round each weight by itself, relatively; other codes by the largest of their block, which
#: the rounding of a float32 stands for.
FLOAT_CODES: dict[str, type] = {
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
}


@dataclass(frozen=True)
class Decoding:
    """One weight that several stored tensors, or codes in one, stand for.

    Attributes:
        name: its name, as the unquantised model has it.
        shape: its shape, likewise.
        dtype: how it is stored, for people: `F8_E4M3`, `GPTQ-4`, `NF4`, `Q4_K`.
        parts: the stored tensors that it is decoded from, in the order of `decode`'s arguments.
        decode: from the arrays of the parts to a float32 array of `shape`.
        factors: from the same to the two thin matrices that it is a product of, where it is one.
        items: of a stack, the decoding of one item along its first axis from that item's own bytes, where those do.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    parts: tuple[Tensor, ...]
    decode: Callable[..., np.ndarray]
    factors: Callable[..., LowRank] | None = None
    items: Callable[[int], Decoding] | None = None


@dataclass(frozen=True)
class Refusal:
    """A stored tensor that is not decoded, and why in one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class DecodedTensor:
    """A weight that is decoded when it is read; for all else a tensor like any other.

    Attributes:
        decoding: which, from what, and how.
    """

    decoding: Decoding
    part_of: str = ""
    refusal: str = ""

    @property
    def name(self) -> str:
        """As the unquantised model has it."""
        return self.decoding.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Likewise."""
        return self.decoding.shape

    @property
    def dtype(self) -> StoredDtype:
        """How it is stored, for people, and how what is read has been rounded."""
        name = self.decoding.dtype
        return StoredDtype(name, 32, np.dtype(FLOAT_CODES.get(name, np.float32)), "float")

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the stored tensors."""
        return sum(part.nbytes for part in self.decoding.parts)

    @property
    def location(self) -> tuple[object, ...]:
        """Of the stored tensors."""
        return (*(part.location for part in self.decoding.parts), self.shape)

    @property
    def files(self) -> tuple[Path, ...]:
        """Of the stored tensors."""
        return tuple(dict.fromkeys(file for part in self.decoding.parts for file in part.files))

    def read(self) -> np.ndarray:
        """Read the stored tensors and decode them: a float32 array of `shape`."""
        try:
            return self.decoding.decode(*(part.read() for part in self.decoding.parts)).reshape(self.shape)
        except CheckpointError as error:
            raise CheckpointError(f"{self.name}: {error}") from error


def read_contents(tensor: Tensor) -> np.ndarray | LowRank:
    """Read a tensor; where it is a product of two thin matrices those, and the product is not made.

    Raises:
        CheckpointError: it can't be read.
    """
    if isinstance(tensor, DecodedTensor) and tensor.decoding.factors is not None:
        return tensor.decoding.factors(*(part.read() for part in tensor.decoding.parts))
    return tensor.read()


def prefixed(tensor: Tensor, prefix: str) -> Tensor:
    """A tensor under the name of a component of a model; as it is without a prefix."""
    if not prefix:
        return tensor
    part_of = f"{prefix}.{tensor.part_of}" if tensor.part_of else ""
    if isinstance(tensor, DecodedTensor):
        decoding = replace(tensor.decoding, name=f"{prefix}.{tensor.name}")
        return replace(tensor, decoding=decoding, part_of=part_of)
    assert isinstance(tensor, TensorRef)
    return replace(tensor, name=f"{prefix}.{tensor.name}", part_of=part_of)


def with_decoded(
    tensors: Iterable[TensorRef],
    decodings: Sequence[Decoding],
    refusals: Sequence[Refusal],
    beside: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Tensor, ...]:
    """Put weights in the place of the first of the tensors that each is decoded from.

    What a weight is decoded with stays, marked as a part of it, unless it has the weight's name; what can't be
    decoded stays, marked with the reason.

    Args:
        tensors: the stored ones.
        decodings: no two with the same first part.
        refusals: why some are not decoded.
        beside: by name, the weights of other tensors that are parts of them though decoding needs them no more.
    """
    first = {decoding.parts[0].name: decoding for decoding in decodings}
    part_of = dict(beside) | {part.name: decoding.name for decoding in decodings for part in decoding.parts}
    refused = {refusal.name: refusal.reason for refusal in refusals}
    found: list[Tensor] = []
    for tensor in tensors:
        if tensor.name in first:
            found.append(DecodedTensor(first[tensor.name]))
        owner = part_of.get(tensor.name)
        if owner is None:
            found.append(replace(tensor, refusal=refused[tensor.name]) if tensor.name in refused else tensor)
        elif owner != tensor.name:
            found.append(replace(tensor, part_of=owner))
    return tuple(found)

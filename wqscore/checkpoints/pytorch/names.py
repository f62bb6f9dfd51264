"""The names that a state dict's pickle may contain, and the plain records the reader builds for them.

The functions' definitions: torch/_utils.py. The reader refuses every other name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from wqscore.checkpoints.dtypes import STORED_DTYPES, StoredDtype


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of elements in the file, named by its key; an untyped storage counts bytes, as `U8`."""

    key: str
    dtype: StoredDtype
    numel: int

    @property
    def nbytes(self) -> int:
        """Bytes of the whole storage."""
        return self.numel * self.dtype.bits // 8


@dataclass(frozen=True, slots=True)
class StorageView:
    """`numel` elements of a storage from element `first` on."""

    storage: Storage
    first: int
    numel: int

    @property
    def first_byte(self) -> int:
        """Bytes of the storage before the view."""
        return self.first * self.storage.dtype.bits // 8

    @property
    def nbytes(self) -> int:
        """Bytes of the view."""
        return self.numel * self.storage.dtype.bits // 8


@dataclass(frozen=True, slots=True)
class PickledTensor:
    """A tensor as the pickle describes it; only the types of the values are checked yet.

    Attributes:
        view: the part of the storage it may use.
        dtype: its data type, which may differ from that of an untyped storage.
        offset: its first element, in elements of `dtype` from the start of the view.
        size: sizes of the dimensions.
        strides: step of each dimension in elements.
    """

    view: StorageView
    dtype: StoredDtype
    offset: int
    size: tuple[Any, ...]
    strides: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class StorageType:
    """Replaces `torch.FloatStorage` and the other storage types."""

    dtype: StoredDtype


@dataclass(frozen=True, slots=True)
class Function:
    """Replaces a function or class that the pickle may call; `build` turns its arguments into plain data."""

    build: Callable[[tuple[Any, ...]], Any]


@dataclass(frozen=True, slots=True)
class Options:
    """Replaces a class of a script's options; no object of it is made, and an empty dictionary takes its place."""


def add_items(target: Any, pairs: Iterable[Any]) -> None:
    """Add pairs of a key and a value to a dictionary.

    Raises:
        ValueError: the target is not a dictionary, or a key is a duplicate or could be slow or fatal to hash.
    """
    if type(target) is not dict:
        raise ValueError("sets an item of a value that is not a dictionary")
    for key, value in pairs:
        if type(key) is not str and not (type(key) is int and abs(key) < 2**31):
            raise ValueError(f"a dictionary key is a {type(key).__name__}, neither text nor a small number")
        if key in target:
            raise ValueError(f"a dictionary has the key {key!r:.200} twice")
        target[key] = value


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """`OrderedDict()`, or with a list of pairs, as Python 2 wrote it."""
    items: dict[Any, Any] = {}
    match arguments:
        case ():
            return items
        case (list(pairs),):
            add_items(items, pairs)
            pairs.clear()  # otherwise a forged file could copy one long list a million times
            return items
    raise ValueError("an ordered dictionary has an unknown description")


def _size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """`torch.Size((2, 3))`: the tuple itself."""
    match arguments:
        case (tuple(sizes),):
            return sizes
    raise ValueError("a size is not a tuple")


def _tensor(arguments: tuple[Any, ...]) -> PickledTensor:
    """`_rebuild_tensor(storage, offset, size, stride)`, `_v2(…, requires_grad, hooks, metadata={})`."""
    match arguments:
        case (StorageView() as view, int(offset), tuple(size), tuple(strides), *rest):
            if any(rest[2:]):
                raise ValueError(
                    "a tensor has metadata (conjugate, negated or device-specific) that changes its values"
                )
            return PickledTensor(view, view.storage.dtype, offset, size, strides)
    raise ValueError("a tensor has an unknown description")


def _tensor_v3(arguments: tuple[Any, ...]) -> PickledTensor:
    """`_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata={})`."""
    match arguments:
        case (_, _, _, _, gradient, hooks, StoredDtype() as dtype, *metadata):
            tensor = _tensor((*arguments[:4], gradient, hooks, *metadata))
            return PickledTensor(tensor.view, dtype, tensor.offset, tensor.size, tensor.strides)
    raise ValueError("a tensor has an unknown description")


def _parameter(arguments: tuple[Any, ...]) -> PickledTensor:
    """`_rebuild_parameter(tensor, …)`: the tensor itself."""
    match arguments:
        case (PickledTensor() as tensor, *_):
            return tensor
    raise ValueError("a parameter is not made of a tensor")


_BITS = (8, 16, 32, 64)
_TYPED_STORAGES = {
    **{"Double": "F64", "Float": "F32", "Half": "F16", "BFloat16": "BF16", "ComplexFloat": "C64", "Bool": "BOOL"},
    **{"Long": "I64", "Int": "I32", "Short": "I16", "Char": "I8", "Byte": "U8"},
}
_TORCH_DTYPES = {
    **{f"{kind}{bits}": f"{kind[0].upper()}{bits}" for kind in ("int", "uint") for bits in _BITS},
    **{f"float{bits}": f"F{bits}" for bits in _BITS[1:]},
    **{"bfloat16": "BF16", "complex64": "C64", "bool": "BOOL"},
    **{"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0"},
    **{f"float8_{kind}fnuz": f"F8_{kind.upper()}FNUZ" for kind in ("e4m3", "e5m2")},
}
GLOBALS: dict[str, object] = {
    **{f"torch.{name}Storage": StorageType(STORED_DTYPES[dtype]) for name, dtype in _TYPED_STORAGES.items()},
    # The types of tensors, which only the tar container names.
    **{f"torch.{name}Tensor": StorageType(STORED_DTYPES[dtype]) for name, dtype in _TYPED_STORAGES.items()},
    "torch.UntypedStorage": StorageType(STORED_DTYPES["U8"]),
    "torch.storage.UntypedStorage": StorageType(STORED_DTYPES["U8"]),
    **{f"torch.{name}": STORED_DTYPES[dtype] for name, dtype in _TORCH_DTYPES.items()},
    "torch._utils._rebuild_tensor": Function(_tensor),
    "torch._utils._rebuild_tensor_v2": Function(_tensor),
    "torch._utils._rebuild_tensor_v3": Function(_tensor_v3),
    "torch._utils._rebuild_parameter": Function(_parameter),
    "torch._utils._rebuild_parameter_with_state": Function(_parameter),
    "torch.Size": Function(_size),
    "torch.device": Function(lambda arguments: None),
    "collections.OrderedDict": Function(_ordered_dict),
    "argparse.Namespace": Options(),
}

"""Read PyTorch state dicts without torch and without running any code they contain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from wqscore.checkpoints.counts import are_counts, fits_memory
from wqscore.checkpoints.pytorch.legacy import read_legacy
from wqscore.checkpoints.pytorch.names import PickledTensor
from wqscore.checkpoints.pytorch.nesting import find_state_dict
from wqscore.checkpoints.pytorch.tar import read_tar
from wqscore.checkpoints.pytorch.zip import read_zip
from wqscore.checkpoints.remarks import Say, say_nothing
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError, reading

#: NumPy's own limit.
_MAX_DIMENSIONS = 64
#: Size limit of a tensor whose elements share stored bytes, so that a small file can't fill the memory.
_MAX_UNFOLDED_BYTES = 2**32
#: Limits on a walk through nested dictionaries, in total and per stored entry: a forged file can nest dictionaries in
#: themselves, or in one another a million times, with a few bytes per level.
_MAX_NAME_LENGTH = 500
_MAX_ENTRIES = 1_000_000
_MAX_TIMES = 16
_SMALL = 1000


def read_torch_file(file: Path, say: Say = say_nothing) -> list[TensorRef]:
    """List the tensors of a PyTorch state dict, in its order, from its pickle alone.

    The state dict may be the value itself or under a usual key (`state_dict`, `model`, …). Nested dictionaries and
    lists are flattened with dotted names; values that are not tensors are left out.

    Args:
        file: the file.
        say: called with a line that names the key, if the state dict is under one.

    Raises:
        CheckpointError: not a state dict of `torch.save`, damaged, or naming anything but tensors.
    """
    with reading(file), file.open("rb") as stream:
        value, starts = _read(stream, file)
    nested = find_state_dict(_with_tensors(value, file), lambda part: _holds_tensors(part, file))
    if nested.remark:
        say(f"{file.name}: {nested.remark}")
    named = list(_tensors(nested.state_dict, file))
    if len({name for name, _ in named}) != len(named):
        raise CheckpointError(f"{file}: two of its tensors have the same name: refused")
    return [_tensor_ref(name, tensor, starts[tensor.view.storage.key], file) for name, tensor in named]


def _read(stream: IO[bytes], file: Path) -> tuple[Any, dict[str, int]]:
    """Read the container that the first bytes identify."""
    head = stream.read(512)
    stream.seek(0)
    if head.startswith(b"PK\x03\x04"):
        return read_zip(stream, file)
    if head.startswith(b"\x80"):
        return read_legacy(stream, file)
    if not head:
        raise CheckpointError(f"{file}: is empty: fetch it again")
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{file}: is a Git LFS pointer, not the weights: fetch it with git lfs pull")
    if head[257:262] == b"ustar":
        return read_tar(stream, file)
    raise CheckpointError(f"{file}: is not a file that torch.save wrote: fetch it again or convert to safetensors")


def _with_tensors(value: Any, file: Path) -> dict[Any, Any]:
    if not isinstance(value, dict) or not _holds_tensors(value, file):
        raise CheckpointError(f"{file}: holds no state dict: save model.state_dict()")
    return value


def _holds_tensors(value: Any, file: Path) -> bool:
    return isinstance(value, dict) and any(True for _ in _tensors(value, file))


def _tensors(state_dict: dict[Any, Any], file: Path) -> Iterator[tuple[str, PickledTensor]]:
    """Yield every tensor with its dotted name, in order, through nested dictionaries and lists.

    Limits on the number of entries and the length of names bound the cost of structures that contain themselves, or
    one another many times.
    """
    levels = [("", _children(state_dict))]
    seen = {id(state_dict)}
    allowed = _SMALL + _MAX_TIMES * len(state_dict)
    for count in range(_MAX_ENTRIES):
        if count > allowed:
            break
        prefix, children = levels[-1]
        key, value = next(children, (None, None))
        if key is None:
            levels.pop()
            if not levels:
                return
        elif isinstance(value, PickledTensor | dict | list | tuple):
            name = f"{prefix}{key}"
            if len(name) > _MAX_NAME_LENGTH:
                raise CheckpointError(
                    f"{file}: a name starts with {name[:50]!r} and has {len(name)} characters: refused"
                )
            if isinstance(value, PickledTensor):
                yield name, value
            else:
                levels.append((f"{name}.", _children(value)))
                if id(value) not in seen:
                    seen.add(id(value))
                    allowed += _MAX_TIMES * len(value)
    raise CheckpointError(
        f"{file}: has more than {_MAX_ENTRIES} entries, or dictionaries that contain themselves or one another many "
        "times: refused"
    )


def _children(value: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    return iter(value.items() if isinstance(value, dict) else enumerate(value))


def _tensor_ref(name: str, tensor: PickledTensor, start: int, file: Path) -> TensorRef:
    """Check a tensor against its storage, which begins at byte `start` of the file."""
    where = f"{file}: tensor {name}"
    size, strides = tensor.size, tensor.strides
    if len(size) != len(strides) or len(size) > _MAX_DIMENSIONS:
        raise CheckpointError(f"{where}: has {len(size)} sizes and {len(strides)} strides: damaged or forged")
    if not are_counts(tensor.offset, *size, *strides):
        raise CheckpointError(f"{where}: an offset, size or stride is negative or not a number: damaged or forged")
    itemsize = tensor.dtype.bits // 8
    if not fits_memory(size, itemsize):
        raise CheckpointError(f"{where}: is larger than any memory: damaged or forged")
    begin = start + tensor.view.first_byte
    if 0 in size:
        return TensorRef(name, size, tensor.dtype, file, begin)
    ref = TensorRef(name, size, tensor.dtype, file, begin + tensor.offset * itemsize, _stored_strides(size, strides))
    if tensor.offset * itemsize + ref.nbytes > tensor.view.nbytes:
        raise CheckpointError(f"{where}: reaches past the end of its storage: damaged or forged")
    if ref.parameters > ref.span and ref.parameters * itemsize > _MAX_UNFOLDED_BYTES:
        raise CheckpointError(f"{where}: expands {ref.nbytes} bytes to {ref.parameters * itemsize}: refused")
    return ref


def _stored_strides(size: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...] | None:
    """The strides, or `None` if row-major; the stride of a dimension of size 1 doesn't matter and becomes 0."""
    steps = tuple(step if length > 1 else 0 for length, step in zip(size, strides, strict=True))
    expected = 1
    for length, step in zip(reversed(size), reversed(steps), strict=True):
        if length > 1 and step != expected:
            return steps
        expected *= length
    return None

"""Join the tensors of a checkpoint's files: the index says which file's copy of a tensor is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

#: At most so many names are listed in a remark.
_MAX_LISTED = 3


@dataclass(frozen=True)
class JoinedShards:
    """The tensors of all files.

    Attributes:
        tensors: the tensors that the index lists, or all without an index; in the order of the files.
        unlisted: names of tensors that the files hold and the index doesn't list.
    """

    tensors: tuple[TensorRef, ...]
    unlisted: tuple[str, ...]

    @property
    def remark(self) -> str:
        """A line that says which tensors are left out; empty if none are."""
        if not self.unlisted:
            return ""
        count, more = len(self.unlisted), len(self.unlisted) - _MAX_LISTED
        listed = ", ".join(f"{name:.100}" for name in self.unlisted[:_MAX_LISTED])
        counted = "1 tensor" if count == 1 else f"{count} tensors"
        listed += f" and {more} more" if more > 0 else ""
        return f"left out: {counted} that the shards hold and the index does not list: {listed}"


def join_shards(
    shards: Iterable[Iterable[TensorRef]], holders: Mapping[str, str], where: str, index: str, advice: str
) -> JoinedShards:
    """Join the tensors of all files of a checkpoint, one of each name.

    Args:
        shards: the tensors of each file.
        holders: the file name that the index gives for each tensor; empty without an index.
        where: what precedes a file's name in messages.
        index: the index, for messages.
        advice: what to do if the files don't match the index.

    Raises:
        CheckpointError: a tensor is in two files and no index says which is meant, or in none of them.
    """
    copies: dict[str, list[TensorRef]] = {}
    for tensor in (tensor for shard in shards for tensor in shard):
        copies.setdefault(tensor.name, []).append(tensor)
    if holders:
        found = {name: _meant(copies.get(name, []), holder) for name, holder in holders.items()}
        if lacking := sorted(name for name, tensor in found.items() if tensor is None):
            name = lacking[0]
            raise CheckpointError(f"{where}{holders[name]}: lacks {name:.200}, which {index} puts there: {advice}")
        listed = tuple(meant for name in copies if (meant := found.get(name)) is not None)
        return JoinedShards(listed, tuple(name for name in copies if name not in holders))
    for name, (first, *others) in copies.items():
        if others:
            raise CheckpointError(
                f"{where}{others[0].file.name}: {name:.200} is in {first.file.name} too, and there is no index that "
                "says which is meant: name the file to score"
            )
    return JoinedShards(tuple(tensor for (tensor,) in copies.values()), ())


def _meant(copies: list[TensorRef], holder: str) -> TensorRef | None:
    """The copy in the file that the index names, or else the only one."""
    named = [tensor for tensor in copies if tensor.file.name == holder]
    return named[0] if named else copies[0] if len(copies) == 1 else None

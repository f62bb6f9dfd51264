"""The store's records and their keys: spectra, results, files, headers and models."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

#: A result: JSON in which floats may be NaN or infinite.
Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

#: A file changed less than this long ago may change again without a new modification time.
_UNSETTLED_NS = 2_000_000_000
#: The same for the time of change that the kernel sets, whose clock ticks every 10 milliseconds or faster.
_TICK_NS = 50_000_000
#: So much of a file's start and of its end is part of its stamp.
_EDGE_BYTES = 4096


@dataclass(frozen=True)
class SpectrumKey:
    """Everything that a spectrum's bits depend on.

    Attributes:
        content: `blake3:` and the hex digest of the tensor's bytes, data type and shape; or `lfs:`, the shard
            as `checkpoints.hub.content_id` names it, `:` and the tensor's byte range in it; or `derived:` and a
            digest of the contents that it is computed from and of how.
        part: which numbers of the tensor form the matrix, such as `[q]`, and its axes.
        recipe: how it was computed: the code, the Gram matrix's block size, the solver, the scale.
    """

    content: str
    part: str
    recipe: str


@dataclass(frozen=True)
class Method:
    """How a result is computed from a spectrum.

    Attributes:
        name: the name of the metric, the fit, or the fact.
        parameters: as `canonical` writes them.
        version: raised when the same parameters give a different result than before.
    """

    name: str
    parameters: str
    version: int


@dataclass(frozen=True)
class ResultKey:
    """Everything that a result depends on: the spectrum and the method."""

    spectrum: SpectrumKey
    method: Method


@dataclass(frozen=True)
class FileStamp:
    """A file's identity and time of change: as long as it stays the same, so do the file's bytes.

    Attributes:
        path: absolute.
        size: in bytes.
        mtime_ns: time of the last modification, nanoseconds since 1970; whoever owns the file can set it.
        inode: its number on the device.
        device: the device's number.
        ctime_ns: time of the last change of content or attributes, which only the kernel sets; 0 in stamps of
            version 0.5.0.
        edges: a digest of the first and last 4 KiB, for clocks that were set back; empty in stamps of version 0.5.0.
    """

    path: str
    size: int
    mtime_ns: int
    inode: int
    device: int
    ctime_ns: int = 0
    edges: str = ""

    @classmethod
    def of(cls, file: Path) -> FileStamp:
        """Return the current stamp of a file; take it before reading the file.

        Raises:
            OSError: the file does not exist or can't be reached.
        """
        with file.open("rb") as stream:
            found = os.fstat(stream.fileno())
            edges = blake2b(stream.read(_EDGE_BYTES), digest_size=16)
            stream.seek(max(found.st_size - _EDGE_BYTES, 0))
            edges.update(stream.read(_EDGE_BYTES))
        times = (found.st_mtime_ns, found.st_ino, found.st_dev, found.st_ctime_ns)
        return cls(os.path.abspath(file), found.st_size, *times, edges.hexdigest())  # noqa: PTH100

    def is_current(self) -> bool:
        """Whether this machine has the file, unchanged."""
        try:
            return FileStamp.of(Path(self.path)) == self
        except (OSError, ValueError):
            return False

    def is_settled(self, now_ns: int) -> bool:
        """Whether a later change would change its times; clocks of file systems may tick in seconds."""
        return self.mtime_ns < now_ns - _UNSETTLED_NS and self.ctime_ns < now_ns - _TICK_NS


@dataclass(frozen=True)
class HeaderTensor:
    """A tensor as described in the header of its shard, row-major without gaps.

    Attributes:
        name: the key in the shard.
        dtype: the name of the stored data type.
        shape: sizes of the dimensions.
        offset: its first byte, from the start of the file.
        nbytes: its number of bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True)
class SeenModel:
    """A model that was scored.

    Attributes:
        label: its repository or path.
        revision: the 40-hex commit; empty for files on disk.
        seen: when it was last scored, UTC, whole seconds.
        contents: the contents of its tensors, as in `SpectrumKey`.
    """

    label: str
    revision: str
    seen: datetime
    contents: frozenset[str]


def last_scored_first(models: Iterable[SeenModel]) -> list[SeenModel]:
    """Models in the order in which they are shown and kept."""
    return sorted(models, key=lambda model: (-model.seen.timestamp(), model.label, model.revision))


@dataclass(frozen=True)
class Origin:
    """A merge that brought rows of another store.

    Attributes:
        source: the other store's file, as it was named.
        host: the name of the machine that merged it.
        time: when, UTC, whole seconds.
    """

    source: str
    host: str
    time: datetime


def canonical(parameters: Mapping[str, Value]) -> str:
    """Return parameters as canonical JSON: sorted, without blanks, ASCII.

    Example:
        >>> canonical({"seed": 0, "floor": 1e-05})
        '{"floor":1e-05,"seed":0}'
    """
    return json.dumps(parameters, sort_keys=True, separators=(",", ":"))

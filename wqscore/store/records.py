"""What the store holds, and the keys it is held under."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

#: What a result may be: JSON with every float there is, NaN and the infinities included.
Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

#: A file changed this short a time ago may be changed again without a new time of change.
_UNSETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class SpectrumKey:
    """What decides the bits of a spectrum.

    Attributes:
        content: `blake3:` and the hex digest of the tensor's bytes, data type and shape; or `lfs:`, the SHA-256 of
            the shard as the Hub gives it, `:` and the tensor's place in it.
        part: which numbers of the tensor make the matrix, such as `[q]`, and its axes.
        recipe: how it was computed: the code, the Gram's block size, what solved it, the scale.
    """

    content: str
    part: str
    recipe: str


@dataclass(frozen=True)
class Method:
    """How a result is computed from a spectrum.

    Attributes:
        name: of the metric, the fit, or the fact.
        parameters: as `canonical` writes them.
        version: raised when the same parameters give something else than before.
    """

    name: str
    parameters: str
    version: int


@dataclass(frozen=True)
class ResultKey:
    """What decides a result: the spectrum, and what is done with it."""

    spectrum: SpectrumKey
    method: Method


@dataclass(frozen=True)
class FileStamp:
    """A file as the system sees it: while this is the same, so are its bytes.

    Attributes:
        path: absolute.
        size: in bytes.
        mtime_ns: time of the last change, nanoseconds since 1970.
        inode: its number on the device.
        device: the device's number.
    """

    path: str
    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, file: Path) -> FileStamp:
        """The stamp of a file now; take it before the file is read.

        Raises:
            OSError: there is none, or it is out of reach.
        """
        found = file.stat()
        return cls(os.path.abspath(file), found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)  # noqa: PTH100

    def is_current(self) -> bool:
        """Whether this machine has the file, unchanged."""
        try:
            return FileStamp.of(Path(self.path)) == self
        except (OSError, ValueError):
            return False

    def is_settled(self, now_ns: int) -> bool:
        """Whether a later change would give it another time of change; clocks of file systems may tick in seconds."""
        return self.mtime_ns < now_ns - _UNSETTLED_NS


@dataclass(frozen=True)
class HeaderTensor:
    """A tensor as the header of its shard describes it, row-major without gaps.

    Attributes:
        name: the key in the shard.
        dtype: the name of the stored data type.
        shape: sizes of the dimensions.
        offset: its first byte, from the start of the file.
        nbytes: how many there are.
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


def canonical(parameters: Mapping[str, Value]) -> str:
    """Parameters as JSON, one text for one meaning: sorted, without blanks, ASCII.

    Example:
        >>> canonical({"seed": 0, "floor": 1e-05})
        '{"floor":1e-05,"seed":0}'
    """
    return json.dumps(parameters, sort_keys=True, separators=(",", ":"))

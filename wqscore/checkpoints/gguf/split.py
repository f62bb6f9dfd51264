"""Find the parts of a split GGUF from any one of them: `model-00001-of-00003.gguf` and its siblings."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from wqscore.checkpoints.gguf.header import Header
from wqscore.errors import CheckpointError

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_MAX_PARTS = 10_000


def read_parts(file: Path, read: Callable[[Path], Header]) -> list[tuple[Path, Header]]:
    """Read the header of every part of the model that a file belongs to.

    Args:
        file: the file, or any part of a split one.
        read: reads one file's header.

    Returns:
        The files in order with their headers; a single one if the model is not split.

    Raises:
        CheckpointError: a part is missing, or the parts do not belong together.
    """
    header = read(file)
    count = _number(header, "split.count")
    if count is None or count <= 1:
        return [(file, header)]
    match = _PART.fullmatch(file.name)
    if match is None or int(match["count"]) != count or count > _MAX_PARTS:
        raise CheckpointError(
            f"{file}: is one of {count} parts, but not by its name: call them model-00001-of-{count:05d}.gguf …"
        )
    paths = [file.with_name(f"{match['stem']}-{n:05d}-of-{count:05d}.gguf") for n in range(1, count + 1)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CheckpointError(f"{file}: is one of {count} parts; {missing[0]}{rest} is not there: fetch all parts")
    parts = [(path, header if path == file else read(path)) for path in paths]
    _check(parts, count)
    return parts


def _check(parts: Sequence[tuple[Path, Header]], count: int) -> None:
    where: dict[str, str] = {}
    for index, (path, header) in enumerate(parts):
        if _number(header, "split.count") != count or _number(header, "split.no") != index:
            raise CheckpointError(
                f"{path}: does not say that it is part {index + 1} of {count}: fetch the parts again"
            )
        for tensor in header.tensors:
            if tensor.name in where:
                raise CheckpointError(f"{path}: {tensor.name:.200} is in {where[tensor.name]} too: fetch both again")
            where[tensor.name] = path.name
    for path, header in parts:
        total = _number(header, "split.tensors.count")
        if total is not None and total != len(where):
            raise CheckpointError(f"{path}: the parts hold {len(where)} of {total} tensors: fetch them again")


def _number(header: Header, key: str) -> int | None:
    value = header.metadata.get(key)
    return value if type(value) is int else None

"""Read the headers of safetensors files on the Hub by byte ranges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wqscore.checkpoints.hub.files import cached_file
from wqscore.checkpoints.hub.header_cache import HeaderCache
from wqscore.checkpoints.hub.ranges import HubRanges, fetch_range
from wqscore.checkpoints.local import read_file
from wqscore.checkpoints.remarks import Say, say_nothing
from wqscore.checkpoints.safetensors import header_length, parse_header
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

_PREFIX_BYTES = 8


def read_header(
    source: HubRanges, name: str, known: HeaderCache | None = None, say: Say = say_nothing
) -> list[TensorRef]:
    """List the tensors of a safetensors file of a repository, from the Hub's cache if the file is cached.

    Args:
        source: the repository.
        name: the file.
        known: cache of headers, used if the Hub lists the file's SHA-256.
        say: called with a line for everything that is left out of a cached file.

    Returns:
        The tensors; `file` is the path in the Hub's cache, or else `name`, to be read from `source`.

    Raises:
        NoRangesError: the server does not send ranges.
        CheckpointError: the file is not available, or its header is damaged.
    """
    files = source.files
    if (path := cached_file(files, name)) is not None:
        with _prefixed_errors(files.label):
            return list(read_file(path, say))
    content = source.content_id(Path(name))
    if known is not None and content and (kept := known.find(content, Path(name))) is not None:
        return [replace(tensor, source=source) for tensor in kept]
    prefix, size = fetch_range(files, name, 0, _PREFIX_BYTES)
    with _prefixed_errors(files.label):
        length = header_length(prefix, size, Path(name))
    header, _ = fetch_range(files, name, _PREFIX_BYTES, length) if length else (b"", size)
    with _prefixed_errors(files.label):
        tensors = parse_header(header, size, Path(name))
    if known is not None and content:
        known.keep(content, tensors)
    return [replace(tensor, source=source) for tensor in tensors]


@contextmanager
def _prefixed_errors(label: str) -> Iterator[None]:
    """Prefix errors with the model's name: the header parser knows only the file's."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{label}: {error}") from error

"""Read the headers of safetensors files on the Hub by byte ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wqscore.checkpoints.hub.files import cached_file
from wqscore.checkpoints.hub.header_cache import HeaderCache
from wqscore.checkpoints.hub.ranges import HubRanges, fetch_range
from wqscore.checkpoints.hub.weights import HubWeights
from wqscore.checkpoints.local import read_file
from wqscore.checkpoints.safetensors import header_length, parse_header
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

_PREFIX_BYTES = 8


def read_header(source: HubRanges, name: str, known: HeaderCache | None = None) -> list[TensorRef]:
    """List the tensors of a safetensors file of a repository, from the Hub's cache if the file is cached.

    Args:
        source: the repository.
        name: the file.
        known: cache of headers, used if the Hub lists the file's SHA-256.

    Returns:
        The tensors; `file` is the path in the Hub's cache, or else `name`, to be read from `source`.

    Raises:
        NoRangesError: the server does not send ranges.
        CheckpointError: the file is not available, or its header is damaged.
    """
    files = source.files
    if (path := cached_file(files, name)) is not None:
        with _prefixed_errors(files.label):
            return list(read_file(path))
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


def join_shards(headers: Iterable[list[TensorRef]], weights: HubWeights, label: str) -> list[TensorRef]:
    """Join the tensors of all shards.

    Raises:
        CheckpointError: a tensor is in two shards, or not in the one that the index names.
    """
    tensors: dict[str, TensorRef] = {}
    for tensor in (tensor for header in headers for tensor in header):
        if (other := tensors.setdefault(tensor.name, tensor)) is not tensor:
            raise CheckpointError(
                f"{label}: {tensor.name} is in {other.file.name} and in {tensor.file.name}: try another revision"
            )
    for name, shard in weights.holders.items():
        if name not in tensors:
            raise CheckpointError(f"{label}: {shard} lacks {name}, which the index puts there: try another revision")
    return list(tensors.values())


@contextmanager
def _prefixed_errors(label: str) -> Iterator[None]:
    """Prefix errors with the model's name: the header parser knows only the file's."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{label}: {error}") from error

"""Download checkpoints from the Hugging Face Hub into its local cache, or read them on the Hub by byte ranges.

Everything goes through `huggingface_hub`, with its cache, its token and its environment variables (HF_HOME,
HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE, …). Importing it takes a second, so it is imported lazily.
The tests use a local server with the Hub's HTTP API, neither the Hub itself nor its Xet transfers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shutil import disk_usage
from typing import Any

from wqscore.checkpoints.hub.errors import FallbackNeededError, hub_errors
from wqscore.checkpoints.hub.files import HubFiles, OnFile, cached_file, download, list_files
from wqscore.checkpoints.hub.header_cache import HeaderCache
from wqscore.checkpoints.hub.headers import read_header
from wqscore.checkpoints.hub.ranges import HubRanges, NoRangesError
from wqscore.checkpoints.hub.shared_headers import SharedHeaders, likeness
from wqscore.checkpoints.hub.weights import HubWeights, find_weights
from wqscore.checkpoints.local import read_configs
from wqscore.checkpoints.remarks import Say
from wqscore.checkpoints.shards import join_shards
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError
from wqscore.refs.reference import ModelRef
from wqscore.refs.weight_names import SAFETENSORS_SUFFIX, TORCH_SUFFIXES

#: Shards whose headers are read at the same time; each takes a few round trips and little data.
_CONCURRENT_SHARDS = 8


@dataclass(frozen=True)
class HubSnapshot:
    """A checkpoint in the Hub's local cache.

    Attributes:
        folder: the cache's folder for the commit, with the configuration and the weights in it.
        revision: the commit, 40 hexadecimal digits.
        remarks: lines that say which files of other sets of weights are left out.
    """

    folder: Path
    revision: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class RemoteHeaders:
    """The configuration and the tensors of a checkpoint on the Hub.

    Attributes:
        revision: the commit, 40 hexadecimal digits.
        config: the parsed `config.json`, `{}` if there is none.
        tensors: every tensor of every shard; `file` is the shard's path in the cache, or else its name, with a
            source that reads it from the Hub.
        remarks: lines that say what is left out.
    """

    revision: str
    config: dict[str, Any]
    tensors: list[TensorRef]
    remarks: tuple[str, ...]


def fetch(ref: ModelRef, on_file: OnFile | None = None) -> HubSnapshot:
    """Download a checkpoint's configuration and weights into the Hub's local cache.

    The revision is resolved once, and every file is from that commit. Only the files that `find_weights`
    names are downloaded; for a sharded checkpoint, the index and the shards it names. Without a connection
    only cached files are used.

    Args:
        ref: a model whose source is `hub`.
        on_file: called with the name and size in bytes (0 if unknown) of each file before it is downloaded.

    Raises:
        FallbackNeededError: the weights don't fit on the disk; none of them has been downloaded.
        CheckpointError: the model, its revision or one of its files is not available.
    """
    files = list_files(ref)
    weights = find_weights(files, ref.file, on_file)
    _check_room(files, weights.files)
    paths = [download(files, name, on_file) for name in (*weights.configs, *weights.files)]
    # The commit's folder, from the path of one of its files.
    folder = paths[-1].parents[len(PurePosixPath(weights.files[-1]).parts) - 1]
    return HubSnapshot(folder, files.revision, weights.remarks)


def read_headers(ref: ModelRef, shared: SharedHeaders | None = None) -> RemoteHeaders:
    """Read a checkpoint's configuration and the headers of its safetensors files, without its weights.

    Args:
        ref: a model whose source is `hub`.
        shared: headers of models like this one, which are taken for its own, and to which its own are added.

    Raises:
        CheckpointError: the model is not available, a header is damaged, or the weights are of another format and
            not cached.
    """
    files = list_files(ref)
    weights = find_weights(files, ref.file)
    if kind := _unreadable_by_ranges(files, weights):
        raise CheckpointError(
            f"{ref.label}: the headers of {kind} can't be read without downloading them: run `wqscore score` on it"
        )
    source, shared = HubRanges(files), shared or SharedHeaders()
    alike = likeness(source, weights, _config(source, weights))
    return _read_headers(source, weights, lambda name, say: shared.read(source, name, alike, say))


def stream(ref: ModelRef, on_file: OnFile | None = None, known: HeaderCache | None = None) -> RemoteHeaders:
    """Open a checkpoint whose tensors are read from the Hub by byte ranges, each when it is needed.

    Cached shards are read from the cache. If the server sends no ranges, a whole shard is downloaded when its first
    tensor is needed.

    Args:
        ref: a model whose source is `hub`.
        on_file: called with the name and size in bytes of each file before it is downloaded.
        known: cache of headers, to which those of new shards are added.

    Raises:
        FallbackNeededError: the weights are of a format that can't be read by ranges.
        CheckpointError: the model is not available, or a header is damaged.
    """
    files = list_files(ref)
    weights = find_weights(files, ref.file, on_file)
    if kind := _unreadable_by_ranges(files, weights):
        raise FallbackNeededError(f"{ref.label}: {kind} can't be streamed", "read it without --stream")
    source = HubRanges(files, on_file)

    def header_of(name: str, say: Say) -> list[TensorRef]:
        try:
            return read_header(source, name, known, say)
        except NoRangesError:
            source.download(name)
            return read_header(source, name, say=say)

    return _read_headers(source, weights, header_of)


def _read_headers(
    source: HubRanges, weights: HubWeights, header_of: Callable[[str, Say], list[TensorRef]]
) -> RemoteHeaders:
    files = source.files
    config = _config(source, weights)
    said: dict[str, list[str]] = {name: [] for name in weights.files}
    with ThreadPoolExecutor(_CONCURRENT_SHARDS) as pool:
        headers = list(pool.map(lambda name: header_of(name, said[name].append), weights.files))
    joined = join_shards(headers, weights.holders, f"{files.label}: ", "the index", "try another revision")
    of_files = (remark for remarks in said.values() for remark in remarks)
    remarks = (*weights.remarks, *of_files, *filter(None, [joined.remark]))
    return RemoteHeaders(files.revision, config, list(joined.tensors), remarks)


def _config(source: HubRanges, weights: HubWeights) -> dict[str, Any]:
    """The model's configuration, `{}` without one."""
    paths = [download(source.files, name, source.on_file) for name in weights.configs]
    return read_configs(paths[0].parent) if paths else {}


def _unreadable_by_ranges(files: HubFiles, weights: HubWeights) -> str:
    """The kind of weights, if they can't be read by byte ranges or from the cache; empty if they can."""
    if weights.kind:
        return weights.kind
    suffixes = {PurePosixPath(name).suffix for name in weights.files} - {SAFETENSORS_SUFFIX}
    cached = all(cached_file(files, name) is not None for name in weights.files)
    return f"{min(suffixes)} files" if suffixes and not (cached and suffixes <= set(TORCH_SUFFIXES)) else ""


def _check_room(files: HubFiles, weights: Sequence[str]) -> None:
    from huggingface_hub import constants

    needed = sum(files.sizes[name] for name in weights if cached_file(files, name) is None)
    cache = Path(constants.HF_HUB_CACHE)
    with hub_errors(files.repo, files.label):
        free = disk_usage(next(path for path in (cache, *cache.absolute().parents) if path.exists())).free
    if needed > free:
        raise FallbackNeededError(
            f"{files.label}: its weights of {_gigabytes(needed)} don't fit the {_gigabytes(free)} free for the cache",
            "make room, or set HF_HOME to a folder on another disk",
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"

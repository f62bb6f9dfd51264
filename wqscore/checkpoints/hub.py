"""Checkpoints on the Hugging Face Hub: fetched into its local cache, or described from their headers.

Everything goes through `huggingface_hub`, with its cache, its token and its environment variables (HF_HOME,
HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE, …). It is imported when it is needed: that takes a second.
Tested against a local server that speaks the Hub's HTTP API, not the Hub itself, and not its Xet transfers.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wqscore.checkpoints.hub_files import OnFile, cached_file, download, list_files, weight_names
from wqscore.checkpoints.hub_headers import read_header
from wqscore.checkpoints.local import read_config, read_folder
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError
from wqscore.refs import ModelRef

_CONFIG = "config.json"
#: Shards whose headers are read at the same time: each takes a few round trips and hardly any bytes.
_CONCURRENT_SHARDS = 8


@dataclass(frozen=True)
class HubSnapshot:
    """A checkpoint in the Hub's local cache.

    Attributes:
        folder: the cache's folder for the commit, with the configuration and the weights in it.
        revision: the commit, 40 hexadecimal digits.
    """

    folder: Path
    revision: str


@dataclass(frozen=True)
class RemoteHeaders:
    """What a checkpoint on the Hub holds.

    Attributes:
        revision: the commit, 40 hexadecimal digits.
        config: the contents of config.json, empty where there is none.
        tensors: every tensor of every shard; `file` is the shard's name, or its path where the cache has it.
    """

    revision: str
    config: dict[str, Any]
    tensors: list[TensorRef]


def fetch(ref: ModelRef, on_file: OnFile | None = None) -> HubSnapshot:
    """Fetch a checkpoint's configuration and weights into the Hub's local cache.

    The revision is resolved once, and every file is of that commit. Only the files that `choose_weights`
    picks are fetched; of a sharded checkpoint the index and the shards it names. Without a connection
    the cache alone serves.

    Args:
        ref: a model whose source is `hub`.
        on_file: told the name and the bytes (0 where unknown) of each file that is about to be downloaded.

    Raises:
        CheckpointError: the model, its revision or a file of it can't be had.
    """
    files = list_files(ref)
    weights = weight_names(files, on_file)
    config = [_CONFIG] if _CONFIG in files.sizes else []
    paths = [download(files, name, on_file) for name in [*config, *weights]]
    return HubSnapshot(paths[-1].parent, files.revision)


def read_headers(ref: ModelRef) -> RemoteHeaders:
    """Read a checkpoint's configuration and the headers of its safetensors files, and none of its weights.

    Args:
        ref: a model whose source is `hub`.

    Raises:
        CheckpointError: the model can't be had, a header is damaged, or the weights are `.bin` files that
            the cache does not have.
    """
    files = list_files(ref)
    weights = weight_names(files)
    config_file = download(files, _CONFIG) if _CONFIG in files.sizes else None
    cached = [path for name in weights if (path := cached_file(files, name)) is not None]
    if len(cached) == len(weights):
        config, tensors = read_folder(cached[0].parent)
        return RemoteHeaders(files.revision, config, list(tensors))
    if not all(name.endswith(".safetensors") for name in weights):
        raise CheckpointError(
            f"{ref.label}: its weights are .bin files, whose headers can't be read without downloading them: "
            "run `wqscore score` on it"
        )
    with ThreadPoolExecutor(_CONCURRENT_SHARDS) as pool:
        headers = list(pool.map(lambda name: read_header(files, name), weights))
    config = {} if config_file is None else read_config(config_file)
    return RemoteHeaders(files.revision, config, [tensor for header in headers for tensor in header])

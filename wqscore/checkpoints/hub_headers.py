"""The header of a safetensors file on the Hub, read by byte ranges: its tensors without their bytes."""

from __future__ import annotations

import re
from pathlib import Path

from wqscore.checkpoints.hub_errors import talking_to_the_hub
from wqscore.checkpoints.hub_files import HubFiles, cached_file
from wqscore.checkpoints.safetensors import header_length, parse_header, read_safetensors
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError
from wqscore.version import __version__

_PREFIX_BYTES = 8


def read_header(files: HubFiles, name: str) -> list[TensorRef]:
    """List the tensors of a safetensors file of a repository, from the cache if it has the file.

    Returns:
        The tensors; their `file` is `name`, or the path in the cache.

    Raises:
        CheckpointError: the file can't be had, or its header is damaged.
    """
    if (path := cached_file(files, name)) is not None:
        return read_safetensors(path)
    try:
        prefix, size = _read_range(files, name, 0, _PREFIX_BYTES)
        length = header_length(prefix, size, Path(name))
        header, _ = _read_range(files, name, _PREFIX_BYTES, length)
        return parse_header(header, size, Path(name))
    except CheckpointError as error:
        raise CheckpointError(f"{files.label}: {error}") from error


def _read_range(files: HubFiles, name: str, start: int, length: int) -> tuple[bytes, int]:
    """Read `length` bytes of a file on the Hub, fewer where it ends before; and the file's size."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        hf_raise_for_status,
        http_stream_backoff,
    )

    with talking_to_the_hub(files.repo, name):
        url = hf_hub_url(files.repo, name, revision=files.revision)
        headers = build_hf_headers(library_name="wqscore", library_version=__version__)
        # A compressed answer would have no byte ranges of the file itself.
        headers |= {"Range": f"bytes={start}-{start + length - 1}", "Accept-Encoding": "identity"}
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        with http_stream_backoff("GET", url, headers=headers, timeout=timeout) as response:
            hf_raise_for_status(response)
            total = re.fullmatch(rf"bytes {start}-\d+/(\d+)", response.headers.get("Content-Range", ""))
            # Left unread, because whoever ignores the range sends the whole file.
            if total is None:
                raise CheckpointError(f"{name}: its server sends no byte ranges: run `wqscore score` on it")
            return response.read(), int(total[1])

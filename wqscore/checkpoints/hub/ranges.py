"""Stream tensors from files on the Hub by HTTP byte ranges, without downloading the files.

Every response is checked to be the requested range, of a file of the size that the Hub lists, at one commit. A file's
SHA-256 can't be checked, since that takes the whole file. If a server sends no ranges, or wrong ones, the whole file
is downloaded into the Hub's cache and read there.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from wqscore.checkpoints.hub.content_id import content_id
from wqscore.checkpoints.hub.errors import hub_errors
from wqscore.checkpoints.hub.files import HubFiles, OnFile, cached_file, download
from wqscore.checkpoints.hub.limits import Limit, within
from wqscore.checkpoints.hub.pauses import PAUSES, requested_pause
from wqscore.errors import CheckpointError, reading
from wqscore.version import __version__

if TYPE_CHECKING:
    from httpx2 import Response

#: A longer answer than the requested range is refused below before it has so many bytes more.
_SURPLUS = 1 << 17


class NoRangesError(CheckpointError):
    """The server sends no byte ranges of a file, or other ones than requested."""


class _CutShortError(CheckpointError):
    """A response that ends before the range it announced."""


@dataclass(frozen=True)
class HubRanges:
    """A `ByteSource` that reads the files of a repository at one commit by ranges.

    Attributes:
        files: the files.
        on_file: called with the name and size in bytes of a file that has to be downloaded after all.
    """

    files: HubFiles
    on_file: OnFile | None = field(default=None, compare=False)
    _downloading: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[type[HubRanges], tuple[HubFiles]]:
        """Pickle only `files`: a worker has its own lock, and reports no downloads."""
        return HubRanges, (self.files,)

    def read(self, file: Path, offset: int, length: int) -> bytes:
        """Read `length` bytes of a file, from the cache if the file is cached.

        Raises:
            CheckpointError: they can't be read.
        """
        name = file.as_posix()
        if length == 0:
            return b""
        path = cached_file(self.files, name)
        if path is None:
            try:
                data, _ = fetch_range(self.files, name, offset, length)
            except NoRangesError:
                path = self.download(name)
        if path is not None:
            with reading(path), path.open("rb") as stream:
                stream.seek(offset)
                data = stream.read(length)
        if len(data) != length:
            raise CheckpointError(f"{self.files.label}: {name}: ends at byte {offset + len(data)}, inside a tensor")
        return data

    def content_id(self, file: Path) -> str:
        """The file's content by the SHA-256 that the repository lists; empty if it lists none."""
        sha256 = self.files.sha256.get(file.as_posix())
        return content_id(sha256, self.files.repo) if sha256 else ""

    def download(self, name: str) -> Path:
        """Download a whole file into the cache, once."""
        with self._downloading:
            return download(self.files, name, self.on_file)


def fetch_range(files: HubFiles, name: str, start: int, length: int) -> tuple[bytes, int]:
    """Fetch a range of bytes of a file on the Hub.

    A broken connection is resumed at the byte where it broke, as long as attempts bring bytes. After an attempt that
    brings none, the next one waits as long as the Hub requests.

    Returns:
        `length` bytes from `start` on, or fewer if the file ends earlier; and the size of the file.

    Raises:
        NoRangesError: the server does not send ranges.
        CheckpointError: the bytes can't be read.
    """
    where = f"{files.label}: {name}"
    with hub_errors(files.repo, where):
        return within(Limit(where, length + _SURPLUS, length), lambda: _fetch_patiently(files, name, start, length))


def _fetch_patiently(files: HubFiles, name: str, start: int, length: int) -> tuple[bytes, int]:
    received = BytesIO()
    fruitless = 0
    while True:
        before = received.tell()
        try:
            size = _receive(files, name, start, length, received)
        except Exception as error:
            fruitless = 0 if received.tell() > before else fruitless + 1
            if not _is_transient(error) or fruitless > len(PAUSES):
                raise
            if fruitless:
                time.sleep(_pause(error, PAUSES[fruitless - 1]))
        else:
            if received.tell() >= min(length, size - start):
                return received.getvalue(), size


def _receive(files: HubFiles, name: str, start: int, length: int, received: BytesIO) -> int:
    """Request the missing rest of a range, append it to `received`, and return the size of the file."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        hf_raise_for_status,
        http_stream_backoff,
    )

    first, last = start + received.tell(), start + length - 1
    headers = build_hf_headers(library_name="wqscore", library_version=__version__)
    # The ranges of a compressed response would not be those of the file itself.
    headers |= {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
    with http_stream_backoff(
        "GET",
        hf_hub_url(files.repo, name, revision=files.revision),
        headers=headers,
        timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        # The client's own retries begin again at the first byte, and wait as long as any server requests.
        retry_on_exceptions=(),
        retry_on_status_codes=(),
    ) as response:
        hf_raise_for_status(response)
        # Check before reading: another response could be of any length.
        end, size = _announced_range(response, files, name, first, last)
        for chunk in response.iter_raw():
            if start + received.tell() + len(chunk) > end:
                raise _no_ranges(files, name)
            received.write(chunk)
    if start + received.tell() < end:
        raise _CutShortError(f"{files.label}: {name}: the server sends less than it announces: try again later")
    return size


def _announced_range(response: Response, files: HubFiles, name: str, first: int, last: int) -> tuple[int, int]:
    """The end of the announced range (the byte after its last), and the size of the file."""
    if "text/html" in response.headers.get("Content-Type", ""):
        raise CheckpointError(
            f"{files.label}: {name}: a web page came instead: check the proxy, or the network's login page"
        )
    answered = re.fullmatch(rf"bytes {first}-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    encoding = response.headers.get("Content-Encoding", "identity")
    if response.status_code != 206 or answered is None or encoding != "identity":
        raise _no_ranges(files, name)
    end, size = int(answered[1]) + 1, int(answered[2])
    listed = files.sizes.get(name) or size
    if not first < end <= min(last + 1, size) or size != listed:
        raise _no_ranges(files, name)
    return end, size


def _no_ranges(files: HubFiles, name: str) -> NoRangesError:
    return NoRangesError(
        f"{files.label}: {name}: the server sends no byte ranges, or wrong ones: run `wqscore score` on it"
    )


def _is_transient(error: Exception) -> bool:
    """Whether a failed request may succeed when it is repeated."""
    response = getattr(error, "response", None)
    if response is not None:
        return response.status_code in (408, 429) or response.status_code >= 500
    # Checked by name, since the client uses httpx or httpx2, depending on its version.
    is_transport = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
    return is_transport or isinstance(error, _CutShortError)


def _pause(error: Exception, default: float) -> float:
    response = getattr(error, "response", None)
    return default if response is None else requested_pause(response.headers, default)

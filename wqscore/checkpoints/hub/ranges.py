"""Bytes of a file on the Hub, read by HTTP ranges: what a tensor is read from when nothing is downloaded.

What is verified is that every answer is the range that was asked for, of a file of the size that the Hub lists, at
one commit. The SHA-256 of a file can't be: that takes the whole of it. Where a server has no ranges, or wrong ones,
the whole file is downloaded into the Hub's cache and read there.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from wqscore.checkpoints.hub.errors import talking_to_the_hub
from wqscore.checkpoints.hub.files import LONGEST_PAUSE, PAUSES, HubFiles, OnFile, asked_pause, cached_file, download
from wqscore.errors import CheckpointError, reading
from wqscore.version import __version__

if TYPE_CHECKING:
    from httpx2 import Response


class NoRangesError(CheckpointError):
    """A server that sends no ranges of a file, or others than were asked for."""


class _CutShortError(CheckpointError):
    """An answer that ended before what it announced."""


@dataclass(frozen=True)
class HubRanges:
    """The files of a repository at one commit, as a source of bytes.

    Attributes:
        files: the files.
        on_file: told the name and the bytes of a file that has to be downloaded after all.
    """

    files: HubFiles
    on_file: OnFile | None = field(default=None, compare=False)
    _downloading: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[type[HubRanges], tuple[HubFiles]]:
        """Pickle the files alone: a worker elsewhere has a lock of its own, and nobody to tell of downloads."""
        return HubRanges, (self.files,)

    def read(self, file: Path, offset: int, length: int) -> bytes:
        """Read `length` bytes of a file, from the cache if it has the file.

        Raises:
            CheckpointError: they can't be had.
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

    def sha256(self, file: Path) -> str:
        """The hex digest of a whole file, as the Hub lists it; empty where it does not."""
        return self.files.sha256.get(file.as_posix(), "")

    def download(self, name: str) -> Path:
        """Download a whole file into the cache, once."""
        with self._downloading:
            return download(self.files, name, self.on_file)


def fetch_range(files: HubFiles, name: str, start: int, length: int) -> tuple[bytes, int]:
    """Fetch a range of bytes of a file on the Hub.

    A connection that breaks is taken up again at the byte where it broke, as often as that brings any bytes; the
    pauses between attempts that bring none are the Hub's where it asks for some.

    Returns:
        `length` bytes from `start` on, or fewer where the file ends before; and the size of the file.

    Raises:
        NoRangesError: the server does not send ranges.
        CheckpointError: the bytes can't be had.
    """
    received = BytesIO()
    fruitless = 0
    with talking_to_the_hub(files.repo, f"{files.label}: {name}"):
        while True:
            before = received.tell()
            try:
                size = _receive(files, name, start, length, received)
            except Exception as error:
                fruitless = 0 if received.tell() > before else fruitless + 1
                if not _is_passing(error) or fruitless > len(PAUSES):
                    raise
                if fruitless:
                    time.sleep(_pause(error, PAUSES[fruitless - 1]))
            else:
                if received.tell() >= min(length, size - start):
                    return received.getvalue(), size


def _receive(files: HubFiles, name: str, start: int, length: int, received: BytesIO) -> int:
    """Ask for what has not been received of a range, add what comes, and return the size of the file."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        hf_raise_for_status,
        http_stream_backoff,
    )

    first, last = start + received.tell(), start + length - 1
    headers = build_hf_headers(library_name="wqscore", library_version=__version__)
    # A compressed answer would have no byte ranges of the file itself.
    headers |= {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
    with http_stream_backoff(
        "GET",
        hf_hub_url(files.repo, name, revision=files.revision),
        headers=headers,
        timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        # It would begin again at the first byte, and wait for as long as any server asks.
        retry_on_exceptions=(),
        retry_on_status_codes=(),
    ) as response:
        hf_raise_for_status(response)
        # Left unread where it is something else, which may be of any length.
        end, size = _announced(response, files, name, first, last)
        for chunk in response.iter_raw():
            if start + received.tell() + len(chunk) > end:
                raise _no_ranges(files, name)
            received.write(chunk)
    if start + received.tell() < end:
        raise _CutShortError(f"{files.label}: {name}: its server sends less than it announces: try again later")
    return size


def _announced(response: Response, files: HubFiles, name: str, first: int, last: int) -> tuple[int, int]:
    """Where the range that is answered ends (the byte after its last), and the size of the file."""
    if "text/html" in response.headers.get("Content-Type", ""):
        raise CheckpointError(
            f"{files.label}: {name}: a web page came in its place: check the proxy, or the network's login page"
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
        f"{files.label}: {name}: its server sends no byte ranges, or wrong ones: run `wqscore score` on it"
    )


def _is_passing(error: Exception) -> bool:
    """Whether what failed may succeed when it is asked for again."""
    response = getattr(error, "response", None)
    if response is not None:
        return response.status_code in (408, 429) or response.status_code >= 500
    # By name: the client's HTTP library is httpx or httpx2, as its version has it.
    is_transport = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
    return is_transport or isinstance(error, _CutShortError)


def _pause(error: Exception, otherwise: float) -> float:
    response = getattr(error, "response", None)
    return otherwise if response is None else min(asked_pause(response.headers, otherwise), LONGEST_PAUSE)

"""Hold every call of the Hub's client to a time, and every answer to a size.

The client limits the time of each read alone, so that a server that sends a byte now and then holds it for ever; and
it reads bodies of any length. Here every call has a deadline that scales with the size of what is fetched, and every
body, of refusals and redirects too, ends at the size that was listed.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar, copy_context
from functools import cache
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from wqscore.checkpoints.hub.errors import silent_client
from wqscore.checkpoints.hub.pauses import MAX_PAUSE, requested_pause
from wqscore.errors import CheckpointError

if TYPE_CHECKING:
    from httpx2 import Response

T = TypeVar("T")

#: The most bytes of a file or an answer that holds no weights.
MAX_SMALL = 1 << 26
#: The lowest speed, in bytes a second, on average over a body.
SLOWEST = 50_000
#: Seconds that a call has beside those of its bytes: to connect, to be redirected, to try again.
_START = 120.0
#: The same as a multiple of the client's own time limit, HF_HUB_DOWNLOAD_TIMEOUT, for those who raise it.
_TIMEOUTS = 12
#: The most that the pauses which the Hub requests add to a deadline, in seconds.
_MAX_PAUSES = 2 * MAX_PAUSE
#: The most bytes of a redirect or a refusal, whose text is shown to nobody in full.
_MAX_REFUSAL = 1 << 20
#: How often a waiting call looks at the clock, and how long it lets a failed one clean up, in seconds.
_TICK, _GRACE = 0.1, 0.3
#: Bytes of a compressed body that are unfolded at once.
_PIECE = 1 << 16

#: The clock.
now: Callable[[], float] = time.monotonic


class Limit:
    """What one call may take.

    A call has two minutes, and the time that its bytes take at 50 kB/s; a body may come slower than that in its first
    minute only.
    """

    def __init__(self, where: str, most: int, listed: int = 0) -> None:
        """Begin to count.

        Args:
            where: the model, and the file if one is read; begins the message.
            most: bytes that an answer may have.
            listed: bytes that the time is made for; 0 where no size is listed, so that only received ones count.
        """
        from huggingface_hub import constants

        self.where = where
        self.most = most
        self.cancelled = False
        self._start = max(_START, _TIMEOUTS * float(constants.HF_HUB_DOWNLOAD_TIMEOUT))
        self._begun = now()
        self._bytes = listed
        self._received = 0
        self._paused = 0.0

    def check(self) -> None:
        """Stop a call that takes too long, or that nobody waits for any more.

        Raises:
            CheckpointError: it does.
        """
        seconds = self._start + self._paused + max(self._bytes, self._received) / SLOWEST
        if self.cancelled or now() - self._begun > seconds:
            raise self._too_slow()

    def pause(self, seconds: float) -> None:
        """Allow for a pause that the Hub requests."""
        self._paused = min(self._paused + seconds, _MAX_PAUSES)

    def pieces(self, body: Iterable[bytes], most: int) -> Iterator[bytes]:
        """Pass on a body as long as it is neither too long nor too slow.

        Raises:
            CheckpointError: it is.
        """
        begun, count = now(), 0
        for piece in body:
            count += len(piece)
            self._received += len(piece)
            self.check()
            if count > most:
                raise CheckpointError(
                    f"{self.where}: the server sends more than the {most:,} bytes that it may: check HF_ENDPOINT"
                )
            if now() - begun > self._start / 2 + count / SLOWEST:
                raise self._too_slow()
            yield piece

    def _too_slow(self) -> CheckpointError:
        return CheckpointError(
            f"{self.where}: comes too slowly, with less than {SLOWEST // 1000} kB/s: check the connection or "
            "HF_ENDPOINT, and run it again"
        )


_LIMIT: ContextVar[Limit | None] = ContextVar("limit", default=None)


def within(limit: Limit, call: Callable[[], T]) -> T:
    """Call the Hub's client within a limit, and keep its log off stderr.

    The call runs in a thread of its own, since no library's time limits hold against every server: names that resolve
    slowly, headers that drip, pauses of years. One that is given up ends with the next byte it gets, or with the
    process.

    Raises:
        CheckpointError: the call takes too long, or an answer is too large.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        _LIMIT.set(limit)
        try:
            with silent_client():
                _bind_client()
                results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=copy_context().run, args=(work,), daemon=True, name="wqscore-hub")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_TICK)
            if thread.is_alive():
                limit.check()
    except BaseException:
        # The client removes its temporary file when the next piece of the body is refused.
        limit.cancelled = True
        thread.join(_GRACE)
        raise
    if errors:
        raise errors[0]
    return results[0]


def _bind_client() -> None:
    """Let the client's session, which all its calls share, tell of every request and response."""
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    session = get_session()
    hooks = session.event_hooks
    if _bind_response not in hooks["response"]:
        session.event_hooks = {
            "request": [*hooks["request"], _bind_request],
            "response": [*hooks["response"], _bind_response],
        }


def _bind_request(request: Any) -> None:
    """Ask for a body as it is; refuse another attempt for a call that was given up.

    Raises:
        CheckpointError: the call has no time left.
    """
    if (limit := _LIMIT.get()) is not None:
        limit.check()
        request.headers["Accept-Encoding"] = "identity"


def _bind_response(response: Response) -> None:
    """Limit a body before any of it is read. Responses to others' calls are left alone.

    Raises:
        CheckpointError: it is compressed in a way that was not asked for.
    """
    limit = _LIMIT.get()
    if limit is None:
        return
    if response.is_error:
        limit.pause(requested_pause(response.headers, 0.0))
    stream: Any = response.stream
    body: Iterable[bytes] = stream
    encoding = response.headers.get("Content-Encoding", "identity")
    # Ranges of a compressed file are refused where they are read.
    if encoding != "identity" and response.status_code != 206 and response.request.method != "HEAD":
        if encoding not in ("gzip", "deflate"):
            raise CheckpointError(f"{limit.where}: the server compresses it with {encoding:.20}: check HF_ENDPOINT")
        body = _unfolded(body, limit.where)
        del response.headers["Content-Encoding"]
        response.headers.pop("Content-Length", None)
    most = limit.most if response.is_success else _MAX_REFUSAL
    limited = _stream_class(type(response).__module__.partition(".")[0])
    response.stream = limited(limit.pieces(body, most), stream.close)


def _unfolded(body: Iterable[bytes], where: str) -> Iterator[bytes]:
    """Unfold gzip or zlib in small pieces, since a kilobyte may hold megabytes."""
    unfolding = zlib.decompressobj(wbits=47)
    try:
        for piece in body:
            rest = piece
            while rest:
                yield unfolding.decompress(rest, _PIECE)
                rest = unfolding.unconsumed_tail
        yield unfolding.flush(_PIECE)
    except zlib.error as error:
        raise CheckpointError(f"{where}: comes damaged ({error}): try again later") from error


@cache
def _stream_class(library: str) -> Callable[[Iterator[bytes], Callable[[], None]], Any]:
    """A class of byte streams for the client's HTTP library: httpx or httpx2, depending on its version."""

    class Limited(import_module(library).SyncByteStream):  # type: ignore[misc]
        def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
            self._pieces, self._close = pieces, close

        def __iter__(self) -> Iterator[bytes]:
            return self._pieces

        def close(self) -> None:
            self._close()

    return Limited

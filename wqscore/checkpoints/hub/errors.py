"""Turn the Hub client's errors into one-line messages, and keep its log off stderr."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wqscore.errors import CheckpointError

#: Why a file is not available without a connection.
NOT_CACHED = "not in the local cache, and the Hub can't be reached: connect, unset HF_HUB_OFFLINE, and run it again"


class FallbackNeededError(CheckpointError):
    """A checkpoint that was to be downloaded can only be streamed, or the reverse.

    Attributes:
        reason: the model and the reason; the whole message has advice too.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}: {advice}")
        self.reason = reason


@contextmanager
def hub_errors(repo: str, where: str) -> Iterator[None]:
    """Turn any exception of the Hub's client into a one-line error, and keep its warnings off stderr.

    Args:
        repo: the repository, for advice.
        where: the model, and the file if one is read; begins the message.

    Raises:
        CheckpointError: replaces any other exception.
    """
    try:
        with silent_client():
            yield
    except CheckpointError:
        raise
    # The client passes on errors of its HTTP and Xet libraries, so no list of exceptions is complete.
    except Exception as error:
        raise CheckpointError(f"{where}: {_explain(cause_of(error), repo)}") from error


def cause_of(error: Exception) -> BaseException:
    """Unwrap an error: two of the client's exceptions wrap others."""
    from huggingface_hub.errors import LocalEntryNotFoundError, RevisionResolutionError

    wrapped = isinstance(error, LocalEntryNotFoundError | RevisionResolutionError)
    return error.__cause__ if wrapped and error.__cause__ is not None else error


def _explain(error: BaseException, repo: str) -> str:
    from huggingface_hub import errors

    # GatedRepoError is also a RepositoryNotFoundError: the first match counts.
    kinds: list[tuple[type[Exception], str]] = [
        (
            errors.GatedRepoError,
            f"access is gated: request it at https://huggingface.co/{repo} and log in with `hf auth login`",
        ),
        (
            errors.RepositoryNotFoundError,
            "no such model on the Hub, or it is private and the token gives no access: check the name",
        ),
        (errors.RevisionNotFoundError, "no such branch, tag or commit: check the revision"),
        (errors.RemoteEntryNotFoundError, "no such file in the repository: check the revision"),
        (errors.DisabledRepoError, "access is disabled on the Hub: choose another model"),
        (errors.HFValidationError, "is not a valid name on the Hub: write it as org/name"),
        (errors.OfflineModeIsEnabled, NOT_CACHED),
        (errors.LocalEntryNotFoundError, NOT_CACHED),
    ]
    for kind, text in kinds:
        if isinstance(error, kind):
            return text
    if isinstance(error, errors.HfHubHTTPError):
        return _explain_status(error.response.status_code)
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "the disk of the Hub's cache is full: make room, or set HF_HOME to a folder on another disk"
    if isinstance(error, OSError) and error.filename is not None:
        return f"the Hub's cache can't be used: {error.strerror}: {error.filename}"
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return f"fetching it from the Hub failed ({reason}): check the connection and run it again"


def _explain_status(status: int) -> str:
    advice = {
        401: "the Hub wants a valid token: log in with `hf auth login`, or set HF_TOKEN",
        403: "the token gives no access: check its permissions, or log in with `hf auth login`",
        429: "too many requests to the Hub: wait some minutes, or log in with `hf auth login` for more",
    }
    problem = "the Hub is failing" if status >= 500 else "the Hub does not serve it"
    return f"{advice.get(status, f'{problem}: try again later')} (HTTP {status})"


@contextmanager
def silent_client() -> Iterator[None]:
    """Keep this thread's warnings off the client's stderr handler, unless the user raised its verbosity."""
    from huggingface_hub.utils import logging as hub_logging

    thread = threading.get_ident()
    is_verbose = hub_logging.get_verbosity() < logging.WARNING
    handlers = [] if is_verbose else list(hub_logging.get_logger().handlers)

    def is_from_other_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread

    for handler in handlers:
        handler.addFilter(is_from_other_thread)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_from_other_thread)

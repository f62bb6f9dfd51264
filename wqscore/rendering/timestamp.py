"""The time a report was made: its only content that does not follow from its inputs."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from wqscore.errors import UsageError


def created_at() -> datetime:
    """Now in UTC, or the moment that SOURCE_DATE_EPOCH fixes (https://reproducible-builds.org).

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"SOURCE_DATE_EPOCH is {epoch!r}: give whole seconds since 1970, or unset it") from error


def duration(seconds: float) -> float:
    """How long something took, to a thousandth; 0 where SOURCE_DATE_EPOCH asks for outputs that can be reproduced."""
    return 0.0 if "SOURCE_DATE_EPOCH" in os.environ else round(seconds, 3)

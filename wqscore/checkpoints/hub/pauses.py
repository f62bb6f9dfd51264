"""How long to wait between attempts: as long as the Hub requests, within a limit."""

from __future__ import annotations

from collections.abc import Mapping

#: Seconds between attempts unless the Hub requests a pause; the client uses the same for files.
PAUSES = (1.0, 2.0, 4.0, 8.0)
#: The longest pause the Hub may request, in seconds: the window of its rate limit.
MAX_PAUSE = 300.0


def requested_pause(headers: Mapping[str, str], default: float) -> float:
    """Seconds the Hub requests to wait, plus one against rounding; `default` if it requests none."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return min(limit.reset_in_seconds + 1.0, MAX_PAUSE)
    seconds = headers.get("Retry-After", "")
    # Nine digits at most: Python refuses to convert thousands.
    return min(int(seconds[:9]) + 1.0, MAX_PAUSE) if seconds.isascii() and seconds.isdigit() else default

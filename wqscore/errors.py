"""The one exception root: every message says what is wrong, where, and what to do next."""

from wqscore.escaping import printable


class WqscoreError(Exception):
    """Base of every error wqscore raises on purpose; its text is one line for a person, whatever names it holds."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UsageError(WqscoreError):
    """What was asked for makes no sense: an unknown metric, preset, list key or reference."""


class CheckpointError(WqscoreError):
    """A checkpoint that can't be found, fetched, read or trusted."""

"""How readers say what was taken as the model, where its files hold more than one."""

from __future__ import annotations

from collections.abc import Callable

#: Receives one line at a time.
Say = Callable[[str], None]


def say_nothing(_: str) -> None:
    """The `Say` of callers that need only the tensors."""

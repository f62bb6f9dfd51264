"""The store that a command uses: the one named, the user's own, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wqscore.cli.exits import complain
from wqscore.errors import UsageError

if TYPE_CHECKING:
    from wqscore.store.store import Store


@contextmanager
def asked_store(path: Path | None, no_store: bool) -> Iterator[Store | None]:
    """Open the store; where the user's own can't be opened, the work is done without one, and a line says so.

    Args:
        path: of --store.
        no_store: of --no-store.

    Raises:
        UsageError: both are given.
        StoreError: the one that is named can't be opened.
    """
    if path is not None and no_store:
        raise UsageError("--store and --no-store exclude each other")
    if no_store:
        yield None
        return
    from wqscore.store.errors import StoreError
    from wqscore.store.location import standard_path
    from wqscore.store.store import Store

    try:
        store = Store.open(path or standard_path())
    except StoreError as error:
        if path is not None:
            raise
        complain(f"nothing is kept for the next run: {error}")
        yield None
        return
    with store:
        try:
            yield store
        finally:
            lost = sum(store.damaged.values())
            if lost:
                complain(f"{store.path}: {lost} damaged rows were computed again")

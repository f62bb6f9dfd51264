"""Open the store that a command uses: the one of --store, the user's, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wqscore.api.settings import Settings
from wqscore.cli.exits import print_error
from wqscore.errors import UsageError


@contextmanager
def open_store(settings: Settings, no_store: bool) -> Iterator[Settings]:
    """Yield the settings with their store open: the one of --store, by default the user's.

    If the user's store can't be opened, print a line and run without one.

    Args:
        settings: their store is the path of --store, or `None`.
        no_store: whether --no-store was given.

    Raises:
        UsageError: both are given.
        StoreError: the store of --store can't be opened.
    """
    path = settings.store
    assert path is None or isinstance(path, Path)
    if path is not None and no_store:
        raise UsageError("--store and --no-store exclude each other")
    if no_store:
        yield settings
        return
    from wqscore.stores.errors import StoreError
    from wqscore.stores.location import standard_path
    from wqscore.stores.store import Store

    try:
        store = Store.open(path or standard_path())
    except StoreError as error:
        if path is not None:
            raise
        print_error(f"nothing is kept for the next run: {error}")
        yield settings
        return
    with store:
        try:
            yield replace(settings, store=store)
        finally:
            lost = sum(store.damaged.values())
            if lost:
                print_error(f"{store.path}: {lost} damaged rows were computed again")

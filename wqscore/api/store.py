"""`wqscore.store`: the result cache, opened where it is and counted."""

from __future__ import annotations

import os
from pathlib import Path

from wqscore.stores.location import standard_path
from wqscore.stores.overview import StoreOverview, overview
from wqscore.stores.store import Store


def store(path: str | os.PathLike[str] | None = None) -> StoreOverview:
    """Look at a store, as `wqscore store info` does; it is made where there is none.

    Args:
        path: its file; the user's own store, which the command line uses, if `None`.

    Returns:
        What it holds. Its `path` is what `score`, `rank` and the others take as `store`.

    Raises:
        StoreError: it can't be opened, or is not a store.

    Example:
        `wqscore.score("./run-1", store=wqscore.store().path)`
    """
    with Store.open(Path(path) if path is not None else standard_path()) as opened:
        return overview(opened)

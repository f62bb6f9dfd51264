"""Delete models, and results that no model needs, from a store."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from wqscore.stores.records import SeenModel
from wqscore.stores.store import Store


@dataclass(frozen=True)
class Pruned:
    """What was deleted.

    Attributes:
        models: the models that were forgotten.
        contents: number of tensors whose results were deleted.
        files: number of files on disk whose contents were deleted.
        headers: number of shards whose headers were deleted.
        before: bytes of the store's file before.
        after: bytes of the store's file after.
    """

    models: tuple[SeenModel, ...]
    contents: int
    files: int
    headers: int
    before: int
    after: int


def prune(
    store: Store, older_than: datetime | None = None, keep_last: int | None = None, unused: bool = False
) -> Pruned:
    """Forget models, delete the results of tensors that no other model has, and free the disk space.

    Args:
        store: opened for writing.
        older_than: forget models last scored before this, and delete results stored before this that no model uses.
        keep_last: forget all models except this many that were scored last.
        unused: delete all results that no model uses, and the contents of files that are gone or have changed.

    Raises:
        StoreError: the store can't be read or written.
    """
    models = store.models()
    kept = [model for model in models[:keep_last] if older_than is None or model.seen >= older_than]
    forgotten = tuple(model for model in models if model not in kept)
    used = _contents(kept)
    loose = _contents(forgotten) - used
    stored = store.contents()
    dropped = [
        content
        for content, created in stored.items()
        if content in loose or (content not in used and (unused or _is_before(created, older_than)))
    ]
    files = [stamp for stamp, _ in store.all_files() if not stamp.is_current()] if unused else []
    shards = _shards(used)
    gone = _shards(loose) | _shards(dropped)
    headers = [shard for shard, _ in store.all_headers() if shard not in shards and (unused or shard in gone)]
    before = store.size
    store.forget(forgotten, dropped, files, headers)
    store.compact()
    return Pruned(forgotten, len(dropped), len(files), len(headers), before, store.size)


def _contents(models: Iterable[SeenModel]) -> frozenset[str]:
    return frozenset().union(*(model.contents for model in models))


def _is_before(created: datetime, moment: datetime | None) -> bool:
    return moment is not None and created < moment


def _shards(contents: Collection[str]) -> set[str]:
    """The shards on the Hub that hold the contents."""
    return {content.split(":")[1] for content in contents if content.startswith("lfs:")}

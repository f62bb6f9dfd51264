"""Cached headers of shards on the Hub, so that a new commit with the same weights needs no request for them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.stores.errors import StoreError
from wqscore.stores.records import HeaderTensor
from wqscore.stores.store import Store


class StoredHeaders:
    """A store as a `HeaderCache`; where it fails, headers are read again and `ScoreCache` reports the error."""

    def __init__(self, store: Store) -> None:
        """Wrap an open store."""
        self._store = store

    def find(self, content: str, file: Path) -> list[TensorRef] | None:
        """Return the tensors of a shard as tensors of `file`; `None` where its header is not stored."""
        with suppress(StoreError):
            header = self._store.headers([content]).get(content)
            if header is not None and all(tensor.dtype in STORED_DTYPES for tensor in header):
                return [TensorRef(t.name, t.shape, STORED_DTYPES[t.dtype], file, t.offset) for t in header]
        return None

    def keep(self, content: str, tensors: Sequence[TensorRef]) -> None:
        """Store the header of a shard, given its tensors."""
        header = [HeaderTensor(t.name, t.dtype.name, t.shape, t.offset, t.nbytes) for t in tensors]
        with suppress(StoreError):
            self._store.put_headers({content: header})

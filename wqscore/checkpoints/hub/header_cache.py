"""Headers of shards that were read before: what a checkpoint on the Hub is opened from without asking for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wqscore.checkpoints.tensor import TensorRef


class HeaderCache(Protocol):
    """Keeps headers of safetensors files under the SHA-256 of the whole file; used by several threads at a time."""

    def find(self, sha256: str, file: Path) -> list[TensorRef] | None:
        """The tensors of a file, as tensors of `file`; `None` where its header is not known."""

    def keep(self, sha256: str, tensors: Sequence[TensorRef]) -> None:
        """Keep the tensors of a file."""

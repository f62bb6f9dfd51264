"""The interface of a cache of safetensors headers, so that opening a checkpoint on the Hub need not fetch them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wqscore.checkpoints.tensor import TensorRef


class HeaderCache(Protocol):
    """Caches headers of safetensors files by what names their content; must be thread-safe."""

    def find(self, content: str, file: Path) -> list[TensorRef] | None:
        """Look up a file's tensors, with `file` as their file; `None` if its header is not cached."""

    def keep(self, content: str, tensors: Sequence[TensorRef]) -> None:
        """Store the tensors of a file."""

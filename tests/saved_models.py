"""Models written to disk as files that a store knows."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def saved(folder: Path, content: Mapping[str, np.ndarray]) -> str:
    """Write a checkpoint, as old as those that people score so that a store knows its file; returns its path."""
    folder.mkdir(parents=True)
    file = folder / "model.safetensors"
    save_file({name: np.ascontiguousarray(value) for name, value in content.items()}, file)
    os.utime(file, (time.time() - 60,) * 2)
    return str(folder)

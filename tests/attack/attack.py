"""One attack: a file or folder that tries to run code, to read elsewhere or to use up the machine."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

#: What `wqscore check` does with it: refuses it with exit code 3 and a line, says with exit code 2 that it is no file
#: of weights, or reads the weights and nothing else.
Outcome = Literal["refused", "no weights", "weights only"]


@dataclass(frozen=True)
class Attack:
    """An attack of the corpus.

    Attributes:
        kind: the row of the table in docs/security.md.
        name: unique within its kind.
        make: writes it into an empty folder and returns what a user names; its code would create the second path.
        outcome: what is promised.
    """

    kind: str
    name: str
    make: Callable[[Path, Path], Path]
    outcome: Outcome = "refused"

    @property
    def id(self) -> str:
        """Its name for pytest."""
        return f"{self.kind}: {self.name}"


def written(file: Path, content: bytes) -> Path:
    """Write a file, and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def in_file(name: str, content: Callable[[Path], bytes]) -> Callable[[Path, Path], Path]:
    """An attack that is one file, of bytes that hold the path that its code would create."""
    return lambda folder, mark: written(folder / name, content(mark))


def safetensors(**more: object) -> bytes:
    """A sound model of one matrix; with other entries of the header."""
    values = np.random.default_rng(0).standard_normal((60, 64)).astype("<f4").tobytes()
    entry = {"dtype": "F32", "shape": [60, 64], "data_offsets": [0, len(values)]}
    header = json.dumps({"layers.0.fc1.weight": entry} | more).encode()
    return struct.pack("<Q", len(header)) + header + values


def python(mark: Path) -> str:
    """Python that creates a file."""
    return f"open({str(mark)!r}, 'w').close()"

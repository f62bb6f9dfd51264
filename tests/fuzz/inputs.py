"""The committed inputs: seeds written by the formats' own tools, and every input that once broke a parser."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
CORPUS, FOUND = HERE / "corpus", HERE / "found"
NOTES = FOUND / "README.md"
#: Longer ones are slow because they are long, and each change of them would be too.
_LONGEST_START = 4096


def inputs(target: str) -> dict[str, bytes]:
    """All committed inputs of a target, by their path from here."""
    files = [file for folder in (CORPUS, FOUND) for file in sorted((folder / target).glob("*"))]
    return {file.relative_to(HERE).as_posix(): file.read_bytes() for file in files}


def starts(target: str) -> list[bytes]:
    """The committed inputs that changes are made to: the short ones, or all where none is short."""
    every = list(inputs(target).values())
    return [data for data in every if len(data) <= _LONGEST_START] or every

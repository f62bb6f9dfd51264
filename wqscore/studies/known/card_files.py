"""Read the files with a model's benchmark results: its card and `.eval_results/*.yaml`, on the Hub or on disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wqscore.refs.reference import ModelRef

CARD = "README.md"
_EVAL_RESULTS = re.compile(r"\.eval_results/[^/]+\.ya?ml")
#: Limit on the total size of a model's files; a card with every figure of a large benchmark has some 300 kB.
MAX_BYTES = 2**20
#: Limit on the number of files, each of which takes a request.
MAX_FILES = 100


@dataclass(frozen=True)
class CardFiles:
    """The files of one model.

    Attributes:
        texts: name and text of each file.
        left_out: the files that were not read, with reasons.
    """

    texts: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]


def read_card_files(ref: ModelRef) -> CardFiles:
    """Read a model's card and its files of results, where they exist; nothing else is fetched.

    Raises:
        CheckpointError: the model or its revision can't be found on the Hub, or a file can't be fetched.
    """
    if ref.source == "hub":
        return _on_hub(ref)
    assert ref.path is not None, "a reference that is not on the Hub has a path"
    folder = ref.path if ref.source == "folder" else ref.path.parent
    try:
        paths = [folder / CARD, *folder.glob(".eval_results/*")]
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths if path.is_file()}
    except OSError as error:
        return CardFiles((), (f"{folder}: its model card can't be read: {error.strerror or error}",))
    return _read(sizes, lambda name: folder / name)


def _on_hub(ref: ModelRef) -> CardFiles:
    from wqscore.checkpoints.hub.files import download, list_files

    files = list_files(ref)
    read = _read(files.sizes, lambda name: download(files, name))
    if files.cached and CARD not in files.sizes:
        absent = f"{CARD}: not in the local cache, and the Hub can't be reached"
        return CardFiles(read.texts, (absent, *read.left_out))
    return read


def _read(sizes: Mapping[str, int], path_of: Callable[[str], Path]) -> CardFiles:
    """Read the card and the files of results, up to the limits on number and size."""
    results = sorted(name for name in sizes if _EVAL_RESULTS.fullmatch(name))
    names = [*([CARD] if CARD in sizes else []), *results]
    texts: list[tuple[str, str]] = []
    left_out = [f"{name}: more than {MAX_FILES} files of results" for name in names[MAX_FILES:][:1]]
    room = MAX_BYTES
    for name in names[:MAX_FILES]:
        try:
            data = _limited(path_of(name), room) if sizes[name] <= room else None
            if data is None:
                left_out.append(f"{name}: more than {MAX_BYTES:,} bytes of model card")
                continue
            texts.append((name, data.decode("utf-8-sig")))
            room -= len(data)
        except UnicodeDecodeError:
            left_out.append(f"{name}: not text in UTF-8")
        except OSError as error:
            left_out.append(f"{name}: can't be read: {error.strerror or error}")
    return CardFiles(tuple(texts), tuple(left_out))


def _limited(path: Path, room: int) -> bytes | None:
    """The bytes of a file; `None` if it is too large, whatever size its listing gave."""
    with path.open("rb") as file:
        data = file.read(room + 1)
    return data if len(data) <= room else None

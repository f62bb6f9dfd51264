"""What is kept of outputs, this version's in tests/data/outputs and some of 0.5.0's, and whether others are the same.

Nothing here imports wqscore, so that the comparison depends on none of the modules that it checks.
"""

from __future__ import annotations

import csv
import ctypes
import gzip
import json
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from io import StringIO
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent.parent / "data"
KEPT = DATA / "wqscore-0.5.0"
OUTPUTS = DATA / "outputs"
FILES = ("ranking.csv", "pairs.csv", "layers.csv", "ranking.json")
#: SOURCE_DATE_EPOCH, for the one thing in a report that its inputs do not decide.
EPOCH = "1795305600"
#: What is ranked, with which options: the real checkpoints of the demo as `make demo` ranks them, and one of each
#: format with every metric.
RANKS: dict[str, tuple[str, ...]] = {
    "demo": (
        "all-MiniLM-L6-v2",
        "rxnfp-bert_pretrained",
        "rxnfp-bert_ft",
        "rxnfp-bert_ft_10k_25s",
        "rxnmapper-albert",
    ),
    "formats": (
        "shards",
        "adapter",
        "shards+adapter",
        "gpt2",
        "experts",
        "convolutions",
        "torch",
        "model.gguf",
        "model.onnx",
        "model.npz",
        "awq",
        "--metrics=all",
        "--vectors",
        "--across-families",
    ),
}

#: Two kernels sum in another order, and the last bits of eigenvalues differ.
_CLOSE = 1e-9
#: An eigenvector's error is that of the eigenvalues over the gap to the next one.
_CLOSE_VECTORS = 1e-7
_OF_VECTORS = re.compile("_(vec_entropy|loc_ratio|part_ratio)")
#: For what is nothing but rounding, such as the difference of two equal alphas.
_NOTHING = 1e-14
#: Lines of ranking.json, and its keys, that say who wrote it and when.
_WRITER = ("schema_version", "wqscore", "created")
_WRITER_LINE = re.compile(rf'^ "({"|".join(_WRITER)})": .*$', re.MULTILINE)


def copy_models(folder: Path) -> None:
    """Copy the checkpoints of the rank called `formats` into a new folder."""
    shutil.copytree(KEPT / "models", folder)
    shutil.copytree(DATA / "formats" / "awq", folder / "awq")


def environment() -> dict[str, Any]:
    """Name what decides the last bits besides the code: libraries, and what they use of this processor."""
    import scipy_openblas32
    from threadpoolctl import threadpool_info

    folder = Path(scipy_openblas32.get_lib_dir()).resolve()
    for file in folder.iterdir():
        if file.suffix in {".so", ".dylib", ".dll"}:
            ctypes.CDLL(str(file))
    kernels = {
        each["architecture"] for each in threadpool_info() if Path(each["filepath"]).resolve().parent == folder
    }
    functions = np.lib.introspect.opt_func_info().values()
    return {
        "kernel": " ".join(sorted(kernels)),
        "scipy-openblas32": version("scipy-openblas32"),
        "numpy": version("numpy"),
        "numpy_simd": sorted({kind["current"] for kinds in functions for kind in kinds.values()}),
        "numba": version("numba"),
        "libc": " ".join(platform.libc_ver()),
    }


def kept_outputs(kept: Path = OUTPUTS) -> tuple[Path, str]:
    """Find the folder of outputs that were written in this environment; the first folder if there is none.

    Args:
        kept: the folder of such folders.

    Returns:
        The folder, and how its environment differs; empty where every byte must be the same.
    """
    here = environment()
    folders = sorted(file.parent for file in kept.glob("*/environment.json"))
    differing = []
    for folder in folders:
        there = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        if there == here:
            return folder, ""
        unlike = [f"{key} {here[key]!r}, not {there[key]!r}" for key in here if here[key] != there.get(key)]
        differing.append("; ".join(unlike))
    return folders[0], differing[0]


def kept_texts(folder: Path) -> dict[str, str]:
    """Read the files that are kept in a folder, by name."""
    return {file.stem: gzip.decompress(file.read_bytes()).decode("utf-8") for file in folder.glob("*.gz")}


def texts(folder: Path) -> dict[str, str]:
    """Read the four files that a rank wrote into a folder, by name."""
    return {name: (folder / name).read_bytes().decode("utf-8") for name in FILES}


def differences(old: Mapping[str, str], new: Mapping[str, str], exactly: bool) -> list[str]:
    """Say where the four files of one rank differ from those of another.

    Args:
        old: the files by name.
        new: the files of the other rank, by name.
        exactly: whether every byte has to be the same, but for the schema, the version and the date of ranking.json;
            if not, texts have to be the same and numbers as close as two processors have them.
    """
    found: list[str] = []
    for name in FILES:
        before, after = (_WRITER_LINE.sub(r' "\1": …', text) for text in (old[name], new[name]))
        if before == after:
            continue
        compare = _unlike_documents if name.endswith(".json") else _unlike_tables
        unlike = list(compare(old[name], new[name], exactly))
        if exactly and not unlike:
            unlike = ["the same values in other bytes"]
        found += [f"{name}: {each}" for each in unlike]
    return found


def _unlike_documents(old: str, new: str, exactly: bool) -> Iterator[str]:
    ignored = _WRITER if exactly else (*_WRITER, "versions")
    before, after = (
        {key: value for key, value in json.loads(text).items() if key not in ignored} for text in (old, new)
    )
    yield from _unlike(before, after, "", exactly)


def _unlike_tables(old: str, new: str, exactly: bool) -> Iterator[str]:
    before, after = (list(csv.DictReader(StringIO(text, newline=""))) for text in (old, new))
    if len(before) != len(after):
        yield f"{len(after)} rows, not {len(before)}"
        return
    for number, (first, second) in enumerate(zip(before, after, strict=True), start=1):
        yield from _unlike(
            *({key: _parsed(cell) for key, cell in row.items()} for row in (first, second)), f"row {number}", exactly
        )


def _parsed(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _unlike(old: Any, new: Any, place: str, exactly: bool) -> Iterator[str]:
    """Say where two values differ, or what is in them."""
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            yield f"{place}: the keys {list(new)}, not {list(old)}"
            return
        for key in old:
            yield from _unlike(old[key], new[key], f"{place} {key}", exactly)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (first, second) in enumerate(zip(old, new, strict=True)):
            yield from _unlike(first, second, f"{place} {number}", exactly)
    elif isinstance(old, float | int) and isinstance(new, float | int) and not exactly:
        close = _CLOSE_VECTORS if _OF_VECTORS.search(place) else _CLOSE
        if not isclose(old, new, rel_tol=close, abs_tol=_NOTHING) and not (old != old and new != new):
            yield f"{place}: {new!r}, not {old!r}"
    elif old != new and not (old != old and new != new):
        yield f"{place}: {new!r}, not {old!r}"

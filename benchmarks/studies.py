"""Studies over five models whose scores are in the store: what each reads and solves; and a plan of a 7B model.

The demo's models are scored once into an empty store. Then each study runs over all five of them (`diff` and `screen`
from the first to each other one) in this process, while the tensors that are read, with their bytes, and the
eigensolves are counted: of Gram matrices by LAPACK, without and with vectors. `twice` is within one call: `symmetry`
reads a tensor again for every draw. Beside it stands what `wqscore plan --study` says beforehand. Last the same plan
of a checkpoint with the shapes of Llama 7B in BF16, of which only headers exist.
Usage: python -m benchmarks.studies [--write FILE.md]

To add a study, add a line to `STUDIES`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from time import process_time
from types import MappingProxyType
from typing import Any

import numpy as np

import wqscore
from benchmarks.machine import machine_line
from benchmarks.models import write_config, write_weights
from benchmarks.seven_b import CONFIG, shards
from wqscore.api.settings import Settings
from wqscore.checkpoints.tensor import TensorRef
from wqscore.spectra import lapack, vectors
from wqscore.studies.costs.costs import StudyCost, costs

ROOT = Path(__file__).parent.parent / "checkpoints"
MODELS = ("rxnfp-bert_pretrained", "rxnfp-bert_ft", "rxnfp-bert_ft_10k_25s", "all-MiniLM-L6-v2", "rxnmapper-albert")


Call = Callable[[], object]


def _diff(models: Sequence[str], settings: Settings) -> list[Call]:
    return [partial(wqscore.diff, models[0], other, settings=settings) for other in models[1:]]


def _screen(models: Sequence[str], settings: Settings) -> list[Call]:
    return [partial(wqscore.screen, other, base=models[0], settings=settings) for other in models[1:]]


def _track(models: Sequence[str], settings: Settings) -> list[Call]:
    """The models are the subfolders of one folder, named by number."""
    return [partial(wqscore.track, str(Path(models[0]).parent), settings=settings)]


def _phase(models: Sequence[str], settings: Settings) -> list[Call]:
    import pandas as pd

    cells = {"width": [1] * len(models), "batch": list(range(len(models))), "model": list(models)}
    names = {"size": "width", "temperature": "batch", "model": "model"}
    return [partial(wqscore.phase, pd.DataFrame(cells), **names, settings=settings)]


def _each(study: Callable[..., object], *arguments: object) -> Callable[[Sequence[str], Settings], list[Call]]:
    """A study of one model, once for each."""
    return lambda models, settings: [partial(study, *arguments, model, settings=settings) for model in models]


def _allocate(models: Sequence[str], settings: Settings) -> list[Call]:
    return [partial(wqscore.allocate, "prune", model, 0.5, settings=settings) for model in models]


#: The calls of each study that all models take.
STUDIES: Mapping[str, Callable[[Sequence[str], Settings], list[Call]]] = MappingProxyType(
    {
        "diff": _diff,
        "kin": lambda models, settings: [partial(wqscore.kin, list(models), settings=settings)],
        "compress": _each(wqscore.compress),
        "phase": _phase,
        "allocate": _allocate,
        "width": _each(wqscore.width),
        "track": _track,
        "symmetry": _each(wqscore.symmetry),
        "screen": _screen,
    }
)


@dataclass(frozen=True)
class Counted:
    """What a call read and solved.

    Attributes:
        read: tensors.
        twice: reads of a tensor that the call had read before.
        to_read: their bytes.
        solved: eigensolves.
    """

    read: int
    twice: int
    to_read: int
    solved: int


def counted(call: Call) -> Counted:
    """Count the tensors that a call reads from files, and the matrices that it solves."""
    names: list[str] = []
    sizes: list[int] = []
    solves: list[int] = []
    read, values, leading = TensorRef.read, lapack.eigenvalues_by, vectors.leading_eigenvectors

    def count_read(self: TensorRef) -> np.ndarray:
        names.append(f"{self.file}: {self.name}")
        sizes.append(self.nbytes)
        return read(self)

    def count(solve: Callable[..., Any]) -> Callable[..., Any]:
        def solved(*arguments: Any) -> Any:
            solves.append(1)
            return solve(*arguments)

        return solved

    TensorRef.read = count_read  # type: ignore[method-assign]
    lapack.eigenvalues_by, vectors.leading_eigenvectors = count(values), count(leading)
    try:
        call()
    finally:
        TensorRef.read = read  # type: ignore[method-assign]
        lapack.eigenvalues_by, vectors.leading_eigenvectors = values, leading
    return Counted(len(names), len(names) - len(set(names)), sum(sizes), len(solves))


def seven_b(folder: Path) -> Path:
    """A checkpoint of Llama 7B's shapes: headers, and holes in place of weights."""
    folder.mkdir()
    of_files = shards()
    files = [folder / f"model-{i:05}-of-{len(of_files):05}.safetensors" for i in range(1, len(of_files) + 1)]
    for file, shapes in zip(files, of_files, strict=True):
        write_weights(file, shapes, "BF16", hollow=True)
    weight_map = {name: file.name for file, shapes in zip(files, of_files, strict=True) for name in shapes}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    write_config(folder, {**CONFIG, "hidden_act": "silu"})
    return folder


def measured_lines(folder: Path) -> Iterator[str]:
    """The table of the demo's models, which stand as the checkpoints of a run in a new folder, beside a store."""
    models = [str(folder / f"checkpoint-{number}") for number, _ in enumerate(MODELS)]
    for model, name in zip(models, MODELS, strict=True):
        Path(model).symlink_to((ROOT / name).resolve())
    settings = Settings(store=folder / "store.sqlite", jobs=1)
    for model in models:
        wqscore.score(model, settings=settings)
    yield "| study | tensors read | twice | MB read | planned | eigensolves | planned | CPU s | planned |"
    yield "| --- | --: | --: | --: | --: | --: | --: | --: | --- |"
    for name, run in STUDIES.items():
        planned = [row.again for row in costs(models, [name], jobs=1).rows if row.again is not None]
        start = process_time()
        total = [counted(call) for call in run(models, settings)]
        seconds = process_time() - start
        read, twice, to_read, solved = (sum(column) for column in zip(*map(astuple, total), strict=True))
        least, most = sum(each.seconds for each in planned), sum(each.most_seconds for each in planned)
        yield (
            f"| {name} | {read} | {twice} | {to_read / 1e6:.1f} "
            f"| {sum(each.to_read for each in planned) / 1e6:.1f} | {solved} "
            f"| {sum(each.eigensolves for each in planned)} | {seconds:.1f} | {least:.1f} to {most:.1f} |"
        )


def planned_lines(folder: Path) -> Iterator[str]:
    """The table of the 7B model."""
    yield "| study | | GB read | eigensolves | CPU min | peak GB |"
    yield "| --- | --- | --: | --: | --- | --: |"
    for row in costs(str(folder), ["all"], jobs=2).rows:
        yield from _of_row(row)


def _of_row(row: StudyCost) -> Iterator[str]:
    for when, cost in (("the first time", row.first), ("once it is scored", row.again)):
        if cost is not None and (when == "the first time" or cost != row.first):
            minutes = f"{cost.seconds / 60:.1f} to {cost.most_seconds / 60:.1f}"
            figures = f"{cost.to_read / 1e9:.1f} | {cost.eigensolves} | {minutes} | {cost.peak_memory / 1e9:.1f}"
            yield f"| {row.study} | {when} | {figures} |"


def main() -> None:
    """Print the tables, or write them to a file."""
    with tempfile.TemporaryDirectory() as temporary:
        lines = [
            f"# {__doc__ and __doc__.splitlines()[0]}",
            "",
            machine_line(["wqscore", "numpy"]),
            "",
            f"Five models of the demo ({', '.join(MODELS)}), scored before:",
            "",
            *measured_lines(Path(temporary)),
            "",
            "A checkpoint of Llama 7B's shapes in BF16, planned from its headers, with two threads:",
            "",
            *planned_lines(seven_b(Path(temporary) / "seven-b")),
        ]
    if "--write" in sys.argv:
        Path(sys.argv[sys.argv.index("--write") + 1]).write_text("\n".join(chain(lines, [""])), encoding="utf-8")
    else:
        print("\n".join(lines))


if __name__ == "__main__":
    main()

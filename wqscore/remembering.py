"""What the store knows of a checkpoint's matrices, and telling it more.

A tensor's content is known without reading it: from the name that the Hub's cache gives its file, the file's SHA-256,
or from what was recorded of a file on disk that has not changed since. What is decoded, or streamed, is known once it
is read. From the content follow the spectrum and, for one set of constants, the row.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.fits.power_law import PowerLawFit
from wqscore.layers import Judgement, LayerScore, judgement_of
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.presets import Preset
from wqscore.sampling import Sampling
from wqscore.spectra import lapack
from wqscore.spectra.eigenvalues import BLOCK_ROWS
from wqscore.spectra.spectrum import Spectrum
from wqscore.store.errors import StoreError
from wqscore.store.records import FileStamp, Method, ResultKey, SeenModel, SpectrumKey, Value, canonical
from wqscore.store.store import Store
from wqscore.version import __version__

#: What decides a row's numbers: where any of it has changed, rows of before are not these.
_SOURCES = (
    "checkpoints",
    "compiled.py",
    "fits",
    "integrity",
    "layers.py",
    "matrices",
    "metrics",
    "presets",
    "spectra",
)
_SHA256 = re.compile("[0-9a-f]{64}")
#: What is lost at most by a kill, beside the tensors being solved.
_FLUSH_SECONDS = 2.0

T = TypeVar("T")


@dataclass(frozen=True)
class KnownMatrix:
    """A matrix that need not be read.

    Attributes:
        spectrum: its eigenvalues.
        values: those of its metrics that are known.
        judgement: what is thought of it.
        digest: of its tensor's values.
    """

    spectrum: Spectrum
    values: Mapping[str, float]
    judgement: Judgement
    digest: bytes


class Memory:
    """The store, for rows of one model computed with one set of constants.

    A store that fails costs what it holds, never the run: a line says so, and the rest is computed.
    """

    def __init__(
        self, store: Store, preset: Preset, sampling: Sampling, note: Callable[[str], None] | None = None
    ) -> None:
        """Wrap an open store; `note` is told where it fails."""
        self._store: Store | None = store
        self._preset = preset
        self._note = note
        self._method = Method("row", canonical(_constants(preset, sampling)), 1)
        self._stamps: dict[Path, FileStamp] = {}
        self._recorded: dict[FileStamp, dict[str, str]] = {}
        self._used: set[str] = set()
        self._flushed = monotonic()

    def recall(self, matrices: Sequence[WeightMatrix]) -> dict[str, KnownMatrix]:
        """What is known of matrices, by name; files are looked at, not read."""
        return self._with_store(lambda store: self._recall(store, matrices)) or {}

    def recall_read(self, matrices: Sequence[WeightMatrix], digest: bytes) -> dict[str, KnownMatrix]:
        """What is known of the matrices of one tensor whose values have been read: under another name, or file."""
        contents = {matrix.tensor.name: f"sha256:{digest.hex()}" for matrix in matrices}
        return self._with_store(lambda store: self._look_up(store, matrices, contents)) or {}

    def remember(
        self, tensor: Tensor, digest: bytes, rows: Iterable[LayerScore], known: Mapping[str, KnownMatrix]
    ) -> None:
        """Keep the rows of one tensor, and under which content its file is to be looked up.

        Args:
            tensor: the tensor.
            digest: of its values.
            rows: of its matrices.
            known: what was known of them before, by name.
        """
        content = _hub_content(tensor) or f"sha256:{digest.hex()}"
        file = _lone_file(tensor)
        if file is not None and (stamp := self._stamps.get(file)) is not None:
            self._recorded.setdefault(stamp, {})[_place(tensor)] = content
        self._used.add(content)
        spectra, results = {}, {}
        for row in rows:
            key = self._key(row.matrix, content)
            before = known[row.matrix.name].values if row.matrix.name in known else {}
            spectra[key] = row.spectrum
            results[ResultKey(key, self._method)] = _row(row, before, digest)
        self._with_store(lambda store: store.put(spectra, results))
        if monotonic() - self._flushed > _FLUSH_SECONDS:
            self._with_store(self._flush)

    def close(self, label: str, revision: str) -> None:
        """Keep the contents of the files that were read, and that the model was seen."""
        self._with_store(self._flush)
        now = datetime.now(UTC).replace(microsecond=0)
        seen = SeenModel(label, revision, now, frozenset(self._used))
        self._with_store(lambda store: store.put_models([seen]))

    def _with_store(self, action: Callable[[Store], T]) -> T | None:
        """Do something with the store while it works; `None` once it does not."""
        if self._store is None:
            return None
        try:
            return action(self._store)
        except StoreError as error:
            self._store = None
            if self._note:
                self._note(f"the store is left alone from here on: {error}")
            return None

    def _recall(self, store: Store, matrices: Sequence[WeightMatrix]) -> dict[str, KnownMatrix]:
        return self._look_up(store, matrices, self._contents(store, [matrix.tensor for matrix in matrices]))

    def _look_up(
        self, store: Store, matrices: Sequence[WeightMatrix], contents: Mapping[str, str]
    ) -> dict[str, KnownMatrix]:
        known = [matrix for matrix in matrices if matrix.tensor.name in contents]
        keys = {matrix.name: self._key(matrix, contents[matrix.tensor.name]) for matrix in known}
        spectra = store.spectra(set(keys.values()))
        rows = store.results(set(spectra), [self._method])
        found = {}
        for name, key in keys.items():
            if key in spectra and (row := rows.get(ResultKey(key, self._method))) is not None:
                found[name] = _known(spectra[key], row)
                self._used.add(key.content)
        return found

    def _flush(self, store: Store) -> None:
        """Keep the contents of the files that were read so far: a killed run goes on where it was."""
        known = store.files(list(self._recorded))
        store.put_files({stamp: {**known.get(stamp, {}), **new} for stamp, new in self._recorded.items()})
        self._recorded.clear()
        self._flushed = monotonic()

    def _contents(self, store: Store, tensors: Sequence[Tensor]) -> dict[str, str]:
        """The content of each tensor that is known, by name."""
        found = {tensor.name: content for tensor in tensors if (content := _hub_content(tensor))}
        files = {tensor.name: file for tensor in tensors if (file := _lone_file(tensor)) and tensor.name not in found}
        for file in set(files.values()) - self._stamps.keys():
            with suppress(OSError):
                self._stamps[file] = FileStamp.of(file)
        recorded = store.files(list(self._stamps.values()))
        for tensor in tensors:
            stamp = self._stamps.get(files[tensor.name]) if tensor.name in files else None
            content = recorded.get(stamp, {}).get(_place(tensor)) if stamp else None
            if content is not None:
                found[tensor.name] = content
        return found

    def _key(self, matrix: WeightMatrix, content: str) -> SpectrumKey:
        part = canonical(
            {
                "cut": repr(matrix.cut),
                "shape": [matrix.slices, matrix.rows, matrix.columns],
                "dtype": [matrix.tensor.dtype.name, matrix.tensor.dtype.unit_roundoff],
            }
        )
        recipe = canonical(
            {
                "gram": BLOCK_ROWS,
                "solver": f"{lapack.DRIVER} of scipy {version('scipy')}",
                "scale": self._preset.scale(matrix),
                "exact": self._preset.exact_small_end,
            }
        )
        return SpectrumKey(content, part, recipe)


@contextmanager
def opened_store(store: Store | Path | str | None) -> Iterator[Store | None]:
    """A store by its path, closed afterwards; an open one as it is.

    Raises:
        StoreError: it can't be opened.
    """
    if store is None or isinstance(store, Store):
        yield store
        return
    with Store.open(Path(store)) as opened:
        yield opened


def _lone_file(tensor: Tensor) -> Path | None:
    """The file on disk that alone decides a tensor's values; `None` for one that is decoded, or elsewhere.

    What is decoded depends on several tensors, maybe of several files, and on settings: it is read to be known.
    """
    return tensor.file if isinstance(tensor, TensorRef) and tensor.source is None else None


def _place(tensor: Tensor) -> str:
    """A tensor's name in its file, and where it begins: names may be translated."""
    assert isinstance(tensor, TensorRef)
    return f"{tensor.name}@{tensor.offset}"


def _hub_content(tensor: Tensor) -> str | None:
    """In the Hub's cache, where large files are links to their SHA-256: that, and the tensor's place."""
    file = _lone_file(tensor)
    if file is not None and file.is_symlink() and _SHA256.fullmatch(name := file.resolve().name):
        return f"lfs:{name}:{_place(tensor)}"
    return None


def _constants(preset: Preset, sampling: Sampling) -> dict[str, Value]:
    """Everything but the weights that a row depends on."""
    matrices: dict[str, Any] = asdict(preset.matrices)
    return {
        "wqscore": __version__,
        "code": _code(),
        "preset": preset.name,
        "floor": preset.fit_floor,
        "fits": preset.fits.name,
        "matrices": matrices,
        "seed": sampling.seed,
        "bootstrap": sampling.bootstrap,
        "gof": sampling.gof,
    }


@cache
def _code() -> str:
    """Digest of the sources that decide a row's numbers."""
    package = Path(__file__).parent
    found = hashlib.sha256()
    for source in (*_SOURCES, "analysis.py", "sampling.py"):
        path = package / source
        for file in sorted(path.rglob("*.py")) or path.parent.glob(path.name):
            found.update(f"{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    return found.hexdigest()


def _row(row: LayerScore, known: Mapping[str, float], digest: bytes) -> Value:
    judgement = judgement_of(row)
    fit = judgement.fit
    return {
        "values": {**known, **row.metrics} if row.spectrum.state == "finite" else {},
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "flags": list(judgement.flags),
        "fit": None if fit is None else [fit.alpha, fit.xmin, fit.D, fit.sigma, fit.n_tail],
        "digest": digest.hex(),
    }


def _known(spectrum: Spectrum, row: Any) -> KnownMatrix:
    fit = None
    if row["fit"] is not None:
        alpha, xmin, distance, sigma, n_tail = row["fit"]
        fit = PowerLawFit(alpha, xmin, distance, sigma, n_tail)
    judgement = Judgement(row["verdict"], row["reason"], tuple(row["flags"]), fit)
    return KnownMatrix(spectrum, row["values"], judgement, bytes.fromhex(row["digest"]))

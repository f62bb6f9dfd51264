"""Look up a checkpoint's matrices in the store, and add new results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import monotonic
from typing import TypeVar

from wqscore.checkpoints.hub.content_id import cached_content_id
from wqscore.checkpoints.tensor import Tensor
from wqscore.fits.sampling import Sampling
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.presets.preset import Preset
from wqscore.scoring.cache_keys import (
    DIGEST,
    DIRECTIONS,
    SKETCH,
    byte_range_key,
    lone_file,
    row_method,
    shard_content,
    spectrum_code,
    spectrum_key,
    values_content,
    values_digest,
)
from wqscore.scoring.cached_row import is_spectrum_of, parse_row, row_value
from wqscore.scoring.cached_sketch import CachedSketch, cached_sketch
from wqscore.scoring.layer_score import Judgement, LayerScore
from wqscore.sketches.directions import directions_value
from wqscore.sketches.portrait import SketchedMatrix
from wqscore.sketches.sketch import Sketch, sketch_value
from wqscore.spectra.in_single import DOUBLE, SINGLE, Precision
from wqscore.spectra.on_device import CPU
from wqscore.spectra.spectrum import Spectrum
from wqscore.stores.errors import StoreError
from wqscore.stores.records import FileStamp, ResultKey, SeenModel, SpectrumKey, Value
from wqscore.stores.store import Store

#: Seconds between writes: a killed run loses at most these, and the tensors being solved.
_FLUSH_SECONDS = 2.0

T = TypeVar("T")


@dataclass(frozen=True)
class CachedMatrix:
    """A matrix that need not be solved.

    Attributes:
        spectrum: its eigenvalues.
        values: those of its metrics that are known.
        judgement: its verdict; `None` if cached with other constants or code.
        digest: of its tensor's values.
    """

    spectrum: Spectrum
    values: Mapping[str, float]
    judgement: Judgement | None
    digest: bytes


class ScoreCache:
    """The store, for rows of one model computed with one set of constants.

    If the store fails, the run goes on without it: a note says so, and the rest is computed.
    """

    def __init__(
        self,
        store: Store,
        preset: Preset,
        sampling: Sampling,
        note: Callable[[str], None] | None = None,
        device: str = CPU,
        verify: bool = False,
        precision: Precision = DOUBLE,
    ) -> None:
        """Wrap an open store; `note` is called if it fails. Spectra of another device or precision are not found.

        With `verify`, a tensor is known by its values alone, so that all are read; and nothing is used that came
        with a merge.
        """
        self._verify = verify
        self._store: Store | None = store
        self._preset = preset
        self._device = device
        self._precision = precision
        self._note = note
        self._method = row_method(preset, sampling)
        # Before threads start: Python 3.11 can't parse in two at a time, and numba parses where it compiles.
        spectrum_code()
        # Resolving a link takes a dozen system calls, and a file has hundreds of tensors.
        self._cached_id = cache(cached_content_id)
        self._stamps: dict[Path, FileStamp] = {}
        self._recorded: dict[FileStamp, dict[str, str]] = {}
        self._used: set[str] = set()
        self._flushed = monotonic()

    @property
    def works(self) -> bool:
        """Whether the store has not failed so far."""
        return self._store is not None

    def get(self, matrices: Sequence[WeightMatrix]) -> dict[str, CachedMatrix]:
        """Look up matrices, by name; files are checked for changes, not read. With `verify`, none is found."""
        if self._verify:
            return {}
        return self._with_store(lambda store: self._recall(store, matrices)) or {}

    def get_by_digest(self, matrices: Sequence[WeightMatrix], digest: bytes) -> dict[str, CachedMatrix]:
        """Look up the matrices of a tensor by the digest of its values, cached under any name or file."""
        contents = {matrix.tensor.name: values_content(digest) for matrix in matrices}
        return self._with_store(lambda store: self._look_up(store, matrices, contents)) or {}

    def get_sketches(self, matrices: Sequence[WeightMatrix], digest: bytes | None = None) -> dict[str, CachedSketch]:
        """Look up what matrices are compared by, by name, where at least the spectrum is stored.

        Args:
            matrices: the matrices.
            digest: of the values of their tensor, if it has been read; else as for `get`.
        """
        if digest is None and self._verify:
            return {}

        def recall(store: Store) -> dict[str, CachedSketch]:
            if digest is None:
                contents = self._contents(store, [matrix.tensor for matrix in matrices])
            else:
                contents = {matrix.tensor.name: values_content(digest) for matrix in matrices}
            return self._recall_sketches(store, matrices, contents)

        return self._with_store(recall) or {}

    def put(
        self,
        tensor: Tensor,
        digest: bytes,
        rows: Iterable[LayerScore],
        known: Mapping[str, CachedMatrix],
        sketches: Mapping[str, Sketch],
    ) -> None:
        """Store the rows of one tensor, and the content that identifies it in its file.

        Args:
            tensor: the tensor.
            digest: of its values.
            rows: of its matrices.
            known: what the store had of them, by name.
            sketches: those that were made, by name.
        """
        content = self._use(tensor, digest)
        spectra: dict[SpectrumKey, Spectrum] = {}
        recalled: set[SpectrumKey] = set()
        results: dict[ResultKey, Value] = {}
        for row in rows:
            key = spectrum_key(row.matrix, content, self._preset, self._device, self._precision)
            before = known[row.matrix.name].values if row.matrix.name in known else {}
            spectra[key] = row.spectrum
            if row.matrix.name in known:
                recalled.add(key)
            results[ResultKey(key, self._method)] = row_value(row, before)
            if not values_digest(content):
                results[ResultKey(key, DIGEST)] = digest.hex()
            if row.matrix.name in sketches:
                results[ResultKey(key, SKETCH)] = sketch_value(sketches[row.matrix.name])
        self._put(spectra, results, recalled)

    def put_sketches(
        self, matrices: Sequence[WeightMatrix], found: Mapping[str, SketchedMatrix], recalled: Collection[str]
    ) -> None:
        """Store what the matrices of one tensor are compared by, and the tensor's content.

        Args:
            matrices: all matrices of the tensor.
            found: what they are compared by, by name.
            recalled: names of those whose spectrum the store had.
        """
        content = self._use(matrices[0].tensor, found[matrices[0].name].digest)
        spectra: dict[SpectrumKey, Spectrum] = {}
        results: dict[ResultKey, Value] = {}
        known: set[SpectrumKey] = set()
        for matrix in matrices:
            key, each = spectrum_key(matrix, content, self._preset, self._device), found[matrix.name]
            spectra[key] = each.spectrum
            if matrix.name in recalled:
                known.add(key)
            results[ResultKey(key, SKETCH)] = sketch_value(each.sketch)
            if each.directions is not None:
                results[ResultKey(key, DIRECTIONS)] = directions_value(each.directions)
            if not values_digest(content):
                results[ResultKey(key, DIGEST)] = each.digest.hex()
        self._put(spectra, results, known)

    def close(self, label: str, revision: str) -> None:
        """Store the contents of the files that were read, and record the model as seen."""
        self._with_store(self._flush)
        now = datetime.now(UTC).replace(microsecond=0)
        seen = SeenModel(label, revision, now, frozenset(self._used))
        self._with_store(lambda store: store.put_models([seen]))

    def _use(self, tensor: Tensor, digest: bytes) -> str:
        """The content of a tensor that was read, noted as this model's and as its file's."""
        content = (not self._verify and shard_content(tensor, self._cached_id)) or values_content(digest)
        file = lone_file(tensor)
        if file is not None and (stamp := self._stamps.get(file)) is not None:
            self._recorded.setdefault(stamp, {})[byte_range_key(tensor)] = content
        self._used.add(content)
        return content

    def _put(
        self, spectra: Mapping[SpectrumKey, Spectrum], results: Mapping[ResultKey, Value], recalled: set[SpectrumKey]
    ) -> None:
        self._with_store(lambda store: store.put(spectra, results, recalled=recalled))
        if monotonic() - self._flushed > _FLUSH_SECONDS:
            self._with_store(self._flush)

    def _with_store(self, action: Callable[[Store], T]) -> T | None:
        """Apply an action to the store; `None` once the store has failed."""
        if self._store is None:
            return None
        try:
            return action(self._store)
        except StoreError as error:
            self._store = None
            if self._note:
                self._note(f"the store is left alone from here on: {error}")
            return None

    def _recall(self, store: Store, matrices: Sequence[WeightMatrix]) -> dict[str, CachedMatrix]:
        return self._look_up(store, matrices, self._contents(store, [matrix.tensor for matrix in matrices]))

    def _look_up(
        self, store: Store, matrices: Sequence[WeightMatrix], contents: Mapping[str, str]
    ) -> dict[str, CachedMatrix]:
        known = [matrix for matrix in matrices if matrix.tensor.name in contents]
        keys = {
            m.name: spectrum_key(m, contents[m.tensor.name], self._preset, self._device, self._precision)
            for m in known
        }
        spectra = store.spectra(set(keys.values()), self._verify)
        results = store.results(set(spectra), [self._method, DIGEST], self._verify)
        found = {}
        for matrix in known:
            key = keys[matrix.name]
            digest = values_digest(key.content) or results.get(ResultKey(key, DIGEST))
            if key not in spectra or digest is None:
                continue
            if self._precision == SINGLE and ResultKey(key, self._method) not in results:
                # The row says what solved the spectrum, and whether that will do depends on the row's code.
                continue
            try:
                found[matrix.name] = _known(matrix, spectra[key], results.get(ResultKey(key, self._method)), digest)
                self._used.add(key.content)
            except ValueError:
                store.reject("results")
        return found

    def _recall_sketches(
        self, store: Store, matrices: Sequence[WeightMatrix], contents: Mapping[str, str]
    ) -> dict[str, CachedSketch]:
        known = [matrix for matrix in matrices if matrix.tensor.name in contents]
        keys = {m.name: spectrum_key(m, contents[m.tensor.name], self._preset, self._device) for m in known}
        spectra = store.spectra(set(keys.values()), self._verify)
        results = store.results(set(spectra), [SKETCH, DIRECTIONS, DIGEST], self._verify)
        found = {}
        for matrix in known:
            try:
                cached = cached_sketch(matrix, keys[matrix.name], spectra, results)
            except ValueError:
                store.reject("results")
                continue
            if cached is not None:
                found[matrix.name] = cached
                self._used.add(keys[matrix.name].content)
        return found

    def _flush(self, store: Store) -> None:
        """Store the contents of the files read so far, so that a killed run can resume."""
        known = store.files(list(self._recorded))
        store.put_files({stamp: {**known.get(stamp, {}), **new} for stamp, new in self._recorded.items()})
        self._recorded.clear()
        self._flushed = monotonic()

    def _contents(self, store: Store, tensors: Sequence[Tensor]) -> dict[str, str]:
        """The content of each tensor whose content is known, by name."""
        found = {tensor.name: content for tensor in tensors if (content := shard_content(tensor, self._cached_id))}
        files = {tensor.name: file for tensor in tensors if (file := lone_file(tensor)) and tensor.name not in found}
        for file in set(files.values()) - self._stamps.keys():
            with suppress(OSError):
                self._stamps[file] = FileStamp.of(file)
        recorded = store.files(list(self._stamps.values()))
        for tensor in tensors:
            stamp = self._stamps.get(files[tensor.name]) if tensor.name in files else None
            kept = recorded.get(stamp, {}).get(byte_range_key(tensor)) if stamp else None
            if kept is not None:
                found[tensor.name] = kept
        return found


def _known(matrix: WeightMatrix, spectrum: Spectrum, row: Value, digest: Value) -> CachedMatrix:
    """What the store has of a matrix.

    Raises:
        ValueError: the spectrum is that of no such matrix, or the digest is none; a row that is none is left out.
    """
    if not is_spectrum_of(matrix, spectrum) or not isinstance(digest, str):
        raise ValueError(matrix.name)
    parsed = None if row is None else parse_row(row)
    values = parsed.values if parsed else {}
    return CachedMatrix(spectrum, values, parsed.judgement if parsed else None, bytes.fromhex(digest))


@contextmanager
def opened_store(store: Store | Path | str | None) -> Iterator[Store | None]:
    """Open the store at a path and close it afterwards; yield an open store unchanged.

    Raises:
        StoreError: it can't be opened.
    """
    if store is None or isinstance(store, Store):
        yield store
        return
    with Store.open(Path(store)) as opened:
        yield opened

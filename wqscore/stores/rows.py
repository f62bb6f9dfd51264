"""Convert records to rows and back, exactly; a checksum in each row detects damage."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar, get_args

import numpy as np

from wqscore.spectra.spectrum import Spectrum, State
from wqscore.stores.records import FileStamp, HeaderTensor, Method, Origin, ResultKey, SeenModel, SpectrumKey, Value

Row = Sequence[Any]
Record = TypeVar("Record")


def checksum(fields: Row) -> bytes:
    """Return a 16-byte checksum of a row's fields, its key included, so that a row under a wrong key is detected."""
    blobs = [field for field in fields if isinstance(field, bytes)]
    text = repr([("blob", len(field)) if isinstance(field, bytes) else field for field in fields])
    digest = blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16)
    for blob in blobs:
        digest.update(blob)
    return digest.digest()


def sealed(fields: Row) -> tuple[Any, ...]:
    """Return the fields and their checksum."""
    return (*fields, checksum(fields))


def opened(row: Row, decode: Callable[..., Record]) -> Record | None:
    """Return the record of a row whose last field is the checksum of the others; `None` if it is damaged."""
    *fields, seal = row
    if seal != checksum(fields):
        return None
    try:
        return decode(*fields)
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, OSError, RecursionError):
        # A checksum guards against accidents, not against a maliciously written file.
        return None


def escaped(text: str) -> str:
    r"""Return any string as ASCII, different strings as different text.

    Example:
        >>> escaped("café\udcff")
        'caf\\xe9\\udcff'
    """
    return text.encode("unicode_escape").decode("ascii")


def unescaped(text: str) -> str:
    """Return the string that `escaped` was given."""
    return text.encode("ascii").decode("unicode_escape")


def key_fields(key: SpectrumKey) -> tuple[str, str, str]:
    """Return content, part, recipe."""
    return escaped(key.content), escaped(key.part), escaped(key.recipe)


def spectrum_fields(key: SpectrumKey, spectrum: Spectrum) -> tuple[Any, ...]:
    """Return the key's fields, rows, columns, slices, unit_roundoff, state, eigenvalues."""
    eigenvalues = np.ascontiguousarray(spectrum.eigenvalues, dtype="<f8").tobytes()
    sides = (int(spectrum.rows), int(spectrum.columns), int(spectrum.slices))
    return (*key_fields(key), *sides, float(spectrum.unit_roundoff), spectrum.state, eigenvalues)


def spectrum_record(*fields: Any) -> tuple[SpectrumKey, Spectrum]:
    """The inverse of `spectrum_fields`."""
    content, part, recipe, rows, columns, slices, unit_roundoff, state, eigenvalues = fields
    # A copy, since kernels are compiled for writable arrays, which solvers return.
    values = np.frombuffer(eigenvalues, dtype="<f8").astype(np.float64)
    if state not in get_args(State) or not all(type(side) is int and side >= 0 for side in (rows, columns, slices)):
        raise ValueError(state)
    if (state == "finite") != (values.size > 0):
        raise ValueError(state)
    if type(unit_roundoff) is not float:
        raise TypeError(unit_roundoff)
    return _key(content, part, recipe), Spectrum(values, rows, columns, slices, unit_roundoff, state)


def result_fields(key: ResultKey, value: Value) -> tuple[Any, ...]:
    """Return the spectrum key's fields, method, parameters, version, value."""
    method = key.method
    text = json.dumps(value, separators=(",", ":"))
    return (*key_fields(key.spectrum), escaped(method.name), escaped(method.parameters), method.version, text)


def result_record(
    content: str, part: str, recipe: str, method: str, parameters: str, version: int, value: str
) -> tuple[ResultKey, Value]:
    """The inverse of `result_fields`."""
    if type(version) is not int:
        raise TypeError(version)
    return ResultKey(_key(content, part, recipe), _method(method, parameters, version)), json.loads(value)


def file_fields(stamp: FileStamp, contents: Mapping[str, str]) -> tuple[str, str, str]:
    """Return path, stamp, contents; the stamp is JSON, as an inode may be too large for SQLite."""
    numbers = [stamp.size, stamp.mtime_ns, stamp.inode, stamp.device, stamp.ctime_ns, stamp.edges]
    return escaped(stamp.path), json.dumps(numbers), json.dumps(dict(contents))


def file_record(path: str, stamp: str, contents: str) -> tuple[FileStamp, Mapping[str, str]]:
    """The inverse of `file_fields`."""
    found = json.loads(contents)
    # Version 0.5.0 wrote four numbers alone.
    numbers, edges = json.loads(stamp)[:5], json.loads(stamp)[5:]
    if not all(type(number) is int for number in numbers) or not all(isinstance(edge, str) for edge in edges):
        raise TypeError(stamp)
    if not all(isinstance(content, str) for content in found.values()):
        raise ValueError(contents)
    return FileStamp(unescaped(path), *numbers, *edges), found


def header_fields(shard: str, tensors: Sequence[HeaderTensor]) -> tuple[str, str]:
    """Return the shard's digest and its tensors."""
    return escaped(shard), json.dumps([[t.name, t.dtype, t.shape, t.offset, t.nbytes] for t in tensors])


def header_record(shard: str, tensors: str) -> tuple[str, tuple[HeaderTensor, ...]]:
    """The inverse of `header_fields`."""
    return unescaped(shard), tuple(_header_tensor(*fields) for fields in json.loads(tensors))


def model_fields(model: SeenModel) -> tuple[Any, ...]:
    """Return label, revision, seen, contents."""
    contents = json.dumps(sorted(model.contents))
    return escaped(model.label), escaped(model.revision), int(model.seen.timestamp()), contents


def model_record(label: str, revision: str, seen: int, contents: str) -> SeenModel:
    """The inverse of `model_fields`."""
    found = frozenset(json.loads(contents))
    if not all(isinstance(content, str) for content in found):
        raise ValueError(contents)
    return SeenModel(unescaped(label), unescaped(revision), datetime.fromtimestamp(seen, UTC), found)


def origin_fields(origin: Origin) -> tuple[str, str, int]:
    """Return source, host, time."""
    return escaped(origin.source), escaped(origin.host), int(origin.time.timestamp())


def origin_record(source: str, host: str, time: int) -> Origin:
    """The inverse of `origin_fields`."""
    return Origin(unescaped(source), unescaped(host), datetime.fromtimestamp(time, UTC))


# A matrix has many results and a method many matrices.
@lru_cache(maxsize=1024)
def _method(name: str, parameters: str, version: int) -> Method:
    return Method(unescaped(name), unescaped(parameters), version)


@lru_cache(maxsize=1024)
def _key(content: str, part: str, recipe: str) -> SpectrumKey:
    return SpectrumKey(unescaped(content), unescaped(part), unescaped(recipe))


def _header_tensor(name: str, dtype: str, shape: list[int], offset: int, nbytes: int) -> HeaderTensor:
    if not (isinstance(name, str) and isinstance(dtype, str)):
        raise TypeError(name)
    if not all(isinstance(number, int) and number >= 0 for number in (*shape, offset, nbytes)):
        raise ValueError(name)
    return HeaderTensor(name, dtype, tuple(shape), offset, nbytes)

"""What is put into a store comes out unchanged, to the bit."""

from __future__ import annotations

import math
import os
import struct
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.stores.samples import key, results, same, spectrum
from wqscore.spectra.spectrum import Spectrum
from wqscore.stores.records import (
    FileStamp,
    HeaderTensor,
    Method,
    ResultKey,
    SeenModel,
    SpectrumKey,
    Value,
    canonical,
)
from wqscore.stores.store import Store

#: Lone surrogates too: names in a checkpoint or on a disk may have them.
TEXT = st.text(st.characters(), max_size=20)
KEYS = st.builds(SpectrumKey, TEXT, TEXT, TEXT)
COUNTS = st.integers(0, 2**63 - 1)
DOUBLES = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
FINITE = st.builds(
    Spectrum,
    arrays(np.float64, st.integers(1, 40), elements=DOUBLES),
    *(COUNTS, COUNTS, COUNTS),
    st.floats(0, 1),
    st.just("finite"),
)
EMPTY = st.builds(
    Spectrum,
    st.just(np.empty(0)),
    *(COUNTS, COUNTS, COUNTS),
    st.floats(0, 1),
    st.sampled_from(["zero", "non-finite", "unknown"]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | DOUBLES | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(tmp_path_factory.mktemp("store") / "store.sqlite")


def identical(a: Value, b: Value) -> bool:
    """Equal, of the same types, the sign of a zero included; a NaN is a NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(identical(a[name], b[name]) for name in a)
    return a == b


@given(st.dictionaries(KEYS, FINITE | EMPTY, min_size=1, max_size=5))
def test_spectra_keep_every_bit(store: Store, spectra: dict[SpectrumKey, Spectrum]) -> None:
    store.put(spectra=spectra)
    found = store.spectra(spectra)
    assert found.keys() == spectra.keys()
    assert all(same(found[name], spectra[name]) for name in spectra)
    assert all(found[name].eigenvalues.flags.writeable for name in spectra)
    assert not store.damaged


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "f4", "f2", "i4", "u1"])
@pytest.mark.parametrize("step", [1, 2, -1])
def test_arrays_of_any_type_and_order_keep_their_values(store: Store, dtype: str, step: int) -> None:
    values = np.array([0, 1, 2, 77, 3, 5], dtype=dtype)[::step]
    store.put(spectra={key(0): Spectrum(values, 3, 4, 1, 0.0, "finite")})
    back = store.spectra([key(0)])[key(0)].eigenvalues
    assert back.dtype == np.dtype(np.float64)
    assert back.tolist() == values.tolist()


@given(KEYS, st.dictionaries(st.builds(Method, TEXT, TEXT, st.integers(-(2**63), 2**63 - 1)), VALUES, max_size=4))
def test_results_keep_every_value(store: Store, of: SpectrumKey, values: dict[Method, Value]) -> None:
    put = {ResultKey(of, method): value for method, value in values.items()}
    store.put(results=put)
    found = store.results([of], values)
    assert found.keys() == put.keys()
    assert all(identical(found[name], put[name]) for name in put)


def test_special_numbers(store: Store) -> None:
    put: dict[str, Value] = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "-0": -0.0, "least": 5e-324}
    method = Method("special", "{}", 1)
    store.put(results={ResultKey(key(1), method): put})
    assert identical(store.results([key(1)], [method])[ResultKey(key(1), method)], put)


NUMBERS = st.integers(0, 2**64 - 1)
STAMPS = st.builds(FileStamp, TEXT, NUMBERS, st.integers(-(2**63), 10**18), NUMBERS, NUMBERS)


@given(st.lists(STAMPS, unique_by=lambda stamp: stamp.path, max_size=4), st.dictionaries(TEXT, TEXT, max_size=3))
def test_files(store: Store, stamps: list[FileStamp], contents: dict[str, str]) -> None:
    store.put_files(dict.fromkeys(stamps, contents))
    assert store.files(stamps) == dict.fromkeys(stamps, contents)


TENSORS = st.builds(
    HeaderTensor, TEXT, TEXT, st.lists(st.integers(0, 2**70)).map(tuple), st.integers(0, 2**70), st.integers(0, 2**70)
)


@given(st.dictionaries(TEXT, st.lists(TENSORS, max_size=3).map(tuple), max_size=3))
def test_headers(store: Store, headers: dict[str, tuple[HeaderTensor, ...]]) -> None:
    store.put_headers(headers)
    assert store.headers(headers) == headers


@given(TEXT, TEXT, st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)), st.frozensets(TEXT, max_size=4))
def test_models(store: Store, label: str, revision: str, seen: datetime, contents: frozenset[str]) -> None:
    model = SeenModel(label, revision, seen.replace(tzinfo=UTC), contents)
    store.put_models([model])
    found = [m for m in store.models() if (m.label, m.revision) == (label, revision)]
    assert found == [SeenModel(label, revision, seen.replace(microsecond=0, tzinfo=UTC), contents)]


def test_only_what_was_asked_for_comes_back(store: Store) -> None:
    numbers = range(10, 20)
    store.put({key(n): spectrum(n) for n in numbers}, {k: v for n in numbers for k, v in results(n).items()})
    assert store.spectra([key(12), key(999)]).keys() == {key(12)}
    for other in (
        SpectrumKey(key(12).content, "[k]", key(12).recipe),
        SpectrumKey(key(12).content, key(12).part, "gram-2"),
        SpectrumKey(key(13).content + "0", key(12).part, key(12).recipe),
    ):
        assert store.spectra([other]) == {}
    alpha = next(iter(results(12))).method
    for method in (
        Method(alpha.name, alpha.parameters, alpha.version + 1),
        Method(alpha.name, canonical({"floor": 1e-5, "seed": 1}), alpha.version),
        Method("alpha_hill", alpha.parameters, alpha.version),
    ):
        assert store.results([key(12)], [method]) == {}
    assert store.results([key(12)], [alpha]) == dict([next(iter(results(12).items()))])
    assert store.spectra([]) == {} == store.results([key(12)], [])


@pytest.mark.usefixtures("settled")
def test_a_changed_file_is_not_the_file_that_was_recorded(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"abc")
    os.utime(file, (1_600_000_000, 1_600_000_000))
    before = FileStamp.of(file)
    store.put_files({before: {"w": "sha256:00"}})
    assert store.files([FileStamp.of(file)]) == {before: {"w": "sha256:00"}}
    os.utime(file, ns=(0, before.mtime_ns + 1))
    assert store.files([FileStamp.of(file)]) == {}
    os.utime(file, ns=(0, before.mtime_ns))
    copy = tmp_path / "copy"
    copy.write_bytes(b"abd")
    os.utime(copy, ns=(0, before.mtime_ns))
    copy.replace(file)
    assert store.files([FileStamp.of(file)]) == {}


def test_a_file_changed_a_moment_ago_is_not_recorded(store: Store, tmp_path: Path) -> None:
    """Changed again within a tick of the file system's clock, it would have the same stamp."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"abc")
    store.put_files({FileStamp.of(file): {"w": "sha256:00"}})
    assert store.files([FileStamp.of(file)]) == {}


def test_nothing_is_written_of_a_batch_that_fails(tmp_path: Path) -> None:
    with Store.open(tmp_path / f"{uuid4().hex}.sqlite") as store:
        with pytest.raises(OverflowError):
            store.put({key(0): spectrum(0), key(1): Spectrum(np.ones(2), 2**64, 2, 1, 0.0, "finite")})
        store.put({key(2): spectrum(2)})
        assert store.spectra([key(0), key(1), key(2)]).keys() == {key(2)}

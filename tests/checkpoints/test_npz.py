"""NumPy's own files, read back as NumPy reads them; forged archives and headers."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.examples import examples
from wqscore.checkpoints.npz import read_npy, read_npz

RNG = np.random.default_rng(5)
WEIGHTS = {
    "params/dense/kernel": RNG.standard_normal((4, 6), np.float32),
    "half": RNG.standard_normal((3, 5)).astype(np.float16),
    "double": np.asfortranarray(RNG.standard_normal((3, 4, 2))),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
}
DOTTED = {name.replace("/", "."): array for name, array in WEIGHTS.items()}


def test_arrays_that_are_stored_are_ranges_of_bytes(tmp_path):
    np.savez(tmp_path / "w.npz", **WEIGHTS)
    tensors, decodings, refusals = read_npz(tmp_path / "w.npz")
    assert not decodings and not refusals
    assert [tensor.name for tensor in tensors] == list(DOTTED)
    for tensor in tensors:
        expected = DOTTED[tensor.name]
        np.testing.assert_array_equal(tensor.read(), expected, strict=True)
        raw = (tmp_path / "w.npz").read_bytes()[tensor.offset : tensor.offset + tensor.nbytes]
        assert raw == expected.tobytes(order="A")


def test_arrays_that_are_compressed_are_inflated(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", **WEIGHTS)
    tensors, decodings, refusals = read_npz(tmp_path / "w.npz")
    assert not refusals
    assert [part for decoding in decodings for part in decoding.parts] == tensors
    assert {decoding.name: decoding.shape for decoding in decodings} == {n: w.shape for n, w in DOTTED.items()}
    for decoding in decodings:
        weight = decoding.decode(*(part.read() for part in decoding.parts))
        np.testing.assert_array_equal(weight, DOTTED[decoding.name].astype(np.float32), strict=True)


def test_an_archive_of_more_than_32_bit_offsets_can_hold(tmp_path):
    """numpy.savez marks every member as one that may be of 64 bits; here their sizes are stored so too."""
    with zipfile.ZipFile(tmp_path / "w.npz", "w", allowZip64=True) as opened:
        for name, array in WEIGHTS.items():
            with opened.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    tensors, _, _ = read_npz(tmp_path / "w.npz")
    for tensor in tensors:
        np.testing.assert_array_equal(tensor.read(), DOTTED[tensor.name], strict=True)


def test_an_archive_behind_4_gib_of_nothing(tmp_path):
    """Offsets of 64 bits: the archive is put at the end of a sparse file."""
    path = tmp_path / "w.npz"
    with path.open("wb") as stream:
        stream.seek(2**32 + 100)
        np.savez(stream, **WEIGHTS)
    tensors, _, _ = read_npz(path)
    assert tensors[0].offset > 2**32
    np.testing.assert_array_equal(tensors[0].read(), WEIGHTS["params/dense/kernel"], strict=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(50))
@given(
    arrays.arrays(
        st.sampled_from(["<f2", "<f4", "<f8", "<i4", "u1", "?"]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    st.booleans(),
)
def test_any_array_is_read_back(tmp_path, array, fortran):
    array = np.asfortranarray(array) if fortran and array.ndim else array
    np.save(tmp_path / "w.npy", array)
    np.savez(tmp_path / "w.npz", w=array)
    tensors, _, _ = read_npz(tmp_path / "w.npz")
    for tensor in (read_npy(tmp_path / "w.npy"), tensors[0]):
        assert (tensor.name, tensor.shape) == ("w", array.shape)
        np.testing.assert_array_equal(tensor.read(), array, strict=True)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([{}, None], object), "holds Python objects"),
        (np.array("text"), "holds <U4, not read"),
        (np.zeros(2, ">f4"), "big-endian"),
        (np.zeros(2, "V2"), "2-byte numbers of a type NumPy has no name for (bfloat16?)"),
        (np.zeros(2, [("a", "<f4")]), "not read: save it as float32"),
        (np.zeros(2, np.complex128), "holds complex128"),
    ],
)
def test_arrays_that_are_no_plain_numbers_are_named(tmp_path, save, array, reason):
    save(tmp_path / "w.npz", good=np.ones(3), bad=array)
    tensors, _, refusals = read_npz(tmp_path / "w.npz")
    assert [tensor.name for tensor in tensors] == ["good"]
    assert [refused.name for refused in refusals] == ["bad"] and reason in refusals[0].reason


def test_nothing_is_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    np.savez(tmp_path / "w.npz", w=np.array([Evil()], object))
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as opened:
        opened.writestr("w", pickle.dumps(Evil()))
    for name in ("w.npz", "p.npz"):
        assert read_npz(tmp_path / name)[2]
    assert not (tmp_path / "ran").exists()


def test_compressed_integers_are_named(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", step=np.int64(3))
    assert "of I64, not floats" in read_npz(tmp_path / "w.npz")[2][0].reason

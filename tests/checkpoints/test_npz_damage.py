"""Forged and damaged NumPy archives and headers."""

from __future__ import annotations

import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.checkpoints.npz import read_npy, read_npz
from wqscore.errors import CheckpointError

RNG = np.random.default_rng(5)


def refusal(path, reader=read_npz):
    with pytest.raises(CheckpointError) as error:
        reader(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def npy_bytes(descr="'<f4'", order="False", shape="(2, 3)", numbers=b"\0" * 24, version=1, extra=""):
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {extra}}}\n".encode("latin-1")
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + numbers


def archive(path, content, compression=zipfile.ZIP_STORED, name="w.npy"):
    with zipfile.ZipFile(path, "w", compression) as opened:
        opened.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": "(2, 4)"}, "its header says"),
        ({"numbers": b"\0" * 25}, "its header says"),
        ({"shape": "(-2, 3)"}, "an impossible shape"),
        ({"shape": "(True, 6)"}, "an impossible shape"),
        ({"shape": "(2,)" + " * 9"}, "header can't be read"),
        ({"shape": "(2**60, 2**60)"}, "header can't be read"),
        ({"shape": f"({2**62}, 4)"}, "larger than any memory"),
        ({"shape": f"({', '.join(['1'] * 65)})"}, "an impossible shape"),
        ({"shape": "__import__('os')"}, "header can't be read"),
        ({"descr": "'wrong'"}, "header can't be read"),
        ({"descr": "[" * 150 + "]" * 150}, "header can't be read"),
        ({"descr": "-" * 5000 + "1"}, "header can't be read"),
        ({"extra": "'other': 1"}, "header can't be read"),
        ({"extra": " " * 11_000}, "header can't be read"),
        ({"version": 3}, "header can't be read"),
        ({"order": "1"}, "header can't be read"),
    ],
)
def test_headers_that_lie(tmp_path, fields, message):
    content = npy_bytes(**fields)
    (tmp_path / "w.npy").write_bytes(content)
    for path, reader in [
        (tmp_path / "w.npy", read_npy),
        (archive(tmp_path / "stored.npz", content), read_npz),
        (archive(tmp_path / "deflated.npz", content, zipfile.ZIP_DEFLATED), read_npz),
    ]:
        assert message in refusal(path, reader)


def test_a_bomb_is_not_inflated_beyond_the_size_in_its_header(tmp_path):
    content = npy_bytes(numbers=b"\0" * 10_000_000)
    path = archive(tmp_path / "w.npz", content, zipfile.ZIP_DEFLATED)
    assert "its header says" in refusal(path)
    # The directory says what the header says; the deflated bytes go on.
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    honest = len(npy_bytes())
    struct.pack_into("<I", data, entry + 24, honest)
    path.write_bytes(data)
    _, (decoding,), _ = read_npz(path)
    with pytest.raises(CheckpointError, match=f"does not inflate to the {honest} bytes"):
        decoding.decode(*(part.read() for part in decoding.parts))


def test_a_size_that_deflate_can_not_reach(tmp_path):
    path = archive(tmp_path / "w.npz", npy_bytes(), zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 2**31)
    path.write_bytes(data)
    assert "claims to inflate" in refusal(path)


def test_damaged_compressed_bytes(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", w=RNG.standard_normal((50, 50)))
    content = (tmp_path / "w.npz").read_bytes()
    start = read_npz(tmp_path / "w.npz")[0][0].offset
    # A block of an unknown type at the start, which the header needs; and other bytes amid the numbers.
    for at in (0, 10_000):
        (tmp_path / "w.npz").write_bytes(content[: start + at] + b"\xff" * 4 + content[start + at + 4 :])
        with pytest.raises(CheckpointError, match=r"damaged|does not match its checksum"):
            _, (decoding,), _ = read_npz(tmp_path / "w.npz")
            decoding.decode(*(part.read() for part in decoding.parts))


def test_a_wrong_checksum(tmp_path):
    path = archive(tmp_path / "w.npz", npy_bytes(), zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 16, zlib.crc32(b"other"))
    path.write_bytes(data)
    _, (decoding,), _ = read_npz(path)
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        decoding.decode(*(part.read() for part in decoding.parts))


def test_archives_that_lie(tmp_path):
    path = archive(tmp_path / "w.npz", npy_bytes())
    content = path.read_bytes()
    entry = content.index(b"PK\x01\x02")

    def forged(at, layout, *values):
        data = bytearray(content)
        struct.pack_into(layout, data, entry + at, *values)
        path.write_bytes(data)
        return refusal(path)

    assert "is not where the zip directory says" in forged(42, "<I", 7)
    assert "ends after the file" in forged(20, "<II", 2**31 - 1, 2**31 - 1)
    assert "has two sizes" in forged(20, "<I", 20)
    assert "encrypted" in forged(8, "<H", 1)
    assert "compressed by a method NumPy doesn't use" in forged(10, "<H", 14)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a/b.npy", "a.b.npy", "a/b"])
def test_two_arrays_of_one_name(tmp_path, second):
    path = archive(tmp_path / "w.npz", npy_bytes(), name="a/b.npy")
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr(second, npy_bytes())
    assert "two of its arrays have the same name" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"version https://git-lfs"])
def test_files_that_are_something_else(tmp_path, content):
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    assert "zip directory can't be read" in refusal(path)
    assert "header can't be read" in refusal(path, read_npy)
    assert "can't be read" in refusal(tmp_path / "none.npz")
    assert "can't be read" in refusal(tmp_path / "none.npy", read_npy)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(150))
@given(st.data())
def test_a_changed_byte_gives_one_clear_line_or_arrays_in_the_file(tmp_path, data):
    path = tmp_path / "w.npz"
    values = np.sin(np.arange(30.0)).reshape(5, 6)
    save = np.savez if data.draw(st.booleans()) else np.savez_compressed
    save(path, w=values, v=np.asfortranarray(values.astype(np.float16)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        tensors, decodings, _ = read_npz(path)
        for tensor in tensors:
            assert 0 <= tensor.offset <= tensor.offset + tensor.nbytes <= len(content)
            tensor.read()
        for decoding in decodings:
            assert decoding.decode(*(part.read() for part in decoding.parts)).shape == decoding.shape
    except CheckpointError as error:
        assert "\n" not in str(error)

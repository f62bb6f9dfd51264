"""The zip container, written by the standard library: values, and every way it can lie."""

from __future__ import annotations

import struct
import zipfile

import pytest

from tests.checkpoints.pytorch.writer import VALUES, mapping, refusal, tensor, zipped
from wqscore.checkpoints.pytorch.file import read_torch_file


def test_compressed_entries_are_refused(tmp_path):
    path = zipped(tmp_path / "m.bin", mapping(w=tensor()), compression=zipfile.ZIP_DEFLATED)
    assert "'model/data.pkl' is compressed" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02" + mapping(w=tensor()) + b".")
        archive.writestr("model/data/0", VALUES.tobytes(), zipfile.ZIP_DEFLATED)
    assert "'model/data/0' is compressed" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_of_one_name_are_refused(tmp_path):
    path = zipped(tmp_path / "m.bin", mapping(w=tensor()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model/data/0", b"\0" * 24)
    assert "names an entry twice" in refusal(path)


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ({"byteorder": b"big"}, "little-endian"),
        ({"byteorder": b"b" * 1000}, "1000 bytes"),
        ({"constants.pkl": b"\x80\x02)."}, "TorchScript"),
        ({"code/__torch__.py": b""}, "TorchScript"),
        ({"../other/data.pkl": b"\x80\x02}."}, None),
    ],
)
def test_other_zip_archives(extra, fault, tmp_path):
    path = zipped(tmp_path / "m.bin", mapping(w=tensor()), extra=extra)
    if fault is None:
        assert [ref.name for ref in read_torch_file(path)] == ["w"]
    else:
        assert fault in refusal(path)


def test_zip_archives_that_torch_did_not_write(tmp_path):
    path = tmp_path / "m.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    assert "0 data.pkl" in refusal(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("b/data.pkl", b"\x80\x02}.")
    assert "2 data.pkl" in refusal(path)


def test_a_zip_directory_that_lies(tmp_path):
    path = zipped(tmp_path / "m.bin", mapping(w=tensor()))
    content = path.read_bytes()
    first = content.index(b"PK\x01\x02")
    storage = content.index(b"PK\x01\x02", first + 4)

    def forged(at, layout, *values):
        data = bytearray(content)
        struct.pack_into(layout, data, at, *values)
        path.write_bytes(data)
        return refusal(path)

    assert "has 2147483647 bytes, more than 100000000" in forged(first + 20, "<II", 2**31 - 1, 2**31 - 1)
    assert "does not match its checksum" in forged(first + 16, "<I", 1)
    assert "ends after the file" in forged(storage + 20, "<II", 2**31 - 1, 2**31 - 1)
    assert "its pickle says 24" in forged(storage + 20, "<II", 20, 20)
    assert "is not where the zip directory says" in forged(storage + 42, "<I", 0)
    assert "is not where the zip directory says" in forged(storage + 42, "<I", 2**31)
    assert "encrypted" in forged(storage + 8, "<H", 1)


def test_a_zip_file_of_more_than_four_gigabytes(tmp_path):
    path = tmp_path / "m.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02" + mapping(w=tensor()) + b".")
        archive.start_dir = 2**33  # the next entry goes there, behind a hole
        archive.writestr("model/data/0", VALUES.tobytes())
    (ref,) = read_torch_file(path)
    assert ref.offset > 2**33
    assert ref.read().tolist() == [[1, 2, 3], [4, 5, 6]]

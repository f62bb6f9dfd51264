"""The container of torch before 1.6, as literal bytes: values, and every way its header can lie."""

from __future__ import annotations

import io
import struct

import pytest

from tests.checkpoints.pytorch.writer import SYSTEM, legacy, mapping, plain, refusal, tensor
from wqscore.checkpoints.pytorch.file import read_torch_file


def test_a_legacy_file_as_literal_bytes(tmp_path):
    path = tmp_path / "m.bin"
    path.write_bytes(
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
        b"\x80\x02M\xe9\x03."
        b"\x80\x02}X\r\x00\x00\x00little_endian\x88s."
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor\n("
        b"(X\x07\x00\x00\x00storagectorch\nHalfStorage\nX\x02\x00\x00\x0042X\x03\x00\x00\x00cpuK\x03NtQ"
        b"K\x01K\x02\x85K\x01\x85tRs."
        b"\x80\x02]X\x02\x00\x00\x0042a."
        b"\x03\x00\x00\x00\x00\x00\x00\x00"
        b"\x00\x3c\x00\x40\x00\xc2"
    )
    (ref,) = read_torch_file(path)
    assert (ref.name, ref.shape, ref.dtype.name, ref.strides) == ("w", (2,), "F16", None)
    assert ref.offset == path.stat().st_size - 4
    assert ref.read().tolist() == [2.0, -3.0]


def test_a_part_of_a_legacy_storage(tmp_path):
    view = (plain(("part", 2, 3)),)
    path = legacy(tmp_path / "m.bin", mapping(w=tensor((2,), (2,), view=view)))
    assert read_torch_file(path)[0].read().tolist() == [3, 5]
    past = legacy(tmp_path / "p.bin", mapping(w=tensor((2,), (2,), offset=1, view=view)))
    assert "tensor w: reaches past the end of its storage" in refusal(past)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"magic": 5}, "not one that torch.save wrote"),
        ({"magic": {"w": [1.0]}}, "not one that torch.save wrote"),
        ({"version": 1002}, "protocol version is not 1001"),
        ({"version": "1001"}, "protocol version is not 1001"),
        ({"system": {**SYSTEM, "little_endian": False}}, "little-endian"),
        ({"system": {}}, "little-endian"),
        ({"system": 7}, "little-endian"),
        ({"keys": []}, "list of storages"),
        ({"keys": ["1"]}, "list of storages"),
        ({"keys": ["0", "0"]}, "list of storages"),
        ({"keys": ["0", "1"]}, "list of storages"),
        ({"keys": [0]}, "list of storages"),
        ({"keys": [["0"]]}, "list of storages"),
        ({"keys": "0"}, "list of storages"),
        ({"storages": {"0": b"\0" * 20}}, "ends inside storage '0'"),
        ({"storages": {"0": b"\0" * 28}}, "has 7 elements, its pickle says 6"),
    ],
)
def test_legacy_headers_that_lie(options, fault, tmp_path):
    assert fault in refusal(legacy(tmp_path / "m.bin", mapping(w=tensor()), **options))


def test_nothing_but_headers_is_read_of_a_file_of_many_gigabytes(tmp_path):
    """A storage of 2³³ bytes, a hole but for the last four: listed at once, and its end read alone."""
    path, numel = tmp_path / "m.bin", 2**31
    content = mapping(w=tensor((numel,), (1,), numel=numel), end=tensor((1,), (1,), offset=numel - 1, numel=numel))
    legacy(path, content, storages={"0": b""})
    with path.open("r+b") as stream:
        stream.seek(-8, io.SEEK_END)
        stream.write(struct.pack("<q", numel))
        stream.seek(4 * (numel - 1), io.SEEK_CUR)
        stream.write(struct.pack("<f", 2.5))
    whole, end = read_torch_file(path)
    assert (whole.nbytes, end.offset) == (2**33, path.stat().st_size - 4)
    assert end.read().tolist() == [2.5]

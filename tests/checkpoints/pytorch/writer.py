"""State dicts written by hand, opcode by opcode, in both of torch's containers; torch is not needed."""

from __future__ import annotations

import pickle
import struct
import zipfile

import numpy as np
import pytest

from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.errors import CheckpointError

VALUES = np.arange(1, 7, dtype="<f4")


def plain(value) -> bytes:
    """The opcodes that push a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(size=(2, 3), strides=(3, 1), offset=0, numel=6, key="0", kind="FloatStorage", view=()) -> bytes:
    """The opcodes that push a float32 tensor on a storage of six elements."""
    storage = b"".join(
        [
            b"(",
            plain("storage"),
            f"ctorch\n{kind}\n".encode(),
            plain(key),
            plain("cpu"),
            plain(numel),
            *view,
            b"tQ",
        ]
    )
    arguments = b"".join([plain(offset), plain(size), plain(strides), b"\x89", b"ccollections\nOrderedDict\n)R"])
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + arguments + b"tR"


def mapping(**values: bytes) -> bytes:
    return b"}(" + b"".join(plain(name) + value for name, value in values.items()) + b"u"


def zipped(path, content: bytes, storages=None, extra=None, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("model/data.pkl", b"\x80\x02" + content + b".")
        for name, data in (extra or {}).items():
            archive.writestr(f"model/{name}", data)
        for key, data in ({"0": VALUES.tobytes()} if storages is None else storages).items():
            archive.writestr(f"model/data/{key}", data)
    return path


SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def legacy(path, content, storages=None, magic=0x1950A86A20F9469CFC6C, version=1001, system=SYSTEM, keys=None):
    storages = {"0": VALUES.tobytes()} if storages is None else storages
    header = [pickle.dumps(value, 2) for value in (magic, version, system)]
    data = [struct.pack("<q", len(data) // 4) + data for data in storages.values()]
    listed = pickle.dumps(list(storages) if keys is None else keys, 2)
    path.write_bytes(b"".join([*header, b"\x80\x02" + content + b".", listed, *data]))
    return path


def refusal(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_torch_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message

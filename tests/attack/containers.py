"""The same pickles in every container, and containers that lie about what they hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tests.attack.attack import Attack, in_file, safetensors
from tests.attack.payloads import CALLED, SHAPES, WAYS_IN, Payload, protocol_0, whole
from tests.checkpoints.pytorch.writer import VALUES, mapping, tensor

_SOUND = b"\x80\x02" + mapping(**{"a.weight": tensor()}) + b"."
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def evil(mark: Path) -> bytes:
    """The pickle that every container carries."""
    return whole(WAYS_IN["GLOBAL os.system"](mark), 2)


def zipped(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def torch_zip(**more: bytes) -> bytes:
    """A sound file of torch with members changed or added, `__` standing for a slash."""
    members = {"data.pkl": _SOUND, "version": b"3\n", "data/0": VALUES.tobytes()}
    added = {name.replace("__", "/").replace("_pkl", ".pkl"): content for name, content in more.items()}
    return zipped({f"archive/{name}": content for name, content in (members | added).items()})


def _wrong_checksum(archive: bytes) -> bytes:
    """The first member's checksum in the directory with its lowest bit turned over."""
    header = b"PK\x01\x02"
    return _changed(archive, header, 16, archive[archive.index(header) + 16] ^ 1)


def _changed(content: bytes, marker: bytes, offset: int, value: int) -> bytes:
    """The first header of a kind in a zip archive with a byte changed."""
    at = content.index(marker) + offset
    return content[:at] + bytes([value]) + content[at + 1 :]


def _two_of_one_name(mark: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", _SOUND)
        archive.writestr("archive/data/0", VALUES.tobytes())
        archive.writestr("archive/Data.pkl", evil(mark))
    return stream.getvalue().replace(b"archive/Data.pkl", b"archive/data.pkl")


def _other_local_name(mark: Path) -> bytes:
    content = torch_zip(data_pkl=evil(mark))
    return content.replace(b"archive/data.pkl", b"archive/data.txt", 1)


#: In a zip archive, which torch reads; the last ones hold a sound model, and code where nobody looks.
_ZIPS: dict[str, Callable[[Path], bytes]] = {
    "data.pkl": lambda mark: torch_zip(data_pkl=evil(mark)),
    "a wrong checksum": lambda mark: _wrong_checksum(torch_zip(data_pkl=evil(mark))),
    "marked as encrypted": lambda mark: _changed(torch_zip(data_pkl=evil(mark)), b"PK\x01\x02", 8, 1),
    "marked as encrypted in its local header": lambda mark: _changed(
        torch_zip(data_pkl=evil(mark)), b"PK\x03\x04", 6, 1
    ),
    "an unknown compression": lambda mark: _changed(torch_zip(data_pkl=evil(mark)), b"PK\x01\x02", 10, 99),
    "two members of one name": _two_of_one_name,
    "another name in the local header": _other_local_name,
    "in a folder of its own": lambda mark: zipped({"a/b/c/data.pkl": evil(mark), "a/b/c/data/0": VALUES.tobytes()}),
    "without a folder": lambda mark: zipped({"data.pkl": evil(mark), "data/0": VALUES.tobytes()}),
    "bytes before the archive": lambda mark: b"#!/bin/sh\n" + torch_zip(data_pkl=evil(mark)),
    "an archive in the archive": lambda mark: zipped({"model.bin": torch_zip(data_pkl=evil(mark))}),
    "TorchScript": lambda mark: torch_zip(constants_pkl=evil(mark), code____torch___py=b"import os\nos.system('x')"),
    "code beside data.pkl": lambda mark: torch_zip(code__evil_py=f"open({str(mark)!r}, 'w')".encode()),
    "deflated": lambda mark: zipped({"archive/data.pkl": evil(mark), "archive/data/0": b""}, zipfile.ZIP_DEFLATED),
}
_ZIPS_BESIDE: dict[str, Callable[[Path], bytes]] = {
    "another pickle beside data.pkl": lambda mark: torch_zip(evil_pkl=evil(mark)),
    "a member that leaves the folder": lambda mark: torch_zip(**{"../../../escaped": evil(mark)}),
    "a member of an absolute path": lambda mark: zipped(
        {"/tmp/escaped": b"", "a/data.pkl": _SOUND, "a/data/0": VALUES.tobytes()}
    ),
    "bytes that are a pickle under another name": lambda mark: torch_zip(version=evil(mark), extra__files=evil(mark)),
}


def sound_legacy() -> bytes:
    """A sound file in the first container of torch: five pickles in a row, then the numbers."""
    return b"".join(_pickles()) + (6).to_bytes(8, "little") + VALUES.tobytes()


def _pickles() -> list[bytes]:
    return [*(pickle.dumps(value, 2) for value in (_MAGIC, _VERSION, _SYSTEM)), _SOUND, pickle.dumps(["0"], 2)]


def _legacy(mark: Path, place: int) -> bytes:
    """One of the five pickles is hostile."""
    parts = _pickles()
    parts[place] = evil(mark)
    return b"".join(parts) + (6).to_bytes(8, "little") + VALUES.tobytes()


def _tar(mark: Path, place: str) -> bytes:
    """The container before that: a tar archive of three members, each of several pickles."""
    members = {
        "storages": pickle.dumps(0, 2) + pickle.dumps([], 2),
        "tensors": pickle.dumps(0, 2),
        "pickle": b"\x80\x02}.",
    }
    members[place] = evil(mark)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _slipping_tar(mark: Path) -> bytes:
    """Members that leave the folder when someone unpacks it: by name, by a link and by a device."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind, target in (
            ("../../escaped", tarfile.REGTYPE, ""),
            ("storages", tarfile.SYMTYPE, "/etc/passwd"),
            ("tensors", tarfile.LNKTYPE, "../../etc/passwd"),
            ("pickle", tarfile.FIFOTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return stream.getvalue()


def _object_array(mark: Path) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + evil(mark)


def _header_of_code(mark: Path) -> bytes:
    """Old versions of tools evaluate this header."""
    header = f"{{'descr': open({str(mark)!r}, 'w'), 'fortran_order': False, 'shape': (1,), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)


def _npy(shape: tuple[int, ...] = (60, 64)) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.random.default_rng(0).standard_normal(shape).astype("f4"))
    return stream.getvalue()


_ARRAYS: dict[str, Callable[[Path, Path], Path]] = {
    ".npy of objects": in_file("w.npy", _object_array),
    ".npy whose header is code": in_file("w.npy", _header_of_code),
    ".npz of objects alone": in_file("w.npz", lambda mark: zipped({"w.npy": _object_array(mark)})),
    ".npz whose members are pickles": in_file("w.npz", lambda mark: zipped({"w.npy": evil(mark)})),
    "a pickle called .npy": in_file("w.npy", evil),
    "a pickle called .npz": in_file("w.npz", evil),
}
_ARRAYS_BESIDE = {
    ".npz of objects beside weights": in_file(
        "w.npz", lambda mark: zipped({"w.npy": _npy(), "x.npy": _object_array(mark), "y.pkl": evil(mark)})
    ),
}


def _packed(name: str, pack: Callable[[bytes], bytes]) -> Callable[[Path, Path], Path]:
    return in_file(name, lambda mark: pack(evil(mark)))


_OTHER_NAMES: dict[str, Callable[[Path, Path], Path]] = {
    **{
        f"a pickle called {suffix}": in_file(f"model{suffix}", evil)
        for suffix in (".pt", ".pth", ".ckpt", ".pkl", ".dat")
    },
    **{
        f"a pickle called {suffix}": in_file(f"model{suffix}", evil)
        for suffix in (".joblib", ".dill", ".safetensors")
    },
    **{f"a pickle called {suffix}": in_file(f"model{suffix}", evil) for suffix in (".gguf", ".onnx", ".h5", ".tar")},
    "a file of torch called .safetensors": in_file("model.safetensors", lambda mark: torch_zip(data_pkl=evil(mark))),
}
_PACKED = {
    "joblib, zlib": _packed("model.joblib", zlib.compress),
    "joblib, gzip": _packed("model.pkl", gzip.compress),
    "joblib, bz2": _packed("model.pkl", bz2.compress),
    "joblib, xz": _packed("model.pkl", lzma.compress),
}
_POLYGLOTS = {
    "safetensors with an archive behind it": in_file(
        "model.safetensors", lambda mark: safetensors() + torch_zip(data_pkl=evil(mark))
    ),
    "safetensors with a pickle behind it": in_file("model.safetensors", lambda mark: safetensors() + evil(mark)),
}


def _in_torch(make: Payload) -> Callable[[Path, Path], Path]:
    """Where users meet a pickle: inside a file of torch."""
    return in_file("pytorch_model.bin", lambda mark: torch_zip(data_pkl=whole(make(mark))))


CONTAINERS: tuple[Attack, ...] = (
    *(Attack("pickle, ways in", name, _in_torch(make)) for name, make in WAYS_IN.items()),
    *(Attack("pickle, what is called", name, _in_torch(make)) for name, make in CALLED.items()),
    *(Attack("pickle, odd as a whole", name, in_file("model.pkl", make)) for name, make in SHAPES.items()),
    Attack("pickle, odd as a whole", "protocol 0", in_file("model.pkl", protocol_0), "no weights"),
    *(Attack("torch's zip file", name, in_file("pytorch_model.bin", make)) for name, make in _ZIPS.items()),
    *(
        Attack("torch's zip file, code beside the weights", name, in_file("pytorch_model.bin", make), "weights only")
        for name, make in _ZIPS_BESIDE.items()
    ),
    *(
        Attack(
            "torch's older containers",
            f"pickle {n + 1} of 5",
            in_file("pytorch_model.bin", lambda mark, n=n: _legacy(mark, n)),
        )
        for n in range(5)
    ),
    *(
        Attack(
            "torch's older containers",
            f"tar, {name}",
            in_file("pytorch_model.bin", lambda mark, name=name: _tar(mark, name)),
        )
        for name in ("storages", "tensors", "pickle")
    ),
    Attack("torch's older containers", "tar, members that leave the folder", in_file("model.pth.tar", _slipping_tar)),
    *(Attack("NumPy", name, make) for name, make in _ARRAYS.items()),
    *(Attack("NumPy", name, make, "weights only") for name, make in _ARRAYS_BESIDE.items()),
    *(Attack("pickle under other names", name, make) for name, make in _OTHER_NAMES.items()),
    *(Attack("pickle under other names", name, make, "no weights") for name, make in _PACKED.items()),
    *(Attack("pickle behind safetensors", name, make) for name, make in _POLYGLOTS.items()),
)

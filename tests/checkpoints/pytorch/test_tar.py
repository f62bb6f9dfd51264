"""The tar container of torch before 0.1.10, which torch still reads and no longer writes."""

from __future__ import annotations

import collections
import io
import pickle
import struct
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checkpoints.pytorch.writer import refusal
from tests.oracles import Oracle
from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.errors import CheckpointError

torch = Oracle("torch")

VALUES = np.arange(12, dtype="<f4")


class ById(pickle.Pickler):
    """Pickles an integer in a list of one as a persistent id, as torch did with tensors."""

    def persistent_id(self, value: Any) -> str | None:
        return str(value[0]) if isinstance(value, list) and len(value) == 1 else None


def type_named(name: str) -> bytes:
    """The opcodes of `(key, location, torch.<name>)` after those of the first two."""
    return f"ctorch\n{name}\n".encode()


def triple(first: int, second: object, name: str) -> bytes:
    return b"\x80\x02" + pickle.dumps(first, 2)[2:-1] + pickle.dumps(second, 2)[2:-1] + type_named(name) + b"\x87."


def tensor(key: int, storage: int, size: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    numbers = struct.pack(f"<{2 * len(size) + 1}q", *size, *strides, offset)
    return triple(key, storage, "FloatTensor") + struct.pack("<ii", len(size), 0) + numbers


def members(
    tensors: list[bytes], state: dict[str, Any], views: list[tuple[int, ...]], cut: int = 0
) -> dict[str, bytes]:
    content = io.BytesIO()
    ById(content, 2).dump(collections.OrderedDict(state))
    stored = struct.pack("<q", len(VALUES)) + VALUES.tobytes()
    return {
        "storages": pickle.dumps(1, 2) + triple(7, "cpu", "FloatStorage") + stored + pickle.dumps(views, 2),
        "tensors": pickle.dumps(len(tensors) + cut, 2) + b"".join(tensors),
        "pickle": content.getvalue(),
    }


def written(file: Path, content: dict[str, bytes]) -> Path:
    with tarfile.open(file, "w:", format=tarfile.PAX_FORMAT) as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file


WHOLE = members(
    [tensor(1, 7, (3, 4), (4, 1)), tensor(2, 7, (4, 3), (1, 4)), tensor(3, 8, (2, 2), (2, 1), 1)],
    {"fc.weight": [1], "fc.transposed": [2], "part": [3]},
    [(8, 7, 4, 6)],
)


@pytest.mark.oracle("torch")
@pytest.mark.filterwarnings("ignore")
def test_the_tensors_are_torchs(tmp_path: Path) -> None:
    file = written(tmp_path / "model.pth.tar", WHOLE)
    expected = torch.load(file, weights_only=False)
    found = {ref.name: ref.read() for ref in read_torch_file(file)}
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name].numpy())


def test_the_tensors_are_those_of_the_archive(tmp_path: Path) -> None:
    found = {ref.name: ref.read() for ref in read_torch_file(written(tmp_path / "m.tar", WHOLE))}
    np.testing.assert_array_equal(found["fc.weight"], VALUES.reshape(3, 4))
    np.testing.assert_array_equal(found["fc.transposed"], VALUES.reshape(3, 4).T)
    np.testing.assert_array_equal(found["part"], VALUES[4:10][1:5].reshape(2, 2))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (WHOLE | {"tensors": pickle.dumps("many", 2)}, "a count is no number"),
        (WHOLE | {"tensors": pickle.dumps(2**62, 2)}, "can't be read"),
        (
            WHOLE | {"storages": pickle.dumps(1, 2) + triple(7, "cpu", "FloatStorage") + struct.pack("<q", 10**6)},
            "ends inside",
        ),
        (members([tensor(1, 9, (1,), (1,))], {"w": [1]}, []), "can't be read"),
        (members([tensor(1, 7, (4, 4), (4, 1))], {"w": [1]}, []), "reaches past the end of its storage"),
        (members([tensor(1, 8, (1,), (1,))], {"w": [1]}, [(8, 7, 10, 6)]), "a view reaches outside storage 7"),
        (members([tensor(1, 7, (1,), (1,))], {"w": [5]}, []), "names a storage in an unknown way"),
        (WHOLE | {"pickle": b"cos\nsystem\n(X\x04\x00\x00\x00echotR."}, "asks for os.system"),
        ({"storages": b"", "tensors": b""}, "is a tar archive that torch.save did not write"),
    ],
)
def test_forged_archives_are_refused(content: dict[str, bytes], fault: str, tmp_path: Path) -> None:
    assert fault in refusal(written(tmp_path / "m.tar", content))


@given(st.data())
def test_any_damage_gives_tensors_or_one_line(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder) / "m.tar", WHOLE)
        content = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(content[: data.draw(st.integers(300, len(content)))])
        try:
            refs = read_torch_file(file)
        except CheckpointError as error:
            assert "\n" not in str(error)
            return
        for ref in refs:
            assert ref.parameters <= 10**9

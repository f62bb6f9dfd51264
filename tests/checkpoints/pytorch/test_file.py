"""Tensors described by hand-written pickles, in both containers: their values, and every way to forge one."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile

import pytest

from tests.checkpoints.pytorch.writer import legacy, mapping, plain, refusal, tensor, zipped
from wqscore.checkpoints.pytorch.file import read_torch_file

both = pytest.mark.parametrize("write", [zipped, legacy])


@both
def test_views_without_torch(write, tmp_path):
    content = mapping(
        rows=tensor(),
        transposed=tensor((3, 2), (1, 3)),
        last=tensor((2,), (1,), offset=4),
        scalar=tensor((), (), offset=5),
        expanded=tensor((2, 2), (0, 1), offset=1),
        none=plain({"a long text" * 100: None}),
    )
    refs = {ref.name: ref for ref in read_torch_file(write(tmp_path / "m.bin", content))}
    assert {name: ref.read().tolist() for name, ref in refs.items()} == {
        "rows": [[1, 2, 3], [4, 5, 6]],
        "transposed": [[1, 4], [2, 5], [3, 6]],
        "last": [5, 6],
        "scalar": 6,
        "expanded": [[2, 3], [2, 3]],
    }
    assert refs["last"].offset == refs["rows"].offset + 16


@both
@pytest.mark.parametrize(
    ("forged", "fault"),
    [
        ({"offset": 1}, "reaches past the end"),
        ({"offset": 2**62}, "reaches past the end"),
        ({"size": (3, 3)}, "reaches past the end"),
        ({"strides": (4, 1)}, "reaches past the end"),
        ({"size": (1, 2), "strides": (1, 6)}, "reaches past the end"),
        ({"offset": -1}, "negative"),
        ({"size": (2, -3)}, "negative"),
        ({"strides": (3, -1)}, "negative"),
        ({"size": (2, 3.0)}, "negative or not a number"),
        ({"size": (2, True)}, "negative or not a number"),
        ({"size": (2, 2**80)}, "negative or not a number"),
        ({"strides": (3, "1")}, "negative or not a number"),
        ({"size": (2,)}, "1 sizes and 2 strides"),
        ({"size": (1,) * 65, "strides": (1,) * 65}, "65 sizes"),
        ({"size": (2**32, 2**31), "strides": (0, 0)}, "larger than any memory"),
        ({"size": (0, 2**32, 2**31), "strides": (1, 1, 1)}, "larger than any memory"),
        ({"size": (2**20, 2**20), "strides": (0, 0)}, "expands 4 bytes to 4398046511104"),
    ],
)
def test_forged_tensors_are_refused_by_name(write, forged, fault, tmp_path):
    message = refusal(write(tmp_path / "m.bin", mapping(good=tensor(), bad=tensor(**forged))))
    assert "tensor bad" in message
    assert fault in message


@both
@pytest.mark.parametrize("numel", [5, 7, 2**40])
def test_a_storage_of_another_length_than_the_pickle_says(write, numel, tmp_path):
    message = refusal(write(tmp_path / "m.bin", mapping(w=tensor((1,), (1,), numel=numel))))
    assert "storage '0'" in message


@both
def test_a_storage_that_is_not_there(write, tmp_path):
    path = write(tmp_path / "m.bin", mapping(w=tensor(key="1")))
    assert "storage" in refusal(path)


@both
@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "module"])
def test_wrapped_state_dicts(write, key, tmp_path):
    content = mapping(**{"epoch": plain(3), key: mapping(w=tensor()), "optimizer": mapping(w=tensor())})
    (ref,) = read_torch_file(write(tmp_path / "m.bin", content))
    assert ref.name == "w"


@both
def test_two_wrappers_are_both_kept(write, tmp_path):
    content = mapping(model=mapping(w=tensor()), module=mapping(w=tensor()))
    assert [ref.name for ref in read_torch_file(write(tmp_path / "m.bin", content))] == [
        "model.w",
        "module.w",
    ]


@both
def test_two_tensors_of_one_name(write, tmp_path):
    content = mapping(**{"a": mapping(b=tensor()), "a.b": tensor()})
    assert "the same name" in refusal(write(tmp_path / "m.bin", content))


def text(value: str) -> bytes:
    """The opcode that pushes a text, without the memo entry that `plain` adds."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


@both
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"}q\x00" + text("a") + b"h\x00s", "a name starts with 'a.a."),
        (b"}q\x00" + text("") + b"h\x00s", "a name starts with '....."),
        (b"]q\x00h\x00aq\x01}" + text("a") + b"h\x01s", "a name starts with 'a.0.0."),
        (
            b"}" + (b"q\x00}(" + text("a") + b"h\x00" + text("b") + b"h\x00u") * 60,
            "more than 1000000 entries",
        ),
        (mapping(**{"x" * 501: b"}"}), "has 501 characters"),
        (b"".join(b"}" + text("a") for _ in range(300)) + b"N" + b"s" * 300, "a name starts with 'a.a."),
    ],
    ids=["itself", "nameless", "list", "doubling", "long", "deep"],
)
def test_endless_dictionaries_are_refused(write, content, fault, tmp_path):
    options = {"storages": {}} if write is legacy else {}
    message = refusal(write(tmp_path / "m.bin", content, **options))
    assert fault in message
    assert "refused" in message


def test_files_that_are_no_checkpoints(tmp_path):
    path = tmp_path / "m.bin"
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    assert "is a tar archive that torch.save did not write: unpack it and name a file in it" in refusal(path)
    for content, fault in [
        (b"", "is empty"),
        (b"P", "not a file that torch.save wrote"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", "not a file that torch.save wrote"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS pointer"),
        (b"PK\x03\x04" + bytes(100), "its zip directory can't be read"),
        (pickle.dumps({"w": object}, 4), "asks for builtins.object"),
    ]:
        path.write_bytes(content)
        assert fault in refusal(path)
    assert "can't be read" in refusal(tmp_path)
    assert "can't be read" in refusal(tmp_path / "missing.bin")

"""Whole checkpoints with planted damage: safetensors and .bin files, and the Hub's cache."""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save, save_file

from tests.checkpoints.pytorch.writer import mapping, tensor, zipped
from tests.oracles import Oracle
from wqscore.errors import CheckpointError
from wqscore.integrity.checking import Integrity, check
from wqscore.integrity.checksums import FileCheck, check_file

torch = Oracle("torch")


def model(seed: int = 0, dtype: object = np.float32) -> dict[str, np.ndarray]:
    """A sound transformer of two layers, with what a fresh one has: gains of 1, biases of 0."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    tensors = {"wte.weight": normal(200, 32), "position_ids": np.arange(64)}
    for layer in range(2):
        tensors |= {
            f"h.{layer}.q_proj.weight": normal(32, 32),
            f"h.{layer}.fc1.weight": normal(64, 32),
            f"h.{layer}.fc1.bias": np.zeros(64, dtype),
            f"h.{layer}.norm.weight": np.ones(32, dtype),
            f"h.{layer}.norm.bias": np.zeros(32, dtype),
        }
    return tensors


def checked(folder: Path, tensors: dict[str, np.ndarray], config: dict[str, object] | None = None) -> Integrity:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config or {}))
    return check(str(folder))


def outline(integrity: Integrity) -> list[tuple[str, str, int]]:
    return [(finding.name, finding.kind, finding.count) for finding in integrity.findings]


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ml_dtypes.bfloat16], ids=str)
def test_a_sound_model_gives_nothing(tmp_path: Path, dtype: object) -> None:
    tensors = model(dtype=dtype)
    integrity = checked(tmp_path, tensors)
    assert integrity.findings == ()
    floats = [value for name, value in tensors.items() if name != "position_ids"]
    assert (integrity.examined, integrity.size) == (len(floats), sum(value.nbytes for value in floats))
    assert integrity.unread == {"I64": 1}
    assert integrity.files == (FileCheck("model.safetensors", ""),)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ml_dtypes.bfloat16], ids=str)
def test_what_is_planted_is_found(tmp_path: Path, dtype: object) -> None:
    tensors = model(dtype=dtype)
    tensors["wte.weight"][[0, 7]] = 0
    tensors["h.0.q_proj.weight"][3, 5:8] = np.nan
    tensors["h.0.fc1.weight"][9] = tensors["h.0.fc1.weight"][2]
    tensors["h.0.fc1.bias"][4] = -np.inf
    tensors["h.0.norm.weight"][:] = 0
    tensors["h.1.q_proj.weight"][:] = 0.5
    tensors["h.0.fc1.weight"][:, 30] = 0
    tensors["h.1.fc1.weight"][50] = 0.25
    tensors["h.1.norm.bias"][1] = np.nan
    integrity = checked(tmp_path, tensors)
    assert outline(integrity) == [
        ("h.0.fc1.bias", "infinite", 1),
        ("h.0.q_proj.weight", "nan", 3),
        ("h.1.norm.bias", "nan", 1),
        ("wte.weight", "zero-rows", 2),
        ("h.0.fc1.weight", "repeated-rows", 1),
        ("h.0.fc1.weight", "zero-columns", 1),
        ("h.0.norm.weight", "all-zero", 1),
        ("h.1.fc1.weight", "constant-rows", 1),
        ("h.1.q_proj.weight", "constant", 1),
    ]
    assert [finding.name for finding in integrity.errors] == ["h.0.fc1.bias", "h.0.q_proj.weight", "h.1.norm.bias"]


def test_the_same_layer_twice_is_found_and_zeros_are_not_called_copies(tmp_path: Path) -> None:
    tensors = model() | {"h.2.q_proj.weight": np.zeros((32, 32), "f4"), "h.3.q_proj.weight": np.zeros((32, 32), "f4")}
    for part in ("q_proj.weight", "fc1.weight"):
        tensors[f"h.1.{part}"] = tensors[f"h.0.{part}"].copy()
    # Another number in one place, and the same numbers in another type, are no copies.
    tensors["h.4.fc1.weight"] = tensors["h.0.fc1.weight"].copy()
    tensors["h.4.fc1.weight"][33, 17] += 1
    tensors["h.5.fc1.weight"] = tensors["h.0.fc1.weight"].astype("f8")
    integrity = checked(tmp_path, tensors)
    copies = [(finding.name, finding.detail) for finding in integrity.findings if finding.kind == "same-as"]
    assert copies == [
        ("h.1.fc1.weight", "the same as h.0.fc1.weight"),
        ("h.1.q_proj.weight", "the same as h.0.q_proj.weight"),
    ]
    assert {finding.severity for finding in integrity.findings} == {"remark"}


def test_a_head_tied_by_the_configuration_is_no_copy_and_another_is(tmp_path: Path) -> None:
    tensors = model()
    tensors["lm_head.weight"] = tensors["wte.weight"].copy()
    assert outline(checked(tmp_path, tensors, {"tie_word_embeddings": True})) == []
    assert outline(checked(tmp_path, tensors, {"tie_word_embeddings": False})) == [("lm_head.weight", "same-as", 1)]


def test_experts_and_filters_are_examined_one_by_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    experts = rng.standard_normal((4, 64, 32)).astype("f4")
    experts[2], experts[3] = experts[1], 0
    kernel = rng.standard_normal((20, 8, 3, 3)).astype("f4")
    kernel[5], kernel[7, 1, 1, 1] = 0, np.inf
    config = {"model_type": "mixtral", "num_local_experts": 4, "hidden_size": 32, "intermediate_size": 64}
    # As transformers writes it, which says that the kernel's axes are torch's.
    config["transformers_version"] = "5.0.0"
    tensors = {"layers.0.mlp.experts.down_proj": experts.transpose(0, 2, 1).copy(), "conv1.weight": kernel}
    assert outline(checked(tmp_path, tensors, config)) == [
        ("conv1.weight", "infinite", 1),
        ("layers.0.mlp.experts.down_proj[2]", "same-as", 1),
        ("conv1.weight", "zero-rows", 1),
        ("layers.0.mlp.experts.down_proj[3]", "all-zero", 1),
    ]


def test_codes_of_quantised_weights_are_counted_and_not_examined(tmp_path: Path) -> None:
    tensors = model() | {"h.0.o_proj.weight": np.zeros((32, 32), np.int8)}
    integrity = checked(tmp_path, tensors)
    assert integrity.findings == ()
    assert integrity.unread == {"I64": 1, "I8": 1}


def test_threads_change_nothing(tmp_path: Path) -> None:
    tensors = model()
    tensors["h.1.fc1.weight"], tensors["h.0.norm.bias"][3] = tensors["h.0.fc1.weight"].copy(), np.nan
    alone = checked(tmp_path, tensors)
    assert len(alone.findings) == 2
    assert check(replace(alone.ref), jobs=1) == check(alone.ref, jobs=5) == alone


def test_shards_are_one_checkpoint(tmp_path: Path) -> None:
    tensors = model()
    tensors["h.1.q_proj.weight"] = tensors["h.0.q_proj.weight"].copy()
    parts = [{n: v for n, v in tensors.items() if ("h.1." in n) == later} for later in (False, True)]
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for name, part in zip(names, parts, strict=True):
        save_file(part, tmp_path / name)
    index = {tensor: name for name, part in zip(names, parts, strict=True) for tensor in part}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    integrity = check(str(tmp_path))
    assert [finding.detail for finding in integrity.findings] == ["the same as h.0.q_proj.weight"]
    assert [each.file for each in integrity.files] == names


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_a_bin_file_of_torch(tmp_path: Path, container: str) -> None:
    tensors = {name: torch.from_numpy(value) for name, value in model().items()}
    tensors["wte.weight"] = tensors["wte.weight"].to(torch.bfloat16)
    tensors["lm_head.weight"] = tensors["wte.weight"]
    tensors["h.0.fc1.weight"][[5, 6]] = 0
    tensors["h.1.fc1.weight"] = tensors["h.1.fc1.weight"].T.contiguous().T
    tensors["h.1.fc1.weight"][11] = tensors["h.1.fc1.weight"][10]
    tensors["h.1.q_proj.weight"][0, 0] = float("nan")
    file = tmp_path / "pytorch_model.bin"
    torch.save(tensors, file, _use_new_zipfile_serialization=container == "zip")
    integrity = check(str(tmp_path))
    assert outline(integrity) == [
        ("h.1.q_proj.weight", "nan", 1),
        ("h.0.fc1.weight", "zero-rows", 2),
        ("h.1.fc1.weight", "repeated-rows", 1),
    ]
    assert integrity.files == (FileCheck(file.name, "crc32" if container == "zip" else ""),)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "weights.npz"])
def test_a_flipped_bit_of_a_zip_file_shows_in_its_checksum(name: str, tmp_path: Path) -> None:
    """Whatever it is called; in a matrix of which no number looks odd."""
    tensors = {name: torch.from_numpy(value) for name, value in model().items()}
    file = tmp_path / name
    np.savez(file, **model()) if file.suffix == ".npz" else torch.save(tensors, file)
    flip(file, file.read_bytes().index(model()["wte.weight"].tobytes()) + 1000)
    integrity = check(str(tmp_path))
    assert outline(integrity) == [(file.name, "crc32", 1)]
    assert integrity.errors[0].detail.endswith("does not match its CRC-32: damaged, fetch the file again")


@pytest.mark.oracle("torch")
def test_a_zip_file_saved_without_checksums_has_none(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"fc1.weight": torch.from_numpy(model()["h.0.fc1.weight"])}, tmp_path / "pytorch_model.bin")
    finally:
        torch.serialization.set_crc32_options(before)
    integrity = check(str(tmp_path))
    assert integrity.findings == ()


def test_entries_that_torch_does_not_write_do_not_stop_the_check(tmp_path: Path) -> None:
    file = zipped(tmp_path / "pytorch_model.bin", mapping(a=tensor()))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("model/packed", b"0" * 10_000, zipfile.ZIP_DEFLATED)
        archive.writestr("model/odd", b"stored")
    content = bytearray(file.read_bytes())
    # In the directory: the packed entry's bytes are another's, and the other is called "compressed patched data".
    directory = content.index(b"PK\x01\x02")
    packed, odd = (content.index(name, directory) - 46 for name in (b"model/packed", b"model/odd"))
    content[packed + 16] ^= 1
    file.write_bytes(content)
    assert check(str(tmp_path)).files == (FileCheck(file.name, "crc32"),)
    content[odd + 8] |= 0x20
    file.write_bytes(content)
    assert outline(check(str(tmp_path))) == [(file.name, "crc32", 1)]


def test_entries_that_lie_over_each_other_are_not_read_again_and_again(tmp_path: Path) -> None:
    """A megabyte that a thousand entries of the directory name would be read a thousand times."""
    file = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(zipped(file, mapping(a=tensor())), "a") as archive:
        archive.writestr("model/long", b"1" * 2**20)
        archive.filelist += 1000 * [archive.getinfo("model/long")]
        archive.comment = b"so that the directory is written again"
    assert check_file(file).detail == "its zip entries overlap: damaged, fetch the file again"


def flip(file: Path, position: int) -> None:
    """Flip the lowest bit of one byte."""
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A commit's folder as the Hub's cache has it: each file a link to a blob, weights named by their SHA-256."""
    cache = tmp_path / "models--org--name"
    folder = cache / "snapshots" / ("a" * 40)
    (cache / "blobs").mkdir(parents=True)
    folder.mkdir(parents=True)
    weights, config = save(model()), b"{}"
    named = {"model.safetensors": (hashlib.sha256(weights), weights), "config.json": (hashlib.sha1(config), config)}
    for name, (content_hash, content) in named.items():
        blob = cache / "blobs" / content_hash.hexdigest()
        blob.write_bytes(content)
        (folder / name).symlink_to(Path("../../blobs") / blob.name)
    return folder


@pytest.mark.parametrize("named", ["folder", "file"])
def test_the_hubs_sha256_is_compared(snapshot: Path, named: str) -> None:
    ref = snapshot if named == "folder" else snapshot / "model.safetensors"
    sound = check(str(ref))
    assert (sound.findings, sound.files) == ((), (FileCheck("model.safetensors", "sha256"),))
    blob = (snapshot / "model.safetensors").resolve()
    flip(blob, blob.stat().st_size - 3)
    damaged = check(str(ref))
    assert outline(damaged) == [("model.safetensors", "sha256", 1)]
    actual = hashlib.sha256(blob.read_bytes()).hexdigest()
    assert damaged.errors[0].detail == (
        f"its SHA-256 is {actual[:12]}…, the Hub's {blob.name[:12]}…: delete it and fetch it again"
    )


def test_a_link_to_anything_else_says_nothing_of_its_content(tmp_path: Path) -> None:
    stored = tmp_path / "store" / hashlib.sha256(b"").hexdigest()
    stored.parent.mkdir()
    stored.write_bytes(save(model()))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").symlink_to(stored)
    integrity = check(str(tmp_path / "model"))
    assert (integrity.findings, integrity.files) == ((), (FileCheck("model.safetensors", ""),))


def note_download(file: Path, etag: str, when: float) -> None:
    """What `hf download --local-dir` leaves beside a file."""
    from huggingface_hub._local_folder import get_local_download_paths, write_download_metadata

    write_download_metadata(file.parent, file.name, "a" * 40, etag)
    note = get_local_download_paths(file.parent, file.name).metadata_path
    note.write_text("\n".join([*note.read_text().splitlines()[:2], str(when)]) + "\n")


def test_a_download_into_a_folder_of_ones_own_is_compared_until_it_is_written_to(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(save(model()))
    now = time.time()
    note_download(file, hashlib.sha256(file.read_bytes()).hexdigest(), now)
    assert check(str(tmp_path)).files == (FileCheck(file.name, "sha256"),)
    flip(file, file.stat().st_size - 3)
    os.utime(file, (now, now))
    assert outline(check(str(tmp_path))) == [(file.name, "sha256", 1)]
    os.utime(file, (now + 60, now + 60))
    assert check(str(tmp_path)).files == (FileCheck(file.name, ""),)
    note_download(file, hashlib.sha1(b"").hexdigest(), now + 60)
    assert check(str(tmp_path)).files == (FileCheck(file.name, ""),)


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_file_cut_short_is_an_error_in_one_line(tmp_path: Path, left: int) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(save(model())[:left])
    with pytest.raises(CheckpointError, match="fetch it again") as caught:
        check(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_real_checkpoint_is_sound_by_plain_numpy_too(checkpoints: Path) -> None:
    from safetensors import safe_open

    folder = checkpoints / "all-MiniLM-L6-v2"
    assert outline(check(str(folder))) == []
    with safe_open(folder / "model.safetensors", "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    floats = {name: value for name, value in tensors.items() if value.dtype.kind == "f"}
    assert all(np.isfinite(value).all() for value in floats.values())
    # A bias of 0 is usual.
    assert [name for name, value in floats.items() if np.ptp(value) == 0] == ["pooler.dense.bias"]
    matrices = [value for value in floats.values() if value.ndim == 2]
    for matrix in matrices:
        for lines in (matrix, matrix.T):
            assert len({line.tobytes() for line in lines}) == len(lines)
    assert len({matrix.tobytes() for matrix in matrices}) == len(matrices)

"""Folders and files on disk: shards, configurations, and unexpected things where a file should be."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.oracles import Oracle
from wqscore.checkpoints.local import read_config, read_file, read_folder
from wqscore.checkpoints.opening import open_checkpoint, open_headers
from wqscore.errors import CheckpointError
from wqscore.refs.parsing import parse_ref

diffusers = Oracle("diffusers")
torch = Oracle("torch")
transformers = Oracle("transformers")

INDEX = "model.safetensors.index.json"
A, B, C = (np.full((2, 3), value, dtype="f4") for value in (1, 2, 3))


def save_sharded(folder: Path, suffix: str = ".safetensors") -> dict[str, str]:
    """Two shards and their index; returns the map."""
    first, second = (f"model-0000{i}-of-00002{suffix}" for i in (1, 2))
    save_file({"a": A, "b": B}, folder / first)
    save_file({"c": C}, folder / second)
    weight_map = {"a": first, "b": first, "c": second}
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    return weight_map


def test_shards_are_one_checkpoint(tmp_path: Path) -> None:
    save_sharded(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "toy"}')
    config, tensors = read_folder(tmp_path)
    assert config == {"model_type": "toy"}
    assert {tensor.name: tensor.read().tolist() for tensor in tensors} == {
        "a": A.tolist(), "b": B.tolist(), "c": C.tolist(),
    }  # fmt: skip
    (tmp_path / INDEX).unlink()
    assert read_folder(tmp_path)[1] == tensors, "a full set of shards needs no index"


def test_sharded_or_not_it_is_the_same_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    save_sharded(tmp_path / "shards")
    save_file({"a": A, "b": B, "c": C}, tmp_path / "one.safetensors")
    sharded = open_checkpoint(parse_ref(str(tmp_path / "shards")))
    single = open_checkpoint(parse_ref(str(tmp_path / "one.safetensors")))
    assert sharded.parameters == single.parameters == 18
    assert {t.name: t.read().tobytes() for t in sharded.tensors} == {
        t.name: t.read().tobytes() for t in single.tensors
    }
    assert open_headers(single.ref) == single


@pytest.mark.oracle("torch")
def test_torch_shards(tmp_path: Path) -> None:
    torch.save({"a": torch.tensor(A)}, tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save({"b": torch.tensor(B)}, tmp_path / "pytorch_model-00002-of-00002.bin")
    weight_map = {name: f"pytorch_model-0000{i}-of-00002.bin" for i, name in enumerate("ab", 1)}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    _, tensors = read_folder(tmp_path)
    assert {tensor.name: tensor.read().tolist() for tensor in tensors} == {"a": A.tolist(), "b": B.tolist()}


def test_a_single_file_has_the_configuration_beside_it(tmp_path: Path) -> None:
    save_file({"a": A}, tmp_path / "weights.safetensors")
    assert open_checkpoint(parse_ref(str(tmp_path / "weights.safetensors"))).config == {}
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert open_checkpoint(parse_ref(str(tmp_path / "weights.safetensors"))).config == {"a": 1}


def test_links_are_followed_as_in_the_hubs_cache(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    save_file({"a": A}, tmp_path / "blobs" / "0123abcd")
    (tmp_path / "snapshot" / "model.safetensors").symlink_to(tmp_path / "blobs" / "0123abcd")
    (tensor,) = read_folder(tmp_path / "snapshot")[1]
    assert tensor.read().tolist() == A.tolist()


@pytest.mark.parametrize("name", ["with spaces", "模型", "[a]*?", "a'b\"c", "-dash"])
def test_names_that_shells_and_patterns_read_otherwise(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    save_file({"a": A}, tmp_path / name / "model.safetensors")
    assert [tensor.name for tensor in read_folder(tmp_path / name)[1]] == ["a"]


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    for name in (b"\xff.safetensors", b"\xfe.safetensors"):
        with open(os.path.join(folder, name), "wb"):  # noqa: PTH118, PTH123 - paths are text
            pass
    with pytest.raises(CheckpointError, match="several weight files and no index"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m | {"x": m["c"]}, "model-00002-of-00002.safetensors: lacks x, which .* puts there: fetch both"),
        (lambda m: m | {"x": "gone.safetensors"}, "names the shard gone.safetensors, which is not there: fetch it"),
        (lambda m: m | {"x": "config.json"}, "config.json: "),
        (lambda m: m | {"x": "folder"}, "names the shard folder, which is not there"),
    ],
)
def test_an_index_that_does_not_match(tmp_path: Path, change: object, message: str) -> None:
    weight_map = save_sharded(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "folder").mkdir()
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": change(weight_map)}))  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=message):
        read_folder(tmp_path)


@pytest.mark.parametrize("holder", ["a", "c"])
def test_the_index_says_which_copy_of_a_tensor_is_meant(tmp_path: Path, holder: str) -> None:
    weight_map = save_sharded(tmp_path)
    save_file({"c": C, "a": B, "stray": C}, tmp_path / weight_map["c"])
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": weight_map | {"a": weight_map[holder]}}))
    said: list[str] = []
    found = {tensor.name: tensor.read() for tensor in read_folder(tmp_path, say=said.append)[1]}
    assert found.keys() == {"a", "b", "c"}, "what the index does not list is no part of the model"
    np.testing.assert_array_equal(found["a"], A if holder == "a" else B)
    assert said == ["left out: 1 tensor that the shards hold and the index does not list: stray"]
    assert open_checkpoint(parse_ref(str(tmp_path))).remarks == tuple(said)


def test_a_tensor_in_another_shard_than_the_index_says(tmp_path: Path) -> None:
    weight_map = save_sharded(tmp_path)
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": weight_map | {"a": weight_map["c"]}}))
    assert {tensor.name for tensor in read_folder(tmp_path)[1]} == {"a", "b", "c"}


def test_a_tensor_in_two_shards_without_an_index(tmp_path: Path) -> None:
    weight_map = save_sharded(tmp_path)
    save_file({"c": C, "a": A}, tmp_path / weight_map["c"])
    (tmp_path / INDEX).unlink()
    with pytest.raises(
        CheckpointError, match=r"00002-of-00002.safetensors: a is in model-00001.* too, and there is no"
    ):
        read_folder(tmp_path)


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("shards_there", [True, False])
@pytest.mark.parametrize("safe", [True, False])
def test_a_single_file_beside_an_index_is_what_transformers_loads(
    tmp_path: Path, shards_there: bool, safe: bool
) -> None:
    config = transformers.BertConfig(
        vocab_size=12, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(tmp_path / "m", max_shard_size="1KB")
    single = transformers.BertModel(config)
    if safe:
        single.save_pretrained(tmp_path / "single")
        (tmp_path / "single" / "model.safetensors").rename(tmp_path / "m" / "model.safetensors")
    else:
        torch.save(single.state_dict(), tmp_path / "m" / "pytorch_model.bin")
        (tmp_path / "m" / "pytorch_model.bin.index.json").write_text('{"weight_map": {"a": "gone.bin"}}')
    for shard in (tmp_path / "m").glob("model-*"):
        if not shards_there or not safe:
            shard.unlink()
    if not safe:
        (tmp_path / "m" / INDEX).unlink()
    loaded = transformers.BertModel.from_pretrained(tmp_path / "m").state_dict()
    opened = open_checkpoint(parse_ref(str(tmp_path / "m")))
    found = {tensor.name: tensor.read() for tensor in opened.tensors}
    assert found.keys() <= loaded.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values, loaded[name].numpy())
    (remark,) = opened.remarks
    assert remark.startswith(
        f"{'model.safetensors' if safe else 'pytorch_model.bin'} scored; left out, as from_pretr"
    )


@pytest.mark.oracle("torch", "diffusers")
def test_shards_beside_a_single_file_are_what_diffusers_loads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    for options in ({"max_shard_size": "30KB"}, {}):
        vae = diffusers.AutoencoderKL(block_out_channels=(32,), layers_per_block=1, latent_channels=4)
        vae.save_pretrained(tmp_path / ("single" if not options else "m"), **options)
    name = "diffusion_pytorch_model.safetensors"
    (tmp_path / "single" / name).rename(tmp_path / "m" / name)
    loaded = diffusers.AutoencoderKL.from_pretrained(tmp_path / "m").state_dict()
    opened = open_checkpoint(parse_ref(str(tmp_path / "m")))
    assert {tensor.name for tensor in opened.tensors} == loaded.keys()
    for tensor in opened.tensors:
        np.testing.assert_array_equal(tensor.read(), loaded[tensor.name].numpy())
    assert opened.remarks == (f"{name}.index.json (its shards) scored; left out, as from_pretrained does: {name}",)


def test_a_configuration_of_any_kind(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    assert read_config(file) == {}
    for content in (b"[]", b"null", b"7", b'"text"'):
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"config\.json: is not a JSON object: fetch it again"):
            read_config(file)
    for content in (b"", b"{", b"\xff\xfe{\0}\0", b"[" * 100_000, b"{'a': 1}"):
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"config\.json: is not valid JSON: fetch it again"):
            read_config(file)
    file.write_text('{"n": 1e999, "big": 123456789012345678901234567890, "nan": NaN}')
    assert read_config(file)["big"] == 123456789012345678901234567890


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_what_is_not_a_file_is_not_opened(tmp_path: Path, suffix: str) -> None:
    pipe, folder, gone, loop = (tmp_path / f"{name}{suffix}" for name in ("pipe", "folder", "gone", "loop"))
    # Opening a pipe that nobody writes to would wait for ever.
    os.mkfifo(pipe)
    folder.mkdir()
    gone.symlink_to("nowhere")
    loop.symlink_to(loop.name)
    device = tmp_path / f"device{suffix}"
    device.symlink_to("/dev/zero")
    for file, message in (
        (pipe, "is not a file: put the checkpoint's own file there"),
        (folder, "is not a file: put the checkpoint's own file there"),
        (device, "is not a file: put the checkpoint's own file there"),
        (gone, "is a link to a file that is not there: fetch it again"),
        (loop, "can't be read: Too many levels of symbolic links"),
    ):
        with pytest.raises(CheckpointError) as caught:
            read_file(file)
        assert str(caught.value) == f"{file}: {message}"


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that anyone may enter, and a test that runs without root's right to read everything."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        is_root = os.geteuid() == 0
        if is_root:
            os.setresuid(65534, 65534, 0)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.setresuid(0, 0, 0)
            for path in Path(name).rglob("*"):
                path.chmod(0o700)


def test_files_and_folders_that_may_not_be_read(nobody: Path) -> None:
    for name in ("weights", "torch", "config", "index"):
        (nobody / name).mkdir()
    files = {
        "weights": nobody / "weights" / "model.safetensors",
        "torch": nobody / "torch" / "pytorch_model.bin",
        "config": nobody / "config" / "config.json",
        "index": nobody / "index" / INDEX,
    }
    save_file({"a": A}, nobody / "config" / "model.safetensors")
    for name, file in files.items():
        file.touch()
        file.chmod(0)
        with pytest.raises(CheckpointError) as caught:
            read_folder(nobody / name)
        assert str(caught.value) == f"{file}: can't be read: Permission denied"
    (nobody / "weights").chmod(0)
    with pytest.raises(CheckpointError) as caught:
        read_folder(nobody / "weights")
    assert str(caught.value) == f"{nobody / 'weights'}: can't be read: Permission denied"

"""Choosing the weight files by name; valid and invalid indexes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.standard_names import WeightFiles
from wqscore.checkpoints.weight_files import choose_weights, remark_on, shard_names
from wqscore.errors import CheckpointError
from wqscore.refs.file_names import is_plain
from wqscore.refs.weight_names import TORCH_SUFFIXES

SHARDS = tuple(f"model-{i:05}-of-00003.safetensors" for i in (1, 2, 3))
BIN_SHARDS = tuple(f"pytorch_model-{i:05}-of-00002.bin" for i in (1, 2))
resolve = Oracle("transformers.modeling_utils", "_get_resolved_checkpoint_files")

UNET = "diffusion_pytorch_model.safetensors"
UNET_SHARDS = tuple(f"diffusion_pytorch_model-{i:05}-of-00002.safetensors" for i in (1, 2))
INDEX, BIN_INDEX = "model.safetensors.index.json", "pytorch_model.bin.index.json"
BESIDE = ("config.json", "README.md", "tokenizer.json", "onnx/model.onnx", "training_args.bin", "optimizer.pt")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("model.safetensors",), WeightFiles(None, ("model.safetensors",))),
        (("pytorch_model.bin",), WeightFiles(None, ("pytorch_model.bin",))),
        # safetensors before .bin, whatever else it is named or however it is cut.
        (
            ("model.safetensors", "pytorch_model.bin"),
            WeightFiles(None, ("model.safetensors",), ("pytorch_model.bin",)),
        ),
        ((*SHARDS, INDEX, "pytorch_model.bin"), WeightFiles(INDEX, (), ("pytorch_model.bin",))),
        # What from_pretrained loads before a safetensors file of another name.
        (("weights.safetensors", "pytorch_model.bin"), WeightFiles(None, ("pytorch_model.bin",))),
        (("model.fp16.safetensors", "pytorch_model.bin"), WeightFiles(None, ("pytorch_model.bin",))),
        # A single file before an index, whose shards may be gone.
        ((INDEX, "model.safetensors"), WeightFiles(None, ("model.safetensors",), (INDEX,))),
        ((INDEX, *SHARDS, "model.safetensors"), WeightFiles(None, ("model.safetensors",), (*SHARDS, INDEX))),
        (
            (BIN_INDEX, *BIN_SHARDS, "pytorch_model.bin"),
            WeightFiles(None, ("pytorch_model.bin",), (*BIN_SHARDS, BIN_INDEX)),
        ),
        ((BIN_INDEX, "model.safetensors"), WeightFiles(None, ("model.safetensors",), (BIN_INDEX,))),
        ((INDEX, BIN_INDEX, *BIN_SHARDS), WeightFiles(INDEX, (), (*BIN_SHARDS, BIN_INDEX))),
        ((BIN_INDEX, *BIN_SHARDS), WeightFiles(BIN_INDEX, ())),
        # diffusers loads what its index names; an index without shards is left from before.
        ((f"{UNET}.index.json", UNET, *UNET_SHARDS), WeightFiles(f"{UNET}.index.json", (), (UNET,))),
        ((f"{UNET}.index.json", UNET), WeightFiles(None, (UNET,), (f"{UNET}.index.json",))),
        ((UNET, "diffusion_pytorch_model.fp16.safetensors"), WeightFiles(None, (UNET,))),
        # The standard names before any other.
        (("model.safetensors", "model.fp16.safetensors"), WeightFiles(None, ("model.safetensors",))),
        # Other names, alone or as shards.
        (("weights.safetensors",), WeightFiles(None, ("weights.safetensors",))),
        (
            ("weights.safetensors", "weights.safetensors.index.json"),
            WeightFiles(None, ("weights.safetensors",), ("weights.safetensors.index.json",)),
        ),
        # Files of torch under any suffix, where nothing else is; what a trainer keeps beside them is no model.
        *(((f"model{suffix}",), WeightFiles(None, (f"model{suffix}",))) for suffix in (*TORCH_SUFFIXES, ".pth.tar")),
        (("best.ckpt", "scheduler.pt", "rng_state.pth"), WeightFiles(None, ("best.ckpt",))),
        (("model.pt", "model.onnx"), WeightFiles(None, ("model.onnx",))),
        # Files of other frameworks beside them.
        (
            ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "a.gguf", "m.onnx"),
            WeightFiles(None, ("pytorch_model.bin",)),
        ),
        (SHARDS, WeightFiles(None, SHARDS)),
        (BIN_SHARDS, WeightFiles(None, BIN_SHARDS)),
        (
            ("diffusion-00001-of-00001.safetensors", "diffusion.safetensors.index.json"),
            WeightFiles("diffusion.safetensors.index.json", ()),
        ),
        # What lies deeper is not looked at.
        (("model.safetensors", "unet/model.safetensors"), WeightFiles(None, ("model.safetensors",))),
    ],
)
def test_the_choice(names: tuple[str, ...], chosen: WeightFiles) -> None:
    for beside in ((), BESIDE):
        assert choose_weights({*names, *beside}, "model") == chosen


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "no weights (model.safetensors, pytorch_model.bin or their index): is this the checkpoint's folder?"),
        (BESIDE, "no weights in the root, but in onnx: name that folder"),
        (("x.msgpack", "x.h5"), "only .h5, .msgpack weights, which are not read: convert to safetensors"),
        (("a.pt", "b.pth"), "several weight files and no index (a.pt, b.pth): name the one to score"),
        (("q4.gguf", "q8.gguf"), "several weight files and no index (q4.gguf, q8.gguf): name the one to score"),
        (("unet/model.safetensors", "vae/w.bin"), "no weights in the root, but in unet, vae: name that folder"),
        (SHARDS[:2], "has 2 of 3 shards and no index: fetch the rest"),
        (BIN_SHARDS[:1], "has 1 of 2 shards and no index: fetch the rest"),
        (
            ("a.safetensors", "b.safetensors"),
            "several weight files and no index (a.safetensors, b.safetensors): name the one to score",
        ),
        (
            (*SHARDS, "extra.safetensors"),
            "several weight files and no index (extra.safetensors, model-00001-of-00003.safetensors, "
            "model-00002-of-00003.safetensors, model-00003-of-00003.safetensors): name the one to score",
        ),
        (tuple(f"{letter}.safetensors" for letter in "abcdefgh"), "e.safetensors, …): name the one to score"),
    ],
)
def test_nothing_to_choose(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        choose_weights(set(names), "org/model")
    assert str(caught.value).startswith("org/model: ")
    assert str(caught.value).endswith(message)


def test_a_remark_names_what_is_left_out() -> None:
    both = choose_weights({INDEX, *SHARDS, "model.safetensors"}, "model")
    assert remark_on(both) == (
        "model.safetensors scored; left out, as from_pretrained does: model-00001-of-00003.safetensors, "
        "model-00002-of-00003.safetensors, model-00003-of-00003.safetensors and 1 more"
    )
    bin_beside = choose_weights({INDEX, *SHARDS, "pytorch_model.bin"}, "model")
    assert remark_on(bin_beside, "unet") == (
        f"unet/{INDEX} (its shards) scored; left out, as from_pretrained does: pytorch_model.bin"
    )
    assert remark_on(choose_weights({"model.safetensors"}, "model")) == ""


@given(st.permutations([*SHARDS, *BIN_SHARDS, *BESIDE]))
def test_the_order_of_names_does_not_matter(names: list[str]) -> None:
    assert choose_weights(names, "model") == WeightFiles(None, SHARDS, BIN_SHARDS)


def test_an_index_maps_tensors_to_shards() -> None:
    weight_map = {"a": SHARDS[0], "b": SHARDS[1], "": SHARDS[0]}
    content = json.dumps({"metadata": {"total_size": 7}, "weight_map": weight_map}).encode()
    assert shard_names(content, "index") == weight_map


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"7", b'{"weight_map"', b"\xff", b"[" * 100_000, b'{"weight_map":']
)
def test_what_is_no_index(content: bytes) -> None:
    with pytest.raises(CheckpointError, match="index: is not a shard index with a weight_map: fetch it again"):
        shard_names(content, "index")


@pytest.mark.parametrize("weight_map", [{}, [], None, 7, "model.safetensors"])
def test_an_index_that_maps_nothing(weight_map: object) -> None:
    with pytest.raises(CheckpointError, match="index: its weight_map names no tensors"):
        shard_names(json.dumps({"weight_map": weight_map}).encode(), "index")


@pytest.mark.parametrize(
    "shard",
    [
        "../x",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "",
        "a\\b",
        "C:\\x",
        "a\0b",
        None,
        7,
        ["a"],
        {"a": 1},
        "x" * 10**6 + "/",
    ],
)
def test_a_shard_outside_the_folder(shard: object) -> None:
    with pytest.raises(CheckpointError, match="outside the checkpoint's folder: refused") as caught:
        shard_names(json.dumps({"weight_map": {"ok": SHARDS[0], "bad": shard}}).encode(), "index")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "shard", ["nul", "COM1.safetensors", "x.safetensors:y", "x.", "x ", "a\nb", "\ud800", "x" * 256]
)
def test_a_shard_that_some_system_takes_for_another_file(shard: str) -> None:
    with pytest.raises(CheckpointError, match="which is no file name, or is too long, on some systems") as caught:
        shard_names(json.dumps({"weight_map": {"bad": shard}}).encode(), "index")
    assert str(caught.value).isascii()
    assert "\n" not in str(caught.value)


@given(st.text())
def test_a_shard_is_the_name_of_a_file_in_the_folder(shard: str) -> None:
    content = json.dumps({"weight_map": {"a": shard}}).encode()
    if set("/\\\0") & set(shard) or not is_plain(shard):
        with pytest.raises(CheckpointError):
            shard_names(content, "index")
    else:
        assert shard_names(content, "index") == {"a": shard}


CANDIDATES = (
    *("model.safetensors", INDEX, *SHARDS, "pytorch_model.bin", BIN_INDEX, *BIN_SHARDS, "model.fp16.safetensors"),
    *("model.gguf", "model.onnx", "tf_model.h5", "flax_model.msgpack", "weights.safetensors", "model.pt"),
)


@pytest.mark.oracle("transformers")
@settings(max_examples=examples(100))
@given(st.sets(st.sampled_from(CANDIDATES)), st.none() | st.sampled_from([INDEX, "weights.safetensors"]))
def test_what_transformers_would_load_is_chosen(names: set[str], named: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            shards = {"a": SHARDS[0]} if name == INDEX else {"a": BIN_SHARDS[0]}
            (Path(folder) / name).write_text(json.dumps({"metadata": {}, "weight_map": shards}))
        try:
            loaded, index = resolve(folder, None, None, None, False, None, transformers_explicit_filename=named)
        except (OSError, ValueError):
            return
    if named is not None and named not in names:
        with pytest.raises(CheckpointError, match=r"config\.json names .* as the weights, which is not there"):
            choose_weights(names, "model", named)
        return
    chosen = choose_weights(names, "model", named)
    if index is None:
        assert (chosen.index, chosen.files) == (None, tuple(Path(file).name for file in loaded))
    else:
        assert chosen.files == ()
        assert {"a": Path(loaded[0]).name} == ({"a": SHARDS[0]} if chosen.index == INDEX else {"a": BIN_SHARDS[0]})
    assert set(chosen.left_out) < set(names)
    assert not {chosen.index, *chosen.files} & set(chosen.left_out)

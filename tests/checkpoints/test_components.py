"""Models in several folders: saved by diffusers and sentence-transformers; invalid descriptions are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import Oracle
from wqscore.checkpoints.components import MODEL_INDEX, MODULES, Component, find_components
from wqscore.checkpoints.standard_names import WeightFiles
from wqscore.errors import CheckpointError

diffusers = Oracle("diffusers")
sentence_transformers = Oracle("sentence_transformers")
transformers = Oracle("transformers")

PIPELINE = {"_class_name": "P", "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "DDPMScheduler"]}
MODEL = "diffusion_pytorch_model"
INDEX = "model.safetensors.index.json"


def found_in(folder):
    """What is found in a folder, from its names and manifests alone."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    manifests = {name: json.loads((folder / name).read_text()) for name in (MODEL_INDEX, MODULES) if name in names}
    return find_components(names, manifests, "model")


def unet_with(*files, manifest=PIPELINE):
    return find_components([f"unet/{name}" for name in files], {MODEL_INDEX: manifest}, "model")


@pytest.fixture(scope="module")
def pipeline():
    unet = diffusers.UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(32,),
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
    )
    vae = diffusers.AutoencoderKL(block_out_channels=(32,), layers_per_block=1, latent_channels=4)
    return diffusers.LDMPipeline(vqvae=vae, unet=unet, scheduler=diffusers.DDIMScheduler())


@pytest.mark.oracle("diffusers", "sentence_transformers", "transformers")
@pytest.mark.parametrize(
    ("arguments", "weights"),
    [
        ({}, WeightFiles(None, (f"{MODEL}.safetensors",))),
        ({"safe_serialization": False}, WeightFiles(None, (f"{MODEL}.bin",))),
        ({"max_shard_size": "200KB"}, WeightFiles(f"{MODEL}.safetensors.index.json", ())),
        ({"variant": "fp16"}, WeightFiles(None, (f"{MODEL}.fp16.safetensors",))),
        ({"variant": "fp16", "max_shard_size": "200KB"}, WeightFiles(f"{MODEL}.safetensors.index.fp16.json", ())),
    ],
)
def test_a_pipeline_that_diffusers_saved(pipeline, arguments, weights, tmp_path):
    pipeline.save_pretrained(tmp_path, **arguments)
    expected = {Component(name, name, weights) for name in ("unet", "vqvae")}
    assert set(found_in(tmp_path)) == expected
    if "variant" not in arguments:
        # The half-precision copy beside the weights changes nothing, whole or in shards.
        pipeline.save_pretrained(tmp_path, variant="fp16", max_shard_size="200KB")
        assert set(found_in(tmp_path)) == expected


@pytest.mark.oracle("diffusers", "sentence_transformers", "transformers")
@pytest.mark.parametrize("safe", [True, False])
def test_a_model_that_sentence_transformers_saved(safe, tmp_path):
    bert = tmp_path / "bert"
    bert.mkdir()
    (bert / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]))
    config = transformers.BertConfig(
        vocab_size=6, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(bert)
    transformers.BertTokenizerFast(str(bert / "vocab.txt")).save_pretrained(bert)
    modules = Oracle("sentence_transformers.sentence_transformer.modules")
    model = sentence_transformers.SentenceTransformer(
        modules=[modules.Transformer(str(bert)), modules.Pooling(8), modules.Dense(8, 4)], device="cpu"
    )
    model.save(str(tmp_path / "model"), safe_serialization=safe)
    dense = "model.safetensors" if safe else "pytorch_model.bin"
    # transformers itself writes safetensors whatever option is given.
    assert found_in(tmp_path / "model") == (
        Component("", "", WeightFiles(None, ("model.safetensors",))),
        Component("2_Dense", "2_Dense", WeightFiles(None, (dense,))),
    )


def test_the_published_model_that_is_its_own_only_module(checkpoints):
    weights = WeightFiles(None, ("model.safetensors",))
    assert found_in(checkpoints / "all-MiniLM-L6-v2") == (Component("", "", weights),)


def test_no_manifest_no_components():
    assert find_components(["model.safetensors"], {}, "model") == ()


@pytest.mark.parametrize(
    ("files", "weights"),
    [
        (
            ["pytorch_model.bin", "model.safetensors"],
            WeightFiles(None, ("model.safetensors",), ("pytorch_model.bin",)),
        ),
        # transformers loads the single file, diffusers what its index names.
        (["model.safetensors.index.json", "model.safetensors"], WeightFiles(None, ("model.safetensors",), (INDEX,))),
        (
            [f"{MODEL}.safetensors.index.json", f"{MODEL}.safetensors", f"{MODEL}-00001-of-00001.safetensors"],
            WeightFiles(f"{MODEL}.safetensors.index.json", (), (f"{MODEL}.safetensors",)),
        ),
        (
            [f"{MODEL}.safetensors.index.json", f"{MODEL}.safetensors", f"{MODEL}.fp16-00001-of-00001.safetensors"],
            WeightFiles(None, (f"{MODEL}.safetensors",), (f"{MODEL}.safetensors.index.json",)),
        ),
        (
            [f"{MODEL}.safetensors.index.fp16.json", f"{MODEL}.fp16.safetensors"],
            WeightFiles(None, (f"{MODEL}.fp16.safetensors",), (f"{MODEL}.safetensors.index.fp16.json",)),
        ),
        (["pytorch_model.bin", "model.fp16.safetensors"], WeightFiles(None, ("pytorch_model.bin",))),
        (["model.bf16.safetensors", "model.fp16.safetensors"], WeightFiles(None, ("model.fp16.safetensors",))),
        ([f"{MODEL}.non_ema.safetensors"], WeightFiles(None, (f"{MODEL}.non_ema.safetensors",))),
        (
            [f"{MODEL}-00001-of-00002.safetensors", f"{MODEL}-00002-of-00002.safetensors"],
            WeightFiles(None, (f"{MODEL}-00001-of-00002.safetensors", f"{MODEL}-00002-of-00002.safetensors")),
        ),
        (["flux.safetensors", "README.md"], WeightFiles(None, ("flux.safetensors",))),
        # Copies in other frameworks' formats.
        ([f"{MODEL}.bin", "openvino_model.bin", "model.onnx"], WeightFiles(None, (f"{MODEL}.bin",))),
    ],
)
def test_the_choice_within_a_component(files, weights):
    assert unet_with("config.json", *files) == (Component("unet", "unet", weights),)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["config.json"], "model: unet has a config.json but no readable weights"),
        (["model-00001-of-00003.safetensors"], "model/unet: has 1 of 3 shards and no index: fetch the rest"),
        (["model.a.safetensors", "model.b.safetensors"], "model/unet: has only variants of the weights (a, b)"),
        (["a.safetensors", "b.safetensors"], "model/unet: several weight files and no index"),
    ],
)
def test_a_component_without_all_its_weights(files, message):
    with pytest.raises(CheckpointError) as refused:
        unet_with(*files)
    assert message in str(refused.value)


OUTSIDE = [
    "../other",
    "..",
    "/etc",
    "/",
    "a/../b",
    "a//b",
    ".",
    "a\\b",
    "C:",
    "a\0",
    "a/./b",
    "nul",
    "a/COM1.x",
    "a.",
    "a ",
    "a\n",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_folders_outside_the_model_are_refused(path):
    with pytest.raises(CheckpointError, match="refused"):
        find_components(["model.safetensors"], {MODULES: [{"path": path}]}, "model")
    with pytest.raises(CheckpointError, match="refused"):
        unet_with("model.safetensors", manifest={path: ["diffusers", "UNet2DModel"]})


@pytest.mark.parametrize(
    ("manifests", "message"),
    [
        ({MODEL_INDEX: []}, "model_index.json: is not a JSON object"),
        ({MODEL_INDEX: {"a/b": ["x", "y"]}}, "which is not a folder name"),
        ({MODEL_INDEX: {"": ["x", "y"]}}, "which is not a folder name"),
        ({MODULES: {"path": ""}}, "modules.json: is not a list of modules"),
        ({MODULES: [{"path": None}]}, "modules.json: is not a list of modules"),
        ({MODULES: [{"path": ""}, {"path": ""}]}, "names the same folder twice"),
        ({MODULES: [{"path": "2_Dense"}, {"path": "2_Dense/"}]}, "names the same folder twice"),
    ],
)
def test_manifests_that_are_not_what_they_should_be(manifests, message):
    with pytest.raises(CheckpointError) as refused:
        find_components(["model.safetensors"], manifests, "model")
    assert message in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "unet", "..", "a/b", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["unet", "path", "/", "_x", ""]), inner)
    ),
)


@given(JSON, st.sets(st.sampled_from(["unet/model.safetensors", "unet/config.json", "model.safetensors", "x/w.bin"])))
def test_any_json_gives_folders_inside_or_one_clear_line(content, names):
    for manifest in (MODEL_INDEX, MODULES):
        try:
            components = find_components(names, {manifest: content}, "model")
        except CheckpointError as error:
            assert "\n" not in str(error)
            continue
        for component in components:
            prefix = f"{component.folder}/" if component.folder else ""
            assert {prefix + file for file in component.weights.files} <= names

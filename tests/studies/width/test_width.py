"""`wqscore.width` against blocks of known width: split, silent, constant and cancelling neurons; and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import wqscore
from tests.examples import examples
from tests.studies.width.embedded import Layers, drawn, widened
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import UsageError
from wqscore.studies.width.activations import KNOWN

Tensors = dict[str, np.ndarray]
LLAMA = {"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1}


def named(block: Layers, layer: int = 0, dtype: Any = "f4") -> Tensors:
    """A block's tensors, gated or not, under usual names."""
    place = f"layers.{layer}.mlp."
    into, out = ("gate_proj", "down_proj") if block.up is not None else ("fc1", "fc2")
    made = {f"{place}{into}.weight": block.into, f"{place}{out}.weight": block.out}
    if block.up is not None:
        made[f"{place}up_proj.weight"] = block.up
    if block.bias is not None:
        made[f"{place}{into}.bias"] = block.bias
    if block.out_bias is not None:
        made[f"{place}{out}.bias"] = block.out_bias
    return {name: np.ascontiguousarray(values.astype(dtype)) for name, values in made.items()}


def computed(block: Layers, activation: str, inputs: np.ndarray) -> np.ndarray:
    """What a block computes, by scalar functions of the standard library's."""
    value = np.vectorize(KNOWN[activation].value, otypes=[float])
    hidden = value(inputs @ block.into.T + (0 if block.bias is None else block.bias))
    hidden = hidden if block.up is None else hidden * (inputs @ block.up.T)
    made: np.ndarray = hidden @ block.out.T + (0 if block.out_bias is None else block.out_bias)
    return made


def taken_back(tensors: Tensors, layer: int = 0) -> Layers:
    place = f"layers.{layer}.mlp."
    tensors = {name.removeprefix(place): values.astype("f8") for name, values in tensors.items()}
    into, out = ("gate_proj", "down_proj") if "up_proj.weight" in tensors else ("fc1", "fc2")
    return Layers(
        tensors[f"{into}.weight"],
        tensors.get(f"{into}.bias"),
        tensors[f"{out}.weight"],
        tensors.get(f"{out}.bias"),
        tensors.get("up_proj.weight"),
    )


def only_block(found: wqscore.Width) -> dict[str, Any]:
    (block,) = json.loads(found.to_json())["blocks"]
    made: dict[str, Any] = block
    return made


@given(
    seed=st.integers(0, 2**31),
    width=st.integers(1, 12),
    inputs=st.integers(2, 12),
    copies=st.integers(1, 3),
    silent=st.integers(0, 30),
    activation=st.sampled_from(sorted(KNOWN)),
    bias=st.booleans(),
    gated=st.booleans(),
)
@settings(max_examples=examples(120))
def test_a_split_block_has_the_width_from_before_and_the_written_one_computes_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    width: int,
    inputs: int,
    copies: int,
    silent: int,
    activation: str,
    bias: bool,
    gated: bool,
) -> None:
    rng = np.random.default_rng(seed)
    block = drawn(rng, width, inputs, inputs, bias, gated)
    kind = KNOWN[activation]
    wide = widened(rng, block, copies, silent, gated or kind.degree == 1, kind.is_odd and not gated)
    folder = tmp_path_factory.mktemp("narrow") / "model"
    found = only_block(wqscore.width(named(wide, dtype="f8"), activation=activation, write=folder))
    assert found["stored"] == width * copies + silent
    assert found["effective"]["1e-06"] == width
    assert found["silent"] == silent
    assert list(found["effective"]) == ["1e-06", "0.01", "0.05", "0.1", "0.2"] == list(found["error_bound"])
    narrow = taken_back(load_file(folder / "model.safetensors"))
    assert narrow.width == width
    points = rng.normal(0, 1, (20, inputs))
    assert computed(narrow, activation, points) == pytest.approx(computed(block, activation, points), abs=1e-9)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_the_error_bound_bounds_what_merging_changes(tmp_path: Path, activation: str) -> None:
    """For inputs (x, 1) of length 1, of neurons that nearly agree."""
    rng = np.random.default_rng(5)
    block = drawn(rng, 10, 6, 4)
    wide = widened(rng, block, 3)
    wide.into = wide.into * (1 + rng.normal(0, 0.02, wide.into.shape))
    tolerances = [0.001, 0.01, 0.2]
    for tolerance in tolerances:
        folder = tmp_path / str(tolerance)
        found = only_block(
            wqscore.width(named(wide, dtype="f8"), activation=activation, tolerances=[tolerance], write=folder)
        )
        points = rng.normal(0, 1, (200, 7))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        # The constant input is part of the length: give the bias its share.
        scaled = [
            Layers(each.into, None, each.out, None)
            for each in (wide, taken_back(load_file(folder / "model.safetensors")))
        ]
        scaled[0].into = np.concatenate([wide.into, np.asarray(wide.bias)[:, None]], axis=1)
        narrow = taken_back(load_file(folder / "model.safetensors"))
        scaled[1].into = np.concatenate([narrow.into, np.asarray(narrow.bias)[:, None]], axis=1)
        moved = np.linalg.norm(
            computed(scaled[0], activation, points) - computed(scaled[1], activation, points), axis=1
        )
        bound = found["error_bound"][str(tolerance)]
        assert moved.max() <= bound
        assert bound > 0 or found["effective"][str(tolerance)] == 30


def test_random_neurons_are_all_needed_and_a_wider_tolerance_never_needs_more(tmp_path: Path) -> None:
    block = drawn(np.random.default_rng(0), 200, 16, 16)
    found = only_block(wqscore.width(named(block), activation="gelu"))
    counts = list(found["effective"].values())
    assert counts[0] == 200
    assert counts == sorted(counts, reverse=True)
    z = np.concatenate([block.into, np.asarray(block.bias)[:, None]], axis=1).astype("f4").astype("f8")
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    assert found["nearest_cosine"] == pytest.approx((z @ z.T - 2 * np.eye(200)).max(), abs=1e-6)


def test_gelu_does_not_merge_neurons_in_proportion_and_relu_does() -> None:
    rng = np.random.default_rng(1)
    wide = widened(rng, drawn(rng, 10, 8, 8), 2, scales=True)
    assert only_block(wqscore.width(named(wide), activation="gelu"))["effective"]["1e-06"] == 20
    assert only_block(wqscore.width(named(wide), activation="relu"))["effective"]["1e-06"] == 10
    # Squared ReLU: copies of another scale share weights in proportion to its square.
    assert only_block(wqscore.width(named(wide), activation="relu2"))["effective"]["1e-06"] == 10


def test_squared_relu_merges_by_the_square_of_the_scale(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    block = drawn(rng, 3, 4, 4, bias=False)
    twice = Layers(np.concatenate([block.into, 2 * block.into]), None, np.concatenate([block.out, block.out], axis=1))
    wqscore.width(named(twice, dtype="f8"), activation="relu2", write=tmp_path / "narrow")
    narrow = taken_back(load_file(tmp_path / "narrow" / "model.safetensors"))
    points = rng.normal(0, 1, (9, 4))
    assert narrow.width == 3
    assert computed(narrow, "relu2", points) == pytest.approx(computed(twice, "relu2", points), abs=1e-12)


def test_copies_that_cancel_are_silent(tmp_path: Path) -> None:
    block = drawn(np.random.default_rng(2), 6, 8, 8)
    both = block.taken(np.r_[0:6, 4, 5])
    both.out[:, 6:] = -both.out[:, 4:6]
    found = only_block(wqscore.width(named(both), activation="gelu"))
    assert (found["stored"], found["effective"]["1e-06"], found["silent"]) == (8, 4, 4)


@pytest.mark.parametrize("activation", ["gelu", "sigmoid", "tanh"])
def test_a_constant_neuron_folds_into_the_next_bias_and_stays_without_one(tmp_path: Path, activation: str) -> None:
    rng = np.random.default_rng(3)
    block = drawn(rng, 6, 8, 8)
    block.into[2] = 0
    found = only_block(wqscore.width(named(block, dtype="f8"), activation=activation, write=tmp_path / "narrow"))
    assert (found["constant"], found["effective"]["1e-06"]) == (1, 5)
    narrow = taken_back(load_file(tmp_path / "narrow" / "model.safetensors"))
    points = rng.normal(0, 1, (9, 8))
    assert computed(narrow, activation, points) == pytest.approx(computed(block, activation, points), abs=1e-12)
    block.out_bias = None
    found = only_block(wqscore.width(named(block), activation=activation))
    assert (found["constant"], found["effective"]["1e-06"]) == (1, 6)


def test_a_constant_of_0_needs_no_bias() -> None:
    block = drawn(np.random.default_rng(4), 6, 8, 8, bias=False, gated=True)
    assert block.up is not None
    block.into[1], block.up[3] = 0, 0
    found = only_block(wqscore.width(named(block), activation="silu"))
    assert (found["constant"], found["effective"]["1e-06"], found["silent"]) == (2, 4, 0)


def test_a_dead_block_has_no_neuron() -> None:
    block = drawn(np.random.default_rng(4), 6, 8, 8)
    block.out[:] = 0
    found = only_block(wqscore.width(named(block), activation="relu"))
    assert (found["effective"]["1e-06"], found["silent"], found["nearest_cosine"]) == (0, 6, None)


# -- what has no width


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_a_reason(value: float) -> None:
    block = drawn(np.random.default_rng(4), 6, 8, 8)
    block.out[3, 2] = value
    found = only_block(wqscore.width(named(block), activation="relu"))
    assert (found["reason"], found["stored"], found["effective"]) == ("a weight is not finite", 6, {})


@pytest.mark.parametrize("scale", [1e-200, 1e-120, 1e120, 1e200])
def test_numbers_of_any_size_are_compared(scale: float) -> None:
    rng = np.random.default_rng(4)
    block = widened(rng, drawn(rng, 6, 8, 8, bias=False), 2, 5, scales=True)
    block.into, block.out = block.into * scale, block.out * scale
    found = only_block(wqscore.width(named(block, dtype="f8"), activation="relu"))
    assert (found["effective"]["1e-06"], found["silent"], found["reason"]) == (6, 5, None)


def test_an_adapter_without_its_base_is_refused(tmp_path: Path) -> None:
    factors = {"fc1.lora_A": (2, 8), "fc1.lora_B": (12, 2), "fc2.lora_A": (2, 12), "fc2.lora_B": (8, 2)}
    tensors = {
        f"base_model.model.layers.0.mlp.{name}.weight": np.ones(shape, "f4") for name, shape in factors.items()
    }
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 2}))
    with pytest.raises(UsageError, match=r"is an adapter without its base: name it as base\+adapter"):
        wqscore.width(tmp_path, activation="relu")


def _with(name: str, *shape: int) -> Callable[[Tensors], None]:
    def add(tensors: Tensors) -> None:
        tensors[name] = np.ones(shape, "f4")

    return add


def _wider(tensors: Tensors) -> None:
    tensors["layers.0.mlp.up.weight"] = np.ones((24, 8), "f4")
    tensors["layers.0.mlp.down.weight"] = tensors["layers.0.mlp.fc2.weight"]
    for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"):
        del tensors[f"layers.0.mlp.{name}"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensors: None, "the configuration names no activation: name it with --activation"),
        (_with("layers.0.mlp.ffn_layernorm.weight", 12), "layers.0.mlp.ffn_layernorm.weight acts on its neurons too"),
        (_with("layers.0.mlp.dwconv.weight", 12, 1, 3, 3), "layers.0.mlp.dwconv.weight acts on its neurons too"),
        (_with("layers.0.mlp.act.weight", 1), "layers.0.mlp.act.weight is a parameter of its activation"),
        (_with("layers.0.mlp.fc1.bias", 5), "layers.0.mlp.fc1.bias has 5 numbers for 12 outputs"),
        (_wider, "it holds several matrices in an order that is not known"),
    ],
)
def test_what_is_not_understood_is_a_row_with_the_reason(change: Callable[[Tensors], None], reason: str) -> None:
    tensors = named(drawn(np.random.default_rng(4), 12, 8, 8))
    change(tensors)
    found = wqscore.width(tensors)
    block = only_block(found)
    assert (block["reason"], block["effective"], block["error_bound"]) == (reason, {}, {})
    assert reason in found.to_csv()
    assert reason in " ".join(json.loads(found.to_json())["notes"])


@pytest.mark.parametrize(
    ("config", "activation", "reason"),
    [
        ({"hidden_act": "gelu_new"}, "gelu_tanh", None),
        ({"text_config": {"hidden_act": "relu"}}, "relu", None),
        ({"hidden_act": {"name": "silu"}}, "silu", None),
        ({"hidden_act": "xielu"}, None, "of activation 'xielu' it is not known which neurons can be merged"),
        (
            {"audio_config": {"hidden_act": "relu"}, "text_config": {"hidden_act": "silu"}},
            None,
            "the configuration names several activations (relu, silu): --activation names one",
        ),
        ({"model_type": "gpt_oss"}, None, "its architecture computes more in a block than its activation"),
    ],
)
def test_the_activation_is_the_configurations(
    tmp_path: Path, config: dict[str, Any], activation: str | None, reason: str | None
) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    save_file(named(drawn(np.random.default_rng(4), 12, 8, 8)), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    block = only_block(wqscore.width(folder))
    assert (block["activation"], block["reason"]) == (activation, reason)


def test_towers_have_activations_of_their_own(tmp_path: Path) -> None:
    one, two = (named(drawn(np.random.default_rng(seed), 12, 8, 8)) for seed in (1, 2))
    tensors = {f"vision_model.{name}": values for name, values in one.items()}
    tensors |= {f"language_model.{name}": values for name, values in two.items()}
    folder = tmp_path / "a"
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    config = {"text_config": {"hidden_act": "silu"}, "vision_config": {"hidden_act": "quick_gelu"}}
    (folder / "config.json").write_text(json.dumps(config))
    found = {block.name: block.activation for block in wqscore.width(folder).blocks}
    assert found == {"vision_model.layers.0.mlp": "quick_gelu", "language_model.layers.0.mlp": "silu"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerances": [0.0]}, "tolerance is 0.0: give numbers above 0 and below 1"),
        ({"tolerances": [2]}, "tolerance is 2.0"),
        ({"tolerances": []}, "tolerance is missing"),
        ({"activation": "glorp"}, "no such activation: 'glorp': choose from relu"),
        ({"engine": "weightwatcher"}, "leave engine out"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wqscore.width(named(drawn(np.random.default_rng(4), 12, 8, 8)), **options)


# -- what is written


def layered(folder: Path, blocks: list[Layers], config: dict[str, Any], dtype: Any = "f4") -> Path:
    folder.mkdir()
    tensors: Tensors = {}
    for layer, block in enumerate(blocks):
        tensors |= named(block, layer, dtype)
    tensors["norm.weight"] = np.ones(8, dtype)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_blocks_of_different_widths_are_padded_to_the_largest_with_silent_neurons(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    narrow = [drawn(rng, width, 8, 8, bias=False, gated=True) for width in (6, 10)]
    wide = [widened(rng, narrow[0], 3, 12, True), widened(rng, narrow[1], 3, 0, True)]
    config = {"hidden_act": "silu", "intermediate_size": 30, "max_position_embeddings": 30, **LLAMA}
    folder = layered(tmp_path / "wide", wide, config, "f8")
    found = wqscore.width(folder, write=tmp_path / "narrow")
    assert [block.effective[0] for block in found.blocks] == [6, 10]
    assert "4 silent neurons added" in found.to_markdown()
    written = json.loads((tmp_path / "narrow" / "config.json").read_text())
    assert written == config | {"intermediate_size": 10}
    tensors = load_file(tmp_path / "narrow" / "model.safetensors")
    assert tensors["norm.weight"].tolist() == [1] * 8
    points = rng.normal(0, 1, (9, 8))
    for layer in range(2):
        of_layer = {name: values for name, values in tensors.items() if f"layers.{layer}." in name}
        block = taken_back(of_layer, layer)
        assert block.width == 10
        assert computed(block, "silu", points) == pytest.approx(computed(narrow[layer], "silu", points), abs=1e-12)
    again = wqscore.width(tmp_path / "narrow")
    assert [(block.silent, block.effective[0]) for block in again.blocks] == [(4, 6), (0, 10)]


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, np.float64])
def test_the_stored_type_stays(tmp_path: Path, dtype: Any) -> None:
    rng = np.random.default_rng(7)
    block = drawn(rng, 6, 8, 8, bias=False, gated=True)
    wide = block.taken(np.repeat(np.arange(6), 2))
    wide.out = wide.out / 2
    config = {"hidden_act": "silu", "intermediate_size": 12, **LLAMA}
    found = wqscore.width(layered(tmp_path / "wide", [wide], config, dtype), write=tmp_path / "narrow")
    assert found.blocks[0].effective[0] == 6
    (tmp_path / "again").mkdir()
    tensors = {tensor.name: tensor for tensor in wqscore.describe(tmp_path / "narrow").checkpoint.tensors}
    assert {tensor.dtype.numpy for tensor in tensors.values()} == {np.dtype(dtype)}
    kept = tensors["layers.0.mlp.down_proj.weight"].read()
    assert np.sort(kept.astype("f8"), axis=1) == pytest.approx(np.sort(block.out.astype(dtype).astype("f8"), axis=1))


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
@pytest.mark.parametrize("gated", [True, False])
def test_copies_of_another_scale_are_merged_although_rounded(dtype: Any, gated: bool) -> None:
    """Rows of 512 numbers in bfloat16 that are in proportion have cosines of about 1 − 3e-6."""
    rng = np.random.default_rng(12)
    block = drawn(rng, 6, 512, 8, bias=False, gated=gated)
    wide = widened(rng, block, 2, 0, scales=True)
    tensors = {name: values.astype(dtype) for name, values in named(wide, dtype="f8").items()}
    found = only_block(wqscore.width(tensors, activation="silu" if gated else "relu"))
    assert found["effective"]["1e-06"] == 6


def test_a_stack_of_experts_keeps_one_width(tmp_path: Path) -> None:
    """Gate and up fused, as transformers stores Mixtral's: (experts, 2 · width, inputs)."""
    rng = np.random.default_rng(8)
    narrow = [drawn(rng, width, 8, 8, bias=False, gated=True) for width in (5, 9)]
    wide = [widened(rng, narrow[0], 2, 8, True), widened(rng, narrow[1], 2, 0, True)]
    tensors = {
        "layers.0.mlp.experts.gate_up_proj": np.stack([np.concatenate([each.into, each.up]) for each in wide]),
        "layers.0.mlp.experts.down_proj": np.stack([each.out for each in wide]),
    }
    (tmp_path / "wide").mkdir()
    save_file(
        {name: np.ascontiguousarray(each) for name, each in tensors.items()}, tmp_path / "wide/model.safetensors"
    )
    config = {**LLAMA, "model_type": "mixtral", "hidden_act": "silu", "intermediate_size": 18}
    (tmp_path / "wide" / "config.json").write_text(json.dumps(config))
    found = wqscore.width(tmp_path / "wide", write=tmp_path / "narrow")
    assert [(block.name, block.effective[0]) for block in found.blocks] == [
        ("layers.0.mlp.experts[0]", 5),
        ("layers.0.mlp.experts[1]", 9),
    ]
    made = load_file(tmp_path / "narrow" / "model.safetensors")
    assert made["layers.0.mlp.experts.gate_up_proj"].shape == (2, 18, 8)
    assert made["layers.0.mlp.experts.down_proj"].shape == (2, 8, 9)
    points = rng.normal(0, 1, (9, 8))
    for expert, block in enumerate(narrow):
        gate, up = np.split(made["layers.0.mlp.experts.gate_up_proj"][expert], 2)
        written = Layers(gate, None, made["layers.0.mlp.experts.down_proj"][expert], None, up)
        assert computed(written, "silu", points) == pytest.approx(computed(block, "silu", points), abs=1e-12)


def test_experts_that_are_stacked_along_the_rows_of_a_matrix(tmp_path: Path) -> None:
    """DBRX: gate, up and down are each (experts · width, hidden), and down is stored turned."""
    rng = np.random.default_rng(11)
    narrow = [drawn(rng, 6, 8, 8, bias=False, gated=True) for _ in range(3)]
    wide = [widened(rng, each, 2, 0, True) for each in narrow]
    place = "transformer.blocks.0.ffn.experts.mlp."
    parts = {
        "w1": [each.into for each in wide],
        "v1": [each.up for each in wide],
        "w2": [each.out.T for each in wide],
    }
    (tmp_path / "wide").mkdir()
    tensors = {f"{place}{name}": np.ascontiguousarray(np.concatenate(each)) for name, each in parts.items()}
    save_file(tensors, tmp_path / "wide" / "model.safetensors")
    moe = {"moe_num_experts": 3, "ffn_hidden_size": 12, "ffn_act_fn": {"name": "silu"}}
    (tmp_path / "wide" / "config.json").write_text(
        json.dumps({"model_type": "dbrx", "d_model": 8, "n_heads": 2, "ffn_config": moe})
    )
    found = wqscore.width(tmp_path / "wide", write=tmp_path / "narrow")
    assert [(block.stored, block.effective[0]) for block in found.blocks] == [(12, 6)] * 3
    made = load_file(tmp_path / "narrow" / "model.safetensors")
    assert {values.shape for values in made.values()} == {(18, 8)}
    gate, up, down = (np.split(made[f"{place}{name}"], 3) for name in ("w1", "v1", "w2"))
    points = rng.normal(0, 1, (9, 8))
    for expert, block in enumerate(narrow):
        written = Layers(gate[expert], None, down[expert].T, None, up[expert])
        assert computed(written, "silu", points) == pytest.approx(computed(block, "silu", points), abs=1e-12)
    config = json.loads((tmp_path / "narrow" / "config.json").read_text())
    assert config["ffn_config"]["ffn_hidden_size"] == 6


def test_a_width_without_a_key_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    wide = widened(rng, drawn(rng, 8, 8, 8, bias=False, gated=True), 2)
    folder = layered(tmp_path / "wide", [wide], {"hidden_act": "silu", **LLAMA})
    with pytest.raises(UsageError, match="its configuration has no key for a width of 16"):
        wqscore.width(folder, write=tmp_path / "narrow")
    assert [path.name for path in tmp_path.iterdir()] == ["wide"]


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(UsageError, match="is not empty: name a new folder with --write"):
        wqscore.width(named(drawn(np.random.default_rng(4), 12, 8, 8)), activation="relu", write=tmp_path / "full")


# -- what is read


def test_each_tensor_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(10)
    tensors = named(drawn(rng, 12, 8, 8, gated=False))
    tensors |= {f"layers.0.self_attn.{part}_proj.weight": rng.normal(0, 1, (8, 8)).astype("f4") for part in "qkvo"}
    tensors["embed_tokens.weight"] = rng.normal(0, 1, (30, 8)).astype("f4")
    (tmp_path / "a").mkdir()
    save_file(tensors, tmp_path / "a" / "model.safetensors")
    (tmp_path / "a" / "config.json").write_text(json.dumps({**LLAMA, "num_key_value_heads": 2, "hidden_act": "gelu"}))
    read, names = TensorRef.read, []
    monkeypatch.setattr(TensorRef, "read", lambda self: names.append(self.name) or read(self))
    found = wqscore.width(tmp_path / "a")
    assert sorted(names) == sorted(set(tensors) - {"embed_tokens.weight"})
    assert len(found.heads) == 4

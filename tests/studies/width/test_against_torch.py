"""`wqscore.width` on transformers' models whose neurons were split: the width before, and the same outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wqscore
from tests.oracles import Oracle
from tests.studies.width.embedded import Layers, widened

torch = Oracle("torch")
transformers = Oracle("transformers")

LAYERS, HIDDEN, WIDTH = 2, 16, 24
SIZES = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "vocab_size": 50}


@dataclass
class Kind:
    """An architecture: its configuration, the key of its width, and where its projections are."""

    config: dict[str, Any]
    key: str
    into: str
    out: str
    up: str = ""
    is_turned: bool = False
    scales: bool = False
    fused: str = ""


BERT = ("intermediate_size", "encoder.layer.{}.intermediate.dense", "encoder.layer.{}.output.dense")
LLAMA = ("intermediate_size", "layers.{}.mlp.gate_proj", "layers.{}.mlp.down_proj", "layers.{}.mlp.up_proj")
KINDS = {
    "bert-gelu": Kind({"model_type": "bert", "hidden_act": "gelu", **SIZES}, *BERT),
    "bert-relu": Kind({"model_type": "bert", "hidden_act": "relu", **SIZES}, *BERT, scales=True),
    "gpt2": Kind(
        {"model_type": "gpt2", "n_embd": HIDDEN, "n_layer": LAYERS, "n_head": 2, "vocab_size": 50},
        *("n_inner", "h.{}.mlp.c_fc", "h.{}.mlp.c_proj"),
        is_turned=True,
    ),
    "llama": Kind({"model_type": "llama", "num_key_value_heads": 1, **SIZES}, *LLAMA, scales=True),
    "opt": Kind(
        {"model_type": "opt", "word_embed_proj_dim": HIDDEN, "activation_function": "relu", **SIZES},
        *("ffn_dim", "decoder.layers.{}.fc1", "decoder.layers.{}.fc2"),
        scales=True,
    ),
    "phi3": Kind({"model_type": "phi3", "pad_token_id": 0, **SIZES}, *LLAMA, scales=True, fused="gate_up_proj"),
}


def model_of(kind: Kind, width: int) -> Any:
    config = dict(kind.config)
    made = transformers.AutoConfig.for_model(config.pop("model_type"), **config, **{kind.key: width})
    return transformers.AutoModel.from_config(made).eval()


def outputs(model: Any) -> np.ndarray:
    tokens = torch.arange(40).reshape(4, 10)
    with torch.no_grad():
        found: np.ndarray = model(input_ids=tokens).last_hidden_state.numpy()
    return found


def block_of(state: dict[str, np.ndarray], kind: Kind, layer: int) -> Layers:
    into, out = (kind.into.format(layer), kind.out.format(layer))
    turn = (lambda array: array.T) if kind.is_turned else (lambda array: array)
    up = None
    if kind.fused:
        gate, up = np.split(state[f"layers.{layer}.mlp.{kind.fused}.weight"], 2)
    else:
        gate = turn(state[f"{into}.weight"])
        up = state[f"{kind.up.format(layer)}.weight"] if kind.up else None
    return Layers(gate, state.get(f"{into}.bias"), turn(state[f"{out}.weight"]), state.get(f"{out}.bias"), up)


def put(state: dict[str, np.ndarray], kind: Kind, layer: int, block: Layers) -> None:
    into, out = (kind.into.format(layer), kind.out.format(layer))
    turn = (lambda array: array.T) if kind.is_turned else (lambda array: array)
    if kind.fused:
        assert block.up is not None
        state[f"layers.{layer}.mlp.{kind.fused}.weight"] = np.concatenate([block.into, block.up])
    else:
        state[f"{into}.weight"] = turn(block.into)
        if block.up is not None:
            state[f"{kind.up.format(layer)}.weight"] = block.up
    state[f"{out}.weight"] = turn(block.out)
    if block.bias is not None:
        state[f"{into}.bias"] = block.bias


def saved(folder: Path, state: dict[str, np.ndarray], config: dict[str, Any]) -> Path:
    folder.mkdir()
    save_file(
        {name: np.ascontiguousarray(values, "f4") for name, values in state.items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("name", KINDS)
def test_split_neurons_are_found_and_the_narrow_model_computes_the_same(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    narrow = model_of(kind, WIDTH)
    for parameter in narrow.parameters():
        # Drawn larger than at the start of a training, biases included, so that every neuron matters.
        parameter.data += torch.from_numpy(rng.normal(0, 0.2, tuple(parameter.shape)).astype("f4"))
    state = {key: values.numpy().astype("f8") for key, values in narrow.state_dict().items()}
    copies, silent = (2, 0) if len(name) % 2 else (3, 3 * WIDTH + 7)
    for layer in range(LAYERS):
        put(state, kind, layer, widened(rng, block_of(state, kind, layer), copies, silent, kind.scales))
    stored = copies * WIDTH + silent
    folder = saved(tmp_path / "wide", state, {**narrow.config.to_dict(), kind.key: stored})
    wide = transformers.AutoModel.from_pretrained(folder).eval()
    assert np.abs(outputs(wide) - outputs(narrow)).max() < 1e-4

    found = wqscore.width(str(folder), write=tmp_path / "narrow", jobs=1)
    document = json.loads(found.to_json())
    assert len(document["blocks"]) == LAYERS
    for block in document["blocks"]:
        assert block["stored"] == stored
        assert block["effective"]["1e-06"] == WIDTH
        assert block["silent"] == silent
    again = transformers.AutoModel.from_pretrained(tmp_path / "narrow").eval()
    assert getattr(again.config, kind.key) == WIDTH
    assert np.abs(outputs(again) - outputs(narrow)).max() < 1e-5
    assert {head["effective"] for head in document["heads"]} == {HIDDEN // 2}


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("activation", ["ReLU", "GELU", "Tanh", "LeakyReLU"])
def test_a_deep_perceptron_whose_layers_are_all_split(tmp_path: Path, activation: str) -> None:
    rng = np.random.default_rng(2)
    sizes = [7, 12, 9, 11, 3]
    weights = [rng.normal(0, 0.6, (out, into)) for into, out in pairwise(sizes)]
    biases = [rng.normal(0, 0.3, size) for size in sizes[1:]]
    wide, wide_biases = list(weights), list(biases)
    for layer in range(3):
        block = Layers(wide[layer], wide_biases[layer], wide[layer + 1], wide_biases[layer + 1])
        options = {"scales": "ReLU" in activation, "signs": activation == "Tanh"}
        made = widened(rng, block, 2 + layer % 2, 20 * (layer == 1), **options)
        wide[layer], wide_biases[layer], wide[layer + 1] = made.into, made.bias, made.out
    tensors = {f"{2 * i}.weight": each.astype("f4") for i, each in enumerate(wide)}
    tensors |= {f"{2 * i}.bias": each.astype("f4") for i, each in enumerate(wide_biases) if each is not None}
    name = {"ReLU": "relu", "GELU": "gelu", "Tanh": "tanh", "LeakyReLU": "leaky_relu"}[activation]
    found = wqscore.width(tensors, activation=name, write=tmp_path / "narrow")
    assert [block.stored for block in found.blocks] == [24, 47, 22]
    assert [block.effective[0] for block in found.blocks] == sizes[1:-1]

    narrow = load_file(tmp_path / "narrow" / "model.safetensors")
    inputs = torch.from_numpy(rng.normal(0, 1, (50, sizes[0])).astype("f4"))

    def run(state: dict[str, np.ndarray]) -> np.ndarray:
        values = inputs
        for i in range(4):
            values = values @ torch.from_numpy(state[f"{2 * i}.weight"]).T + torch.from_numpy(state[f"{2 * i}.bias"])
            values = getattr(torch.nn, activation)()(values) if i < 3 else values
        computed: np.ndarray = values.numpy()
        return computed

    first = {f"{2 * i}.weight": each.astype("f4") for i, each in enumerate(weights)}
    first |= {f"{2 * i}.bias": each.astype("f4") for i, each in enumerate(biases)}
    assert np.abs(run(narrow) - run(first)).max() < 1e-5
    assert narrow["2.weight"].shape == (9, 12)

"""Which checkpoints are one chain of linear layers, and why others are not."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.local import read_file, read_folder
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.feed_forward import FeedForwardChain, Undefined, feed_forward_chain
from wqscore.metrics.path_norm import log_path_norm

torch = Oracle("torch")


def tensor(name: str, *shape: int, dtype: str = "F32") -> TensorRef:
    return TensorRef(name, shape, STORED_DTYPES[dtype], Path("model.safetensors"), 0)


def order_of(*tensors: TensorRef) -> list[str]:
    found = feed_forward_chain(tensors)
    assert isinstance(found, FeedForwardChain), found
    return [layer.weight.name.removesuffix(".weight") for layer in found.layers]


def reason_for(*tensors: TensorRef) -> str:
    found = feed_forward_chain(tensors)
    assert isinstance(found, Undefined), found
    assert "\n" not in found.reason
    return found.reason


def test_numbers_in_names_count_by_value() -> None:
    layers = [tensor(f"net.{i}.weight", 64, 64) for i in (10, 2, 0, 8, 12, 4, 100)]
    assert order_of(*layers) == [f"net.{i}" for i in (0, 2, 4, 8, 10, 12, 100)]
    nested = [tensor(f"{i}.{j}.weight", 8, 8) for i in (2, 10) for j in (11, 9)]
    assert order_of(*nested) == ["2.9", "2.11", "10.9", "10.11"]


def test_sizes_order_names_without_numbers() -> None:
    assert order_of(
        tensor("input.weight", 256, 784), tensor("hidden.weight", 128, 256), tensor("final.weight", 10, 128)
    ) == ["input", "hidden", "final"]
    # `first` is the last by its name, and the series between keeps its numbers' order
    assert order_of(
        tensor("final.weight", 10, 64),
        tensor("fc10.weight", 64, 64),
        tensor("fc9.weight", 64, 64),
        tensor("first.weight", 64, 784),
    ) == ["first", "fc9", "fc10", "final"]


def test_an_unknown_order_is_not_guessed() -> None:
    assert "order" in reason_for(tensor("hidden.weight", 64, 64), tensor("final.weight", 64, 64))
    mirrored = [tensor("enc.0.weight", 8, 20), tensor("enc.2.weight", 3, 8)]
    mirrored += [tensor("dec.0.weight", 8, 3), tensor("dec.2.weight", 20, 8)]
    assert "order" in reason_for(*mirrored)
    assert "order" in reason_for(*(tensor(f"{letter}.weight", 9, 9) for letter in "abcdefgh"))


def test_a_bias_belongs_to_its_weight() -> None:
    found = feed_forward_chain([tensor("0.bias", 5), tensor("0.weight", 5, 4), tensor("2.weight", 3, 5)])
    assert isinstance(found, FeedForwardChain)
    assert [layer.bias.name if layer.bias else None for layer in found.layers] == ["0.bias", None]
    assert order_of(tensor("weight", 5, 4), tensor("bias", 5)) == ["weight"]
    assert "0.bias is not as long" in reason_for(tensor("0.weight", 5, 4), tensor("0.bias", 4))


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ([], "no linear layer"),
        ([tensor("0.bias", 5)], "no linear layer"),
        ([tensor("0.weight", 0, 5)], "no linear layer"),
        ([tensor("0.weight", 5, 4, dtype="I64")], "no linear layer"),
        ([tensor("0.weight", 5, 4), tensor("2.weight", 3, 6)], "sizes"),
        ([tensor("trunk.weight", 64, 4), tensor("mean.weight", 2, 64), tensor("spread.weight", 2, 64)], "sizes"),
        ([tensor("0.weight", 5, 4), tensor("temperature")], "temperature is neither"),
        ([tensor("0.weight", 5, 4), tensor("0.mask", 5, 4)], "0.mask is neither"),
        ([tensor("Dense_0.kernel", 4, 5)], "no linear layer"),
        ([tensor("0.weight", 5, 4), tensor("2.bias", 5)], "2.bias is neither"),
        ([tensor("0.weight", 5, 4), tensor("1.weight", 5), tensor("1.bias", 5)], "normalisation"),
        ([tensor("0.weight", 5, 4), tensor("1.num_batches_tracked", dtype="I64")], "normalisation"),
        ([tensor("0.weight", 5, 4), tensor("LayerNorm.gamma", 5)], "normalisation"),
        ([tensor("features.0.weight", 8, 3, 5, 5), tensor("head.weight", 9, 8)], "convolution"),
        ([tensor("embedding.weight", 100, 8), tensor("fc.weight", 3, 8)], "embedding"),
        ([tensor("q_proj.weight", 8, 8)], "attention"),
        ([tensor("self_attn.in_proj_weight", 24, 8)], "attention"),
        ([tensor("rnn.weight_ih_l0", 12, 8), tensor("rnn.weight_hh_l0", 12, 3)], "recurrent"),
        ([tensor("0.weight", 8, 8), tensor("shortcut.weight", 8, 8)], "skip connection"),
        ([tensor("fc.lora_A.weight", 4, 8), tensor("fc.lora_B.weight", 8, 4)], "adapter"),
        ([tensor("0.weight", 8, 8, dtype="I8")], "quantised"),
    ],
)
def test_what_is_no_chain_has_a_reason(tensors: list[TensorRef], words: str) -> None:
    assert words in reason_for(*tensors)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("prefix", ["", "model.", "net.layers."])
def test_a_saved_torch_network_and_its_path_norm(tmp_path: Path, prefix: str) -> None:
    save_file = Oracle("safetensors.torch", "save_file")
    torch.manual_seed(1)
    sizes = [12, *[32] * 7, 5]
    modules: list[object] = []
    for inputs, outputs in pairwise(sizes):
        modules += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    network = torch.nn.Sequential(*modules[:-1])  # names 0.weight … 14.weight
    file = tmp_path / "model.safetensors"
    save_file({f"{prefix}{name}": value for name, value in network.state_dict().items()}, file)
    found = feed_forward_chain(read_file(file))
    assert isinstance(found, FeedForwardChain)
    ours = log_path_norm((layer.weight.read(), layer.bias.read() if layer.bias else None) for layer in found.layers)
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.pow_(2)
        theirs = network(torch.ones(1, 12, dtype=torch.float64)).sum().item()
    assert ours == pytest.approx(math.log(theirs), rel=1e-12)


@pytest.mark.oracle("torch")
def test_torch_modules_that_are_no_chain() -> None:
    nn = torch.nn
    modules = {
        "attention": [nn.MultiheadAttention(8, 2), nn.TransformerEncoderLayer(8, 2, 16)],
        "recurrent": [nn.LSTM(8, 4), nn.GRU(8, 4), nn.RNN(8, 4), nn.LSTMCell(8, 4)],
        "convolution": [nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 2)), nn.Conv1d(3, 8, 1)],
        "normalisation": [
            nn.Sequential(nn.Linear(4, 8), norm, nn.ReLU(), nn.Linear(8, 2))
            for norm in (nn.BatchNorm1d(8), nn.BatchNorm1d(8, affine=False), nn.LayerNorm(8), nn.GroupNorm(2, 8))
        ],
        "no linear layer": [nn.utils.parametrizations.weight_norm(nn.Linear(4, 8)), nn.Identity()],
    }
    for word, of_that in modules.items():
        for module in of_that:
            tensors = [tensor(name, *value.shape) for name, value in module.state_dict().items()]
            if word == "neither":
                assert reason_for(*tensors)
            else:
                assert word in reason_for(*tensors), module


def test_no_real_transformer_is_a_chain(checkpoints: Path) -> None:
    seen = 0
    for folder in sorted(checkpoints.iterdir()):
        if (folder / "config.json").is_file():
            config, tensors = read_folder(folder)
            assert "attention" in reason_for(*tensors), json.dumps(config)
            seen += 1
    assert seen


@settings(max_examples=examples(200))
@given(
    st.dictionaries(
        st.one_of(
            st.text(max_size=30),
            st.from_regex(r"(fc|net\.|a|[0-9]{1,3})[0-9]{0,3}\.(weight|bias)", fullmatch=True),
        ),
        st.lists(st.integers(0, 3), max_size=4),
        max_size=12,
    )
)
def test_any_header_gives_a_chain_of_all_its_tensors_or_a_reason(shapes: dict[str, list[int]]) -> None:
    tensors = [tensor(name, *shape) for name, shape in shapes.items()]
    found = feed_forward_chain(tensors)
    if isinstance(found, Undefined):
        assert found.reason
        return
    parts = [part for layer in found.layers for part in (layer.weight, layer.bias) if part is not None]
    assert sorted(part.name for part in parts) == sorted(shapes)
    values = [(np.ones(layer.weight.shape), layer.bias and np.ones(layer.bias.shape)) for layer in found.layers]
    assert math.isfinite(log_path_norm(values))


def test_numbers_of_any_length() -> None:
    long = "9" * 5000
    assert order_of(tensor(f"1{long}.weight", 3, 3), tensor(f"{long}.weight", 3, 3))[0] == long
    assert reason_for(tensor("lstm_" * 50_000 + ".weight", 2, 2))

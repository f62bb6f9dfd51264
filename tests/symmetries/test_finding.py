"""Where symmetries act: from hostile or odd configurations comes a reason, never an error or a guess."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.symmetries.made import BERT, RELU, SMALL, Tensors, bert, chain
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.refs.callers import as_ref
from wqscore.symmetries.finding import find_layout
from wqscore.symmetries.sites import NAMES, Layout, Unknown

JUNK = st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats() | st.text(max_size=5) | st.lists(st.none())
BODY = bert(layers=1)


def checkpoint(content: Tensors, config: dict[str, Any]) -> Checkpoint:
    return open_in_memory(as_ref(content, config, "made"))


def reason(content: Tensors, config: dict[str, Any]) -> str:
    found = find_layout(checkpoint(content, config))
    assert isinstance(found, Unknown)
    return found.reason


@settings(max_examples=examples(20))
@given(st.dictionaries(st.sampled_from([*SMALL, "num_hidden_groups", "head_dim", "rope_parameters"]), JUNK))
def test_any_configuration_gives_a_layout_or_a_reason(changes: dict[str, Any]) -> None:
    for kind in ("bert", "albert", "llama", "mlp"):
        found = find_layout(checkpoint(BODY, SMALL | {"model_type": kind} | changes))
        assert isinstance(found, Layout | Unknown)
        assert isinstance(found, Layout) or found.reason


@pytest.mark.parametrize("kind", ["mlp", "relu_mlp", "", "Sequential", "feedforward"])
@pytest.mark.parametrize("named", [{"hidden_act": "relu"}, {"activation": "torch.nn.ReLU"}, {"act_fn": "ReLU"}])
def test_a_chain_is_known_by_its_configuration(kind: str, named: dict[str, str]) -> None:
    found = find_layout(checkpoint(chain(), {"model_type": kind} | named))
    assert isinstance(found, Layout)
    assert [name for name in NAMES if found.sites(name)] == ["neuron.scale", "neuron.permutation", "neuron.split"]
    assert [found.sites(name) for name in NAMES] == [0, 0, 0, 0, 3, 3, 3, 0, 0, 0]


def test_what_is_no_chain_has_none() -> None:
    assert "no type of model (model_type), and it is no chain of linear layers" in reason(
        bert(), {"hidden_act": "relu"}
    )
    assert "it has no hidden layer" in reason(chain((60, 70)), RELU)
    assert "names neither a type of model (model_type) nor an activation (hidden_act)" in reason(
        chain(), {"model_type": "mlp"}
    )
    assert "models of type mlp_mixer are not among" in reason(chain(), RELU | {"model_type": "mlp_mixer"})


def test_layers_of_different_widths_are_not_split() -> None:
    content = bert()
    content["encoder.layer.1.intermediate.dense.weight"] = np.ones((200, 128))
    content["encoder.layer.1.intermediate.dense.bias"] = np.ones(200)
    content["encoder.layer.1.output.dense.weight"] = np.ones((128, 200))
    found = find_layout(checkpoint(content, BERT))
    assert isinstance(found, Layout)
    assert found.reasons["neuron.split"] == "its layers have 192 to 200 hidden neurons, which one number can't say"
    assert found.sites("neuron.permutation") == 2


def test_two_models_in_one_file_have_none() -> None:
    content = bert(layers=1)
    twice = {f"{name}.{key}": value for name in ("query", "passage") for key, value in content.items()}
    assert reason(twice, SMALL) == "it has 2 tensors encoder.layer.0.attention.self.query.weight, not one"


def test_a_head_that_reads_the_embeddings_keeps_their_mean() -> None:
    content = bert(layers=1)
    alone = find_layout(checkpoint(content, SMALL))
    tied = find_layout(
        checkpoint(content | {"cls.predictions.bias": np.zeros(70)}, SMALL | {"tie_word_embeddings": True})
    )
    assert isinstance(alone, Layout)
    assert isinstance(tied, Layout)
    word = "embeddings.word_embeddings.weight"
    assert word in {lines.tensor for lines in alone.centred}
    assert word not in {lines.tensor for lines in tied.centred}
    assert len(tied.centred) == len(alone.centred) - 1

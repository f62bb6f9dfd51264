"""Values of a configuration, transformers' defaults for missing ones, and hostile values that do no harm."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore.matrices.config_names import HEAD_SIZE, HEADS, HIDDEN, KEY_VALUE_HEADS
from wqscore.matrices.model_config import ModelConfig


@pytest.mark.parametrize(
    ("model_type", "sizes"),
    [
        ("llama", {"hidden_size": 512, "num_attention_heads": 8}),
        ("gpt2", {"n_embd": 512, "n_head": 8}),
        ("gemma", {"hidden_size": 512, "num_attention_heads": 8}),
        ("mistral", {}),
        ("bloom", {"hidden_size": 512}),
        ("falcon", {"hidden_size": 512, "num_attention_heads": 8}),
        ("t5", {}),
    ],
)
def test_the_file_first_then_the_class(model_type: str, sizes: dict[str, int]) -> None:
    config = ModelConfig({"model_type": model_type, **sizes})
    from transformers import AutoConfig

    real = AutoConfig.for_model(model_type, **sizes)
    assert config.integer(*HIDDEN) == real.hidden_size
    assert config.integer(*HEADS) == real.num_attention_heads
    shared = [getattr(real, name, None) for name in ("num_key_value_heads", "num_kv_heads")]
    assert config.integer(*KEY_VALUE_HEADS) == next((size for size in shared if size), None)
    assert config.integer(*HEAD_SIZE) == getattr(real, "head_dim", None)
    assert config.flag("tie_word_embeddings") == real.tie_word_embeddings


def test_the_file_alone_without_a_type_that_is_known() -> None:
    for model_type in ({}, {"model_type": "no-such-model"}, {"model_type": 7}, {"model_type": None}):
        config = ModelConfig({**model_type, "n_head": 12})
        assert config.integer(*HEADS) == 12
        assert config.integer(*HIDDEN) is None
        assert not config.flag("tie_word_embeddings")


@pytest.mark.parametrize("value", [0, -4, 2.0, "8", True, None, [8], 10**40])
def test_a_size_is_a_positive_whole_number(value: Any) -> None:
    assert ModelConfig({"num_attention_heads": value}).integer(*HEADS) is None
    # What the file says wrongly is as good as missing.
    assert ModelConfig({"model_type": "bert", "num_attention_heads": value}).integer(*HEADS) == 12


def test_a_flag_is_true_and_nothing_else() -> None:
    for value in (1, "true", None, [True], False):
        assert not ModelConfig({"model_type": "bert", "tie_word_embeddings": value}).flag("tie_word_embeddings")
    assert ModelConfig({"model_type": "llama", "tie_word_embeddings": True}).flag("tie_word_embeddings")


def test_parts_are_the_towers() -> None:
    text = {"model_type": "llama", "hidden_size": 8}
    file = {
        "model_type": "llava",
        "text_config": text,
        "vision_config": {"hidden_size": 9},
        "id2label": {"0": "cat"},
    }
    assert [part.file for part in ModelConfig(file).parts] == [file, text, {"hidden_size": 9}]
    assert ModelConfig(file).model_types == {"llava", "llama"}
    audio = {"thinker_config": {"text_config": {"model_type": "qwen"}}}
    assert ModelConfig(audio).model_types == {"qwen"}


def model_types() -> st.SearchStrategy[str]:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return st.sampled_from(sorted(CONFIG_MAPPING_NAMES))


NAMES = [
    *(*HEADS, *HIDDEN, *KEY_VALUE_HEADS, *HEAD_SIZE),
    *("num_hidden_layers", "num_labels", "vocab_size", "layer_types", "tie_word_embeddings", "torch_dtype"),
    *("text_config", "vision_config", "quantization_config", "auto_map", "backbone"),
]
HUGE = st.sampled_from([10**9, 2**80])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | HUGE
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
)


@given(st.deferred(model_types), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_no_configuration_raises_or_hangs(model_type: str, file: dict[str, Any]) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    CONFIG_MAPPING[model_type]
    config = ModelConfig({"model_type": model_type, **file})
    for part in config.parts:
        assert part.integer(*HEADS) is None or part.integer(*HEADS) > 0
        assert part.flag("tie_word_embeddings") in {True, False}


@pytest.mark.parametrize(("model_type", "heads"), [("qwen2", 32), ("olmo_hybrid", 30)])  # by the table; by its class
def test_a_million_layers_are_not_counted_out(model_type: str, heads: int) -> None:
    """Classes write a list entry for each layer and each label."""
    file = {"num_hidden_layers": 10**10, "num_labels": 10**10, "layer_types": None}
    assert ModelConfig({"model_type": model_type, **file}).integer(*HEADS) == heads


def test_code_beside_the_weights_is_not_looked_for() -> None:
    file = {"model_type": "remote", "auto_map": {"AutoConfig": "modeling.Remote"}, "backbone": "org/backbone"}
    assert ModelConfig(file).integer(*HEADS) is None
    for model_type in ("detr", "d_fine"):
        assert ModelConfig({**file, "model_type": model_type}).integer(*HEADS) == 8
    assert "transformers_modules" not in sys.modules


def test_transformers_logging_is_left_as_it_was() -> None:
    logger = logging.getLogger("transformers")
    before = (logger.level, list(logger.filters))
    with ThreadPoolExecutor(8) as pool:
        types = ["bert", "bloom", "no-such-model", "d_fine"] * 8
        list(pool.map(lambda model_type: ModelConfig({"model_type": model_type}).flag("tie_word_embeddings"), types))
    assert (logger.level, list(logger.filters)) == before


@pytest.mark.parametrize(
    "before",
    [
        "",
        # Without torch it gives advice when it is imported.
        "import sys; sys.modules['torch'] = None",
        # In a program that wants to hear what it has to say, it still says nothing about these files.
        pytest.param(
            "import transformers; transformers.logging.set_verbosity_info()", marks=pytest.mark.oracle("torch")
        ),
    ],
)
def test_transformers_says_nothing(before: str) -> None:
    program = f"""
{before}
from wqscore.matrices.config_names import HEADS
from wqscore.matrices.model_config import ModelConfig
assert ModelConfig({{"model_type": "gpt_bigcode", "vocab_size": 5, "bos_token_id": 99}}).integer(*HEADS) == 12
assert ModelConfig({{"model_type": "clip"}}).integer(*HEADS) is None
assert ModelConfig({{"model_type": "no-such-model"}}).integer(*HEADS) is None
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_word_comes_from_the_file_then_from_the_defaults() -> None:
    assert ModelConfig({"hidden_act": "silu", "act_fn": "relu"}).text("act_fn", "hidden_act") == "relu"
    assert ModelConfig({"hidden_act": 3}).text("hidden_act") == ""
    assert ModelConfig({"model_type": "no-such-type"}).text("hidden_act") == ""

"""The table of architectures' defaults says what transformers' classes say, and spares importing them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.matrices.architecture_defaults import architecture_defaults
from wqscore.matrices.config_names import DEFAULTED, FLAGS, HEAD_SIZE, HEADS, HIDDEN, KEY_VALUE_HEADS, TOLD
from wqscore.matrices.model_config import ModelConfig

TABLE = json.loads(files("wqscore.matrices").joinpath("architecture_defaults.json").read_text(encoding="utf-8"))
TYPES = sorted(TABLE["architectures"])
KINDS = (HEADS, HIDDEN, HEAD_SIZE, KEY_VALUE_HEADS)


@pytest.fixture(scope="module")
def transformers() -> Any:
    found = Oracle("transformers")
    assert found.__version__ == TABLE["transformers"], "write the table again: make architectures"
    return found


def _real(transformers: Any, file: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says, and where it is silent its class, told of it all; nothing where the class refuses it."""
    told = {name: value for name, value in file.items() if name in TOLD}
    try:
        config = transformers.AutoConfig.for_model(**{"model_type": file["model_type"], **told})
    except Exception:
        config = None
    return {name: told.get(name, _get(config, name)) for name in DEFAULTED}


def _get(config: Any, name: str) -> Any:
    try:
        return getattr(config, name, None)
    # An error of transformers' own for what differs from layer to layer.
    except RuntimeError:
        return None


def _read(file: Mapping[str, Any]) -> dict[str, Any]:
    config = ModelConfig(file)
    return {name: config.flag(name) if name in FLAGS else config.integer(name) for name in DEFAULTED}


def _assert_same(transformers: Any, file: Mapping[str, Any]) -> None:
    real, read = _real(transformers, file), _read(file)
    for name in DEFAULTED:
        expected = real[name] is True if name in FLAGS else real[name] or None
        assert read[name] == expected, (file, name)


def _files() -> Iterator[dict[str, Any]]:
    """Nothing; sizes by each name alone; all four; sizes that do not fit each other; flags."""
    yield {}
    for heads, hidden, size, grouped in [(16, 2048, 128, 4), (5, 320, 64, 5), (7, 100, 33, 3), (1, 8, 3, 1)]:
        kinds = list(zip(KINDS, (heads, hidden, size, grouped), strict=True))
        yield from ({name: value} for names, value in kinds for name in names)
        yield {names[0]: value for names, value in kinds}
        yield {HEADS[0]: heads, HIDDEN[0]: hidden}
        yield {HEADS[0]: heads, HIDDEN[0]: hidden, KEY_VALUE_HEADS[0]: grouped}
    yield from ({name: value} for name, kind in TOLD.items() if kind is bool for value in (True, False))
    # An attribute and its alias that contradict each other.
    yield {"num_attention_heads": 8, "n_head": 4, "num_heads": 16, "hidden_size": 64, "d_model": 128, "n_embd": 256}


@pytest.mark.oracle("transformers")
@pytest.mark.parametrize("model_type", TYPES)
def test_every_architecture_as_its_class_has_it(transformers: Any, model_type: str) -> None:
    for file in _files():
        _assert_same(transformers, {"model_type": model_type, **file})


SIZES = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16, 20, 33, 40, 64, 80, 100, 128, 256, 768, 1000, 1024, 4096])
TOLD_VALUES = st.fixed_dictionaries(
    {}, optional={name: SIZES if kind is int else st.booleans() for name, kind in TOLD.items()}
)


@pytest.mark.oracle("transformers")
@given(st.sampled_from(TYPES), TOLD_VALUES)
@settings(max_examples=examples(1000))
def test_whatever_a_file_states(transformers: Any, model_type: str, told: dict[str, Any]) -> None:
    _assert_same(transformers, {"model_type": model_type, **told})


@pytest.mark.oracle("transformers")
@given(st.sampled_from(TYPES), st.sampled_from(TYPES), TOLD_VALUES)
def test_parts_have_the_defaults_of_their_own_type(transformers: Any, whole: str, text: str, told: Any) -> None:
    file = {"model_type": whole, "text_config": {"model_type": text, **told}, "vision_config": {"hidden_size": 64}}
    for part in ModelConfig(file).parts:
        if part.model_type:
            _assert_same(transformers, part.file)
        else:
            assert part.integer(*HIDDEN) == 64 and part.integer(*HEADS) is None


def test_an_architecture_that_is_not_in_the_table() -> None:
    assert architecture_defaults("no-such-model", {}) is None


def test_what_the_table_knows_needs_no_transformers() -> None:
    program = f"""
import sys
from wqscore.matrices.config_names import DEFAULTED
from wqscore.matrices.model_config import ModelConfig
for model_type in {["albert", "bert", "gpt2", "llama", "mt5", "qwen2", "t5", "vit"]}:
    config = ModelConfig({{"model_type": model_type, "num_hidden_layers": 2, "quantization_config": {{}}}})
    assert config.integer("hidden_size"), model_type
    for name in DEFAULTED:
        config.integer(name), config.flag(name), config.nested("quantization_config").integer("bits")
print("transformers" in sys.modules)
ModelConfig({{"model_type": "no-such-model"}}).flag("tie_word_embeddings")
print("transformers" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\nTrue\n"

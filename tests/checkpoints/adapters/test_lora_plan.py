"""Planning adapters that peft would not write: odd names, shapes and settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.checkpoints.adapters.lora import plan_adapter
from wqscore.checkpoints.adapters.merging import base_names, plan_merged
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

LORA: dict[str, Any] = {"peft_type": "LORA", "r": 2, "lora_alpha": 6}
START = "base_model.model."


def stored(shapes: dict[str, tuple[int, ...]], dtype: str = "F32") -> dict[str, TensorRef]:
    return {name: TensorRef(name, shape, STORED_DTYPES[dtype], Path("x"), 0) for name, shape in shapes.items()}


def layer(name: str = "q_proj", rank: int = 2, between: str = "") -> dict[str, tuple[int, ...]]:
    a, b = (f"{START}{name}.lora_{side}{between}.weight" for side in "AB")
    return {a: (rank, 5), b: (7, rank)}


def reasons(shapes: dict[str, tuple[int, ...]], config: dict[str, Any] = LORA, dtype: str = "F32") -> set[str]:
    adapter = plan_adapter(stored(shapes, dtype), config)
    assert not adapter.weights
    return {refusal.reason for refusal in adapter.refusals}


def test_names_of_files_written_during_training() -> None:
    shapes = {
        **layer("layers.0.q_proj", between=".default"),
        f"{START}wte.lora_embedding_A.default": (2, 30),
        f"{START}wte.lora_embedding_B.default": (7, 2),
        f"{START}score.modules_to_save.default.weight": (4, 7),
        f"{START}norm.modules_to_save.weight": (7,),
        "head.lora_A.weight": (2, 5),
        "head.lora_B.weight": (7, 2),
        "head.lora_B.bias": (7,),
    }
    adapter = plan_adapter(stored(shapes), LORA)
    assert {weight.name: weight.shape for weight in adapter.weights} == {
        "layers.0.q_proj.weight": (7, 5),
        "wte.weight": (30, 7),
        "head.weight": (7, 5),
    }
    assert {weight.scale for weight in adapter.weights} == {3.0}
    assert set(adapter.replaced) == {"score.weight", "norm.weight", "head.lora_B.bias"}
    assert not adapter.refusals


def test_second_adapter_in_a_file() -> None:
    adapter = plan_adapter(stored(layer(between=".one") | layer(between=".two")), LORA)
    assert len(adapter.weights) == 1
    assert [refusal.name for refusal in adapter.refusals] == [
        f"{START}q_proj.lora_{side}.two.weight" for side in "AB"
    ]


def test_halves_of_two_adapters() -> None:
    halves = {f"{START}q_proj.lora_A.one.weight": (2, 5), f"{START}q_proj.lora_B.two.weight": (7, 2)}
    assert reasons(halves) == {"LoRA's A without its B, or B without its A"}


def test_the_same_weight_twice() -> None:
    again = {name.removeprefix(START): shape for name, shape in layer().items()}
    adapter = plan_adapter(stored(layer() | again), LORA)
    assert len(adapter.weights) == 1
    assert len(adapter.refusals) == 2


@pytest.mark.parametrize(
    ("a", "b", "named"),
    [
        ((2, 5), (7, 3), "2 × 5 and 7 × 3, which don't fit"),
        ((3, 5), (7, 3), "rank 2 by adapter_config.json, and 3 as stored"),
        ((2, 0), (7, 2), "gathered"),
        ((2, 5), (0, 2), "don't fit"),
        ((0,), (0,), "gathered"),
        ((), (), "gathered"),
        ((2, 5, 3, 3), (7, 2, 3, 3), "don't fit"),
        ((2, 5, 3, 3), (7, 2), "gathered"),
        ((2, 5, 3, 3), (7, 1, 1, 1), "in groups"),
        ((2,) * 9, (2,) * 9, "gathered"),
        ((2, 2**40), (2**40, 2), "more than any model has"),
    ],
)
def test_shapes_that_give_no_change(a: tuple[int, ...], b: tuple[int, ...], named: str) -> None:
    (reason,) = reasons({"q.lora_A.weight": a, "q.lora_B.weight": b})
    assert named in reason


def test_parts_that_are_missing_or_too_many() -> None:
    assert reasons({"q.lora_A.weight": (2, 5)}) == {"LoRA's A without its B, or B without its A"}
    assert reasons({"q.lora_A.weight": (2, 5), "q.lora_embedding_B": (7, 2)}) == {
        "LoRA's A without its B, or B without its A"
    }
    assert "more than A and B" in min(reasons(layer("q") | {f"{START}q.lora_diag": (2,)}))
    assert reasons(layer("q") | {f"{START}q.lora_magnitude_vector": (7,)}) == {"DoRA: only plain LoRA is read"}
    assert reasons(layer(), dtype="I8") == {"LoRA of I8 and I8: only floats are read"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("r", value) for value in (0, -1, True, 2.0, "8", [8], {}, 2**40)),
        *(("lora_alpha", value) for value in (float("nan"), float("inf"), -float("inf"), 10**400, "16", [], True)),
        *(("use_rslora", value) for value in (1, "true", [])),
        *(("fan_in_fan_out", value) for value in (0, "no", {})),
        *(("rank_pattern", value) for value in (["q"], "q", 3, {"q": 0}, {"q": None}, {"q": "2"}, {"(q": 2})),
        *(("alpha_pattern", value) for value in ([], {"q": float("nan")}, {"q": []}, {r"(a)\1": 2}, {"x" * 2000: 1})),
    ],
)
def test_settings_that_make_no_sense(key: str, value: object) -> None:
    with pytest.raises(CheckpointError, match=key) as error:
        plan_adapter(stored(layer()), LORA | {key: value})
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


def test_json_numbers_beyond_floats() -> None:
    with pytest.raises(CheckpointError, match="lora_alpha"):
        plan_adapter(stored(layer()), json.loads('{"peft_type": "LORA", "lora_alpha": 1e400}'))


def test_patterns_that_are_too_much_work() -> None:
    tensors = stored({name: shape for i in range(300) for name, shape in layer(f"{'a' * 100}.{i}").items()})
    with pytest.raises(CheckpointError, match="too many patterns"):
        plan_adapter(tensors, LORA | {"alpha_pattern": {f"(a|b){{90}}{i}": 1 for i in range(20)}})
    with pytest.raises(CheckpointError, match="too many patterns"):
        plan_adapter(tensors, LORA | {"alpha_pattern": {f"name{i}": 1 for i in range(9000)}})
    with pytest.raises(CheckpointError, match="more than 10000 patterns"):
        plan_adapter(tensors, LORA | {"rank_pattern": {f"name{i}": 1 for i in range(10_001)}})
    endless = {"(a*)*b": 1, "(a|a)*b": 2, "((a|aa)+)+b": 3}
    adapter = plan_adapter(tensors, LORA | {"alpha_pattern": endless})
    assert {weight.scale for weight in adapter.weights} == {3.0}


def test_absent_settings_are_pefts_defaults() -> None:
    (weight,) = plan_adapter(stored(layer(rank=8)), {"peft_type": "LORA", "r": None}).weights
    assert weight.scale == 1.0


@pytest.mark.parametrize("kind", [None, "", 3, [], {}, "lora", "X" * 1000, "PROMPT_TUNING", "A\nB"])
def test_other_kinds(kind: object) -> None:
    (reason,) = reasons(layer(), {"peft_type": kind})
    assert "only LoRA adapters are read" in reason
    assert len(reason) < 100
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("use_dora", True, "DoRA"),
        ("use_qalora", True, "QALoRA"),
        ("use_bdlora", {"nblocks": 2}, "BD-LoRA"),
        ("alora_invocation_tokens", [1], "activated LoRA"),
        ("kasa_config", {"beta": 1}, "KaSA"),
    ],
)
def test_variants(key: str, value: object, named: str) -> None:
    assert reasons(layer(), LORA | {key: value}) == {f"{named}: only plain LoRA is read"}


def test_repeated_layers_are_not_merged() -> None:
    adapter = plan_adapter(stored(layer()), LORA | {"layer_replication": [[0, 2], [1, 2]]})
    decodings, refusals = plan_merged(adapter, stored({"q_proj.weight": (7, 5)}))
    assert len(adapter.weights) == 1
    assert not decodings
    assert "layer_replication" in refusals[0].reason


def test_names_of_the_bare_model() -> None:
    wanted = ["transformer.h.0.a.weight", "h.1.a.weight", "mha.weight", "other.weight"]
    base = ["h.0.a.weight", "transformer.h.1.a.weight", "mha.in_proj_weight", "x.other.weight", "y.other.weight"]
    assert base_names(wanted, base) == {
        "transformer.h.0.a.weight": "h.0.a.weight",
        "h.1.a.weight": "transformer.h.1.a.weight",
        "mha.weight": "mha.in_proj_weight",
    }


@pytest.mark.parametrize(
    ("base", "dtype", "named"),
    [
        ({"k_proj.weight": (7, 5)}, "F32", "has no q_proj.weight"),
        ({"q_proj.weight": (7, 6)}, "F32", "is not of 7 × 5"),
        ({"q_proj.weight": (35,)}, "F32", "is not of 7 × 5"),
        ({"q_proj.weight": (7, 5)}, "I8", "is not of floats"),
    ],
)
def test_bases_that_do_not_fit(base: dict[str, tuple[int, ...]], dtype: str, named: str) -> None:
    decodings, refusals = plan_merged(plan_adapter(stored(layer()), LORA), stored(base, dtype))
    assert not decodings
    assert named in refusals[0].reason


def test_merging_with_the_adapters_own_copy_of_the_base() -> None:
    shapes = {
        f"{START}wte.lora_embedding_A": (2, 30),
        f"{START}wte.lora_embedding_B": (7, 2),
        f"{START}wte.base_layer.weight": (30, 7),
    }
    adapter = plan_adapter(stored(shapes), LORA)
    (decoding,), refusals = plan_merged(adapter, stored({"wte.weight": (28, 7)}))
    assert not refusals
    assert decoding.name == "wte.weight"
    assert decoding.parts[0].name == f"{START}wte.base_layer.weight"
    # One token's row is its column of A through B.
    W, A, B = np.zeros((30, 7)), np.zeros((2, 30)), np.zeros((7, 2))
    A[1, 4], B[6, 1] = 2.0, 5.0
    expected = np.zeros((30, 7))
    expected[4, 6] = 30.0
    np.testing.assert_array_equal(decoding.decode(W, A, B), expected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(r"q_proj.*[\d]+(|)", max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = (
    *("r", "lora_alpha", "use_rslora", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "init_lora_weights"),
    *("use_dora", "target_parameters", "layer_replication", "modules_to_save", "bias", "peft_type"),
)
NAMES = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from([START, "", "."]),
    st.sampled_from(["q_proj", "a.0.q", "q.base_layer", "", "q\nr", "x.lora_A"]),
    st.sampled_from([".lora_A", ".lora_B", ".lora_embedding_A", ".lora_embedding_B", ".lora_", ".lora_E", ""]),
    st.sampled_from(["", ".default", ".weight", "."]),
    st.sampled_from(["", ".weight", ".bias"]),
)
SHAPES = st.lists(st.sampled_from([0, 1, 2, 5, 2**50]), max_size=5).map(tuple)


@settings(max_examples=examples(300))
@given(
    shapes=st.dictionaries(NAMES, SHAPES, max_size=6),
    config=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4),
    dtype=st.sampled_from(["F32", "BF16", "I8", "F8_E4M3"]),
)
def test_any_header_and_any_settings(shapes: dict[str, tuple[int, ...]], config: dict[str, Any], dtype: str) -> None:
    """A plan that accounts for every tensor once, or one line."""
    tensors = stored(shapes, dtype)
    try:
        adapter = plan_adapter(tensors, {"peft_type": "LORA", "r": 2} | config)
    except CheckpointError as error:
        assert "\n" not in str(error)
        return
    accounted = [part.name for weight in adapter.weights for part in (weight.a, weight.b)]
    accounted += [tensor.name for tensor in adapter.replaced.values()]
    accounted += [refusal.name for refusal in adapter.refusals]
    assert sorted(accounted) == sorted(tensors)
    decodings, refusals = plan_merged(adapter, stored({"q_proj.weight": (5, 5), "a.0.q.weight": (2, 5)}))
    assert len(decodings) + len(refusals) == len(adapter.weights)

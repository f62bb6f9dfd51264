"""The number of weights that codes stand for, whichever way they are stored, where they are not decoded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.examples import examples
from wqscore.checkpoints.decoding import Refusal, with_decoded
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.quantised.bit_widths import bit_widths, group_sizes
from wqscore.checkpoints.quantised.counting import count_weights
from wqscore.checkpoints.tensor import TensorRef
from wqscore.refs.callers import as_ref

OUT, IN, GROUP = 96, 256, 64
WEIGHTS = OUT * IN
DATA = Path(__file__).parents[2] / "data/formats"

Parts = dict[str, tuple[Any, ...]]


def refs(parts: Parts, **more: str) -> list[TensorRef]:
    """A layer's tensors, the codes first, and a bias and a norm that count as they are."""
    stored = {f"a.{name}": shape for name, shape in parts.items()} | {
        "a.bias": ("F32", OUT),
        "norm.weight": ("F32", IN),
    }
    return [
        TensorRef(name, tuple(shape), STORED_DTYPES[kind], Path("m"), 0) for name, (kind, *shape) in stored.items()
    ]


def method(name: str | None = None, **values: Any) -> dict[str, Any]:
    return {"quantization_config": values | ({"quant_method": name} if name else {})}


HQQ = {"quant_config": {"weight_quant_params": {"nbits": 4, "group_size": GROUP}, "scale_quant_params": {"nbits": 8}}}
INT4 = {"default": {"_type": "Int8DynamicActivationInt4WeightConfig", "_data": {"group_size": GROUP}}}
MIXED = {"config_groups": {"g": {"weights": {"num_bits": 4}, "input_activations": {"num_bits": 8}}}}
INT4_TEXT = {"quant_type": "int4_weight_only", "group_size": GROUP}
MLX = {"weight": ("U32", OUT, IN // 8), "scales": ("F16", OUT, 4), "biases": ("F16", OUT, 4)}
PAIRS = {"_weight_qdata": ("U8", OUT, IN // 2), "_weight_scale": ("BF16", OUT, 4)}
NVFP4 = {"weight": ("U8", OUT, IN // 2), "weight_scale": ("F8_E4M3", OUT, IN // 16), "weight_scale_2": ("F32",)}
GEMV = {"qweight": ("I32", OUT, IN // 8), "scales": ("F16", OUT, 4)}
GPTQ = {"qweight": ("I32", IN // 8, OUT), "qzeros": ("I32", 4, OUT // 8), "scales": ("F16", 4, OUT)}


@pytest.mark.parametrize(
    ("parts", "config"),
    [
        (GPTQ, {}),
        ({"qweight": ("I32", IN * 3 // 32, OUT), "qzeros": ("I32", 4, OUT * 3 // 32), "scales": ("F16", 4, OUT)}, {}),
        (GEMV, method("awq", version="gemv", bits=4, group_size=GROUP)),
        (MLX, {"quantization": {"bits": 4}}),
        ({"W_q": ("U8", WEIGHTS // 2 // GROUP, GROUP), "scale": ("F32", WEIGHTS // GROUP, 1)}, method("hqq", **HQQ)),
        ({"weight": ("I8", OUT, IN), "weight_scales": ("F16", OUT)}, method("eetq", weights="int8")),
        ({"weight": ("I8", OUT, IN), "SCB": ("F32", OUT)}, method("bitsandbytes", load_in_8bit=True)),
        ({"weight": ("U8", WEIGHTS // 2, 1), "weight.absmax": ("F32", WEIGHTS // 64)}, {}),
        ({"weight": ("BF16", WEIGHTS // 4, 1), "weight.absmax": ("F32", WEIGHTS // 64)}, {}),
        ({"weight": ("U8", OUT // 4, IN), "weight_scale": ("BF16", 1)}, method("bitnet")),
        (PAIRS, method("torchao", quant_type=INT4)),
        ({"_weight_qdata": ("I8", OUT, IN), "_weight_scale": ("BF16", OUT, 4)}, method("torchao", quant_type=INT4)),
        ({"_weight_qdata": ("I32", OUT, IN // 8), "_weight_scale": ("BF16", OUT, 4)}, method("torchao", **INT4_TEXT)),
        ({"weight._data": ("I8", OUT, IN), "weight._scale": ("F32", OUT, 1)}, {}),
        ({"weight._data": ("U8", OUT // 2, IN), "weight._scale": ("F32", OUT, 1)}, method("quanto", weights="int4")),
        ({"codes": ("I8", OUT, IN // 8, 2), "codebooks": ("F16", 2, 256, 1, 8), "scales": ("F16", OUT, 1, 1, 1)}, {}),
        ({"weight_packed": ("U8", OUT, IN // 2), "weight_scale": ("F8_E4M3", OUT, IN // 16)}, {}),
        ({"weight_packed": ("U8", OUT, IN // 2), "weight_scale": ("U8", OUT, IN // 32)}, {}),
        (NVFP4, {}),
        ({"weight": ("F8_E4M3", OUT, IN), "weight_scale": ("F32", 1)}, {}),
        ({"weight": ("F4", OUT, IN), "weight_scale": ("F8_E8M0", OUT, IN // 32)}, {}),
        ({"q_weight": ("I32", 90, OUT), "q_invperm": ("I32", IN), "q_scale": ("I32", 8, OUT // 8)}, {}),
        ({"trellis": ("I16", OUT // 16, IN // 16, 48), "suh": ("F16", OUT), "svh": ("F16", IN)}, {}),
    ],
)  # fmt: skip
def test_codes_count_as_weights_and_their_scales_as_none(parts: Parts, config: dict[str, Any]) -> None:
    counts = count_weights(refs(parts), config)
    codes, *beside = (f"a.{name}" for name in parts)
    assert counts[codes] == WEIGHTS
    assert [counts[name] for name in beside] == [0] * len(beside)
    assert (counts["a.bias"], counts["norm.weight"]) == (OUT, IN)


@pytest.mark.parametrize(
    ("parts", "config"),
    [
        (MLX, {}),
        ({"qweight": ("I32", IN // 8, OUT)}, method("new")),
        ({"weight": ("U8", OUT, IN // 2)}, {}),
        # Two sizes, and nothing that decides; four bits in a byte that has room for two of them.
        ({"weight": ("I32", OUT, IN // 8)}, method("new", bits=4, layers={"b": {"bits": 8}})),
        ({"weight": ("I8", OUT, IN), "weight_scale": ("F32", OUT, 1)}, method("new", bits=4)),
    ],
)
def test_what_is_not_told_is_not_guessed(parts: Parts, config: dict[str, Any]) -> None:
    assert count_weights(refs(parts), config)[f"a.{next(iter(parts))}"] is None


@settings(max_examples=examples(100))
@given(
    bits=st.sampled_from([2, 4, 8]),
    container=st.sampled_from(["U8", "I16", "I32", "U32"]),
    group=st.sampled_from([16, 32, 64, 128]),
    rows=st.integers(1, 40),
    groups=st.integers(1, 6),
)
def test_any_container(bits: int, container: str, group: int, rows: int, groups: int) -> None:
    weights, held = rows * groups * group, STORED_DTYPES[container].bits // bits
    parts: Parts = {"weight": (container, rows, groups * group // held), "scales": ("F16", rows, groups)}
    both = {"a": {"bits": bits, "group_size": group}, "b": {"bits": 3, "group_size": 48}}
    assert count_weights(refs(parts), method("new", bits=bits))["a.weight"] == weights
    # Where layers differ the scales decide, or nothing does.
    assert count_weights(refs(parts), method("new", **both))["a.weight"] in {weights, None}


@pytest.mark.parametrize("scale", ["a.weight.scale", "a.scales"])
def test_the_scale_of_a_vector_of_codes_counts_for_nothing(scale: str) -> None:
    codes = "a.weight.qweight" if "weight" in scale else "a.qweight"
    stored = {codes: ("I8", IN), scale: ("F32", 1), "b.weight": ("F32", IN), "b.scale": ("F32", IN)}
    stored |= {"c.qweight": ("I8", OUT, IN), "c.scales": ("F32", OUT, 1)}
    tensors = [TensorRef(n, tuple(shape), STORED_DTYPES[kind], Path("m"), 0) for n, (kind, *shape) in stored.items()]
    assert sum(filter(None, count_weights(tensors, {}).values())) == IN + IN + IN + WEIGHTS


def test_plain_tensors_count_their_elements() -> None:
    stored = refs({"mask": ("U8", 4, 4), "weight": ("F32", OUT, IN), "logit_scale": ("F32", 1)})
    # Whether the mask is one, its name tells; that is for the plan.
    assert count_weights(stored, {}) == {t.name: t.parameters for t in stored} | {"a.mask": None}


@pytest.mark.parametrize(
    ("name", "weights"), [("hqq", 64 * 64), ("mlx", 64 * 64), ("awq", 64 * 64), ("gptq-3", 64 * 64)]
)
def test_what_tools_wrote(name: str, weights: int) -> None:
    checkpoint = open_checkpoint(as_ref(str(DATA / name)))
    assert checkpoint.parameters == weights
    assert None not in checkpoint.counts.values()


def test_the_shape_is_read_where_it_is_stored(tmp_path: Path) -> None:
    stored = {
        "a.weight_packed": np.zeros((OUT, IN * 3 // 32), np.int32),
        "a.weight_scale": np.ones((OUT, 1), np.float32),
        "a.weight_shape": np.array([OUT, IN]),
    }
    save_file(stored, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(method("new")))
    assert open_checkpoint(as_ref(str(tmp_path))).parameters == WEIGHTS


def test_a_refused_tensor_of_known_shape_counts_by_it() -> None:
    blocks = TensorRef("a.weight", (500,), STORED_DTYPES["U8"], Path("m"), 0)
    (found,) = with_decoded([blocks], [], [Refusal("a.weight", "not read", (OUT, IN))])
    assert (found.shape, found.refusal, found.nbytes) == ((OUT, IN), "not read", 500)
    assert count_weights([found], {}) == {"a.weight": WEIGHTS}


@pytest.mark.parametrize(
    ("config", "bits", "groups"),
    [
        ({}, set(), set()),
        (method("gptq", bits=4, group_size=128), {4}, {128}),
        (method("awq", w_bit=4, q_group_size=-1), {4}, set()),
        (method("hqq", **HQQ), {4}, {GROUP}),
        (method("torchao", quant_type=INT4), {4}, {GROUP}),
        (method("torchao", quant_type="int8_weight_only"), {8}, set()),
        (method("modelopt", quant_algo="W4A16_AWQ", kv_cache_quant_algo="FP8"), {4}, set()),
        (method("ct", **MIXED), {4}, set()),
        (method("fp_quant", forward_dtype="nvfp4"), {4}, set()),
        (method("x", bits=True, group_size="8"), set(), set()),
        (method("x", bits=10**30), set(), set()),
        ({"quantization": {"bits": 4, "group_size": 64, "head": {"bits": 6}}}, {4, 6}, {64}),
    ],
)  # fmt: skip
def test_bits_and_groups_of_the_configuration(config: dict[str, Any], bits: set[int], groups: set[int]) -> None:
    assert (bit_widths(config), group_sizes(config)) == (bits, groups)

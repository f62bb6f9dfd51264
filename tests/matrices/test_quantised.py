"""Quantised checkpoints: named, counted by the parameters they encode, and never read as weights."""

from __future__ import annotations

from typing import Any

import pytest

from tests.matrices.tiny_models import header, outcome, skip_of, tensor
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.uncounted import UncountedTensor
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

LAYER = "model.layers.0.self_attn.q_proj"
EXPERTS = "model.layers.0.mlp.experts"
OUT, IN, GROUP = 256, 192, 64
WEIGHTS = OUT * IN


def gptq(bits: int) -> tuple[TensorRef, ...]:
    """AutoGPTQ's QuantLinear: codes packed along the input, zero points along the output, 32 bits a word."""
    return (
        tensor(f"{LAYER}.qweight", IN * bits // 32, OUT, dtype="I32"),
        tensor(f"{LAYER}.qzeros", IN // GROUP, OUT * bits // 32, dtype="I32"),
        tensor(f"{LAYER}.scales", IN // GROUP, OUT, dtype="F16"),
        tensor(f"{LAYER}.g_idx", IN, dtype="I32"),
    )


AWQ = (
    tensor(f"{LAYER}.qweight", IN, OUT // 8, dtype="I32"),
    tensor(f"{LAYER}.qzeros", IN // GROUP, OUT // 8, dtype="I32"),
    tensor(f"{LAYER}.scales", IN // GROUP, OUT, dtype="F16"),
)
INT8 = (
    tensor(f"{LAYER}.weight", OUT, IN, dtype="I8"),
    tensor(f"{LAYER}.SCB", OUT, dtype="F32"),
    tensor(f"{LAYER}.weight_format", dtype="U8"),
)


def four_bit(stored: str, bits: int) -> tuple[TensorRef, ...]:
    """bitsandbytes' Linear4bit: one column of packed codes, in whatever type `bnb_4bit_quant_storage` names."""
    return (
        tensor(f"{LAYER}.weight", WEIGHTS * 4 // bits, 1, dtype=stored),
        tensor(f"{LAYER}.weight.absmax", WEIGHTS // 64, dtype="U8"),
        tensor(f"{LAYER}.weight.quant_map", 16),
        tensor(f"{LAYER}.weight.nested_absmax", 3),
        tensor(f"{LAYER}.weight.nested_quant_map", 256),
        tensor(f"{LAYER}.weight.quant_state.bitsandbytes__nf4", 98, dtype="U8"),
    )


FP8 = (
    tensor(f"{LAYER}.weight", OUT, IN, dtype="F8_E4M3"),
    tensor(f"{LAYER}.weight_scale_inv", 2, 2),
)
STATIC_FP8 = (
    tensor(f"{LAYER}.weight", OUT, IN, dtype="F8_E4M3"),
    tensor(f"{LAYER}.weight_scale", OUT, 1),
    tensor(f"{LAYER}.input_scale", 1),
)


def compressed(bits: int) -> tuple[TensorRef, ...]:
    """compressed-tensors' pack-quantized."""
    return (
        tensor(f"{LAYER}.weight_packed", OUT, IN * bits // 32, dtype="I32"),
        tensor(f"{LAYER}.weight_scale", OUT, IN // GROUP, dtype="BF16"),
        tensor(f"{LAYER}.weight_shape", 2, dtype="I64"),
    )


NVFP4 = (
    tensor(f"{LAYER}.weight_packed", OUT, IN // 2, dtype="U8"),
    tensor(f"{LAYER}.weight_scale", OUT, IN // 16, dtype="F8_E4M3"),
    tensor(f"{LAYER}.weight_global_scale", 1),
    tensor(f"{LAYER}.input_global_scale", 1),
)
MXFP4 = (
    tensor(f"{EXPERTS}.gate_up_proj_blocks", 4, 128, IN // 32, 16, dtype="U8"),
    tensor(f"{EXPERTS}.gate_up_proj_scales", 4, 128, IN // 32, dtype="U8"),
    tensor(f"{EXPERTS}.gate_up_proj_bias", 4, 128, dtype="BF16"),
)
DEQUANTISED_BUT_SCALED = (
    tensor(f"{LAYER}.weight", OUT, IN, dtype="BF16"),
    tensor(f"{LAYER}.weight_scale", OUT, 1, dtype="BF16"),
)


def method(name: str, **settings: Any) -> dict[str, Any]:
    return {"quantization_config": {"quant_method": name, **settings}}


SCHEME = {"config_groups": {"group_0": {"weights": {"num_bits": 8}}}}


@pytest.mark.parametrize(
    ("tensors", "config", "reason", "weights"),
    [
        (gptq(4), method("gptq", bits=4), "quantised (gptq): I32 codes are not read", WEIGHTS),
        (gptq(8), method("gptq", bits=8), "quantised (gptq): I32 codes are not read", WEIGHTS),
        (gptq(3), method("gptq", bits=3), "quantised (gptq): I32 codes are not read", WEIGHTS),
        # The tensors themselves say how many bits they have, where the file is silent or wrong for this layer.
        (gptq(2), {}, "quantised: I32 codes are not read", WEIGHTS),
        (gptq(8), method("gptq", bits=4), "quantised (gptq): I32 codes are not read", WEIGHTS),
        (AWQ, method("awq"), "quantised (awq): I32 codes are not read", WEIGHTS),
        (INT8, method("bitsandbytes"), "quantised (bitsandbytes): I8 codes are not read", WEIGHTS),
        (four_bit("U8", 8), method("bitsandbytes"), "quantised (bitsandbytes): U8 codes are not read", WEIGHTS),
        (four_bit("BF16", 16), {}, f"quantised: its scales are in {LAYER}.weight.absmax", WEIGHTS),
        (FP8, method("fp8"), "quantised (fp8): F8_E4M3 codes are not read", WEIGHTS),
        (STATIC_FP8, {}, "quantised: F8_E4M3 codes are not read", WEIGHTS),
        (compressed(4), method("ct", bits=4), "quantised (ct): I32 codes are not read", WEIGHTS),
        (compressed(8), method("ct", **SCHEME), "quantised (ct): I32 codes are not read", WEIGHTS),
        (NVFP4, {}, "quantised: U8 codes are not read", WEIGHTS),
        (MXFP4, method("mxfp4"), "quantised (mxfp4): U8 codes are not read", 4 * 128 * IN),
        (DEQUANTISED_BUT_SCALED, {}, f"quantised: its scales are in {LAYER}.weight_scale", WEIGHTS),
    ],
)  # fmt: skip
def test_codes_are_named_counted_and_left(
    tensors: tuple[TensorRef, ...], config: dict[str, Any], reason: str, weights: int
) -> None:
    outcomes = outcome(header(*tensors), config)
    assert all(isinstance(o, SkippedTensor) for o in outcomes)
    codes = skip_of(outcomes, tensors[0].name)
    assert (codes.kind, codes.reason, codes.weights) == ("unread", reason, weights)
    companions = [o for o in outcomes if isinstance(o, SkippedTensor) and o.name != codes.name]
    assert {(c.kind, c.weights) for c in companions} == {("not-a-matrix", 0)}
    assert len(companions) == len(tensors) - 1


def test_heads_and_embeddings_count_for_no_average() -> None:
    outcomes = outcome(
        header(
            tensor("lm_head.qweight", 24, 1000, dtype="I32"),
            tensor("model.embed_tokens.weight", 1000, 192, dtype="I8"),
        )
    )
    assert [(o.role, o.weights) for o in outcomes if isinstance(o, SkippedTensor)] == [
        ("embedding", 0),
        ("head", 0),
    ]


def test_modules_left_in_plain_numbers_are_scored() -> None:
    config = method("gptq", bits=4, modules_in_block_to_quantize=[["self_attn.q_proj"]])
    plain = tensor("model.layers.0.mlp.up_proj.weight", 96, IN, dtype="F16")
    outcomes = outcome(header(*gptq(4), plain), config)
    assert [o.name for o in outcomes if isinstance(o, WeightMatrix)] == [plain.name]


@pytest.mark.parametrize(
    "config",
    [
        {"quantization_config": "gptq"},
        {"quantization_config": {"bits": -4}},
        {"quantization_config": {"bits": 10**30}},
        {"quantization_config": {"bits": True, "quant_method": ["gptq"]}},
        {"quantization_config": {"config_groups": [1, 2]}},
        {"quantization_config": {"config_groups": {"a": None, "b": {"weights": {"num_bits": "4"}}}}},
        {"quantization_config": {"quant_method": "x\nverdict,ok"}},
    ],
)
def test_odd_settings_change_nothing(config: dict[str, Any]) -> None:
    codes = skip_of(outcome(header(*compressed(4)), config), f"{LAYER}.weight_packed")
    assert isinstance(codes, UncountedTensor)
    reason = "quantised: I32 codes are not read; how many weights they stand for can't be told"
    assert (codes.weights, codes.reason) == (0, reason)

"""MXFP4 against transformers' own conversion, a tiny gpt-oss model as it loads it, and what is refused."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import Oracle
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.quantised.mxfp4 import decode, plan_decoding
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix

torch = Oracle("torch")
transformers = Oracle("transformers")


def random_stack(experts: int, rows: int, groups: int, exponents: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (experts, rows, groups, 16), dtype=np.uint8)
    return blocks, random.integers(*exponents, (experts, rows, groups), dtype=np.uint8)


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("rows", [5, 4096])
def test_as_transformers_converts_the_experts(rows: int) -> None:
    module = Oracle("transformers.integrations.mxfp4")
    blocks, scales = random_stack(3, rows, 4, (0, 253))
    found = decode(blocks, scales)
    # Nothing is rounded in either: every such number is one of bfloat16's, too.
    for dtype in (torch.float32, torch.bfloat16):
        expected = module.convert_moe_packed_tensors(torch.from_numpy(blocks), torch.from_numpy(scales), dtype=dtype)
        np.testing.assert_array_equal(found, expected.float().numpy())


def test_every_code_is_the_number_that_the_specification_gives() -> None:
    """OCP Microscaling Formats 1.0, table 5; 255 as a scale is NaN (section 5.4.1)."""
    blocks = np.zeros((1, 1, 2, 16), np.uint8)
    blocks[0, 0, 0, :8] = [0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE]
    found = decode(blocks, np.array([[[127, 255]]], np.uint8))[0, :, 0]
    magnitudes = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert found[:16].tolist() == magnitudes + [-m for m in magnitudes]
    assert np.isnan(found[32:]).all()


def test_experts_can_be_decoded_a_few_at_a_time() -> None:
    blocks, scales = random_stack(5, 7, 2, (100, 130))
    parts = [decode(blocks[start : start + 2], scales[start : start + 2]) for start in (0, 2, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), decode(blocks, scales))


def test_memory_is_that_of_the_result_and_a_few_rows() -> None:
    blocks, scales = random_stack(4, 1024, 64, (100, 130))
    tracemalloc.start()
    found = decode(blocks, scales)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < found.nbytes + 8_000_000


@pytest.mark.oracle("torch", "transformers")
def test_a_tiny_gpt_oss_as_transformers_loads_it_and_as_its_experts_are_cut(tmp_path: Path) -> None:
    files = Oracle("safetensors.torch")
    config = transformers.GptOssConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        vocab_size=128,
        num_local_experts=4,
    )
    transformers.GptOssForCausalLM(config).save_pretrained(tmp_path)
    weights = files.load_file(tmp_path / "model.safetensors")
    for name in [name for name in weights if name.endswith(("gate_up_proj", "down_proj"))]:
        experts, inner, rows = weights.pop(name).shape
        packed = random_stack(experts, rows, inner // 32, (115, 125))
        weights[f"{name}_blocks"], weights[f"{name}_scales"] = map(torch.from_numpy, packed)
    files.save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    declared = json.loads((tmp_path / "config.json").read_text())
    declared["quantization_config"] = {"quant_method": "mxfp4"}
    (tmp_path / "config.json").write_text(json.dumps(declared))
    model = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, dtype=torch.float32, quantization_config=transformers.Mxfp4Config(dequantize=True)
    )
    loaded = model.state_dict()

    tensors = {t.name: t for t in read_safetensors(tmp_path / "model.safetensors")}
    decodings, refusals = plan_decoding(tensors, declared)
    assert refusals == []
    assert {d.name for d in decodings} == {n for n in loaded if n.endswith(("gate_up_proj", "down_proj"))}
    values = {d.name: d.decode(*(part.read() for part in d.parts)) for d in decodings}
    for decoding in decodings:
        assert decoding.shape == values[decoding.name].shape
        np.testing.assert_array_equal(values[decoding.name], loaded[decoding.name].numpy())

    [stack] = [name for name in values if name.endswith("gate_up_proj")]
    halves = gate_and_up_of_expert_2(stack, tensors, declared, values)
    module = model.model.layers[0].mlp.experts
    hidden = torch.randn(3, 64, generator=torch.Generator().manual_seed(0)).mul(1e-3)
    gate, up = (hidden @ torch.from_numpy(halves[label]) for label in ("gate", "up"))
    expected = module._apply_gate(hidden @ module.gate_up_proj[2])
    torch.testing.assert_close((up + 1) * gate * torch.sigmoid(gate * module.alpha), expected)


def gate_and_up_of_expert_2(
    stack: str, tensors: dict[str, TensorRef], config: dict[str, Any], values: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What the matrices are that are planned of the logical stack, beside the tensors that are stored as they are."""
    plain = [t for t in tensors.values() if t.dtype.name != "U8"]
    logical = [TensorRef(n, v.shape, STORED_DTYPES["F32"], Path("none"), 0) for n, v in values.items()]
    outcomes = plan_matrices([*plain, *logical], ModelConfig(config), MatrixRules())
    matrices = {outcome.name: outcome for outcome in outcomes if isinstance(outcome, WeightMatrix)}
    cuts = {label: matrices[f"{stack}[2.{label}]"].cut for label in ("gate", "up")}
    return {label: cut.of(values[stack]) for label, cut in cuts.items()}


def ref(name: str, dtype: str, shape: tuple[int, ...]) -> TensorRef:
    return TensorRef(name, shape, STORED_DTYPES[dtype], Path("none"), 0)


@pytest.mark.parametrize(
    ("shape", "scales", "dtype", "reason"),
    [
        ((2, 3, 4, 16), None, "U8", "without its scales"),
        ((2, 3, 4, 8), (2, 3, 4), "U8", "not (experts, rows, groups, 16)"),
        ((3, 4, 16), (3, 4), "U8", "not (experts, rows, groups, 16)"),
        ((2, 3, 4, 16), (2, 4, 3), "U8", "scales of type U8 and shape [2, 4, 3]"),
        ((2, 3, 4, 16), (2, 3, 4), "F32", "scales of type F32"),
    ],
)
def test_what_does_not_fit_is_refused(
    shape: tuple[int, ...], scales: tuple[int, ...] | None, dtype: str, reason: str
) -> None:
    tensors = [ref("experts.down_proj_blocks", "U8", shape)]
    tensors += [] if scales is None else [ref("experts.down_proj_scales", dtype, scales)]
    decodings, [refusal] = plan_decoding({t.name: t for t in tensors}, {})
    assert decodings == []
    assert refusal.name == "experts.down_proj_blocks"
    assert reason in refusal.reason


def test_other_tensors_of_that_name_are_left_alone() -> None:
    tensors = [ref("down_blocks", "F32", (2, 3, 4, 16)), ref("blocks", "U8", (2, 3, 4, 16))]
    assert plan_decoding({t.name: t for t in tensors}, {}) == ([], [])


SHAPES = st.lists(st.integers(0, 20), max_size=5).map(tuple)


@given(
    SHAPES | st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.just(16)), SHAPES, st.booleans()
)
def test_any_shapes_give_a_weight_or_a_reason(shape: tuple[int, ...], scales: tuple[int, ...], fitting: bool) -> None:
    tensors = [ref("x_blocks", "U8", shape), ref("x_scales", "U8", shape[:3] if fitting else scales)]
    decodings, refusals = plan_decoding({t.name: t for t in tensors}, {})
    assert len(decodings) + len(refusals) == 1
    for decoding in decodings:
        found = decoding.decode(*(np.zeros(part.shape, np.uint8) for part in decoding.parts))
        assert found.shape == decoding.shape

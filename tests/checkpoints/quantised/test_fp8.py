"""FP8 against transformers' own dequantisation and torch's float8 types; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import Oracle
from wqscore.checkpoints.decoding import Decoding
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.quantised.fp8 import decode, plan_decoding
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.tensor import TensorRef

transformers = Oracle("transformers")

torch = Oracle("torch")
save_file = Oracle("safetensors.torch", "save_file")

BLOCKS = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [32, 32]}}


def stored(folder: Path, tensors: Mapping[str, Any]) -> dict[str, TensorRef]:
    file = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    return {ref.name: ref for ref in read_safetensors(file)}


def decoded(decoding: Decoding) -> np.ndarray:
    parts = [
        np.fromfile(part.file, part.dtype.numpy or np.uint8, part.parameters, offset=part.offset).reshape(part.shape)
        for part in decoding.parts
    ]
    values = decoding.decode(*parts)
    assert (values.shape, values.dtype) == (decoding.shape, np.float32)
    return values


def the_one(folder: Path, tensors: Mapping[str, Any], config: Mapping[str, Any]) -> np.ndarray:
    decodings, refusals = plan_decoding(stored(folder, tensors), config)
    assert refusals == []
    return decoded(decodings[0])


def ref(name: str, dtype: str, shape: tuple[int, ...]) -> TensorRef:
    return TensorRef(name, shape, STORED_DTYPES[dtype], Path("none"), 0)


def random_fp8(*shape: int) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).mul(50).to(torch.float8_e4m3fn)


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("F8_E4M3", "float8_e4m3fn"),
        ("F8_E5M2", "float8_e5m2"),
        ("F8_E4M3FNUZ", "float8_e4m3fnuz"),
        ("F8_E5M2FNUZ", "float8_e5m2fnuz"),
    ],
)
def test_every_code_is_the_number_that_torch_takes_it_for(name: str, dtype: str) -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(
        decode(codes, dtype=name), torch.from_numpy(codes).view(getattr(torch, dtype)).float().numpy()
    )


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("shape", [(96, 64), (4, 64, 96), (32, 32)])
@pytest.mark.parametrize("block", [(32, 32), (16, 32), None])
@pytest.mark.parametrize("scale_format", ["float", "ue8m0"])
def test_blocks_as_transformers_writes_and_dequantises_them(
    tmp_path: Path, shape: tuple[int, ...], block: tuple[int, int] | None, scale_format: str
) -> None:
    module = Oracle("transformers.integrations.finegrained_fp8")
    settings = transformers.FineGrainedFP8Config(weight_block_size=block, scale_fmt=scale_format)
    quantizer = type("Quantizer", (), {"quantization_config": settings})()
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    written = module.Fp8Quantize(quantizer).convert({"mlp.up_proj.weight": weight})
    codes, scale = written.values()
    expected = module.Fp8Dequantize(quantizer)._dequantize_one(codes, scale, torch.float32)
    found = the_one(tmp_path, written, {"quantization_config": json.loads(settings.to_json_string(use_diff=False))})
    np.testing.assert_array_equal(found, expected.numpy())
    np.testing.assert_allclose(found, weight.numpy(), atol=0.3)


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("shape", [(576, 200), (2, 130, 128), (100, 300)])
def test_shorter_blocks_at_the_edges_as_transformers_dequantises_them(tmp_path: Path, shape: tuple[int, ...]) -> None:
    module = Oracle("transformers.integrations.finegrained_fp8")
    codes = random_fp8(*shape)
    scale = torch.rand((*shape[:-2], -(-shape[-2] // 128), -(-shape[-1] // 128)))
    expected = module._dequantize_fp8_weight(codes, scale, [128, 128], torch.float32)
    found = the_one(tmp_path, {"wq.weight": codes, "wq.weight_scale_inv": scale}, {})
    np.testing.assert_array_equal(found, expected.numpy())


@pytest.mark.oracle("torch", "transformers")
def test_a_model_as_transformers_loads_it(tmp_path: Path) -> None:
    module = Oracle("transformers.integrations.finegrained_fp8")
    load_file = Oracle("safetensors.torch", "load_file")
    config = transformers.LlamaConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=128,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)
    settings = transformers.FineGrainedFP8Config(weight_block_size=(32, 32))
    quantize = module.Fp8Quantize(type("Quantizer", (), {"quantization_config": settings})())
    weights: dict[str, Any] = {}
    for name, weight in load_file(tmp_path / "model.safetensors").items():
        weights |= quantize.convert({name: weight}) if "proj" in name else {name: weight}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    declared = json.loads((tmp_path / "config.json").read_text()) | {"quantization_config": settings.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(declared))
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path,
        dtype=torch.float32,
        quantization_config=transformers.FineGrainedFP8Config(dequantize=True),
    ).state_dict()
    decodings, refusals = plan_decoding(
        {t.name: t for t in read_safetensors(tmp_path / "model.safetensors")}, declared
    )
    assert refusals == []
    assert {d.name for d in decodings} == {name for name in loaded if "proj" in name}
    for decoding in decodings:
        np.testing.assert_array_equal(decoded(decoding), loaded[decoding.name].numpy())


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("weight", "scale", "shape", "scale_shape"),
    [
        ("a.weight", "a.weight_scale", (6, 8), (6, 1)),
        ("a.weight", "a.weight_scale", (6, 8), (6,)),
        ("a.weight", "a.weight_scale", (6, 8), ()),
        ("a.weight", "a.scale_weight", (6, 8), (1,)),
        ("experts.gate_up_proj", "experts.gate_up_proj_scale", (3, 6, 8), (3, 1, 8)),
        ("experts.down_proj", "experts.down_proj_scale_inv", (3, 6, 8), (3,)),
        ("conv.weight", "conv.weight_scale", (4, 3, 5, 5), (4, 1, 1, 1)),
        ("norm.weight", "norm.weight_scale", (8,), (8,)),
    ],
)
def test_a_scale_for_each_row_column_expert_or_tensor_multiplies(
    tmp_path: Path, weight: str, scale: str, shape: tuple[int, ...], scale_shape: tuple[int, ...]
) -> None:
    codes, scales = random_fp8(*shape), torch.rand(scale_shape).add(0.5).to(torch.bfloat16)
    wide = scales.reshape(*scale_shape, *(1,) * (len(shape) - len(scale_shape))).float()
    found = the_one(tmp_path, {weight: codes, scale: scales, "a.input_scale": torch.ones(())}, {})
    np.testing.assert_array_equal(found, (codes.float() * wide).numpy())


@given(st.data())
def test_each_weight_is_its_code_times_the_scale_of_its_block(data: st.DataObject) -> None:
    rows, columns, tall, wide = (data.draw(st.integers(1, 9)) for _ in range(4))
    codes = data.draw(st.binary(min_size=rows * columns, max_size=rows * columns))
    values = np.frombuffer(codes, ml_dtypes.float8_e5m2).reshape(rows, columns)
    scales = np.arange(1, 1 + -(-rows // tall) * -(-columns // wide), dtype=np.float32)
    scales = scales.reshape(-(-rows // tall), -1) / 7
    found = decode(values.view(np.uint8), scales, dtype="F8_E5M2", blocks=(tall, wide))
    for i in range(rows):
        for j in range(columns):
            expected = np.float32(values[i, j]) * scales[i // tall, j // wide]
            assert found[i, j] == expected or np.isnan(expected)


@pytest.mark.oracle("torch", "transformers")
def test_float8_numbers_without_a_scale_are_the_weights(tmp_path: Path) -> None:
    codes = random_fp8(5, 7)
    tensors = {"text.weight": codes, "logit_scale": torch.ones(())}
    np.testing.assert_array_equal(the_one(tmp_path, tensors, {}), codes.float().numpy())


@pytest.mark.parametrize(
    ("others", "config", "reason"),
    [
        ([ref("a.weight_scale_inv", "F32", (5, 8))], BLOCKS, "fits no blocks"),
        ([ref("a.weight_scale_inv", "F32", (4, 3))], BLOCKS, "fits no blocks"),
        ([ref("a.weight_scale", "F32", (3,))], {}, "fits no blocks"),
        ([ref("a.weight_scale", "F32", (0, 4))], {}, "fits no blocks"),
        ([ref("a.weight_scale", "F32", (1, 4, 1, 1))], {}, "fits no blocks"),
        ([ref("a.weight_scale", "I32", (1,))], {}, "scales of type I32"),
        ([ref("a.weight_scale", "F32", ()), ref("a.scale", "F32", ())], {}, "two scales"),
        ([ref("a.weight_scale_2", "F32", ())], {}, "a.weight_scale_2"),
        ([], BLOCKS, "without its scales"),
    ],
)
def test_what_is_not_sure_is_refused(others: list[TensorRef], config: dict[str, Any], reason: str) -> None:
    """384 rows with 4 scales are not blocks of 96: two stacked halves of 128 + 64 look the same."""
    weight = ref("a.weight", "F8_E4M3", (384, 256))
    decodings, [refusal] = plan_decoding({t.name: t for t in [weight, *others]}, config)
    assert decodings == []
    assert refusal.name == "a.weight"
    assert reason in refusal.reason


@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
def test_what_another_format_reads_is_left_alone(key: str) -> None:
    tensors = {"a.weight": ref("a.weight", "F8_E4M3", (4, 4))}
    assert plan_decoding(tensors, {key: {"quant_method": "compressed-tensors"}}) == ([], [])


def test_float8_scales_of_four_bit_weights_are_not_weights() -> None:
    tensors = [ref("a.weight", "U8", (4, 32)), ref("a.weight_scale", "F8_E4M3", (4, 4))]
    assert plan_decoding({t.name: t for t in tensors}, {}) == ([], [])


SHAPES = st.lists(st.integers(0, 300), max_size=5).map(tuple)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4)


@given(SHAPES, SHAPES, st.sampled_from([*STORED_DTYPES]), JSON, JSON, JSON)
def test_any_shapes_and_any_configuration_give_a_weight_or_a_reason(
    shape: tuple[int, ...], scale: tuple[int, ...], dtype: str, block: Any, method: Any, whole: Any
) -> None:
    tensors = [ref("a.weight", "F8_E4M3", shape), ref("a.weight_scale_inv", dtype, scale)]
    config = {"quantization_config": {"weight_block_size": block, "quant_method": method}}
    for settings in (config, {"quantization_config": whole}):
        decodings, refusals = plan_decoding({t.name: t for t in tensors}, settings)
        assert len(decodings) + len(refusals) == (0 not in shape)
        for decoding in decodings:
            if decoding.parts[0].parameters < 100_000:
                bits = [np.zeros(part.shape, part.dtype.numpy or np.uint8) for part in decoding.parts]
                assert decoding.decode(*bits).shape == shape


def test_scales_that_are_not_finite_or_too_large_pass_through_without_a_warning() -> None:
    codes = np.full((2, 2), 0x7E, np.uint8)
    scale = np.array([[np.nan], [1e300]])
    assert not np.isfinite(decode(codes, scale, dtype="F8_E4M3", blocks=(1, 2))).any()

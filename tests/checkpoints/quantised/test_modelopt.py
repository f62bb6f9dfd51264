"""Model Optimizer's four-bit floats and FP8, against the formats' definitions; and beside compressed-tensors'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkpoints.quantised.test_mlx import E2M1, e4m3
from tests.examples import examples
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.quantised import compressed_tensors, fp8
from wqscore.checkpoints.quantised.modelopt import plan_decoding
from wqscore.checkpoints.tensor import TensorRef
from wqscore.refs.callers import as_ref

LAYER = "model.layers.0.mlp.up_proj"
CONFIG = {"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}
HF_QUANT = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "group_size": 16}}


def refs(**parts: tuple[Any, ...]) -> dict[str, TensorRef]:
    return {
        f"{LAYER}.{part}": TensorRef(f"{LAYER}.{part}", tuple(shape), STORED_DTYPES[dtype], Path("m"), 0)
        for part, (dtype, *shape) in parts.items()
    }


NVFP4 = {"weight": ("U8", 32, 32), "weight_scale": ("F8_E4M3", 32, 4), "weight_scale_2": ("F32",)}


def unpacked(codes: np.ndarray) -> np.ndarray:
    """The first of two codes is in the low half of a byte."""
    values = np.empty((*codes.shape[:-1], 2 * codes.shape[-1]))
    values[..., 0::2], values[..., 1::2] = E2M1[codes & 15], E2M1[codes >> 4]
    return values


@settings(max_examples=examples(60))
@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=2), blocks=st.integers(1, 4), seed=st.integers(0, 99))
def test_nvfp4_is_the_code_times_both_scales(shape: list[int], blocks: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (*shape, 8 * blocks), dtype=np.uint8)
    scales = rng.integers(1, 0x7F, (*shape, blocks), dtype=np.uint8)
    overall = np.float32(rng.random() + 0.01)
    stored = refs(
        weight=("U8", *codes.shape),
        weight_scale=("F8_E4M3", *scales.shape),
        weight_scale_2=("F32",),
        input_scale=("F32",),
    )
    (decoding,), refusals = plan_decoding(stored, CONFIG)
    assert not refusals
    expected = unpacked(codes) * np.repeat(np.vectorize(e4m3)(scales), 16, -1) * overall
    found = decoding.decode(codes, scales, np.array(overall))
    assert found.shape == decoding.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_compressed_tensors_decodes_the_same_numbers_to_the_same_weights() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    scales = rng.integers(1, 0x7F, (32, 4), dtype=np.uint8)
    (own,), _ = plan_decoding(refs(**NVFP4), CONFIG)
    parts = {"weight_packed": ("U8", 32, 32), "weight_scale": ("F8_E4M3", 32, 4), "weight_global_scale": ("F32", 1)}
    (other,), _ = compressed_tensors.plan_decoding(
        refs(**parts), {"quantization_config": {"quant_method": "compressed-tensors"}}
    )
    one, two = own.decode(codes, scales, np.float32(0.25)), other.decode(codes, scales, np.array([4], np.float32))
    assert np.array_equal(one, two)


def test_mxfp4_has_powers_of_two() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (8, 32), dtype=np.uint8)
    scales = rng.integers(110, 140, (8, 2), dtype=np.uint8)
    (decoding,), _ = plan_decoding(refs(weight=("U8", 8, 32), weight_scale=("U8", 8, 2)), CONFIG)
    expected = unpacked(codes) * np.repeat(2.0 ** (scales.astype(int) - 127), 32, -1)
    assert np.array_equal(decoding.decode(codes, scales), expected)


def test_scales_of_blocks_keep_the_axes_they_were_taken_over() -> None:
    stored = refs(weight=("F8_E4M3", 256, 384), weight_scale=("F32", 2, 1, 3, 1))
    (decoding,), refusals = fp8.plan_decoding(stored, {"quantization_config": {"quant_algo": "FP8_PB_WO"}})
    codes = np.full((256, 384), 0x38, np.uint8)
    scales = np.arange(6, dtype=np.float32).reshape(2, 1, 3, 1)
    assert not refusals
    expected = np.repeat(np.repeat(np.arange(6.0).reshape(2, 3), 128, 0), 128, 1)
    assert np.array_equal(decoding.decode(codes, scales), expected)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"weight": ("U8", 32, 32), "weight_scale": ("F8_E4M3", 32, 4)}, "without"),
        (NVFP4 | {"weight_scale": ("F8_E4M3", 32, 2)}, "don't fit"),
        (NVFP4 | {"weight_scale_2": ("F32", 2)}, "not one float"),
        (NVFP4 | {"pre_quant_scale": ("BF16", 64)}, "pre_quant_scale"),
        ({"weight": ("U8", 16, 64), "weight_scale": ("BF16", 32, 1)}, "BF16 scales are not read"),
        ({"weight": ("I8", 32, 64), "weight_scale": ("F32", 32)}, "I8 codes"),
        ({"weight": ("U8", 0, 32), "weight_scale": ("F8_E4M3", 0, 4), "weight_scale_2": ("F32",)}, "empty"),
    ],
)
def test_other_layouts_are_refused(parts: dict[str, tuple[Any, ...]], reason: str) -> None:
    decodings, (refusal,) = plan_decoding(refs(**parts), CONFIG)
    assert decodings == []
    assert reason in refusal.reason


@pytest.mark.parametrize(
    "config", [{}, {"quantization_config": {"quant_method": "fp8", "quant_algo": "NVFP4"}}, {"quantization": 3}]
)
def test_files_of_other_methods_are_left(config: dict[str, Any]) -> None:
    assert plan_decoding(refs(**NVFP4), config) == ([], [])


@pytest.mark.parametrize("beside", [True, False])
def test_the_settings_may_be_in_a_file_of_their_own(tmp_path: Path, beside: bool) -> None:
    write_nvfp4(tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    if beside:
        (tmp_path / "hf_quant_config.json").write_text(json.dumps(HF_QUANT))
    checkpoint = open_checkpoint(as_ref(str(tmp_path)))
    (weight,) = [t for t in checkpoint.tensors if t.name == f"{LAYER}.weight"]
    assert checkpoint.parameters == 32 * 64
    if beside:
        assert (weight.shape, weight.dtype.name, weight.refusal) == ((32, 64), "NVFP4", "")
    else:
        assert "hf_quant_config.json is missing" in weight.refusal


def write_nvfp4(file: Path) -> None:
    """A safetensors file by its specification: a header of JSON, then the bytes; numpy has no eight-bit floats."""
    rng = np.random.default_rng(0)
    data = {
        "weight": ("U8", [32, 32], rng.bytes(1024)),
        "weight_scale": ("F8_E4M3", [32, 4], rng.integers(1, 0x7F, 128, dtype=np.uint8).tobytes()),
        "weight_scale_2": ("F32", [], np.float32(0.5).tobytes()),
    }
    header, end = {}, 0
    for part, (dtype, shape, content) in data.items():
        header[f"{LAYER}.{part}"] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(content)]}
        end += len(content)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(content for _, _, content in data.values()))

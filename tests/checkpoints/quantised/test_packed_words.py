"""Packings in words under other methods' names, and without a name: what decides is how they are packed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.tensor import Tensor
from wqscore.refs.callers import as_ref

LAYER = "model.layers.0.mlp.up_proj"
GROUP, INPUTS, OUTPUTS = 32, 128, 64
GEMM_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def made(symmetric: bool = True, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Codes (in, out), zero points and scales (groups, out) of four bits, and the weights (out, in)."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 16, (INPUTS, OUTPUTS), dtype=np.uint32)
    zeros = np.full((INPUTS // GROUP, OUTPUTS), 8) if symmetric else rng.integers(1, 16, (INPUTS // GROUP, OUTPUTS))
    scales = (rng.random((INPUTS // GROUP, OUTPUTS)) + 0.1).astype(np.float16)
    spread = (np.repeat(each.astype(float), GROUP, 0) for each in (zeros, scales))
    zero, scale = spread
    return codes, zeros.astype(np.uint32), scales, ((codes - zero) * scale).T


def packed(codes: np.ndarray, order: tuple[int, ...] = tuple(range(8))) -> np.ndarray:
    """Eight neighbouring codes of a row in a word, in an order, from the lowest bits on."""
    rows = codes.reshape(codes.shape[0], -1, 8)[:, :, order]
    words = sum(rows[:, :, k].astype(np.uint32) << np.uint32(4 * k) for k in range(8))
    return np.asarray(words, np.uint32).view(np.int32)


def write(folder: Path, packing: str, symmetric: bool = True, **settings: Any) -> np.ndarray:
    """A layer in GPTQ's packing, with zero points minus one or as they are, or in AWQ's."""
    folder.mkdir(exist_ok=True)
    codes, zeros, scales, weights = made(symmetric)
    if packing == "awq":
        qweight, qzeros = packed(codes, GEMM_ORDER), packed(zeros, GEMM_ORDER)
    else:
        qweight = packed(codes.T).T
        qzeros = packed(zeros - (packing == "gptq"))
    parts = {"qweight": qweight, "qzeros": qzeros, "scales": scales}
    save_file(
        {f"{LAYER}.{name}": np.ascontiguousarray(part) for name, part in parts.items()}, folder / "model.safetensors"
    )
    config = {"model_type": "qwen3"} | ({"quantization_config": settings} if settings else {})
    (folder / "config.json").write_text(json.dumps(config))
    return weights


def opened(folder: Path) -> Tensor:
    checkpoint = open_checkpoint(as_ref(str(folder)))
    assert checkpoint.parameters == INPUTS * OUTPUTS
    (found,) = [t for t in checkpoint.tensors if t.name in {f"{LAYER}.weight", f"{LAYER}.qweight"} and not t.part_of]
    return found


BASE = {"bits": 4, "group_size": GROUP}


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(
    ("packing", "settings"),
    [
        ("gptq", {"quant_method": "gptq"}),
        ("gptq", {"quant_method": "auto-round", "packing_format": "auto_round:auto_gptq"}),
        ("gptq", {"quant_method": "auto_round", "packing_format": "auto_round:gptq"}),
        ("gptq", {"quant_method": "intel/auto-round", "backend": "auto_gptq"}),
        ("gptq_v2", {"quant_method": "auto-round", "packing_format": "auto_round"}),
        ("gptq_v2", {"quant_method": "auto-round", "packing_format": "auto_round:gptqmodel"}),
        ("gptq_v2", {"quant_method": "gptqmodel", "checkpoint_format": "gptq_v2"}),
        ("awq", {"quant_method": "auto-round", "packing_format": "auto_round:auto_awq"}),
        ("awq", {"quant_method": "awq", "version": "gemm"}),
        # Under the other one's name.
        ("awq", {"quant_method": "gptq"}),
        ("awq", {"quant_method": "auto-round", "packing_format": "auto_round:auto_gptq"}),
        ("gptq", {"desc_act": False}),
    ],
)
def test_a_label_does_not_decide(tmp_path: Path, packing: str, settings: dict[str, Any], symmetric: bool) -> None:
    weights = write(tmp_path, packing, symmetric, **BASE, **settings)
    np.testing.assert_allclose(opened(tmp_path).read(), weights, rtol=1e-6)


@pytest.mark.parametrize("packing", ["gptq", "gptq_v2"])
def test_symmetric_codes_show_how_zero_points_are_stored(tmp_path: Path, packing: str) -> None:
    weights = write(tmp_path / "a", packing, quant_method="awq", **BASE)
    np.testing.assert_allclose(opened(tmp_path / "a").read(), weights, rtol=1e-6)
    write(tmp_path / "b", packing, symmetric=False, quant_method="awq", **BASE)
    assert "no checkpoint_format" in opened(tmp_path / "b").refusal


@pytest.mark.parametrize(
    ("packing", "file", "settings"),
    [
        ("gptq", "quantize_config.json", BASE | {"desc_act": False, "sym": True}),
        ("gptq_v2", "quantize_config.json", BASE | {"sym": True, "checkpoint_format": "gptq_v2"}),
        ("awq", "quant_config.json", {"zero_point": True, "q_group_size": GROUP, "w_bit": 4, "version": "GEMM"}),
    ],
)
def test_the_settings_may_be_in_a_file_of_their_own(
    tmp_path: Path, packing: str, file: str, settings: dict[str, Any]
) -> None:
    weights = write(tmp_path, packing)
    without = opened(tmp_path).refusal
    assert "no quantization_config" in without
    assert file in without
    (tmp_path / file).write_text(json.dumps(settings))
    np.testing.assert_allclose(opened(tmp_path).read(), weights, rtol=1e-6)
    # A file named directly is read with what lies beside it.
    alone = open_checkpoint(as_ref(str(tmp_path / "model.safetensors")))
    assert not any(tensor.refusal for tensor in alone.tensors)


def test_what_config_json_says_comes_first(tmp_path: Path) -> None:
    write(tmp_path, "gptq", quant_method="gptq", bits=4, group_size=GROUP)
    (tmp_path / "quantize_config.json").write_text("not JSON")
    assert not opened(tmp_path).refusal


def test_a_packing_that_is_not_known_is_named(tmp_path: Path) -> None:
    write(tmp_path, "gptq", quant_method="auto-round", packing_format="auto_round:exllamav9", **BASE)
    assert "exllamav9" in opened(tmp_path).refusal

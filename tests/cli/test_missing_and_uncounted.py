"""What every command says of a model whose weights are missing, or can't be counted: never a number, never a pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import Result

import wqscore

Invoke = Callable[..., Result]

PLAIN = 3 * 96 * 96
PACKED = 4 * 128 * 256
QUICK = ("--no-store", "--bootstrap", "0", "--gof", "0", "-q")


def heavy(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """A matrix whose spectrum has a tail."""
    return (rng.standard_normal(shape) * rng.pareto(3, shape) / 50).astype(np.float32)


def packed(folder: Path, **config: Any) -> Path:
    """A model whose larger part is packed eight to a word, in a layout that is not read."""
    rng = np.random.default_rng(0)
    tensors: dict[str, np.ndarray] = {
        f"vision.blocks.{i}.mlp.fc1.weight": heavy(rng, 96, 96) for i in range(PLAIN // 96**2)
    }
    for i in range(4):
        name = f"layers.{i}.mlp.up_proj"
        tensors[f"{name}.qweight"] = rng.integers(0, 2**31, (128, 256 // 8)).astype(np.int32)
        tensors[f"{name}.scales"] = np.ones((128, 256 // 64), np.float16)
    return written(folder, tensors, **config)


def half_empty(folder: Path) -> Path:
    """Two layers, one of them as a run under ZeRO-3 leaves it."""
    rng = np.random.default_rng(0)
    names = [f"model.layers.{i}.self_attn.{part}_proj.weight" for i in range(2) for part in "qkvo"]
    full = {name: heavy(rng, 96, 96) for name in names}
    return written(folder, {n: w[:0, 0] if "layers.1" in n else w for n, w in full.items()})


def written(folder: Path, tensors: dict[str, np.ndarray], **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


QUANTISED = {"quantization_config": {"quant_method": "unheard-of", "bits": 4, "group_size": 64}}
UNTOLD = {"quantization_config": {"quant_method": "unheard-of"}}


def test_the_weights_that_codes_stand_for_count_in_every_command(tmp_path: Path, invoke: Invoke) -> None:
    model = packed(tmp_path / "m", **QUANTISED)
    score = wqscore.score(str(model), bootstrap=0, gof=0)
    assert score.parameters == PLAIN + PACKED
    assert score.summary.coverage == pytest.approx(PLAIN / (PLAIN + PACKED))
    for command in (("describe",), ("plan",)):
        shown = json.loads(invoke(*command, model, "--format", "json").stdout)
        assert (shown.get("total") or shown)["params"] == PLAIN + PACKED
    failed = invoke("gate", model, "--rule", "coverage<0.5", "--no-store", "-q")
    assert failed.exit_code == 1
    passed = invoke("gate", model, "--rule", "coverage<0.1", "--no-store", "-q")
    assert passed.exit_code == 0


def test_what_can_not_be_counted_is_said_and_not_ranked(tmp_path: Path, invoke: Invoke) -> None:
    model = packed(tmp_path / "m", **UNTOLD)
    score = wqscore.score(str(model), bootstrap=0, gof=0)
    assert score.parameters is None
    assert np.isnan(score.summary.coverage)
    assert np.isnan(score.summary.coverage_all)
    for command in (("describe",), ("plan",)):
        shown = json.loads(invoke(*command, model, "--format", "json").stdout)
        assert (shown.get("total") or shown)["params"] is None
    ranked = invoke("rank", model, *QUICK, "--no-report", "--format", "json")
    (row,) = json.loads(ranked.stdout)["models"]
    assert (row["status"], row["params"], row["coverage"]) == ("unranked", None, None)
    assert "can't be told" in row["reason"]
    for rule in ("coverage<0.5", "coverage>0.5", "coverage_all<0.1", "alpha>100"):
        assert invoke("gate", model, "--rule", rule, "--no-store", "-q").exit_code == 1


def test_an_empty_weight_fails_what_looks_at_it(tmp_path: Path, invoke: Invoke) -> None:
    model = half_empty(tmp_path / "m")
    checked = invoke("check", model, "--format", "json", "-q")
    errors = [f for f in json.loads(checked.stdout)["findings"] if f["severity"] == "error"]
    assert checked.exit_code == 1
    assert {(f["name"], f["kind"]) for f in errors} == {
        (f"model.layers.1.self_attn.{part}_proj.weight", "missing") for part in "qkvo"
    }
    assert invoke("score", model, *QUICK).exit_code == 0
    assert invoke("score", model, "--strict", *QUICK).exit_code == 3
    (row,) = json.loads(invoke("rank", model, *QUICK, "--no-report", "--format", "json").stdout)["models"]
    assert (row["status"], row["coverage"]) == ("unranked", None)
    for rule in ("coverage<0.9", "coverage>0.9", "unread>0"):
        assert invoke("gate", model, "--rule", rule, "--no-store", "-q").exit_code == 1


def test_a_weight_that_no_tensor_has_is_a_row(tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    names = [f"model.layers.{i}.self_attn.{part}_proj.weight" for i in range(4) for part in "qkvo"]
    tensors = {name: heavy(rng, 64, 64) for name in names[:-1]}
    model = written(tmp_path / "m", tensors)
    assert invoke("check", model, "-q").exit_code == 1
    assert names[-1] in invoke("describe", model).stdout
    assert invoke("score", model, "--strict", *QUICK).exit_code == 3


def test_an_empty_weight_of_no_known_kind(tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    model = written(tmp_path / "m", {"a.weight": heavy(rng, 96, 96), "adapter.weight": np.zeros((0, 32), np.float32)})
    assert invoke("check", model, "-q").exit_code == 1
    assert invoke("score", model, "--strict", *QUICK).exit_code == 3

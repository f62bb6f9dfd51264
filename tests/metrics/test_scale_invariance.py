"""A checkpoint times 2^k has the same shape metrics, to 1e-9; what has a unit scales with it, as its unit says."""

from __future__ import annotations

from math import e, isnan, log, log10
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wqscore
from tests.metrics.bad_matrices import with_spectrum
from wqscore.fits.mode import esd_mode
from wqscore.metrics.registry import METRICS
from wqscore.presets.registry import PRESETS
from wqscore.scoring.model_score import ModelScore

#: Presets under which no metric without a unit may move. The others copy published code that has a scale of its own.
SCALE_FREE = ("default", "ww-0.2.7", "tempbalance")
#: Under these an absolute floor decides which eigenvalues are fitted.
FLOORED = ("ww-0.7", "kdd2023")
#: Under these the window that xmin is looked for in begins at a logarithm taken for an eigenvalue.
LOGARITHM = {"tempbalance": {"alpha_peak"}, "alphapruning": {"alpha_peak"}, "farms": {"alpha_peak", "alpha_farms"}}
#: alpha times a logarithm of λ, and the logarithm of a sum of λ^alpha.
WEIGHTED = {"alpha_weighted", "log_alpha_norm"}
#: Under this one it is the logarithm of ‖W‖_F itself.
NOT_SQUARED = {"ww-0.2.7": "log_norm"}
#: What the same is called per mean eigenvalue.
PER_MEAN = {"xmin": "xmin_scaled", **{f"{name}_lambda": f"{name}_lambda_scaled" for name in ("tpl", "e_tpl", "exp")}}


def narrow_window() -> np.ndarray:
    """A spectrum whose mode is e/0.95: where log10(0.95·mode)/mode, the published lower end, is largest."""
    values = np.sort(np.random.default_rng(38).lognormal(0, 2, 200))
    mode = esd_mode(values)
    assert mode is not None
    return values * (e / 0.95 / mode)


def tensors(checkpoints: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    real = load_file(checkpoints / "all-MiniLM-L6-v2" / "model.safetensors")
    product = (rng.standard_normal((90, 20)) @ rng.standard_normal((20, 64))).astype(np.float32)
    return {
        "layers.0.self_attn.q_proj.weight": (rng.standard_t(2.5, (96, 64)) * 0.2).astype(np.float32),
        "layers.0.mlp.up_proj.weight": (rng.standard_t(3, (256, 64)) * 0.02).astype(np.float32),
        "layers.0.mlp.down_proj.weight": (rng.standard_normal((64, 200)) * 0.05).astype(np.float32),
        "layers.0.conv.weight": (rng.standard_t(3, (24, 16, 3, 3)) * 0.1).astype(np.float32),
        "layers.1.self_attn.q_proj.weight": rng.standard_normal((80, 60)) * np.arange(1, 61) ** -0.8,
        "layers.1.mlp.up_proj.weight": product,
        "layers.1.mlp.down_proj.weight": np.eye(64, dtype=np.float32),
        "layers.2.self_attn.q_proj.weight": real["encoder.layer.0.attention.self.query.weight"],
        "layers.2.mlp.down_proj.weight": (rng.standard_t(3, (64, 128)) * 0.1).astype(np.float32),
        "layers.2.mlp.up_proj.weight": with_spectrum(narrow_window(), rows=200),
        "embed_tokens.weight": rng.standard_t(4, (300, 64)).astype(np.float32),
    }


@pytest.fixture(scope="module")
def folder(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same checkpoint, and a base of it, times 1, 1024 and 2^-20."""
    folder = tmp_path_factory.mktemp("scaled")
    stored = tensors(checkpoints)
    for power in (0, 10, -20):
        for kind, change in {"model": 0.0, "base": 0.125}.items():
            # Powers of two, and a base that is known exactly: no rounding anywhere.
            (folder / f"{kind}{power}").mkdir()
            scaled = {
                name: np.ldexp(value - np.sign(value) * value.dtype.type(change), power).astype(value.dtype)
                for name, value in stored.items()
            }
            save_file(scaled, folder / f"{kind}{power}" / "model.safetensors")
    return folder


def scored(folder: Path, preset: str, power: int) -> ModelScore:
    model, base = str(folder / f"model{power}"), str(folder / f"base{power}")
    return wqscore.score(model, preset=preset, metrics="all,vectors,base", base=base)


def rescaled(preset: str, name: str, value: float, power: int, depth: int = 1) -> float:
    """What a metric is when the weights are times 2^power, from its unit alone."""
    match METRICS[name].unit:
        case "1" | "eigenvalues":
            return value
        case "w":
            return value * 2.0**power
        case "w²":
            return value * 4.0**power
        case "1/w²":
            return value / 4.0**power
        case "log w²":
            return value + power * log10(2 if NOT_SQUARED.get(preset) == name else 4)
        case "ln w²":
            # A product's logarithm moves with each of its factors.
            return value + power * log(4) * (depth if "prod" in name else 1)
        case "ln w^2d":
            return value + power * log(4) * depth
    raise AssertionError(f"{name}: a unit that says nothing of its scale")


def same(name: str, value: float, expected: float) -> bool:
    if METRICS[name].count:
        return value == expected or (isnan(value) and isnan(expected))
    return value == pytest.approx(expected, rel=1e-9, abs=1e-9 if "log" in name else 1e-15, nan_ok=True)


def assert_rescaled(preset: str, plain: ModelScore, scaled: ModelScore, power: int, excluded: set[str]) -> None:
    assert [row.matrix.name for row in plain.layers] == [row.matrix.name for row in scaled.layers]
    for before, after in zip(plain.layers, scaled.layers, strict=True):
        assert (after.verdict, after.reason) == (before.verdict, before.reason)
        for name in before.metrics.keys() - WEIGHTED - excluded:
            expected = rescaled(preset, name, before.metrics[name], power)
            assert same(name, after.metrics[name], expected), (preset, before.matrix.name, name)
        for name in before.metrics.keys() & WEIGHTED - excluded:
            expected = before.metrics[name] + before.metrics["alpha"] * power * log10(4)
            assert same(name, after.metrics[name], expected), (preset, before.matrix.name, name)
    assert plain.summary.coverage == scaled.summary.coverage
    for name, value in plain.summary.values.items():
        expected = rescaled(preset, name, value.value, power, len(plain.layers))
        assert same(name, scaled.summary.values[name].value, expected), (preset, name)


@pytest.mark.parametrize("power", [10, -20])
@pytest.mark.parametrize("preset", SCALE_FREE)
def test_what_has_no_unit_does_not_move(folder: Path, preset: str, power: int) -> None:
    plain, scaled = scored(folder, preset, 0), scored(folder, preset, power)
    assert sum(row.fit is not None for row in plain.layers) >= 8
    assert_rescaled(preset, plain, scaled, power, LOGARITHM.get(preset, set()))


@pytest.mark.parametrize("power", [10, -20])
@pytest.mark.parametrize("preset", ["alphapruning", "farms"])
def test_only_the_published_window_has_a_scale(folder: Path, preset: str, power: int) -> None:
    plain, scaled = scored(folder, preset, 0), scored(folder, preset, power)
    assert_rescaled(preset, plain, scaled, power, LOGARITHM[preset])
    moved = [
        name
        for before, after in zip(plain.layers, scaled.layers, strict=True)
        for name in LOGARITHM[preset]
        if not same(name, after.metrics[name], before.metrics[name])
    ]
    assert set(moved) == LOGARITHM[preset]


@pytest.mark.parametrize("preset", FLOORED)
def test_an_absolute_floor_has_a_scale(folder: Path, preset: str) -> None:
    # Nothing of theirs is below it, and so times 1024 nothing is either; times 2^-20 all of it is, of most.
    plain, larger, smaller = (scored(folder, preset, power) for power in (0, 10, -20))
    assert any(
        before.fit and before.verdict == "ok" and after.verdict == "degenerate"
        for before, after in zip(plain.layers, smaller.layers, strict=True)
    )
    for before, after in zip(plain.layers, larger.layers, strict=True):
        if before.spectrum.eigenvalues[0] > 1e-5:
            assert after.metrics["alpha"] == pytest.approx(before.metrics["alpha"], rel=1e-9, nan_ok=True)
    assert "floor 1e-5" in PRESETS[preset].description


def test_what_has_a_unit_is_given_per_mean_eigenvalue_too(folder: Path) -> None:
    plain, scaled = scored(folder, "default", 0), scored(folder, "default", 10)
    with_units = {name for name, metric in METRICS.items() if metric.unit in ("1/w²",)} | {"xmin"}
    assert with_units == set(PER_MEAN)
    for before, after in zip(plain.layers, scaled.layers, strict=True):
        mean = before.spectrum.total / before.spectrum.eigenvalues.size
        for name, relative in PER_MEAN.items():
            factor = 1 / mean if name == "xmin" else mean
            assert before.metrics[relative] == pytest.approx(before.metrics[name] * factor, rel=1e-12, nan_ok=True)
            assert same(relative, after.metrics[relative], before.metrics[relative])


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_in_one_group(preset: str) -> None:
    assert (preset in SCALE_FREE) + (preset in FLOORED) + (preset in ("alphapruning", "farms")) == 1

"""Each preset end to end: the published formula, written again, on the eigenvalues of NumPy's SVD."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wqscore
from tests.answers import Answers
from tests.fits.test_hill import published as published_hill
from tests.fits.test_peak import published as published_peak
from tests.oracles import Oracle, imported
from tests.spectra.test_windows import published as published_windows
from wqscore.errors import UsageError
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.presets.registry import PRESETS
from wqscore.ranking.ranking import rank_models
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

powerlaw = Oracle("powerlaw")

CONV = "layers.2.conv.weight"
EMBEDDING = "embed_tokens.weight"
FUSED = "layers.0.self_attn.qkv_proj.weight"


def tensors(checkpoints: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    real = load_file(checkpoints / "all-MiniLM-L6-v2" / "model.safetensors")
    decaying = rng.standard_normal((96, 96)) * np.arange(1, 97) ** -0.6
    channels = 0.1 * np.arange(1, 65)[:, None, None] ** -0.3
    return {
        EMBEDDING: (rng.standard_t(4, (300, 64)) * 0.5).astype(np.float32),
        FUSED: (rng.standard_t(3, (192, 64)) * 0.2).astype(np.float32),
        "layers.0.mlp.up_proj.weight": (rng.standard_t(2.5, (256, 64)) * 0.1).astype(np.float32),
        "layers.1.mlp.down_proj.weight": decaying.astype(np.float32),
        "layers.1.self_attn.o_proj.weight": real["encoder.layer.1.attention.output.dense.weight"],
        CONV: (rng.standard_normal((72, 64, 3, 3)) * channels).astype(np.float32),
        "layers.3.fc1.weight": (rng.standard_t(3, (40, 30)) * 0.3).astype(np.float32),
    }


@pytest.fixture(scope="module")
def folder(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    save_file(tensors(checkpoints), folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "phi3", "num_attention_heads": 4, "hidden_size": 64}')
    return folder


@pytest.fixture(scope="module")
def scores(folder: Path) -> dict[str, ModelScore]:
    return {name: wqscore.score(str(folder), preset=name, metrics="all") for name in PRESETS}


def svd(matrix: np.ndarray) -> np.ndarray:
    """Eigenvalues of WᵀW, ascending; of a convolution's slices pooled."""
    if matrix.ndim == 4:
        return np.sort(np.concatenate([svd(matrix[:, :, i, j]) for i in range(3) for j in range(3)]))
    return np.linalg.svd(matrix.astype(np.float64), compute_uv=False)[::-1] ** 2


def rows_of(score: ModelScore) -> dict[str, LayerScore]:
    return {row.matrix.name: row for row in score.layers}


def powerlaw_fit(values: np.ndarray, **options: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        return powerlaw.Fit(values, verbose=False, **options)


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9)


def given(eigenvalues: np.ndarray) -> MatrixAnalysis:
    """An analysis with just these eigenvalues."""
    count = eigenvalues.size
    spectrum = Spectrum(eigenvalues, 2 * count, count, 1, unit_roundoff=2.0**-24, state="finite")
    return MatrixAnalysis(source=np.empty((1, 2 * count, count)), spectrum=spectrum, floor=0.0)


@pytest.mark.parametrize("seed", range(6))
def test_functions_of_given_eigenvalues(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.sort(rng.pareto(0.8 + seed / 3, 60 + 40 * seed) + 1) * 10.0 ** (seed - 3)
    analysis = given(values)
    for preset in ("tempbalance", "alphapruning", "farms"):
        assert PRESETS[preset].function("alpha_hill")(analysis) == pytest.approx(published_hill(values), rel=1e-12)
        peak = published_peak(values)[0]
        assert PRESETS[preset].function("alpha_peak")(analysis) == pytest.approx(
            peak or math.nan, rel=1e-12, nan_ok=True
        )


@pytest.mark.oracle("powerlaw")
@pytest.mark.parametrize("seed", range(6))
def test_ww_0_2_7_of_given_eigenvalues(seed: int) -> None:
    values = np.sort(np.random.default_rng(seed).pareto(0.8 + seed / 3, 60 + 20 * seed) + 1) * 10.0 ** (seed - 3)
    preset = PRESETS["ww-0.2.7"]
    fit = preset.fits.power_law(values, 0.0)
    theirs = powerlaw_fit(values[1:], xmax=values[-1])
    assert fit is not None
    assert (fit.alpha, fit.xmin, fit.D) == pytest.approx((theirs.alpha, theirs.xmin, theirs.D), rel=1e-12)


def test_tempbalance(folder: Path, scores: dict[str, ModelScore]) -> None:
    rows, stored = rows_of(scores["tempbalance"]), load_file(folder / "model.safetensors")
    assert rows.keys() == stored.keys()
    for name, matrix in stored.items():
        values = svd(matrix) * (0.5 if name == CONV else 1.0)
        assert rows[name].metrics["alpha_hill"] == near(published_hill(values)), name
        assert rows[name].metrics["alpha_peak"] == near(published_peak(values)[0]), name
        assert rows[name].metrics["lambda_max"] == near(values[-1])
        assert rows[name].metrics["log_norm"] == near(math.log10(values.sum()))
    assert rows["layers.3.fc1.weight"].verdict == "too-small"


@pytest.mark.parametrize("preset", ["alphapruning", "farms"])
def test_alphapruning_and_what_farms_takes_from_it(folder: Path, scores: dict[str, ModelScore], preset: str) -> None:
    rows, stored = rows_of(scores[preset]), load_file(folder / "model.safetensors")
    assert rows.keys() == stored.keys()
    for name, matrix in stored.items():
        values = svd(matrix)
        assert rows[name].metrics["alpha_peak"] == near(published_peak(values)[0]), name
        assert rows[name].metrics["alpha_hill"] == near(published_hill(values)), name
        assert rows[name].metrics["lambda_max"] == near(values[-1])
        assert rows[name].verdict != "too-small"


def test_farms(folder: Path, scores: dict[str, ModelScore]) -> None:
    rows, stored = rows_of(scores["farms"]), load_file(folder / "model.safetensors")
    for name, matrix in stored.items():
        alpha = rows[name].metrics["alpha_farms"]
        if name == CONV:
            assert math.isnan(alpha)
            assert "alpha_farms" in rows[name].reason
        else:
            assert alpha == near(published_peak(published_windows(matrix.astype(np.float64)))[0]), name


@pytest.mark.oracle("powerlaw")
def test_ww_0_2_7(folder: Path, scores: dict[str, ModelScore]) -> None:
    rows, stored = rows_of(scores["ww-0.2.7"]), load_file(folder / "model.safetensors")
    assert len(rows) == len(stored) - 1 + 9
    slices = {name: row for name, row in rows.items() if name.startswith(CONV)}
    # Each slice of the kernel is a matrix, in the order of the kernel, times √(9/2); a dense one times √(1/2).
    pairs = [(row, svd(stored[CONV][:, :, i // 3, i % 3]) * 4.5) for i, row in enumerate(slices.values())]
    pairs += [(rows[name], svd(stored[name]) / 2) for name in stored if name != CONV]
    assert len(pairs) == len(rows)
    for row, values in pairs:
        theirs = powerlaw_fit(values[1:], xmax=values[-1])
        metrics, alpha = row.metrics, float(theirs.alpha)
        assert (metrics["alpha"], metrics["D"], metrics["xmin"]) == near((alpha, float(theirs.D), float(theirs.xmin)))
        assert metrics["log_norm"] == near(math.log10(np.sqrt(values.sum())))
        assert metrics["log_alpha_norm"] == near(math.log10(np.sum(values[1:] ** alpha)))
        assert metrics["log_spectral_norm"] == near(math.log10(values[-1]))
        assert metrics["alpha_weighted"] == near(alpha * math.log10(values[-1]))
        assert metrics["stable_rank"] == near(values.sum() / values[-1])


@pytest.mark.oracle("powerlaw")
def test_ww_0_7(folder: Path, scores: dict[str, ModelScore]) -> None:
    rows, stored = rows_of(scores["ww-0.7"]), load_file(folder / "model.safetensors")
    assert rows.keys() == stored.keys()
    for name in stored.keys() - {CONV}:
        values = svd(stored[name])
        theirs = powerlaw_fit(values[values > 1e-5])
        assert rows[name].metrics["alpha"] == near(float(theirs.alpha)), name
        assert rows[name].metrics["D"] == near(float(theirs.D)), name
        assert rows[name].verdict != "too-small"
    assert rows[CONV].metrics["lambda_max"] == near(svd(stored[CONV])[-1] / 2)


def detx_count(eigenvalues: np.ndarray) -> int:
    """WeightWatcher's own."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        detx_constraint = imported(Oracle("weightwatcher.RMT_Util", "detX_constraint"))
        with np.errstate(all="ignore"):
            return int(detx_constraint(eigenvalues)[0])


def test_the_detx_num_of_ww_0_7_is_the_real_ones(scores: dict[str, ModelScore], answers: Answers) -> None:
    for name, row in rows_of(scores["ww-0.7"]).items():
        count = answers(name, lambda row=row: detx_count(row.spectrum.eigenvalues))
        assert row.metrics["detX_num"] == count, name
        assert row.metrics["erg_gap"] == count - row.metrics["n_tail"], name


@pytest.mark.oracle("powerlaw")
def test_kdd2023(folder: Path, scores: dict[str, ModelScore]) -> None:
    rows, stored = rows_of(scores["kdd2023"]), load_file(folder / "model.safetensors")
    assert rows.keys() == stored.keys()
    compared = 0
    for name, matrix in stored.items():
        values = svd(matrix) * (0.5 if name == CONV else 1.0)
        row = rows[name]
        assert row.metrics["lambda_max"] == near(values[-1]), name
        if name == CONV:  # powerlaw takes half a minute for its 576 eigenvalues
            continue
        theirs = powerlaw_fit(values[values > 1e-5], xmax=values[-1])
        found = (row.metrics["alpha"], row.metrics["D"], row.metrics["xmin"])
        assert found == near((float(theirs.alpha), float(theirs.D), float(theirs.xmin))), name
        starts = published_starts(values)
        if not starts:
            continue
        # EXP: Λ = 1/(mean − xmin) and D to the law cut off at λ_max, at the start where that is smallest.
        fits = [(exponential_distance(values, xmin), xmin) for xmin in starts]
        (_, rate), _ = min(fits, key=lambda fit: fit[0][0])
        assert row.metrics["exp_lambda"] == near(rate), name
        compared += check_e_tpl(row, values, starts)
    assert compared >= 3


def published_starts(values: np.ndarray) -> list[float]:
    """Eigenvalues within 5 % of the fullest of 100 bins of log10 λ, by its left edge, but the last of them."""
    logs = np.log10(values[values > 1e-5])
    counts, edges = np.histogram(logs, bins=100)
    mode = 10 ** edges[np.argmax(counts)]
    return values[(values >= 0.95 * mode) & (values <= 1.05 * mode)][:-1].tolist()


def exponential_distance(values: np.ndarray, xmin: float) -> tuple[float, float]:
    tail = values[values >= xmin]
    rate = 1 / (tail.mean() - xmin)
    below = (1 - np.exp(-rate * (tail - xmin))) / (1 - np.exp(-rate * (tail[-1] - xmin)))
    return float(np.abs(below - np.arange(tail.size) / tail.size).max()), float(rate)


def check_e_tpl(row: LayerScore, values: np.ndarray, starts: list[float]) -> bool:
    """At the optimum the law's mean of λ is the tail's, and of ln λ too unless the exponent is at its bound, 1."""
    beta, rate, distance = (row.metrics[f"e_tpl_{name}"] for name in ("beta", "lambda", "D"))
    if math.isnan(beta):
        return False
    assert beta >= 1
    for xmin in starts:
        tail = values[values >= xmin]
        grid = np.exp(np.linspace(np.log(xmin), np.log(tail[-1] + 60 / rate), 400_001)) if rate > 0 else None
        if grid is None:
            continue
        density = grid ** (1 - beta) * np.exp(-rate * (grid - xmin))  # per unit of ln λ
        steps = np.diff(np.log(grid)).mean()
        cumulative = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2)) * steps
        mean = np.trapezoid(density * grid, dx=steps) / cumulative[-1]
        below = np.interp(tail, grid, cumulative)
        here = np.abs(below / below[-1] - np.arange(tail.size) / tail.size).max()
        if mean == pytest.approx(tail.mean(), rel=1e-6) and here == pytest.approx(distance, abs=1e-6):
            mean_log = np.trapezoid(density * np.log(grid), dx=steps) / cumulative[-1]
            # Only an exponent below 1 would be likelier, or none would.
            slack = np.log(tail).mean() - mean_log
            assert slack == pytest.approx(0, abs=1e-6) if beta > 1 else slack >= -1e-6
            return True
    return False


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_model_is_judged_by(folder: Path, scores: dict[str, ModelScore], preset: str) -> None:
    score, chosen = scores[preset], PRESETS[preset]
    by = {"tempbalance": "alpha_hill", "alphapruning": "alpha_peak", "farms": "alpha_farms"}.get(preset, "alpha")
    assert chosen.by == by
    assert by in chosen.core
    small = {"default", "ww-0.2.7", "tempbalance"}
    averaged = [
        row.metrics[by]
        for row in score.layers
        if (row.matrix.role != "embedding" or preset in ("ww-0.7", "ww-0.2.7", "kdd2023"))
        and not (preset in small and min(row.matrix.rows, row.matrix.columns) < 50 and row.matrix.slices == 1)
    ]
    finite = [value for value in averaged if math.isfinite(value)]
    headline = float(np.median(finite)) if preset == "default" else math.fsum(finite) / len(finite)
    assert score.summary.headline(by, chosen) == pytest.approx(headline, rel=1e-12)
    assert score.summary.statistics[by].count == len(finite)
    ranking = wqscore.rank([str(folder)], preset=preset)
    assert ranking.by.name == by
    (row,) = csv.DictReader(io.StringIO(ranking.to_csv()))
    assert float(row[chosen.columns.get(by, by)]) == pytest.approx(headline, rel=1e-12)


def test_fused_matrices_are_whole_but_by_default(scores: dict[str, ModelScore]) -> None:
    for preset, score in scores.items():
        parts = [row.matrix.name for row in score.layers if row.matrix.tensor.name == FUSED]
        assert parts == ([f"{FUSED}[{part}]" for part in "qkv"] if preset == "default" else [FUSED])


@pytest.mark.parametrize(
    ("preset", "columns"),
    [
        ("default", ["rows", "columns", "alpha", "n_tail"]),
        ("ww-0.7", ["N", "M", "alpha", "num_pl_spikes", "matrix_rank"]),
        ("ww-0.2.7", ["N", "M", "lognorm", "logpnorm", "logspectralnorm", "spectralnorm", "softrank"]),
        ("tempbalance", ["PL_Alpha_Hill"]),
        ("alphapruning", ["alpha_mid", "alpha_peak"]),
        ("farms", ["alpha_mid", "alpha_peak", "alpha_farms"]),
        ("kdd2023", ["PL_alpha", "PL_KS_distance", "E_TPL_beta", "E_TPL_lambda", "E_TPL_KS_distance", "EXP_lambda"]),
    ],
)
def test_columns_have_the_published_names(folder: Path, preset: str, columns: list[str]) -> None:
    score = wqscore.score(str(folder), preset=preset)
    rows = list(csv.DictReader(io.StringIO(score.to_csv())))
    assert set(columns) <= rows[0].keys()
    assert not set(PRESETS[preset].columns) & (rows[0].keys() - set(PRESETS[preset].columns.values()))
    for name, renamed in PRESETS[preset].columns.items():
        if name in score.metrics:
            for cells, row in zip(rows, score.layers, strict=True):
                value = row.metrics[name]
                assert (float(cells[renamed]) == value) if math.isfinite(value) else cells[renamed] == ""
    if "N" in columns:
        assert all(int(row["N"]) >= int(row["M"]) for row in rows)


def test_scores_of_two_presets_are_not_ranked_together(folder: Path, scores: dict[str, ModelScore]) -> None:
    names = list(PRESETS)
    for one, other in pairwise(names):
        with pytest.raises(UsageError, match="different presets"):
            rank_models([scores[one], scores[other]], "alpha", PRESETS[one], scores[one].metrics)


def test_the_eigenvalues_are_those_of_the_svd(folder: Path) -> None:
    """What makes 1e-9 above enough: a Gram matrix gives them to 1e-13 of the largest."""
    for matrix in load_file(folder / "model.safetensors").values():
        slices = [matrix] if matrix.ndim == 2 else [matrix[:, :, i // 3, i % 3] for i in range(9)]
        values = compute_spectrum(slices, 2.0**-24).eigenvalues
        np.testing.assert_allclose(values, svd(matrix), rtol=0, atol=1e-13 * values[-1])

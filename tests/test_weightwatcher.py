"""The preset `ww-0.7` against WeightWatcher 0.7.7: its recorded figures on real models, and the real thing."""

from __future__ import annotations

import contextlib
import csv
import io
import logging
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.answers import Answers
from tests.oracles import Oracle, imported
from wqscore.scoring.layer_score import LayerScore

powerlaw = Oracle("powerlaw")

RECORDED = Path(__file__).parent / "data" / "weightwatcher-0.7.7"
COLUMNS = (
    "alpha", "D", "xmin", "log_norm", "log_spectral_norm", "stable_rank", "entropy", "log_alpha_norm",
    "sigma", "alpha_weighted", "lambda_max", "matrix_rank", "rank_loss",
)  # fmt: skip
MODELS = {
    "all-MiniLM-L6-v2": "all-MiniLM-L6-v2",
    "rxnfp-bert_pretrained": "rxnfp-bert_pretrained",
    "rxnfp-bert_ft": "rxnfp-bert_ft",
    "rxnfp-bert_ft_10k_25s": "rxnfp-bert_ft_10k_25s",
    "rxnmapper-albert": "rxnmapper-albert",
}
PREFIXES = ("bert.", "albert.")


def by_longname(score: wqscore.ModelScore) -> dict[str, LayerScore]:
    """Rows by WeightWatcher's long name: no base-model prefix, no `.weight`."""
    rows = {}
    for row in score.layers:
        name = row.matrix.name.removesuffix(".weight")
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
        rows[name] = row
    return rows


def recorded(model: str) -> list[dict[str, str]]:
    with (RECORDED / f"{MODELS[model]}.default.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("model", MODELS)
def test_every_layer_weightwatcher_scored_has_the_same_figures(checkpoints: Path, model: str) -> None:
    ours = by_longname(wqscore.score(str(checkpoints / model), preset="ww-0.7"))
    rows = recorded(model)
    assert rows
    for row in rows:
        layer = ours[row["longname"]]
        for column in COLUMNS:
            assert layer.metrics[column] == pytest.approx(float(row[column]), rel=1e-6), (row["longname"], column)
        assert layer.metrics["n_tail"] == int(row["num_pl_spikes"])
        assert max(layer.matrix.rows, layer.matrix.columns) == int(row["N"])


def test_the_means_of_all_minilm_are_the_published_ones(checkpoints: Path) -> None:
    statistics = wqscore.score(str(checkpoints / "all-MiniLM-L6-v2"), preset="ww-0.7").summary.statistics
    expected = {
        "alpha": 4.1171, "log_norm": 2.9307, "log_spectral_norm": 1.3941, "stable_rank": 38.063,
        "alpha_weighted": 5.0648, "log_alpha_norm": 5.5960,
    }  # fmt: skip
    for name, mean in expected.items():
        assert statistics[name].mean == pytest.approx(mean, abs=6e-5 if mean < 10 else 6e-4)
        assert statistics[name].count == 39


def random_matrices() -> dict[str, np.ndarray]:
    """36 matrices: noise and heavy tails, square and not, small and large scales; and two convolutions."""
    rng = np.random.default_rng(0)
    shapes = [(64, 64), (200, 64), (64, 200), (150, 100), (300, 90), (128, 256)]
    kinds = {
        "gaussian": rng.standard_normal,
        "student": lambda shape: rng.standard_t(2.5, shape) * 0.2,
        "pareto": lambda shape: rng.pareto(2.0, shape) * np.sign(rng.standard_normal(shape)) * 0.1,
        "decay": lambda shape: rng.standard_normal(shape) * np.arange(1, shape[1] + 1) ** -0.7,
        "small": lambda shape: rng.standard_normal(shape) * 0.02,
        "spiked": lambda shape: (
            rng.standard_normal(shape) + 3 * np.outer(rng.standard_normal(shape[0]), np.ones(shape[1]))
        ),
    }
    matrices = {
        f"{kind}{i}.weight": make(shape).astype(np.float32)
        for kind, make in kinds.items()
        for i, shape in enumerate(shapes)
    }
    matrices["conv0.weight"] = rng.standard_normal((64, 32, 3, 3)).astype(np.float32)
    matrices["conv1.weight"] = (rng.standard_t(3, (48, 96, 5, 5)) * 0.1).astype(np.float32)
    return matrices


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random")
    save_file(random_matrices(), folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def ours(folder: Path) -> dict[str, LayerScore]:
    return by_longname(wqscore.score(str(folder), preset="ww-0.7"))


def of_weightwatcher(folder: Path) -> dict[str, dict[str, float]]:
    """WeightWatcher's figures by its long names."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        weightwatcher = imported(Oracle("weightwatcher"))
        logging.getLogger().setLevel(logging.ERROR)
        table = weightwatcher.WeightWatcher(model=str(folder)).analyze(plot=False)
    return {row["longname"]: {name: float(row[name]) for name in COLUMNS} for _, row in table.iterrows()}


def test_side_by_side_on_random_and_heavy_tailed_matrices(
    folder: Path, ours: dict[str, LayerScore], answers: Answers
) -> None:
    theirs = answers("table", lambda: of_weightwatcher(folder))
    assert len(theirs) == len(ours) == 38
    for longname, row in theirs.items():
        layer = ours[longname.removesuffix(".weight")]
        for column in COLUMNS:
            assert layer.metrics[column] == pytest.approx(row[column], rel=1e-6), (longname, column)


@pytest.mark.oracle("powerlaw")
def test_side_by_side_with_powerlaw(ours: dict[str, LayerScore]) -> None:
    compared = 0
    for name, layer in ours.items():
        if name.startswith("conv"):  # powerlaw takes half a minute for their 2,400 eigenvalues
            continue
        values = layer.spectrum.eigenvalues
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            fit = powerlaw.Fit(values[values > 1e-5], verbose=False)
        assert layer.metrics["alpha"] == pytest.approx(fit.alpha, rel=1e-6), name
        assert layer.metrics["xmin"] == pytest.approx(fit.xmin, rel=1e-6), name
        assert layer.metrics["D"] == pytest.approx(fit.D, rel=1e-6), name
        compared += 1
    assert compared >= 30

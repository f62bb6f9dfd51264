"""Who is ahead of whom, from files whose order is known because they are drawn from known laws."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.stats import wilcoxon

import wqscore
from wqscore.ranking.ranking import Ranking
from wqscore.reports.csv import pairs_csv
from wqscore.reports.trust import pair_notes, trust_notes

PARTS = (
    *("attention.self.query", "attention.self.key", "attention.self.value"),
    *("attention.output.dense", "intermediate.dense", "output.dense"),
)
SIDE = 64


def save(folder: Path, layers: int, matrix: Callable[[int], np.ndarray]) -> str:
    folder.mkdir()
    tensors = {f"encoder.layer.{i}.{part}.weight": matrix(i).astype("f4") for i in range(layers) for part in PARTS}
    save_file(tensors, folder / "model.safetensors")
    config = {"model_type": "bert", "vocab_size": 1000, "hidden_size": SIDE, "num_hidden_layers": layers}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def scaled(rng: np.random.Generator, exponent: float) -> np.ndarray:
    """Noise whose columns have Pareto scales: its fit has a wide interval of its own."""
    scales = np.sqrt((1 - (np.arange(SIDE) + 0.5) / SIDE) ** (-1 / (exponent - 1)))
    return rng.standard_normal((SIDE + 64, SIDE)) * scales


def noisy(rng: np.random.Generator) -> np.ndarray:
    weights = rng.standard_t(4, (SIDE, SIDE)) * 0.05
    weights += np.outer(rng.standard_normal(SIDE), rng.standard_normal(SIDE)) * 0.1
    return weights + rng.standard_normal((SIDE, 30)) @ rng.standard_normal((30, SIDE)) * 0.02


def rank(paths: list[str], **options: object) -> Ranking:
    return wqscore.rank(paths, **{"gof": 0, "bootstrap": 0, "store": None, "across_families": True, **options})


def test_the_resamples_of_a_fit_and_the_seed_decide_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(31)
    paths = [
        save(tmp_path / name, 6, lambda _, e=exponent: scaled(rng, e + rng.normal(0, 0.15)))
        for name, exponent in (("a", 2.5), ("b", 3.1))
    ]
    rankings = [rank(paths, bootstrap=draws, seed=seed) for draws, seed in ((0, 0), (0, 9), (60, 0), (60, 5))]
    assert len({pairs_csv(ranking) for ranking in rankings}) == 1
    assert [(each.best, each.worst, each.ties) for each in rankings[2].models] == [(1, 1, ()), (2, 2, ())]
    (row,) = csv.DictReader(io.StringIO(pairs_csv(rankings[0])))
    first, second = ([layer.metrics["alpha"] for layer in score.layers] for score in rankings[0].scores)
    assert float(row["p"]) == pytest.approx(wilcoxon(np.subtract(first, second), method="exact").pvalue)
    assert row["p_holm"] == row["p"]
    assert float(row["difference"]) == np.median(first) - np.median(second)
    assert "is ahead of" in pair_notes(rankings[0])[0]


def test_one_matrix_a_role_tells_no_model_from_another(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    paths = [save(tmp_path / f"{number}", 1, lambda _: noisy(rng)) for number in range(4)]
    for metric in ("stable_rank", "alpha", "log_norm", "entropy"):
        ranking = rank(paths, by=metric)
        assert {(each.best, each.worst, each.ties) for each in ranking.models} == {(1, 4, ("a",))}, metric
        assert all("can't be told from" in note for note in pair_notes(ranking))


def test_too_few_matrices_for_an_interval_are_said_to_be(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    paths = []
    for number, scale in enumerate((1.0, 100.0)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        save_file(
            {f"fc{i}.weight": (noisy(rng) * scale).astype("f4") for i in range(3)}, folder / "model.safetensors"
        )
        paths.append(str(folder))
    (note,) = pair_notes(rank(paths, by="log_norm"))
    assert "can't be told from" in note
    assert note.endswith("(too few for an interval over 3 pairs of matrices; p 0.25)")


def test_of_many_equal_models_none_is_ahead_and_the_correction_is_stated(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    paths = [save(tmp_path / f"{number:02}", 2, lambda _: noisy(rng)) for number in range(12)]
    ranking = rank(paths, by="stable_rank")
    assert {(each.best, each.worst, each.ties) for each in ranking.models} == {(1, 12, ("a",))}
    rows = list(csv.DictReader(io.StringIO(pairs_csv(ranking))))
    assert len(rows) == len([*combinations(range(12), 2)])
    assert {row["tied"] for row in rows} == {"yes"}
    assert trust_notes(ranking)[0].startswith("66 of 66 pairs within a family are tied")
    assert trust_notes(ranking)[0].endswith("with Holm's correction")
    values = [np.array([layer.metrics["stable_rank"] for layer in score.layers]) for score in ranking.scores]
    for row, (i, j) in zip(rows, combinations(range(12), 2), strict=True):
        assert float(row["p"]) == pytest.approx(wilcoxon(values[i] - values[j], method="exact").pvalue)

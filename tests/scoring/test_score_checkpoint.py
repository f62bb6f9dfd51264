"""Scores of small checkpoints written by the safetensors library: rows, verdicts, averages, coverage."""

from __future__ import annotations

from math import isfinite, isnan
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore


def write(folder: Path, **tensors: np.ndarray) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name.replace("__", "."): value for name, value in tensors.items()}, folder / "model.safetensors")
    return str(folder)


def heavy(seed: int, rows: int = 96, columns: int = 64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    # Mixed columns: entries that go together, as no shuffle's do.
    return (rng.standard_t(3, (rows, columns)) @ rng.standard_normal((columns, columns)) * 0.03).astype(np.float32)


def verdicts(score: ModelScore) -> dict[str, str]:
    # How well a tail is fitted is no matter here.
    return {
        row.matrix.name: "ok" if row.verdict in ("unstable", "no-power-law") else row.verdict for row in score.layers
    }


def test_each_verdict_and_what_counts(tmp_path: Path) -> None:
    broken = heavy(1)
    broken[0, 0] = np.nan
    score = wqscore.score(
        write(
            tmp_path,
            layers__0__fc1__weight=heavy(5),
            layers__1__fc1__weight=broken,
            layers__2__fc1__weight=np.zeros((96, 64), dtype=np.float32),
            layers__3__fc1__weight=heavy(2, 96, 20),
            layers__4__fc1__weight=np.eye(64, dtype=np.float32),
            layers__5__norm__weight=np.ones(64, dtype=np.float32),
            embed_tokens__weight=heavy(9, 500, 64),
            lm_head__weight=heavy(4, 500, 64),
        )
    )
    assert verdicts(score) == {
        "embed_tokens.weight": "ok",
        "layers.0.fc1.weight": "ok",
        "layers.1.fc1.weight": "non-finite",
        "layers.2.fc1.weight": "zero",
        "layers.3.fc1.weight": "too-small",
        "layers.4.fc1.weight": "degenerate",
        "lm_head.weight": "ok",
    }
    summary = score.summary
    # Of the four matrices large enough that are neither embedding nor head, one has a fit.
    assert (summary.n_matrices, summary.n_fitted) == (4, 1)
    assert summary.coverage == pytest.approx((96 * 64) / (3 * 96 * 64 + 64 * 64))
    assert summary.coverage_all == pytest.approx(
        (96 * 64 + 2 * 500 * 64) / (3 * 96 * 64 + 96 * 20 + 64 * 64 + 64 + 2 * 500 * 64)
    )
    assert dict(summary.verdicts) == {
        "ok": 2, "unstable": 1, "non-finite": 1, "zero": 1, "too-small": 1, "degenerate": 1, "skipped": 1,
    }  # fmt: skip
    for row in score.layers:
        assert all(isfinite(v) or isnan(v) for v in row.metrics.values())
        assert bool(row.reason) == (row.verdict != "ok")


def test_the_summary_is_the_median_the_mean_and_the_mean_by_size(tmp_path: Path) -> None:
    score = wqscore.score(
        write(
            tmp_path,
            layers__0__fc1__weight=heavy(0),
            layers__1__fc1__weight=heavy(1, 200, 64),
            layers__2__fc1__weight=heavy(2, 64, 640),
        )
    )
    alphas = [row.metrics["alpha"] for row in score.layers]
    sizes = [96 * 64, 200 * 64, 64 * 640]
    statistic = score.summary.statistics["alpha"]
    assert statistic.median == sorted(alphas)[1]
    assert statistic.mean == pytest.approx(sum(alphas) / 3)
    assert statistic.weighted_mean == pytest.approx(
        sum(a * s for a, s in zip(alphas, sizes, strict=True)) / sum(sizes)
    )
    assert statistic.count == 3


def test_small_spectral_norms_are_flagged_and_left_out_of_two_averages(tmp_path: Path) -> None:
    folder = write(tmp_path, layers__0__fc1__weight=heavy(0), layers__1__fc1__weight=heavy(1) * np.float32(1e-3))
    score = wqscore.score(folder)
    assert [row.flags for row in score.layers] == [(), ("lambda_max<1",)]
    counts = {name: s.count for name, s in score.summary.statistics.items()}
    assert counts.pop("alpha_weighted") == counts.pop("log_alpha_norm") == 1
    assert set(counts.values()) == {2}
    assert wqscore.score(folder, preset="ww-0.7").summary.statistics["alpha_weighted"].count == 2


def test_equal_content_counts_once_and_equal_zeros_do_not_tie(tmp_path: Path) -> None:
    zero = np.zeros((96, 64), dtype=np.float32)
    score = wqscore.score(
        write(
            tmp_path,
            encoder__embed_tokens__weight=heavy(0, 500, 64),
            decoder__embed_tokens__weight=heavy(0, 500, 64),
            layers__0__fc1__weight=zero,
            layers__1__fc1__weight=zero.copy(),
        )
    )
    assert [(skip.name, skip.reason) for skip in score.skipped] == [
        ("encoder.embed_tokens.weight", "tied to decoder.embed_tokens.weight")
    ]
    assert verdicts(score)["layers.0.fc1.weight"] == verdicts(score)["layers.1.fc1.weight"] == "zero"


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_the_number_of_jobs_changes_no_byte(tmp_path: Path, jobs: int) -> None:
    tensors = {f"layers__{i}__fc1__weight": heavy(i, 64 + i, 70) for i in range(12)}
    folder = write(tmp_path, **tensors)
    assert wqscore.score(folder, jobs=jobs).to_csv() == wqscore.score(folder, jobs=3).to_csv()


def test_every_tensor_has_its_row(checkpoints: Path) -> None:
    from safetensors import safe_open

    folder = checkpoints / "all-MiniLM-L6-v2"
    score = wqscore.score(str(folder))
    with safe_open(folder / "model.safetensors", "np") as file:
        names = sorted(file.keys())
    assert sorted(row.matrix.name if isinstance(row, LayerScore) else row.name for row in score.rows) == names
    frame = score.to_frame()
    assert sorted(frame["name"]) == names
    fitted = {"ok", "unstable", "no-power-law", "trap", "random", "undecided"}
    assert set(frame["verdict"]) == fitted | {"too-small", "skipped"}


def test_bit_reproducible(checkpoints: Path) -> None:
    folder = str(checkpoints / "rxnmapper-albert")
    assert wqscore.score(folder).to_csv() == wqscore.score(folder).to_csv()


def test_a_model_of_noise_is_unranked_by_whatever_metric(checkpoints: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    trained = checkpoints / "all-MiniLM-L6-v2"
    rng = np.random.default_rng(0)
    noise = {
        name: (rng.standard_normal(tensor.shape) * tensor.std()).astype("f4") if tensor.ndim == 2 else tensor
        for name, tensor in load_file(trained / "model.safetensors").items()
        if "word_embeddings" not in name
    }
    save_file(noise, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((trained / "config.json").read_bytes())
    for metric in ("alpha", "stable_rank", "log_norm"):
        ranking = wqscore.rank([str(tmp_path), str(trained)], by=metric, metrics=metric, store=tmp_path / "store")
        assert [(model.ref.path, model.status) for model in ranking.models] == [
            (trained, "ranked"),
            (tmp_path, "unranked"),
        ]
        assert ranking.models[1].reason.endswith("matrices can't be told from noise")


def test_dead_and_copied_lines_are_flagged_in_the_same_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((64, 64)).astype("f4")
    rows, columns, kernel = sound.copy(), sound.copy(), rng.standard_normal((64, 64, 3)).astype("f4")
    rows[3], rows[5] = 0, rows[4]
    columns[:, 7] = 2.5
    kernel[9] = 0
    tensors = {"layers.0.fc1.weight": sound, "layers.1.fc1.weight": rows, "layers.2.fc1.weight": columns}
    save_file(tensors | {"layers.3.conv.weight": kernel}, tmp_path / "model.safetensors")
    score = wqscore.score(str(tmp_path), metrics="alpha")
    kinds = ("zero", "constant", "repeated")
    assert [[flag for flag in row.flags if flag.startswith(kinds)] for row in score.layers] == [
        [], ["zero-rows", "repeated-rows"], ["constant-columns"], ["zero-rows"],
    ]  # fmt: skip

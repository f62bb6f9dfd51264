"""Verdicts on what rounding leaves: equal eigenvalues, and eigenvalues below the floor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from wqscore.scoring.model_score import ModelScore

ALPHAS = ("alpha", "alpha_hill", "alpha_farms", "tpl_alpha", "sigma", "alpha_lo", "alpha_hi")


def scored(folder: Path, **weights: np.ndarray) -> ModelScore:
    save_file({f"layers.0.{name}.weight": value for name, value in weights.items()}, folder / "model.safetensors")
    return wqscore.score(str(folder / "model.safetensors"), metrics=ALPHAS, store=None)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_an_orthogonal_matrix_is_degenerate_and_has_no_exponent(tmp_path: Path, dtype: type) -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((96, 96)))[0]
    score = scored(tmp_path, fc1=rotation.astype(dtype))
    (row,) = score.layers
    assert row.verdict == "degenerate"
    assert np.isnan(list(row.metrics.values())).all()
    assert score.summary.coverage == 0


def test_a_matrix_of_rank_40_is_too_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    low = (rng.standard_normal((300, 40)) * np.arange(1, 41) ** -0.7) @ rng.standard_normal((40, 200))
    dead = rng.standard_normal((300, 200)).astype(np.float32)
    dead[:, 45:] = 0
    score = scored(tmp_path, fc1=low.astype(np.float32), fc2=dead)
    assert [row.verdict for row in score.layers] == ["too-small", "too-small"]
    assert [row.reason.split(",")[0] for row in score.layers] == [
        f"{np.linalg.matrix_rank(weights)} eigenvalues above the floor" for weights in (low, dead)
    ]
    assert np.isfinite([row.metrics["alpha"] for row in score.layers]).all()
    assert score.summary.n_fitted == 0

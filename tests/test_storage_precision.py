"""One matrix in F64, F32, F16 and BF16: the same rank, and no figure moves further than the rounding makes it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from wqscore.scoring.layer_score import LayerScore
from wqscore.spectra.marchenko_pastur import bulk_edge

DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
ROUNDED = ["F32", "F16", "BF16"]
ROWS, COLUMNS, RANK = 512, 256, 10


def matrices() -> dict[str, np.ndarray]:
    """In float64, what they are before they are stored."""
    rng = np.random.default_rng(0)
    heavy = rng.standard_t(2.5, (ROWS, COLUMNS))
    return {
        "full": rng.standard_normal((ROWS, COLUMNS)) * 0.05,
        "square": rng.standard_normal((COLUMNS, COLUMNS)) * 0.05,
        "heavy": heavy * 0.02,
        "decay": rng.standard_normal((ROWS, COLUMNS)) * np.arange(1, COLUMNS + 1) ** -0.7,
        "rank-10": rng.standard_normal((ROWS, RANK)) @ rng.standard_normal((RANK, COLUMNS)) * 0.05,
    }


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, LayerScore]]:
    """The rows by data type and matrix."""
    rows = {}
    for dtype, numpy in DTYPES.items():
        folder = tmp_path_factory.mktemp(dtype)
        stored = {f"layers.{i}.{name}.weight": m.astype(numpy) for i, (name, m) in enumerate(matrices().items())}
        save_file(stored, folder / "model.safetensors")
        layers = wqscore.score(str(folder), metrics="core,alpha_hill,entropy").layers
        assert {row.matrix.tensor.dtype.name for row in layers} == {dtype}
        rows[dtype] = {row.matrix.name.split(".")[2]: row for row in layers}
    return rows


@pytest.mark.parametrize("dtype", DTYPES)
def test_rank_10_is_10_in_every_type(scores: dict[str, dict[str, LayerScore]], dtype: str) -> None:
    row = scores[dtype]["rank-10"]
    assert (row.metrics["matrix_rank"], row.metrics["rank_loss"]) == (RANK, COLUMNS - RANK)
    # The rounding noise is there: it is the floor that keeps it out, of the fit too.
    positive = np.count_nonzero(row.spectrum.eigenvalues > COLUMNS * np.finfo(np.float64).eps * row.spectrum.largest)
    assert positive == (COLUMNS if dtype in ("F16", "BF16") else RANK)
    assert row.fit is None or row.fit.n_tail == RANK
    assert np.isnan(row.metrics["alpha_hill"])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["full", "square", "heavy", "decay"])
def test_full_rank_stays_full(scores: dict[str, dict[str, LayerScore]], dtype: str, name: str) -> None:
    row = scores[dtype][name]
    assert row.metrics["matrix_rank"] + row.metrics["rank_loss"] == COLUMNS
    # Only a square matrix has singular values down to 0, where rounding can't be told from weights.
    assert row.metrics["rank_loss"] <= (2 if name == "square" and dtype == "BF16" else 0)


@pytest.mark.parametrize("dtype", ROUNDED)
@pytest.mark.parametrize("name", matrices())
def test_singular_values_move_by_the_change_at_most(
    scores: dict[str, dict[str, LayerScore]], dtype: str, name: str
) -> None:
    exact = matrices()[name]
    change = np.linalg.norm(exact.astype(DTYPES[dtype]).astype(np.float64) - exact, 2)
    row = scores[dtype][name]
    before, after = (np.sqrt(scores[d][name].spectrum.eigenvalues) for d in ("F64", dtype))
    # Weyl; a Gram matrix knows its eigenvalues to about N·eps·λ_max.
    solver = COLUMNS * np.finfo(np.float64).eps * before[-1]
    above = before > np.sqrt(2 * row.spectrum.floor)
    assert np.abs(after - before)[above].max() <= change + 2 * solver + 1e-12 * before[-1]
    # The floor is the square of the change that it foresees where no row or column is larger than others, an edge
    # with its own fluctuation.
    edge, width = bulk_edge(*exact.shape)
    if dtype != "F32" and name in ("full", "square", "rank-10"):
        assert change**2 <= row.spectrum.floor * (1 + 5 * width / edge)


@pytest.mark.parametrize("dtype", ROUNDED)
@pytest.mark.parametrize("name", ["full", "square", "heavy", "decay"])
def test_alpha_moves_no_further_than_its_tail(
    scores: dict[str, dict[str, LayerScore]], dtype: str, name: str
) -> None:
    exact, row = scores["F64"][name], scores[dtype][name]
    change = np.linalg.norm(matrices()[name].astype(DTYPES[dtype]).astype(np.float64) - matrices()[name], 2)
    assert exact.fit and row.fit
    # ln λ = 2 ln σ moves by 2·change/σ at most, where σ is at least half of what it was: alpha − 1 is
    # 1/mean(ln λ − ln xmin), and both logarithms move.
    for alpha, tail in (("alpha", row.fit.n_tail), ("alpha_hill", COLUMNS - COLUMNS // 2)):
        if alpha == "alpha" and exact.fit.n_tail != tail:
            continue
        lowest = np.sqrt(min(each.spectrum.eigenvalues[-tail] for each in (exact, row)))
        steepest = max(exact.metrics[alpha], row.metrics[alpha]) - 1
        bound = 4 * change / lowest * steepest**2
        assert abs(row.metrics[alpha] - exact.metrics[alpha]) <= bound + 1e-9, alpha
        assert bound < (0.6 if dtype == "BF16" else 0.1), alpha


@pytest.mark.parametrize("dtype", ROUNDED)
def test_xmin_is_found_again(scores: dict[str, dict[str, LayerScore]], dtype: str) -> None:
    """Else the bound on alpha above would say nothing of it."""
    same = [
        name
        for name in ("full", "square", "heavy", "decay")
        if (a := scores["F64"][name].fit) and (b := scores[dtype][name].fit) and a.n_tail == b.n_tail
    ]
    assert "heavy" in same
    assert len(same) >= 3

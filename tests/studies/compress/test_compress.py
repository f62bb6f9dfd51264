"""`wqscore.compress` against NumPy's SVD: errors, ranks, the outlook, few bits, and what is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wqscore
from tests.examples import examples
from tests.saved_models import saved
from tests.studies.diff.made import Tensors, rank_three, tensors
from wqscore.errors import UsageError
from wqscore.spectra.spectrum import compute_spectrum
from wqscore.studies.compress.low_rank import error_at, kept_rank, rank_within
from wqscore.studies.compress.rounding import rounding_errors

QUICK: dict[str, Any] = {"metrics": "stable_rank", "bootstrap": 0, "gof": 0, "jobs": 1}
Make = Callable[[str, Tensors], str]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda name, content: saved(tmp_path / name, content)


def document(model: Any, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(wqscore.compress(model, **{**QUICK, **changes}).to_json())
    return found


def truncated(matrix: np.ndarray, rank: int) -> float:
    """The error of NumPy's truncated SVD, from the matrices themselves."""
    u, s, v = np.linalg.svd(matrix.astype("f8"), full_matrices=False)
    return float(np.linalg.norm(matrix - (u[:, :rank] * s[:rank]) @ v[:rank]) / np.linalg.norm(matrix.astype("f8")))


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_errors_are_those_of_numpys_truncated_svd(make: Make, ratio: float) -> None:
    content = tensors()
    found = document(make("a", content), ratio=ratio)
    assert found["ratio"] == ratio
    assert len(found["matrices"]) == 7
    for each in found["matrices"]:
        matrix = content[each["name"]]
        assert each["rank"] == max(1, int(ratio * 96 * 64 / (96 + 64)))
        assert each["error"] == pytest.approx(truncated(matrix, each["rank"]), abs=1e-7)
        for share, key in ((0.01, "rank_1pct"), (0.05, "rank_5pct"), (0.1, "rank_10pct")):
            assert truncated(matrix, each[key]) <= share < truncated(matrix, each[key] - 1)


def test_the_summary_is_weighted_by_parameters_and_the_outlook_leaves_embeddings_out(make: Make) -> None:
    rng = np.random.default_rng(4)
    content = tensors() | {"embeddings.word_embeddings.weight": rng.standard_normal((200, 64)).astype("f4")}
    found = document(make("a", content), ratio=0.3)
    errors = {each["name"]: each["error"] for each in found["matrices"]}
    sizes = {name: content[name].size for name in errors}
    mean_square = sum(sizes[name] * errors[name] ** 2 for name in errors) / sum(sizes.values())
    assert found["summary"]["error"] == pytest.approx(mean_square**0.5, rel=1e-12)
    singular = [np.linalg.svd(content[f"layers.{i}.fc1.weight"].astype("f8"), compute_uv=False) for i in range(7)]
    stable = [(each**2).sum() / each[0] ** 2 for each in singular]
    assert found["summary"]["outlook"] == pytest.approx(0.3 * np.mean(stable), rel=1e-9)


def test_a_matrix_of_rank_3_loses_nothing_but_rounding_at_rank_3(make: Make) -> None:
    exact = {"layers.0.fc1.weight": rank_three()}
    (row,) = document(make("a", exact))["matrices"]
    assert row["error"] < 1e-7
    assert row["rank_1pct"] <= 3


@settings(max_examples=examples(60))
@given(st.integers(2, 20), st.integers(2, 20), st.floats(0.01, 1), st.integers(0, 99))
def test_the_kept_factors_fit_and_the_least_rank_is_least(rows: int, columns: int, ratio: float, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((rows, columns))
    spectrum = compute_spectrum([matrix], unit_roundoff=0.0)
    rank = kept_rank(spectrum, ratio)
    assert 1 <= rank <= min(rows, columns)
    assert rank == 1 or rank * (rows + columns) <= ratio * rows * columns * (1 + 1e-9)
    assert error_at(spectrum, rank) == pytest.approx(truncated(matrix, rank), abs=1e-7)
    for error in (0.01, 0.1, 0.5):
        least = rank_within(spectrum, error)
        assert error_at(spectrum, least) <= error
        assert least == 0 or error_at(spectrum, least - 1) > error


def test_the_tail_is_summed_from_its_small_end() -> None:
    spectrum = compute_spectrum([np.diag([1.0, 1e-9, 1e-9, 1e-9])], unit_roundoff=0.0)
    assert error_at(spectrum, 1) == pytest.approx(3**0.5 * 1e-9, rel=1e-6)


def test_few_bits_lose_what_rounding_each_row_loses(make: Make) -> None:
    content = tensors()
    found = document(make("a", content), rounded=True)
    for each in found["matrices"]:
        matrix = content[each["name"]].astype("f8")
        for bits in (8, 4, 3, 2):
            steps = np.abs(matrix).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
            lost = np.linalg.norm(matrix - steps * np.rint(matrix / steps)) / np.linalg.norm(matrix)
            assert each[f"error_{bits}bit"] == pytest.approx(lost, rel=1e-9)
    assert found["summary"]["error_8bit"] < found["summary"]["error_4bit"] < found["summary"]["error_2bit"]


@settings(max_examples=examples(50))
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 8), st.integers(0, 99))
def test_rounding_in_blocks_is_rounding_at_once(slices: int, rows: int, columns: int, seed: int) -> None:
    from wqscore.studies.compress import rounding

    values = np.random.default_rng(seed).standard_normal((slices, rows, columns)).astype("f4")
    whole = rounding_errors(values)
    before, rounding._BLOCK = rounding._BLOCK, 1
    try:
        assert np.allclose(rounding_errors(values), whole, rtol=1e-12)
    finally:
        rounding._BLOCK = before


def test_weights_on_the_grid_lose_nothing() -> None:
    values = np.random.default_rng(0).integers(-7, 8, (1, 20, 30)).astype("f4")
    values[:, :, 0] = 7
    assert rounding_errors(values, [4])[0] < 1e-15
    assert all(np.isnan(rounding_errors(np.zeros((1, 4, 4)))))
    assert all(np.isnan(rounding_errors(np.full((1, 4, 4), np.nan))))


def test_a_convolutions_slices_share_their_ranks(make: Make) -> None:
    kernel = np.random.default_rng(2).standard_normal((24, 20, 3, 3)).astype("f4")
    (row,) = document(make("a", {"conv.weight": kernel}))["matrices"]
    values = np.sort(
        np.concatenate(
            [
                np.linalg.svd(kernel[:, :, i, j].astype("f8"), compute_uv=False) ** 2
                for i in range(3)
                for j in range(3)
            ]
        )
    )
    assert row["rank"] == 9 * int(0.5 * 24 * 20 / 44)
    assert row["error"] == pytest.approx((values[: -row["rank"]].sum() / values.sum()) ** 0.5, abs=1e-7)


@pytest.mark.usefixtures("settled")
def test_a_warm_store_reads_and_solves_nothing(make: Make, tmp_path: Path, counts: dict[str, int]) -> None:
    model, store = make("a", tensors()), tmp_path / "store.sqlite"
    wqscore.score(model, store=store, **QUICK)
    counts.update(read=0, solved=0)
    warm = document(model, store=store)
    assert counts == {"read": 0, "solved": 0}
    assert document(model)["matrices"] == warm["matrices"]
    assert counts == {"read": 7, "solved": 7}
    counts.update(read=0, solved=0)
    document(model, store=store, rounded=True)
    assert counts == {"read": 7, "solved": 0}


def test_zeros_and_nan_are_rows_with_a_reason(make: Make) -> None:
    content = tensors() | {"layers.0.fc1.weight": np.zeros((96, 64), "f4")}
    content["layers.1.fc1.weight"] = np.full((96, 64), np.nan, "f4")
    found = document(make("a", content), rounded=True)
    bad = [each for each in found["matrices"] if each["reason"]]
    assert [each["name"] for each in bad] == ["layers.0.fc1.weight", "layers.1.fc1.weight"]
    assert [(each["rank"], each["error"], each["rank_1pct"], each["error_4bit"]) for each in bad] == [(None,) * 4] * 2
    assert found["summary"]["error"] is not None


def test_models_in_memory_are_compressed_too() -> None:
    found = document(tensors(), rounded=True)
    assert len(found["matrices"]) == 7
    assert found["summary"]["error_4bit"] > 0


def test_other_presets_have_an_outlook_too(make: Make) -> None:
    assert document(make("a", tensors()), preset="ww-0.7", metrics="core")["summary"]["outlook"] > 0


@pytest.mark.parametrize("ratio", [0, -1, 1.5, float("nan")])
def test_a_ratio_that_is_no_share_is_refused(make: Make, ratio: float) -> None:
    with pytest.raises(UsageError, match="give a share of the weights above 0, at most 1"):
        document(make("a", tensors()), ratio=ratio)


@pytest.mark.parametrize("text", ["to_markdown", "to_json"])
def test_the_caveat_stands_beside_the_prediction(make: Make, text: str) -> None:
    found = wqscore.compress(make("a", tensors()), **QUICK)
    assert "not tested for your model; error of weights, not of outputs" in getattr(found, text)().lower()

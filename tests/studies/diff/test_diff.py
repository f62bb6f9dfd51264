"""`wqscore.diff` against NumPy: known changes, what stays, how matrices are matched, and what is read."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wqscore
from tests.saved_models import saved
from tests.studies.diff.made import SHAPE, Tensors, adapter, rank_three, tensors
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import UsageError
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.studies.diff.diff import Diff

CHANGED = "layers.3.fc1.weight"
#: The scores are beside the point of most tests.
QUICK: dict[str, Any] = {"metrics": "stable_rank,log_norm", "bootstrap": 0, "gof": 0, "jobs": 1}
Make = Callable[[str, Tensors], str]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda name, content: saved(tmp_path / name, content)


def diff(base: Any, other: Any, **changes: Any) -> Diff:
    return wqscore.diff(base, other, **{**QUICK, **changes})


def one(found: Diff, name: str = CHANGED) -> dict[str, Any]:
    return next(each for each in json.loads(found.to_json())["matrices"] if each["name"] == name)


def changed(content: Tensors, by: np.ndarray, name: str = CHANGED) -> Tensors:
    return content | {name: (content[name] + by).astype("f4")}


def test_a_model_does_not_differ_from_itself(make: Make) -> None:
    model = make("a", tensors())
    document = json.loads(diff(model, model).to_json())
    assert document["unmatched"] == []
    assert [
        (each["relative_change"], each["delta_rank"], each["delta_stable_rank"]) for each in document["matrices"]
    ] == [(0, 0, None)] * 7
    assert all(each["overlap_left"] == each["overlap_right"] == 1 for each in document["matrices"])
    assert document["summary"]["n_frozen"] == document["summary"]["n_matched"] == 7
    assert document["summary"]["n_vectors"] == {"base": 1, "other": 1}
    assert document["summary"]["metrics"]["stable_rank"] == {"change": 0, "low": 0, "high": 0, "p": 1, "n_pairs": 7}


def test_a_known_change_of_rank_3_is_found_in_its_matrix_alone(make: Make) -> None:
    content, change = tensors(), rank_three()
    found = diff(make("a", content), make("b", changed(content, change)))
    row, singular = one(found), np.linalg.svd(change, compute_uv=False)
    assert row["relative_change"] == pytest.approx(
        np.linalg.norm(change) / np.linalg.norm(content[CHANGED].astype("f8")), abs=1e-6
    )
    assert row["delta_norm"] == pytest.approx(np.linalg.norm(change), rel=1e-6)
    assert row["delta_stable_rank"] == pytest.approx((singular**2).sum() / singular[0] ** 2, abs=1e-6)
    assert row["delta_lambda_max"] == pytest.approx(singular[0] ** 2, rel=1e-6)
    assert row["delta_rank"] == 3
    p = singular[:3] / singular[:3].sum()
    assert row["delta_effective_rank"] == pytest.approx(np.exp(-(p * np.log(p)).sum()), abs=1e-5)
    assert [each.base.matrix.name for each in found.matrices if not each.delta.is_frozen] == [CHANGED]
    assert found.relative_change == 0
    spectrum = next(each.delta.spectrum for each in found.matrices if not each.delta.is_frozen)
    assert np.allclose(spectrum.eigenvalues[-3:][::-1], singular[:3] ** 2, rtol=1e-6)


def test_the_overlap_is_that_of_numpys_singular_vectors(make: Make) -> None:
    content, change = tensors(), rank_three(scale=0.3)
    after = changed(content, change)
    row = one(diff(make("a", content), make("b", after), overlap_rank=5))
    left, _, right = zip(*(np.linalg.svd(each[CHANGED].astype("f8")) for each in (content, after)), strict=True)
    assert row["overlap_rank"] == 5
    assert row["overlap_left"] == pytest.approx(np.square(left[0][:, :5].T @ left[1][:, :5]).sum() / 5, abs=1e-9)
    assert row["overlap_right"] == pytest.approx(np.square(right[0][:5] @ right[1][:5].T).sum() / 5, abs=1e-9)
    assert (row["chance_left"], row["chance_right"]) == (5 / SHAPE[0], 5 / SHAPE[1])


def test_at_most_a_quarter_of_the_smaller_side_is_compared(make: Make) -> None:
    content = tensors()
    assert (
        one(diff(make("a", content), make("b", changed(content, rank_three())), overlap_rank=50))["overlap_rank"]
        == 16
    )


def test_every_metric_changes_by_the_difference_of_the_two_scores(make: Make) -> None:
    models = make("a", tensors(0)), make("b", tensors(1))
    found = diff(*models, metrics="core")
    scores = [wqscore.score(model, **{**QUICK, "metrics": "core"}) for model in models]
    for each in json.loads(found.to_json())["matrices"]:
        rows = [next(row for row in score.layers if row.matrix.name == each["name"]) for score in scores]
        for metric, values in each["metrics"].items():
            one, other = (row.metrics[metric] for row in rows)
            expected = {"base": one, "other": other, "change": other - one}
            assert values == {key: None if np.isnan(value) else value for key, value in expected.items()}
    summary = json.loads(found.to_json())["summary"]["metrics"]
    assert summary.keys() == {name for name in scores[0].metrics if name in MATRIX_METRICS}
    values = [each["metrics"]["log_norm"]["change"] for each in json.loads(found.to_json())["matrices"]]
    assert summary["log_norm"]["change"] == np.median(values)


def test_five_pairs_have_no_interval(make: Make) -> None:
    found = diff(make("a", tensors(0, 5)), make("b", tensors(1, 5)))
    summary = json.loads(found.to_json())["summary"]["metrics"]["stable_rank"]
    assert (summary["low"], summary["high"], summary["p"], summary["n_pairs"]) == (None, None, None, 5)
    assert "too few matrices" in found.to_markdown()


@pytest.mark.parametrize("side", [0, 1])
def test_a_leading_component_is_dropped_on_either_side(make: Make, side: int) -> None:
    content = tensors()
    models = [content, {f"anything.{name}": value for name, value in content.items()}]
    found = diff(make("a", models[side]), make("b", models[1 - side]))
    assert {each.matched_by for each in found.matrices} == {"prefix"}
    assert len(found.frozen) == 7
    assert not found.unmatched


def test_renamed_matrices_are_found_by_contents_and_never_by_position(make: Make) -> None:
    content = tensors(0, 4)
    noise = 0.02 * np.random.default_rng(5).standard_normal(SHAPE)
    renamed: Tensors = {
        "stack.a.fc1.weight": content["layers.3.fc1.weight"],
        "stack.b.fc1.weight": (content["layers.2.fc1.weight"] + noise).astype("f4"),
        "stack.c.fc1.weight": tensors(7, 1)["layers.0.fc1.weight"],
    }
    found = diff(make("a", content), make("b", renamed))
    assert [(each.base.matrix.name, each.other.matrix.name, each.matched_by) for each in found.matrices] == [
        ("layers.2.fc1.weight", "stack.b.fc1.weight", "content"),
        ("layers.3.fc1.weight", "stack.a.fc1.weight", "digest"),
    ]
    assert [(each.name, each.side) for each in found.unmatched] == [
        ("layers.0.fc1.weight", "base"),
        ("layers.1.fc1.weight", "base"),
        ("stack.c.fc1.weight", "other"),
    ]


def test_a_matrix_of_another_shape_is_no_match(make: Make) -> None:
    content = tensors()
    found = diff(make("a", content), make("b", content | {CHANGED: content[CHANGED][:80]}))
    assert [(each.name, each.side, each.reason) for each in found.unmatched] == [
        (CHANGED, "base", "96 × 64 here, 80 × 64 there"),
        (CHANGED, "other", "80 × 64 here, 96 × 64 there"),
    ]


def test_an_adapter_changes_by_the_product_of_its_factors(make: Make, tmp_path: Path) -> None:
    content, rng = tensors(), np.random.default_rng(3)
    a, b = (rng.standard_normal(shape).astype("f4") for shape in ((4, 64), (96, 4)))
    a, b = a * np.float32(0.01), b * np.float32(0.01)
    base = make("base", content)
    lora = adapter(tmp_path / "lora", "layers.3.fc1", a, b, alpha=8)
    product = 2 * b.astype("f8") @ a.astype("f8")
    found = diff(base, f"{base}+{lora}")
    merged = diff(base, make("merged", content | {CHANGED: content[CHANGED] + product}))
    expected = np.linalg.svd(product, compute_uv=False)[:4] ** 2
    for each in (found, merged):
        spectrum = next(row.delta.spectrum for row in each.matrices if not row.delta.is_frozen)
        assert np.allclose(spectrum.eigenvalues[-4:][::-1], expected, rtol=1e-6)
        assert [row.base.matrix.name for row in each.matrices if not row.delta.is_frozen] == [CHANGED]
    assert one(found)["delta_rank"] == 4
    assert one(found)["delta_norm"] == pytest.approx(np.linalg.norm(product), rel=1e-12)


def test_an_adapter_alone_is_refused_with_what_to_type(make: Make, tmp_path: Path) -> None:
    base = make("base", tensors())
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal(shape).astype("f4") for shape in ((4, 64), (96, 4)))
    lora = adapter(tmp_path / "lora", "layers.3.fc1", a, b, alpha=8)
    with pytest.raises(UsageError, match=r"is an adapter without its base: name it as .*base\+.*lora"):
        diff(base, lora)


def test_a_change_that_is_rounding_has_no_rank(make: Make) -> None:
    content = tensors()
    half = {name: value.astype("f2") for name, value in content.items()}
    found = diff(make("a", content), make("b", half))
    assert len(found.frozen) == 0
    assert [each.delta.rank for each in found.matrices] == [0] * 7
    assert 1e-5 < found.relative_change < 2**-11


def test_a_nan_gives_nulls_and_no_number(make: Make) -> None:
    content = tensors()
    bad = content[CHANGED].copy()
    bad[0, 0] = np.nan
    found = diff(make("a", content), make("b", content | {CHANGED: bad}))
    row = one(found)
    assert [row[key] for key in ("delta_norm", "relative_change", "delta_rank", "overlap_left")] == [None] * 4
    assert "NaN" not in found.to_json()


def test_convolutions_are_compared_slice_by_slice(make: Make) -> None:
    rng = np.random.default_rng(1)
    before = rng.standard_normal((48, 40, 3, 3)).astype("f4")
    after = (before + 0.1 * rng.standard_normal(before.shape)).astype("f4")
    found = diff(make("a", {"conv.weight": before}), make("b", {"conv.weight": after}), overlap_rank=4)
    slices = [[x[:, :, i, j].astype("f8") for x in (before, after)] for i in range(3) for j in range(3)]
    delta, overlaps = [], []
    for one_slice, other_slice in slices:
        delta.append(np.linalg.svd(other_slice - one_slice, compute_uv=False) ** 2)
        left = [np.linalg.svd(each)[0][:, :4] for each in (one_slice, other_slice)]
        overlaps.append(np.square(left[0].T @ left[1]).sum() / 4)
    row = found.matrices[0].delta
    assert np.allclose(row.spectrum.eigenvalues, np.sort(np.concatenate(delta)), rtol=1e-9, atol=1e-12)
    assert row.overlap.left == pytest.approx(np.mean(overlaps), abs=1e-9)


def test_models_in_memory_are_compared_too() -> None:
    content = tensors()
    found = diff(content, changed(content, rank_three()))
    assert one(found)["delta_rank"] == 3
    assert len(found.frozen) == 6


@pytest.mark.usefixtures("settled")
def test_what_the_store_knows_to_be_equal_is_not_read(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tensors()
    models = make("a", content), make("b", changed(content, rank_three()))
    store = tmp_path / "store.sqlite"
    cold = diff(*models, store=store)
    read: list[str] = []
    real = TensorRef.read
    monkeypatch.setattr(TensorRef, "read", lambda self: read.append(self.name) or real(self))
    warm = diff(*models, store=store)
    assert read == [CHANGED] * 2
    assert warm.to_csv() == cold.to_csv()


def test_the_result_is_the_same_for_any_number_of_threads(make: Make) -> None:
    models = make("a", tensors(0)), make("b", tensors(1))
    assert diff(*models, jobs=1).to_csv() == diff(*models, jobs=3).to_csv()


def test_the_csv_has_a_row_for_each_matrix_and_each_that_is_alone(make: Make) -> None:
    content = tensors()
    fewer = {name: value for name, value in content.items() if name != CHANGED}
    frame = diff(make("a", content), make("b", fewer)).to_frame()
    assert list(frame["side"].fillna("")) == [""] * 6 + ["base"]
    assert frame["reason"].iloc[-1] == "no matrix of that name or contents"
    assert {"name", "other_name", "matched_by", "delta_rank", "stable_rank_change"} <= {*frame.columns}


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"overlap_rank": 0}, "overlap_rank is 0"), ({"engine": "weightwatcher"}, "leave base and engine out")],
)
def test_settings_that_make_no_sense_are_refused(make: Make, changes: dict[str, Any], said: str) -> None:
    model = make("a", tensors())
    with pytest.raises(UsageError, match=said):
        diff(model, model, **changes)


def test_the_function_is_that_of_the_folder_of_the_study() -> None:
    from wqscore.studies.diff import diff as of_the_folder

    assert of_the_folder is wqscore.diff
    assert "base" in inspect.signature(wqscore.diff).parameters


def test_only_the_base_of_distances_is_refused_in_settings(make: Make) -> None:
    model = make("a", tensors())
    with pytest.raises(UsageError, match="leave base and engine out"):
        wqscore.diff(model, model, settings=wqscore.Settings(base=model))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0, 1, "no share can be told: a norm is zero or not finite in all that changed"),
        (1, 0, "a typical matrix changed by 100 % of its norm (median)"),
        (1, 1e30, "a typical matrix changed by 1.0e+32 % of its norm (median)"),
        (1, np.inf, "no share can be told"),
    ],
)
def test_zeros_and_huge_changes_are_told_in_words(before: float, after: float, said: str) -> None:
    content = {name: np.abs(value) + 1 for name, value in tensors(0, 2).items() if value.ndim == 2}
    models = ({name: (value * factor).astype("f4") for name, value in content.items()} for factor in (before, after))
    found = diff(*models)
    assert said in found.to_markdown()
    assert json.loads(found.to_json(), parse_constant=pytest.fail)
    assert len(found.largest) == len(found.matrices) > 0


def test_small_matrices_have_no_directions_to_compare() -> None:
    row = one(diff({"w.weight": np.ones((3, 2), "f4")}, {"w.weight": np.eye(3, 2, dtype="f4")}), "w.weight")
    assert (row["overlap_rank"], row["overlap_left"], row["chance_left"]) == (0, None, None)

"""The phases of the published grid of ResNet18, of small grids with known answers, and tables without phases."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

import wqscore
from tests.examples import examples
from tests.reports.html.parsed import Page
from tests.small_models import HOSTILE
from tests.studies.published import TAXONOMY
from wqscore.errors import UsageError
from wqscore.studies.phase.phase import Phases, phase, phase_of
from wqscore.studies.phase.report import answer
from wqscore.studies.phase.thresholds import Thresholds, two_means

COLUMNS = {"size": "width", "temperature": "batch_size", "good": "test_acc"}
#: Of each rule: thresholds, and of each phase its cells and mean test accuracy, as published work gives them.
PUBLISHED: dict[str, tuple[tuple[float, float, float], dict[str, tuple[int, float]]]] = {
    "2means": (
        (3.20, 9.90, 0.584),
        {"I": (41, 73.7), "II": (45, 81.4), "III": (5, 79.0), "IV-A": (14, 81.7), "IV-B": (64, 86.5)},
    ),
    "given": (
        (2.5, 2, 0.7),
        {"I": (60, 75.3), "II": (19, 84.5), "III": (9, 82.2), "IV-A": (34, 85.35), "IV-B": (26, 88.3)}
        | {"ends not converged": (21, 80.6)},
    ),
    "median": (
        (3.32, 2.77, 0.553),
        {"I": (51, 74.6), "II": (18, 84.7), "III": (17, 80.9), "IV-A": (3, 81.5), "IV-B": (64, 86.4)}
        | {"ends not converged": (16, 79.9)},
    ),
}
_CELL = st.tuples(st.floats(-9, 9), st.floats(-30, 30), st.floats(0, 1))


@pytest.fixture(scope="module")
def published() -> dict[str, Phases]:
    return {
        "2means": phase(TAXONOMY, **COLUMNS),
        "given": phase(TAXONOMY, **COLUMNS, sharp=2.5, barrier=2, similar=0.7),
        "median": phase(TAXONOMY, **COLUMNS, thresholds="median"),
    }


def frame(**columns: list[float]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"width": [1] * count, "batch_size": range(count)} | columns)


@pytest.mark.parametrize("rule", PUBLISHED)
def test_the_published_grid_has_the_known_phases(published: dict[str, Phases], rule: str) -> None:
    found, (bounds, expected) = published[rule], PUBLISHED[rule]
    assert found.thresholds is not None
    assert found.thresholds.rule == rule
    for value, known in zip(
        (found.thresholds.sharp, found.thresholds.barrier, found.thresholds.similar), bounds, strict=True
    ):
        assert value == pytest.approx(known, abs=0.006)
    assert {each.phase: each.cells for each in found.phases} == {name: cells for name, (cells, _) in expected.items()}
    for each in found.phases:
        assert each.mean == pytest.approx(expected[each.phase][1], abs=0.051)
    assert len(found.cells) == 169


@pytest.mark.parametrize("rule", PUBLISHED)
def test_phase_iv_b_is_best_and_i_is_worst_under_every_rule(published: dict[str, Phases], rule: str) -> None:
    means = {each.phase: each.mean for each in published[rule].phases}
    assert max(means, key=lambda name: means[name] or 0) == "IV-B"
    assert min(means, key=lambda name: means[name] or 0) == "I"


def test_the_best_tenth_is_all_in_iv_b(published: dict[str, Phases]) -> None:
    shares = {each.phase: each.share_of_top for each in published["2means"].phases}
    assert shares == {"I": 0, "II": 0, "III": 0, "IV-A": 0, "IV-B": 1}


def test_correlations_within_a_width_stand_beside_those_of_the_width_alone(published: dict[str, Phases]) -> None:
    found = published["2means"]
    table = pd.read_csv(TAXONOMY)
    within = {size: rhos["log_hessian_top_eig"] for size, rhos in found.within}
    assert [round(within[width] or 0, 2) for width in (2, 3, 4, 6, 8)] == [0.29, -0.21, -0.10, 0.19, -0.13]
    wide = [within[width] or 0 for width in within if width >= 11]
    assert (round(max(wide), 2), round(min(wide), 2)) == (-0.45, -0.78)
    assert found.pooled["size"] == pytest.approx(0.875, abs=0.001)
    for size, rhos in found.within:
        part = table[table["width"] == size]
        for name, rho in rhos.items():
            assert rho == pytest.approx(spearmanr(part[name], part["test_acc"]).statistic, abs=1e-12)
    for name in ("log_hessian_trace", "cka_last"):
        assert found.pooled[name] == pytest.approx(spearmanr(table[name], table["test_acc"]).statistic, abs=1e-12)


def test_json_has_the_contracts_keys(published: dict[str, Phases]) -> None:
    document = json.loads(published["median"].to_json())
    assert list(document)[:4] == ["schema_version", "wqscore", "created", "seed"]
    assert set(document["thresholds"]) == {"rule", "sharp", "barrier", "similar"}
    assert {"size", "temperature", "phase", "good"} <= document["cells"][0].keys()
    assert set(document["phases"][0]) == {"phase", "cells", "mean", "max", "share_of_top"}
    assert set(document["within"][0]) == {
        "size",
        "log_hessian_top_eig",
        "log_hessian_trace",
        "mode_connectivity",
        "cka_last",
    }
    assert set(document["pooled"]) == set(document["within"][0])
    assert [each["size"] for each in document["within"]] == [2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128]
    assert max(each["max"] for each in document["phases"]) == 89.908


def test_rows_are_the_cells(published: dict[str, Phases]) -> None:
    rows = list(csv.DictReader(io.StringIO(published["2means"].to_csv())))
    own = list(csv.DictReader(TAXONOMY.open()))
    assert [(row["size"], row["temperature"]) for row in rows] == [(row["width"], row["batch_size"]) for row in own]
    assert [float(row["cka_last"]) for row in rows] == [float(row["cka_last"]) for row in own]
    assert [float(row["l2_distance"]) for row in rows] == [float(row["l2_distance"]) for row in own]
    shown = published["2means"].to_markdown()
    assert "width alone has a Spearman correlation of +0.87" in shown
    assert "not tested on your model" in shown


@pytest.mark.parametrize(
    ("top", "connectivity", "similarity", "expected"),
    [
        (3, -2, 0.9, "I"),
        (2, -3, 0.1, "I"),
        (2, -1.9, 0.1, "II"),
        (2, 2, 0.9, "II"),
        (1.9, -2, 0.9, "III"),
        (1.9, 0, 0.5, "IV-A"),
        (1.9, 0, 0.51, "IV-B"),
        (9, 2.1, 0.9, "ends not converged"),
    ],
)
def test_bounds_belong_to_the_phases_that_the_paper_says(
    top: float, connectivity: float, similarity: float, expected: str
) -> None:
    assert phase_of(top, connectivity, similarity, Thresholds("given", 2, 2, 0.5)) == expected


def test_a_cell_that_is_not_trained_or_lacks_a_number_says_so() -> None:
    table = frame(
        log_hessian_top_eig=[1.0, 5.0, 1.0, np.nan, np.nan],
        mode_connectivity=[5.0, -9.0, 0.5, 0.0, 0.0],
        cka_last=[0.9, 0.2, 0.8, 0.4, 0.4],
        loss=[0.1, 0.1, 0.1, 0.1, 9.0],
    )
    found = phase(table, "width", "batch_size", loss="loss", trained=1.0, sharp=2, barrier=2, similar=0.5)
    assert [cell.phase for cell in found.cells] == ["ends not converged", "I", "IV-B", None, "not trained"]
    assert found.cells[3].reason == "no log_hessian_top_eig"
    assert json.loads(found.to_json())["cells"][3]["reason"] == "no log_hessian_top_eig"
    assert [each.mean for each in found.phases] == [None] * 4
    assert "cells without a phase: 1" in found.to_markdown()


def test_a_table_without_the_measures_has_heat_maps_and_no_phase() -> None:
    table = frame(alpha=[2.0, 3.0, np.nan, 4.0], stable_rank=[5.0, 5.0, 5.0, 5.0], cka_last=[0.1, 0.2, 0.3, 0.4])
    found = phase(table, "width", "batch_size")
    assert found.thresholds is None
    assert {cell.phase for cell in found.cells} == {None}
    assert list(found.grid.maps) == ["alpha", "stable_rank", "cka_last"]
    shown = found.to_markdown()
    assert "no phases" in shown and "IV-B" not in shown
    assert "alpha: 0 is 2, 9 is 4" in shown
    page = found.to_html()
    assert "IV-B" not in page and page.count("<svg") == 3
    assert json.loads(found.to_json())["maps"]["alpha"] == [2, 3, None, 4]


def test_other_columns_are_named() -> None:
    table = pd.read_csv(TAXONOMY).rename(
        columns={"log_hessian_top_eig": "top", "mode_connectivity": "mc", "cka_last": "similarity"}
    )
    named = phase(table, **COLUMNS, sharp_col="top", barrier_col="mc", similar_col="similarity", maps=["l2_distance"])
    usual = phase(TAXONOMY, **COLUMNS)
    assert [cell.phase for cell in named.cells] == [cell.phase for cell in usual.cells]
    assert list(named.grid.maps) == ["test_acc", "l2_distance"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "depth"}, "no column 'depth'"),
        ({"size": "source"}, "is not numbers"),
        ({"temperature": "width"}, "rows 1 and 14 are both width 2, width 2: average them first"),
        ({"sharp": 2.0}, "go together"),
        ({"sharp": 2.0, "barrier": 0.0, "similar": 0.5}, "the barrier is 0: give a positive one"),
        ({"sharp": 2.0, "barrier": 1.0, "similar": float("nan")}, "not a finite number"),
        ({"thresholds": "quartiles"}, "no such rule 'quartiles'"),
        ({"loss": "train_loss"}, "--loss and --trained go together"),
        ({"sharp_col": "sharpness"}, "no column 'sharpness'"),
        ({"maps": ["colour"]}, "no column 'colour'"),
    ],
)
def test_what_can_not_be_done_is_a_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        phase(TAXONOMY, **(COLUMNS | options))  # type: ignore[arg-type]


def test_thresholds_without_measures_and_equal_cells_are_refused() -> None:
    with pytest.raises(UsageError, match="no column 'log_hessian_top_eig', so that there are no phases"):
        phase(frame(alpha=[1.0, 2.0]), "width", "batch_size", sharp=1, barrier=1, similar=1)
    flat = frame(log_hessian_top_eig=[1.0, 1.0], mode_connectivity=[0.0, 1.0], cka_last=[0.1, 0.2])
    with pytest.raises(UsageError, match="every cell has the value 1"):
        phase(flat, "width", "batch_size")
    with pytest.raises(UsageError, match="name what to draw with --map"):
        phase(frame(other=[1.0, 2.0]), "width", "batch_size")
    with pytest.raises(UsageError, match="row 2 has no width"):
        phase(pd.DataFrame({"width": [1, np.nan], "batch_size": [1, 2], "alpha": [1, 2]}), "width", "batch_size")
    with pytest.raises(TypeError, match="colour"):
        phase(TAXONOMY, **COLUMNS, colour="red")


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30).filter(lambda values: min(values) < max(values)))
@settings(max_examples=examples(50))
def test_two_means_parts_values_as_each_is_nearest(values: list[float]) -> None:
    """A fixed point of 2-means: the threshold is the middle of the means of the two sides that it makes."""
    array = np.array(values)
    bound = two_means(array)
    low, high = array[array <= bound], array[array > bound]
    assert low.size and high.size
    assert (low.mean() + high.mean()) / 2 == pytest.approx(bound, abs=1e-9)


@given(_CELL)
@settings(max_examples=examples(100))
def test_every_finite_cell_has_one_phase(cell: tuple[float, float, float]) -> None:
    bounds = Thresholds("given", 3.2, 9.9, 0.58)
    name = phase_of(*cell, bounds)
    top, connectivity, similarity = cell
    sides = {"I": (1, 0), "II": (1, 1), "III": (0, 0), "IV-A": (0, 1), "IV-B": (0, 1)}
    if connectivity > 9.9:
        assert name == "ends not converged"
    else:
        assert sides[name] == (top >= 3.2, connectivity > -9.9)
        assert name not in ("IV-A", "IV-B") or (name == "IV-B") == (similarity > 0.58)


def test_the_page_has_the_diagram_and_every_figure(published: dict[str, Phases]) -> None:
    text = published["2means"].to_html()
    assert text.count("<svg") == 7
    for shown in ("73.69", "86.48", "100 %", "+0.29", "-0.78", "+0.87", "not tested on your model"):
        assert shown in text
    assert "<script" not in text
    page = Page(text)
    assert page.table("phases-table").header[3:5] == ["mean test_acc", "max test_acc"]
    best = "Phase IV-B (flat, connected, similar) has the highest mean test_acc, 86.48 in 64 cells, and 100 % of the"
    assert best in page.text and best in published["2means"].to_markdown().replace("\\", "")
    assert "“ends”" not in text and "“?”" not in text, "a legend for words that are there"
    # No picture widens the page: each scrolls in a box of its own.
    boxed = text.split('<div class="chart still')[:-1]
    assert all(before.endswith('<div class="scroll" tabindex="0">') for before in boxed) and len(boxed) == 7


@given(st.lists(st.sampled_from([None, 1.0, 2.0, 5.0]), min_size=4, max_size=4))
@settings(max_examples=examples(20))
def test_the_answer_names_the_best_phase_of_those_known(goods: list[float | None]) -> None:
    table = frame(log_hessian_top_eig=[9, 9, 1, 1], mode_connectivity=[0, -9, 0, -9], cka_last=[1, 0, 1, 0], g=goods)
    found = phase(table, "width", "batch_size", "g", sharp=3.0, barrier=5.0, similar=0.5)
    means = {each.phase: each.mean for each in found.phases if each.mean is not None}
    assert means == {name: good for name, good in zip(("II", "I", "IV-B", "III"), goods, strict=True) if good}
    lines = answer(found)
    if not means:
        assert lines == []
    elif len(means) == 1:
        assert f"phase {next(iter(means))} (" in lines[0]
    else:
        first, second = lines
        assert means[first.split()[1]] == max(means.values())
        assert means[second.split()[1]] == min(means.values())


@pytest.mark.oracle("selenium")
def test_a_page_of_phases_fits_a_phone(visit: Callable[..., Any], published: dict[str, Phases]) -> None:
    browser = visit(published["2means"].to_html())
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


def test_names_stay_names(tmp_path: Path) -> None:
    table = frame(alpha=[1.0, 2.0]).rename(columns={"width": HOSTILE, "alpha": "alpha"})
    text = phase(table, HOSTILE, "batch_size").to_html()
    assert "<script>alert" not in text and "<img" not in text


def test_it_is_public() -> None:
    assert wqscore.phase(TAXONOMY, **COLUMNS).to_frame()["phase"].value_counts()["IV-B"] == 64
    import wqscore.studies.phase as folder

    assert folder.phase is wqscore.phase


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=2, max_size=6))
@settings(max_examples=examples(100))
def test_no_number_breaks_a_heat_map(values: list[float]) -> None:
    if not np.isfinite(values).any():
        return
    found = phase(frame(alpha=values), "width", "batch_size")
    assert "alpha: 0 is" in found.to_markdown()
    assert json.loads(found.to_json(), parse_constant=pytest.fail)


@given(st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=False)] * 3), min_size=2, max_size=6))
@settings(max_examples=examples(100))
def test_no_number_breaks_a_diagram(cells: list[tuple[float, float, float]]) -> None:
    top, connectivity, similarity = map(list, zip(*cells, strict=True))
    table = frame(log_hessian_top_eig=top, mode_connectivity=connectivity, cka_last=similarity)
    for rule in ("2means", "median"):
        try:
            found = phase(table, "width", "batch_size", thresholds=rule)
        except UsageError:
            continue
        assert all(
            (cell.phase is None) == (not np.isfinite(each).all())
            for cell, each in zip(found.cells, cells, strict=True)
        )
        assert json.loads(found.to_json(), parse_constant=pytest.fail)

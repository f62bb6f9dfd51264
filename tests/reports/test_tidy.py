"""Tidy tables and the types of frames, against the wide tables."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wqscore
from wqscore.errors import UsageError
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.ranking.ranking import Ranking
from wqscore.reports.csv import pairs_csv


def test_matrices_are_the_wide_table_melted(ranking: Ranking) -> None:
    for score in ranking.scores:
        wide, tidy = score.to_frame(), score.to_frame(tidy=True)
        assert list(tidy.columns) == ["model", "matrix", "role", "layer", "metric", "value"]
        metrics = [name for name in score.metrics if name in MATRIX_METRICS]
        melted = wide[wide["verdict"] != "skipped"].melt(["name"], metrics, "metric", "value")
        expected = melted.set_index(["name", "metric"])["value"].astype(float).sort_index()
        found = tidy.set_index(["matrix", "metric"])["value"].sort_index()
        assert found.tolist() == pytest.approx(expected.tolist(), nan_ok=True, rel=0, abs=0)
        depths = {row.matrix.name: row.matrix.depth for row in score.layers}
        layers = [None if layer is pd.NA else layer for layer in tidy.layer]
        assert layers == [depths[name] for name in tidy.matrix]
        assert pd.read_csv(io.StringIO(score.to_csv(tidy=True))).shape == tidy.shape


def test_models_have_a_row_for_each_statistic(ranking: Ranking) -> None:
    tidy = ranking.to_frame(tidy=True)
    assert list(tidy.columns) == ["model", "metric", "statistic", "value", "lo", "hi"]
    for score in ranking.scores:
        own = tidy[(tidy.model == score.ref.label) & (tidy.metric == "alpha")].set_index("statistic")
        found = score.summary.statistics["alpha"]
        assert own.value["median"] == pytest.approx(found.median, nan_ok=True)
        assert own.value["mean"] == pytest.approx(found.mean, nan_ok=True)
        assert own.value["count"] == found.count
        assert (own.lo["median"], own.hi["median"]) == pytest.approx(found.interval or (np.nan, np.nan), nan_ok=True)
        assert np.isnan(own.lo["mean"])


def test_types_do_not_depend_on_what_is_missing(ranking: Ranking) -> None:
    for score in ranking.scores:
        frame = score.to_frame()
        assert frame["verdict"].dtype == "category" and frame["role"].dtype == "category"
        assert frame["alpha"].dtype == "float64"
        assert all(
            pd.api.types.is_integer_dtype(frame[name]) for name in ("rows", "columns", "n_tail", "matrix_rank")
        )
    frame = ranking.to_frame()
    assert all(pd.api.types.is_integer_dtype(frame[name]) for name in ("rank", "params", "n_fitted", "alpha_count"))
    assert frame["alpha"].dtype == "float64" and frame["status"].dtype == "category"
    for table in (frame, ranking.to_frame(tidy=True), *(score.to_frame() for score in ranking.scores)):
        for column in table:
            assert not {"nan", "NaN", "None", "–", ""} & set(table[column].dropna().astype(str)), column


def test_pairs(ranking: Ranking) -> None:
    assert ranking.pairs_csv() == pairs_csv(ranking)
    frame = ranking.pairs_frame()
    assert [(row.ahead, row.behind) for row in frame.itertuples()] == [
        (pair.ahead.label, pair.behind.label) for pair in ranking.pairs
    ]
    assert frame["difference"].tolist() == [pair.difference.value for pair in ranking.pairs]
    assert frame["matrices_paired"].dtype == "int64"


def test_other_results_have_no_tidy_rows(tmp_path: Path) -> None:
    found = wqscore.describe({"a.weight": np.ones((4, 4))})
    with pytest.raises(UsageError, match="ModelDescription has no format 'tidy-frame'"):
        found.to_frame(tidy=True)

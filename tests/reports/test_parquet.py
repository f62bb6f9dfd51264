"""Parquet through pyarrow and pandas: the cells of the CSV, with types that depend only on the column."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.refs.reference import ModelRef
from wqscore.reports.csv import layers_csv
from wqscore.results import render
from wqscore.scoring.model_score import Failure


def same(content: bytes, text: str) -> pa.Table:
    """Check that a Parquet file has the cells of a CSV file, and return its table."""
    table = parquet.read_table(io.BytesIO(content))
    frame, again = table.to_pandas(), pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False, dtype=str)
    assert list(frame.columns) == list(again.columns)
    assert len(frame) == len(again)
    for name in frame:
        kind = table.schema.field(name).type
        assert kind in (pa.string(), pa.float64())
        if kind == pa.string():
            assert [cell or "" for cell in table[name].to_pylist()] == list(again[name])
        else:
            numbers = pd.to_numeric(again[name].replace("", None)).astype(float)
            assert np.array_equal(frame[name], numbers, equal_nan=True)
            assert not np.isnan(table[name].drop_null().to_numpy()).any(), "what is missing is null"
    return table


def test_layers_are_the_csv(ranking: Ranking) -> None:
    schemas = set()
    for score in ranking.scores:
        schemas.add(same(render(score, "parquet"), layers_csv([score])).schema)
    assert len(schemas) == 1


def test_a_ranking_is_the_csv(ranking: Ranking) -> None:
    table = same(render(ranking, "parquet"), ranking.to_csv())
    nothing = rank_models([], failures=[Failure(ModelRef("gone", "folder"), "gone: no such folder")])
    assert same(render(nothing, "parquet"), nothing.to_csv()).schema == table.schema
    assert table["alpha"].null_count == 1


def test_renamed_columns_keep_their_types(ranking: Ranking) -> None:
    preset = replace(ranking.preset, columns={"name": "longname", "rows": "N", "verdict": "warning"})
    score = replace(ranking.scores[0], preset=preset)
    schema = parquet.read_table(io.BytesIO(render(score, "parquet"))).schema
    assert (schema.field("longname").type, schema.field("warning").type) == (pa.string(), pa.string())
    assert schema.field("N").type == pa.float64()


def test_names_come_back(hostile_ranking: Ranking) -> None:
    table = parquet.read_table(io.BytesIO(render(hostile_ranking, "parquet")))
    assert table["model"].to_pylist() == [model.ref.label for model in hostile_ranking.models]
    surrogate = replace(hostile_ranking.scores[0], ref=ModelRef("a\udcffb", "folder"))
    assert parquet.read_table(io.BytesIO(render(surrogate, "parquet")))["model"][0].as_py() == r"a\udcffb"

"""ranking.json: valid JSON, everything in the CSV files, and the provenance."""

from __future__ import annotations

import json
from importlib.metadata import version
from math import isfinite
from typing import Any

import pytest

from wqscore.metrics.registry import CORE
from wqscore.ranking.ranking import Ranking
from wqscore.scoring.layer_score import LayerScore


def strict(text: str) -> Any:
    return json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))


def test_every_number_is_there_and_what_is_none_is_null(ranking: Ranking) -> None:
    document = strict(ranking.to_json())
    assert [model["model"] for model in document["models"]] == [model.ref.label for model in ranking.models]
    assert (document["by"], document["better"], document["preset"]["name"]) == ("alpha", "lower", "default")
    for entry, model in zip(document["models"], ranking.models, strict=True):
        assert (entry["rank"], entry["status"], entry["tied"]) == (model.rank, model.status, model.tied)
        if model.score is None:
            assert entry["reason"] == model.reason
            assert "layers" not in entry
            continue
        assert entry["verdicts"] == dict(model.score.summary.verdicts)
        for layer, row in zip(entry["layers"], model.score.rows, strict=True):
            if isinstance(row, LayerScore):
                values = {name: row.metrics[name] for name in CORE}
                assert {name: layer[name] for name in CORE} == {
                    name: value if isfinite(value) else None for name, value in values.items()
                }
            else:
                assert (layer["name"], layer["verdict"], layer["reason"]) == (row.name, "skipped", row.reason)
                assert layer["shape"] == list(row.shape)


def test_it_says_what_made_it(ranking: Ranking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    document = strict(ranking.to_json())
    assert document["schema_version"] == 6
    assert document["wqscore"] == version("wqscore")
    assert document["versions"] == {name: version(name) for name in ("numpy", "numba", "scipy-openblas32")}
    assert document["eigensolver"] == {"side < 2048": "dsyevd", "larger": "dsyevd_2stage, band of 48"}
    assert document["created"] == "1970-01-01T00:00:00+00:00"
    assert document["seed"] == 0


def test_a_score_has_the_fields_it_has_in_the_ranking(ranking: Ranking) -> None:
    for model, entry in zip(ranking.models, strict(ranking.to_json())["models"], strict=True):
        if model.score is not None:
            alone = strict(model.score.to_json())
            place = {"rank", "status", "tied", "rank_best", "rank_worst", "ties", "reason", "family"}
            assert {key: value for key, value in entry.items() if key not in place}.items() <= alone.items()


def test_hostile_names_are_text(hostile_ranking: Ranking) -> None:
    document = strict(hostile_ranking.to_json())
    assert [model["model"] for model in document["models"]] == [m.ref.label for m in hostile_ranking.models]

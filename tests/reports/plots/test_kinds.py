"""`score.plot` and `ranking.plot`: valid Altair charts whose data are the numbers of the result."""

from __future__ import annotations

from math import isfinite
from typing import Any

import pytest

from wqscore.errors import UsageError
from wqscore.ranking.ranking import Ranking
from wqscore.reports.plots.kinds import score_picture


def data_of(chart: Any) -> dict[str, list[dict[str, Any]]]:
    """The datasets of a chart that Altair finds valid."""
    datasets: dict[str, list[dict[str, Any]]] = chart.to_dict()["datasets"]
    return datasets


def test_depth_shows_every_number_with_its_verdict(ranking: Ranking) -> None:
    for score in ranking.scores:
        drawn = {row["name"]: (row["value"], row["ok"]) for row in data_of(score.plot())["layers"]}
        expected = {
            row.matrix.name: (row.metrics["alpha"], row.verdict == "ok")
            for row in score.layers
            if isfinite(row.metrics["alpha"])
        }
        assert drawn == expected
    entropy = data_of(ranking.scores[0].plot(metric="entropy"))
    assert entropy["band"] == [] and len(entropy["layers"]) == len(ranking.scores[0].layers)


def test_every_chart_of_a_score_is_valid_and_can_be_drawn(ranking: Ranking) -> None:
    score = ranking.scores[0]
    name = score.layers[3].matrix.name
    for chart, options in [("depth", {}), ("distance", {"layer": name}), ("spectrum", {"layer": name, "bulk": True})]:
        data_of(score.plot(chart, **options))  # type: ignore[arg-type]
        assert "<svg" in score_picture(score, chart, **options).svg()
    spectra = data_of(score.plot("spectrum"))["spectra"]
    assert len({row["matrix"] for row in spectra}) == len(score.layers)


def test_a_ranking_shows_each_model_in_its_family_with_its_interval(ranking: Ranking) -> None:
    chart = ranking.plot()
    rows = {row["name"]: row for row in data_of(chart)["models"]}
    for model in ranking.models:
        if model.score is None:
            assert model.ref.label not in rows
            continue
        row = rows[model.ref.label]
        assert row["value"] == model.score.summary.headline("alpha", ranking.preset)
        assert (row["lo"], row["hi"]) == (model.interval or (row["value"], row["value"]))
        assert row["ranked"] == (model.rank is not None)
    assert len(chart.to_dict()["vconcat"]) == len({row["family"] for row in rows.values()})
    assert ranking.conclusion.text.split()[0] in " ".join(chart.to_dict()["title"]["subtitle"])


def test_roles_have_a_panel_each(ranking: Ranking) -> None:
    chart = ranking.plot("roles").to_dict()
    roles = {row.matrix.role for score in ranking.scores for row in score.layers}
    assert set(chart["facet"]["sort"]) == roles
    assert {row["role"] for row in chart["datasets"]["layers"]} <= roles
    assert {row["model"] for row in data_of(ranking.plot("depth"))["layers"]} == {
        score.ref.label for score in ranking.scores
    }


def test_unknown_charts_and_arguments_are_refused(ranking: Ranking) -> None:
    score: Any = ranking.scores[0]
    with pytest.raises(UsageError, match="a score has no chart 'spectra': did you mean spectrum"):
        score.plot("spectra")
    with pytest.raises(UsageError, match="a ranking has no chart 'role': did you mean roles"):
        ranking.plot("role")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="was not scored with 'fro_dist' of its matrices: it has alpha, "):
        score.plot(metric="fro_dist")

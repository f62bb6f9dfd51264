"""R5: what leads with a number that published work doesn't read as quality has a warning, in every format."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from wqscore.metrics.registry import METRICS
from wqscore.presets.registry import DEFAULT
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.reading import reading
from wqscore.reports.card import card_section
from wqscore.results import render
from wqscore.scoring.model_score import ModelScore

#: Exponents of the laws that the models' eigenvalues are quantiles of.
MEMORISED, ORDINARY, UNTRAINED, HARDLY = 1.5, 2.6, 7.5, 9.0
PARTS = ("attention.self.query", "attention.self.key", "intermediate.dense", "output.dense")


def pareto(rng: np.random.Generator, side: int, exponent: float) -> np.ndarray:
    """A matrix whose eigenvalues are the quantiles of a Pareto law."""
    left, right = (np.linalg.qr(rng.standard_normal((side, side)))[0] for _ in range(2))
    law = (1 - (np.arange(side) + 0.5) / side) ** (-1 / (exponent - 1))
    return ((left * np.sqrt(law)) @ right.T).astype("f4")


def plain_alpha(weights: np.ndarray) -> float:
    """Alpha by its definition: every start that leaves ten eigenvalues, the one of least distance."""
    values = np.sort(np.linalg.svd(weights.astype("f8"), compute_uv=False) ** 2)
    found = []
    for start in range(values.size - 9):
        tail = values[start:]
        alpha = 1 + tail.size / np.log(tail / tail[0]).sum()
        found.append((np.abs(1 - (tail / tail[0]) ** (1 - alpha) - np.arange(tail.size) / tail.size).max(), alpha))
    return float(min(found)[1])


def tensors(exponent: float) -> Mapping[str, np.ndarray]:
    rng = np.random.default_rng(int(exponent * 10))
    return {f"encoder.layer.{layer}.{part}.weight": pareto(rng, 64, exponent) for layer in range(2) for part in PARTS}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("MEMORISED", "ORDINARY", "UNTRAINED", "HARDLY"):
        place = folder / name.lower()
        place.mkdir()
        save_file(dict(tensors(globals()[name])), place / "model.safetensors")
        (place / "config.json").write_text('{"model_type": "bert", "vocab_size": 1000}')
    return folder


def ranked(models: Path, *names: str, metrics: str = "core", by: str = "alpha") -> Ranking:
    refs = [str(models / name) for name in names]
    return wqscore.rank(refs, by=by, metrics=metrics, bootstrap=0, gof=0)


@pytest.fixture(scope="module")
def ranking(models: Path) -> Ranking:
    return ranked(models, "ordinary", "memorised")


def test_the_lowest_alpha_leads_and_is_read_as_overfitting(ranking: Ranking) -> None:
    first, second = ranking.models
    alpha = np.median([plain_alpha(weights) for weights in tensors(MEMORISED).values()])
    norm = np.median([np.log10((w.astype("f8") ** 2).sum()) for w in tensors(MEMORISED).values()])
    assert (first.ref.label.rpartition("/")[2], first.rank) == ("memorised", 1)
    assert alpha < 2
    assert first.warning.startswith(f"alpha {alpha:.4g} is below 2, which is read as overfitting or memorisation")
    assert first.warning.endswith(f"its log_norm is {norm:.4g}")
    assert second.warning == ""


def test_every_format_has_the_warning_and_log_norm(ranking: Ranking, capsys: pytest.CaptureFixture[str]) -> None:
    warning = ranking.models[0].warning
    norms = [f"{model.score.summary.headline('log_norm', DEFAULT):.4g}" for model in ranking.models if model.score]
    rows = list(csv.DictReader(io.StringIO(ranking.to_csv())))
    assert [row["reason"] for row in rows] == [warning, ""]
    assert [row["status"] for row in rows] == ["ranked", "ranked"]
    assert [f"{float(row['log_norm']):.4g}" for row in rows] == norms
    assert [model["warning"] for model in json.loads(ranking.to_json())["models"]] == [warning, None]
    assert all(model["reason"] is None for model in json.loads(ranking.to_json())["models"])
    assert list(ranking.to_frame()["reason"].fillna("")) == [warning, ""]
    for format in ("md", "html", "notebook"):
        text = html.unescape(str(render(ranking, format)).replace("<wbr>", "")).replace("\\", "")
        assert warning in text, format
        assert all(norm in text for norm in norms), format
        assert "is first, but its alpha" in text, format
    render_table(ranking)
    shown = " ".join(capsys.readouterr().out.split())
    assert warning in shown
    assert "log_norm" in shown.partition("warning")[0]


def render_table(ranking: Ranking) -> None:
    from wqscore.cli.output import show

    show(ranking, "table")


def test_a_score_and_a_card_say_it_too(ranking: Ranking, capsys: pytest.CaptureFixture[str]) -> None:
    score = ranking.scores[0]
    plain = ranking.models[0].warning
    assert plain in card_section(score).replace("\\", "").replace("&amp;", "&")
    assert json.loads(score.to_json())["warning"] == plain
    render_table(score)  # type: ignore[arg-type]
    assert f"warning: {plain}" in " ".join(capsys.readouterr().out.split())
    assert json.loads(ranking.scores[1].to_json())["warning"] is None


def test_a_leader_above_the_range_is_read_as_hardly_trained(models: Path) -> None:
    found = ranked(models, "untrained", "hardly")
    assert found.models[0].rank == 1
    assert "is above 6, which is read as layers that are hardly trained" in found.models[0].warning
    # With a trained model in front, nobody takes the others for the best.
    found = ranked(models, "untrained", "ordinary")
    assert [model.warning for model in found.models] == ["", ""]


def test_without_log_norm_the_warning_stands_alone(models: Path) -> None:
    found = ranked(models, "memorised", "ordinary", metrics="alpha")
    assert "log_norm" not in found.models[0].warning
    assert "is below 2" in found.models[0].warning
    assert "log_norm" not in found.to_markdown()


def test_other_metrics_with_a_published_range(models: Path) -> None:
    clipped = ranked(models, "memorised", "ordinary", metrics="alpha_clipped,log_norm", by="alpha_clipped")
    assert clipped.models[0].warning.startswith("alpha_clipped 1.")
    gap = ranked(models, "memorised", "ordinary", metrics="erg_gap,log_norm", by="erg_gap").models[0]
    assert gap.score is not None
    below = gap.score.summary.headline("erg_gap", DEFAULT) < 0
    assert gap.warning.startswith("erg_gap -") == below
    assert ranked(models, "memorised", "ordinary", by="stable_rank").models[0].warning == ""


def with_headline(score: ModelScore, metric: str, value: float) -> ModelScore:
    statistic = replace(score.summary.statistics["alpha"], median=value, mean=value)
    statistics = {**score.summary.statistics, metric: statistic}
    return replace(score, summary=replace(score.summary, statistics=statistics))


@given(st.sampled_from([name for name, metric in METRICS.items() if metric.readable]), st.floats(-50, 50))
def test_only_a_number_outside_the_range_is_warned_of(ranking: Ranking, metric: str, value: float) -> None:
    readable = METRICS[metric].readable
    assert readable is not None
    for preset in (DEFAULT, WW_0_7):
        found = reading(with_headline(ranking.scores[0], metric, value), METRICS[metric], preset)
        assert (found == "") == (readable.low <= value <= readable.high)
        if found:
            assert (" is below " in found) == (value < readable.low)
            assert readable.source in found


def test_a_number_that_is_not_defined_is_not_read(ranking: Ranking) -> None:
    assert reading(with_headline(ranking.scores[0], "alpha", float("nan")), METRICS["alpha"], DEFAULT) == ""

"""`wqscore metrics`, and the effect of `--metrics`, `--vectors`, `--base` and `--engine`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from tests.cli.conftest import toy
from wqscore.metrics.meanings import MEANINGS
from wqscore.metrics.registry import CORE, METRICS

Invoke = Callable[..., Result]

needs_weightwatcher = pytest.mark.oracle("weightwatcher", "torch")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def columns(done: Result) -> list[str]:
    """The metrics in the header of a layers.csv."""
    assert done.exit_code == 0, done.output
    header = next(csv.reader(io.StringIO(done.stdout)))
    assert (header[:5], header[-3:]) == (["model", "name", "role", "rows", "columns"], ["verdict", "flags", "reason"])
    return header[5:-3]


def test_every_metric_is_listed_with_what_it_costs(invoke: Invoke) -> None:
    lines = invoke("metrics").stdout.splitlines()
    for metric in METRICS.values():
        (line,) = [line for line in lines if line.split(" ")[0] == metric.name]
        assert {metric.level, metric.cost, metric.better if metric.claims else "none"} <= set(line.split())
        assert MEANINGS[metric.name] in line


def test_one_is_explained(invoke: Invoke) -> None:
    told = invoke("metrics", "alpha_farms").stdout
    metric = METRICS["alpha_farms"]
    for fact in (metric.formula, metric.source, metric.caveat, "up to 100 eigensolves"):
        assert fact in told


def test_an_unknown_one_is_wrong_usage(invoke: Invoke) -> None:
    for arguments in (("metrics", "alpha_farm"), ("score", "x", "--metrics", "alpha,alpha_farm")):
        done = invoke(*arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "no metric called 'alpha_farm': did you mean alpha_farms" in done.stderr


def test_the_choice_decides_the_columns(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "model")
    assert columns(invoke("score", model, "--format", "csv")) == list(CORE)
    chosen = columns(invoke("score", model, "--metrics", "stable_rank,alpha_farms", "--format", "csv"))
    assert chosen == ["alpha_farms", "stable_rank"]
    every = columns(invoke("score", model, "--metrics", "all", "--format", "csv"))
    matrices = [name for name, metric in METRICS.items() if metric.level == "matrix"]
    assert every == [name for name in matrices if METRICS[name].cost not in ("vectors", "base")]
    vectors = columns(invoke("score", model, "--metrics", "alpha", "--vectors", "--format", "csv"))
    assert vectors == ["alpha", *(name for name in matrices if METRICS[name].cost == "vectors")]


def test_a_metric_to_rank_by_is_computed_whatever_else_is_chosen(tmp_path: Path, invoke: Invoke) -> None:
    models = [toy(tmp_path / str(seed), seed) for seed in range(2)]
    done = invoke("rank", *models, "--by", "log_prod_fro", "--metrics", "alpha", "--format", "csv", "--no-report")
    assert done.exit_code == 0, done.output
    ranked = rows(done.stdout)
    assert [key for key in ranked[0] if key.startswith(("alpha", "log_"))] == [
        "log_prod_fro", "alpha", "alpha_interval_lo", "alpha_interval_hi", "alpha_mean", "alpha_param_mean",
        "alpha_count",
    ]  # fmt: skip
    values = [float(row["log_prod_fro"]) for row in ranked]
    assert values == sorted(values)


def test_a_model_metric_without_a_value_says_why_in_every_format(tmp_path: Path, invoke: Invoke) -> None:
    query = np.random.default_rng(0).standard_t(3, (64, 64)).astype("f4")
    model = toy(tmp_path / "model", **{"layers.0.self_attn.q_proj.weight": query})
    reason = "it has attention (layers.0.self_attn.q_proj.weight), whose softmax no sum over paths describes"
    for form in ("table", "md"):
        assert reason.split(" (")[0] in invoke("score", model, "--metrics", "log_path_norm", "--format", form).stdout
    document = json.loads(invoke("score", model, "--metrics", "log_path_norm", "--format", "json").stdout)
    assert document["model_metrics"] == {"log_path_norm": {"value": None, "count": 0, "reason": reason}}
    done = invoke("rank", model, "--by", "log_path_norm", "--format", "csv", "--no-report")
    (row,) = rows(done.stdout)
    assert (row["status"], row["log_path_norm"]) == ("unranked", "")
    assert row["reason"] == f"log_path_norm is not defined: {reason}"


def test_a_page_of_all_metrics_explains_each(tmp_path: Path, invoke: Invoke) -> None:
    base = toy(tmp_path / "base", 1)
    done = invoke(
        "score", toy(tmp_path / "model"), "--metrics", "all", "--vectors", "--base", base, "--out", "report"
    )
    assert done.exit_code == 0, done.output
    page = Path("report/index.html").read_text(encoding="utf-8")
    for metric in METRICS.values():
        assert f'<tr><th scope="row">{metric.name}<td>{metric.level}<td>' in page


def test_distances_without_a_base_are_wrong_usage(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("score", toy(tmp_path / "model"), "--metrics", "spectral_dist")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "spectral_dist needs a checkpoint to measure from: name one with --base" in done.stderr


def test_a_base_that_is_not_there_is_one_line(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "model")
    for command in ("score", "rank"):
        done = invoke(command, model, "--base", str(tmp_path / "nowhere"))
        assert done.exit_code in (2, 3)
        assert "nowhere" in done.stderr
        assert "Traceback" not in done.stderr


@needs_weightwatcher
def test_the_other_engine_fills_the_same_table(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "model")
    ours = rows(invoke("score", model, "--preset", "ww-0.7", "--format", "csv").stdout)
    theirs = rows(invoke("score", model, "--engine", "weightwatcher", "--format", "csv").stdout)
    assert [list(row) for row in ours] == [list(row) for row in theirs]
    assert len(theirs) == 4
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["name"] == other["name"]
        assert float(other["alpha"]) == pytest.approx(float(mine["alpha"]), rel=1e-9)
    done = invoke("rank", model, "--engine", "weightwatcher", "--out", "report")
    assert "engine weightwatcher 0.7" in done.stdout
    assert "weightwatcher 0.7" in Path("report/index.html").read_text(encoding="utf-8")


@needs_weightwatcher
def test_what_the_other_engine_lacks_is_wrong_usage(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "model")
    for arguments, message in (
        (["--metrics", "alpha_hill"], "the engine weightwatcher has no alpha_hill"),
        (["--preset", "farms"], "the engine weightwatcher has the preset ww-0.7 only, not farms"),
        (["--base", model], "the engine weightwatcher has no fro_dist"),
    ):
        done = invoke("score", model, "--engine", "weightwatcher", *arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        assert message in done.stderr

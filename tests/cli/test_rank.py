"""`wqscore rank`: its files, its formats, its exit codes, checked with readers that are not ours."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from tests.cli.conftest import toy
from wqscore.cli import app
from wqscore.metrics.registry import METRICS

Invoke = Callable[..., Result]
FILES = ["index.html", "layers.csv", "pairs.csv", "ranking.csv", "ranking.json"]
METRIC_NAMES = [
    "alpha", "xmin", "D", "sigma", "n_tail", "alpha_lo", "alpha_hi", "p_value", "alpha_hill", "alpha_weighted",
    "log_alpha_norm", "log_norm", "log_spectral_norm", "lambda_max", "stable_rank", "matrix_rank", "rank_loss",
    "entropy",
]  # fmt: skip
#: Bounds and nuisance parameters have no columns in ranking.csv.
SUMMARISED = [
    "alpha", "D", "alpha_hill", "alpha_weighted", "log_alpha_norm", "log_norm", "log_spectral_norm", "lambda_max",
    "stable_rank", "entropy",
]  # fmt: skip
SUFFIXES = ("", "_interval_lo", "_interval_hi", "_mean", "_param_mean", "_count")


def strict_json(text: str) -> Any:
    """Parse JSON, refusing the NaN and Infinity that Python lets through."""
    return json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three models; the second holds matrices of every verdict."""
    root = tmp_path_factory.mktemp("models")
    broken = np.full((96, 64), 0.1, dtype="f4")
    broken[3, 4] = np.inf
    odd = {
        "layers.0.fc1.bias": np.zeros(64, dtype="f4"),
        "layers.7.fc1.weight": broken,
        "layers.8.fc1.weight": np.zeros((96, 64), dtype="f4"),
        "layers.9.fc1.weight": np.ones((96, 20), dtype="f4"),
        "embed_tokens.weight": np.random.default_rng(9).standard_normal((200, 64)).astype("f4"),
    }
    return [toy(root / "first", 0), toy(root / "second", 1, **odd), toy(root / "third", 2)]


@pytest.fixture(scope="module")
def report(models: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on the three models, of which the page alone takes seconds."""
    folder = tmp_path_factory.mktemp("report") / "new"
    arguments = ["rank", *models, "--out", str(folder)]
    done = CliRunner().invoke(app, arguments, env={"SOURCE_DATE_EPOCH": "1700000000"})
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[-1] == f"report: {folder}/index.html"
    return folder


def test_the_columns_are_the_contract(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir()) == FILES
    text = (report / "ranking.csv").read_text(encoding="utf-8")
    assert next(csv.reader(io.StringIO(text))) == [
        *("rank", "model", "revision", "family", "family_id", "params", "hidden_size", "depth"),
        *("coverage", "n_matrices", "n_fitted"),
        *(f"{name}{suffix}" for name in SUMMARISED for suffix in SUFFIXES),
        "rank_best", "rank_worst", "ties", "odds_over_next", "odds_kind", "odds_families", "record",
        "status", "reason",
    ]  # fmt: skip
    text = (report / "layers.csv").read_text(encoding="utf-8")
    header = ["model", "name", "role", "rows", "columns", *METRIC_NAMES, "verdict", "flags", "reason"]
    assert next(csv.reader(io.StringIO(text))) == header


def test_the_ranking_follows_from_the_layers(models: list[str], report: Path) -> None:
    ranking = pd.read_csv(report / "ranking.csv")
    layers = pd.read_csv(report / "layers.csv")
    counted = layers[
        ~layers.verdict.isin(["skipped", "zero", "non-finite", "too-small", "degenerate"])
        & ~layers.role.isin(["embedding", "head"])
    ]
    assert list(ranking["rank"]) == [1, 2, 3]
    assert list(ranking.alpha) == sorted(ranking.alpha)
    for model in ranking.itertuples():
        own = counted[counted.model == model.model]
        assert model.alpha == pytest.approx(statistics.median(own.alpha), rel=1e-12)
        assert model.alpha_mean == pytest.approx(own.alpha.mean())
        assert model.alpha_param_mean == pytest.approx(np.average(own.alpha, weights=own.rows * own["columns"]))
        assert model.alpha_count == model.n_fitted == len(own) == 4
    second = layers[layers.model == models[1]].set_index("name")
    assert second.loc["layers.7.fc1.weight", "verdict"] == "non-finite"
    assert second.loc["layers.8.fc1.weight", "verdict"] == "zero"
    assert second.loc["layers.9.fc1.weight", "verdict"] == "too-small"
    assert second.loc["layers.0.fc1.bias", "verdict"] == "skipped"
    assert second.loc[["layers.7.fc1.weight", "layers.0.fc1.bias"], METRIC_NAMES].isna().all(axis=None)
    # The two that should have been fitted and were not count against it: 4 of 6 are.
    assert list(ranking.set_index("model").loc[models[1], ["n_matrices", "n_fitted"]]) == [6, 4]


def test_every_format_says_the_same(models: list[str], report: Path, invoke: Invoke) -> None:
    as_csv = invoke("rank", *models, "--no-report", "--format", "csv").stdout
    assert as_csv == (report / "ranking.csv").read_text(encoding="utf-8")
    as_json = invoke("rank", *models, "--no-report", "--format", "json", SOURCE_DATE_EPOCH="1700000000").stdout
    assert as_json == (report / "ranking.json").read_text(encoding="utf-8")
    document = strict_json(as_json)
    assert document["created"] == "2023-11-14T22:13:20+00:00"
    assert document["schema_version"] == 6
    layers = rows((report / "layers.csv").read_text(encoding="utf-8"))
    for model, row in zip(document["models"], rows(as_csv), strict=True):
        assert (model["model"], str(model["rank"]), model["status"]) == (row["model"], row["rank"], row["status"])
        for name in SUMMARISED:
            assert float(row[name]) == model["summary"][name]["median"]
            assert float(row[f"{name}_mean"]) == model["summary"][name]["mean"]
        own = [layer for layer in layers if layer["model"] == model["model"]]
        assert [layer["name"] for layer in own] == [layer["name"] for layer in model["layers"]]
        for line, layer in zip(own, model["layers"], strict=True):
            numbers = {name: layer.get(name) for name in METRIC_NAMES}
            assert {name: float(line[name]) if line[name] else None for name in METRIC_NAMES} == numbers
    markdown = invoke("rank", *models, "--no-report", "--format", "md").stdout
    table = invoke("rank", *models, "--no-report").stdout
    for row in rows(as_csv):
        line = next(line for line in markdown.splitlines() if line.split("|")[2:3] == [f" {row['model']} "])
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[0] == row["rank"]
        assert float(cells[2]) == pytest.approx(float(row["alpha"]), rel=1e-3)
        name = Path(row["model"]).name
        assert cells[2] in next(line for line in table.splitlines() if name in line.split()[:2]).split()


@pytest.mark.parametrize("metric", ["stable_rank", "entropy", "n_tail"])
def test_by_ranks_by_that_metric(models: list[str], invoke: Invoke, metric: str) -> None:
    done = invoke("rank", *models, "--no-report", "--by", metric, "--format", "csv")
    values = [float(row[metric]) for row in rows(done.stdout)]
    assert values == sorted(values, reverse=METRICS[metric].better == "higher")
    assert next(csv.reader(io.StringIO(done.stdout)))[11] == metric


def test_the_preset_has_weightwatchers_names_and_means(models: list[str], invoke: Invoke) -> None:
    done = invoke("rank", models[0], "--preset", "ww-0.7", "--no-report", "--format", "csv")
    assert done.exit_code == 0, done.output
    (row,) = rows(done.stdout)
    assert "num_pl_spikes" in row
    assert "n_tail" not in row
    layers = pd.read_csv(io.StringIO(invoke("score", models[0], "--preset", "ww-0.7", "--format", "csv").stdout))
    assert list(layers.columns[3:5]) == ["N", "M"]
    assert set(zip(layers.N, layers.M, strict=True)) == {(96, 64)}
    assert float(row["alpha"]) == float(row["alpha_mean"]) == pytest.approx(layers.alpha.mean())


def test_what_cannot_be_scored_is_listed_and_the_rest_is_ranked(models: list[str], invoke: Invoke) -> None:
    Path("empty").mkdir()
    done = invoke("rank", models[0], "empty", models[1], "--no-report", "--format", "csv")
    assert done.exit_code == 3
    listed = [(row["rank"], row["model"], row["status"]) for row in rows(done.stdout)]
    assert listed[2] == ("", "empty", "failed")
    assert [rank for rank, _, _ in listed] == ["1", "2", ""]
    complaints = [line for line in done.stderr.splitlines() if line.startswith("wqscore: ")]
    assert len(complaints) == 1
    assert "empty: no weights" in complaints[0]
    assert rows(done.stdout)[2]["reason"] == complaints[0].removeprefix("wqscore: ")


def test_nothing_scored_is_still_a_ranking(invoke: Invoke) -> None:
    Path("empty").mkdir()
    done = invoke("rank", "empty", "--out", "report")
    assert done.exit_code == 3
    assert rows(Path("report/ranking.csv").read_text(encoding="utf-8"))[0]["status"] == "failed"
    assert rows(Path("report/layers.csv").read_text(encoding="utf-8")) == []
    strict_json(Path("report/ranking.json").read_text(encoding="utf-8"))
    assert "empty" in Path("report/index.html").read_text(encoding="utf-8")


def test_a_model_of_quantised_matrices_alone_was_not_scored(checkpoints: Path, invoke: Invoke) -> None:
    quantised = checkpoints / "fracast" / "model.int8.safetensors"
    done = invoke("rank", quantised, "--no-report", "--format", "csv", "-q")
    assert done.exit_code == 3
    assert rows(done.stdout)[0]["status"] == "unranked"
    line, conclusion = done.stderr.splitlines()
    assert conclusion.startswith("No model can be ranked: ")
    assert re.match(r"wqscore: .*model.int8.safetensors: none of its \d+ matrices could be scored: .*quantised", line)


def test_strict_counts_quantised_matrices_but_not_tied_copies(
    checkpoints: Path, invoke: Invoke, tmp_path: Path
) -> None:
    quantised = checkpoints / "fracast" / "model.int8.safetensors"
    done = invoke("rank", quantised, "--no-report", "--format", "csv")
    strict = invoke("rank", quantised, "--no-report", "--format", "csv", "--strict")
    assert strict.exit_code == 3
    assert strict.stdout == done.stdout
    assert re.search(
        r"^wqscore: .*model.int8.safetensors: 19 matrices were skipped: .*quantised", strict.stderr, re.M
    )
    shared = np.random.default_rng(5).standard_normal((96, 64)).astype("f4")
    tied = toy(tmp_path / "tied", **{"embed_tokens.weight": shared, "lm_head.weight": shared.copy()})
    done = invoke("rank", tied, "--no-report", "--strict", "--format", "json")
    assert done.exit_code == 0, done.output
    assert "tied to embed_tokens.weight" in done.stdout


def test_no_report_writes_nothing(models: list[str], invoke: Invoke) -> None:
    assert invoke("rank", *models, "--no-report").exit_code == 0
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("bert", "bert"),
        ("qwen2.5 base", "qwen2.5-base"),
        ("模型 🤖", "模型"),
        ("[red]x[bold]", "red-x-bold"),
        ("é" * 100, "é" * 50),
    ],
)
def test_the_default_folder_is_named_after_the_first_model(invoke: Invoke, name: str, folder: str) -> None:
    # Without weights there is nothing to draw, which takes seconds.
    Path(name).mkdir()
    done = invoke("rank", f"./{name}", SOURCE_DATE_EPOCH="1700000000")
    assert done.exit_code == 3
    assert [path.name for path in Path("reports").iterdir()] == [f"{folder}-20231114-221320"]
    assert done.stderr.splitlines()[-1] == f"report: reports/{folder}-20231114-221320/index.html"


def test_the_default_folder_is_named_after_the_list_and_without_an_epoch_after_the_time(invoke: Invoke) -> None:
    toy(Path("models/a"), layers=1)
    Path("nightly.v2.toml").write_text('[[models]]\nid = "./models/a"\nfamily = "mine"\n')
    done = invoke("rank", "--list", "./nightly.v2.toml", "--format", "csv", "-q")
    assert done.exit_code == 0, done.output
    assert [(row["model"], row["family"]) for row in rows(done.stdout)] == [("./models/a", "mine")]
    assert done.stderr.startswith("./models/a is alone in its family")
    (folder,) = Path("reports").iterdir()
    assert re.fullmatch(r"nightly\.v2-20\d{6}-\d{6}", folder.name)


def test_the_same_model_twice_counts_once(models: list[str], invoke: Invoke) -> None:
    done = invoke("rank", models[0], models[1], models[0], "--no-report", "--format", "csv")
    assert [row["model"] for row in rows(done.stdout)].count(models[0]) == 1


def test_names_are_shown_as_they_are(invoke: Invoke) -> None:
    names = ["[red]x[/red]", "模型 with spaces", "a,b;'c'", "=1+1"]
    paths = [toy(Path(name), i) for i, name in enumerate(names)]
    # The last would be a formula in a spreadsheet.
    assert {row["model"] for row in rows(invoke("rank", *paths, "--no-report", "--format", "csv").stdout)} == {
        *names[:3],
        "'=1+1",
    }
    done = invoke("rank", *paths, "--no-report")
    for name in names:
        assert f"  {name}  " in done.stdout
        assert f"{name}: 4 matrices" in done.stderr


def test_the_seed_is_recorded(models: list[str], invoke: Invoke) -> None:
    done = invoke("rank", models[0], "--no-report", "--format", "json", "--seed", "42")
    assert strict_json(done.stdout)["seed"] == 42


def test_quiet_leaves_standard_error_to_errors(models: list[str], invoke: Invoke) -> None:
    assert invoke("rank", models[0], "--no-report", "-q").stderr == ""
    Path("empty").mkdir()
    assert len(invoke("rank", models[0], "empty", "--no-report", "-q").stderr.splitlines()) == 1


def test_the_same_inputs_give_the_same_bytes(models: list[str], wqscore: Callable[..., Any], tmp_path: Path) -> None:
    reports = []
    for jobs, hashes in (("1", "1"), ("3", "2")):
        env = {"SOURCE_DATE_EPOCH": "1700000000", "PYTHONHASHSEED": hashes}
        done = wqscore("rank", *models, "--out", f"report{jobs}", "--jobs", jobs, env=env)
        assert done.returncode == 0, done.stderr
        files = sorted((tmp_path / f"report{jobs}").iterdir())
        assert [file.name for file in files] == FILES
        reports.append((done.stdout, [file.read_bytes() for file in files]))
    assert reports[0] == reports[1]


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Five models of different sizes, each with a card."""
    root = tmp_path_factory.mktemp("five")
    models = [toy(root / f"m{seed}", seed, layers=seed + 1) for seed in range(5)]
    for name, accuracy in zip(models, (0.7, 0.5, 0.9, 0.6, "45.2 %"), strict=True):
        Path(name, "README.md").write_text(
            "---\nmodel-index:\n- name: m\n  results:\n  - task: {type: nli}\n    dataset: {type: glue, name: GLUE}\n"
            f"    metrics: [{{type: acc, value: {accuracy}}}, {{type: loss, value: {len(name)}}}]\n---\n"
        )
    return models


def known_file(models: list[str], figures: list[object], header: str = "model,accuracy") -> str:
    lines = [f"{name},{figure}\n" for name, figure in zip(models, figures, strict=True)]
    Path("known.csv").write_text(f"{header}\n" + "".join(lines), encoding="utf-8")
    return "known.csv"


def test_known_figures_are_those_of_correlate(five: list[str], invoke: Invoke) -> None:
    """One run, or two with the file between: the same table to the letter, and the same CSV."""
    known = known_file([*five[:4], "another"], [0.7, 0.5, 0.9, 0.6, 1.0])
    options = ("--better", "lower", "--seed", "3")
    done = invoke("rank", *five, "--known", known, *options, "--out", "report")
    assert done.exit_code == 0, done.output
    two = invoke("correlate", "report/ranking.csv", known, *options)
    ranked, told = (output.stdout.replace("the ranking", "report/ranking.csv") for output in (done, two))
    assert "against accuracy, lower is better · 4 models" in told
    assert ranked.endswith(told)
    assert ranked.index("alpha") < ranked.index(told)
    in_csv = invoke("correlate", "report/ranking.csv", known, *options, "--format", "csv").stdout
    assert Path("report/correlations.csv").read_text(encoding="utf-8") == in_csv
    invoke("correlate", "report/ranking.csv", known, *options, "--out", "study")
    in_json = Path("study/correlations.json").read_text(encoding="utf-8").replace("report/ranking.csv", "the ranking")
    assert Path("report/correlations.json").read_text(encoding="utf-8") == in_json
    assert "against accuracy" in Path("report/correlations.html").read_text(encoding="utf-8")
    assert done.stderr.splitlines()[-2:] == ["report: report/index.html", "correlations: report/correlations.html"]
    pooled = {row["x"]: row for row in rows(in_csv) if row["scope"] == "pooled"}
    assert float(pooled["params"]["tau"]) == pytest.approx(0.0)
    ranking = pd.read_csv("report/ranking.csv").set_index("model").loc[five[:4]]
    accuracy = pd.Series([0.7, 0.5, 0.9, 0.6], index=five[:4])
    for metric in ("alpha", "stable_rank"):
        assert float(pooled[metric]["tau"]) == pytest.approx(ranking[metric].corr(accuracy, method="kendall"))


def test_known_figures_leave_standard_output_one_document(five: list[str], invoke: Invoke) -> None:
    known = known_file(five, [1, 2, 3, 4, 5])
    plain = invoke("rank", *five, "--no-report", "--format", "csv", "--metrics", "alpha")
    done = invoke("rank", *five, "--known", known, "--format", "csv", "--metrics", "alpha", "--out", "report")
    assert done.exit_code == 0, done.output
    assert done.stdout == plain.stdout
    assert {row["x"] for row in rows(Path("report/correlations.csv").read_text())} >= {"alpha", "params"}


def test_known_figures_from_the_cards_of_the_models(five: list[str], invoke: Invoke) -> None:
    done = invoke("rank", *five, "--known", "cards", "--y", "glue acc", "--no-report", "--metrics", "alpha")
    assert done.exit_code == 0, done.output
    assert "against glue acc, higher is better" in done.stdout
    assert "m4: left out: README.md: glue acc: '45.2 %' is not a number" in done.stderr
    Path("cards.csv").write_text(invoke("known", *five, "--format", "csv").stdout, encoding="utf-8")
    Path("ranking.csv").write_text(
        invoke("rank", *five, "--no-report", "--metrics", "alpha", "--format", "csv").stdout, encoding="utf-8"
    )
    two = invoke("correlate", "ranking.csv", "cards.csv", "--y", "glue acc").stdout
    assert done.stdout.split("against ")[1].splitlines()[:4] == two.split("against ")[1].splitlines()[:4]


def test_figures_in_different_units_are_doubted_before_the_scoring(invoke: Invoke) -> None:
    """Of models without weights, of which nothing can be scored."""
    for name, value in (("m0", 0.5), ("m1", 0.75), ("m2", 80)):
        Path(name).mkdir()
        Path(name, "README.md").write_text(
            "---\nmodel-index:\n- name: m\n  results:\n  - task: {type: nli}\n    dataset: {type: glue, name: GLUE}\n"
            f"    metrics: [{{type: acc, value: {value}}}]\n---\n"
        )
    done = invoke("rank", "./m0", "./m1", "./m2", "--known", "cards", "--no-report", "-q")
    assert done.exit_code == 3
    first, *_, last = done.stderr.splitlines()
    assert first == "wqscore: glue acc: from 0.5 to 80: some may be fractions and some percentages"
    assert last.startswith(
        "wqscore: the ranking is kept, without correlations: the model cards: models to compare: 0"
    )


def test_known_figures_may_be_under_the_name_that_was_typed(five: list[str], invoke: Invoke) -> None:
    listed = "".join(f'[[models]]\nid = "{name}"\n' for name in five[:3])
    Path("mine.toml").write_text(listed)
    known = known_file([*five[:3], ""], [1, 3, 2, ""])
    done = invoke("rank", "--list", "./mine.toml", "--known", known, "--no-report", "--metrics", "alpha")
    assert done.exit_code == 0, done.output
    assert "against accuracy, higher is better · 3 models" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--known", "known.csv", "--y", "speed"),
            "no column 'speed': choose one of these with --y: a (3 models), b (1",
        ),
        (
            ("--known", "known.csv"),
            "choose a column to compare the metrics with, by --y: a (3 models), b (1",
        ),
        (
            ("--known", "known.csv", "--y", "b"),
            "'b' has figures for 1 of the 3 models to rank, fewer than the 3 needed",
        ),
        (("--known", "known.csv", "--y", "word"), "column 'word' is not numbers: 'x' in row 1"),
        (("--known", "twice.csv"), "m0' is in several rows: leave one"),
        (("--known", "others.csv"), "no figure for any model to rank: name the models as the ranking does"),
        (("--known", "nameless.csv"), "no column 'model'; it has name, a"),
        (("--known", "gone.csv"), "gone.csv: can't be read: No such file or directory"),
        (("--known", "cards"), "the model cards: no figure for any model to rank"),
        (("--known", "cards", "--y", "x"), "the model cards: no column 'x': choose one of these with --y: none"),
        (("--y", "a"), "--y names a column of --known: give that too"),
        (("--known", "known.csv", "--y", "a", "--format", "csv", "--no-report"), "drop --no-report"),
    ],
)
def test_what_is_wrong_with_known_figures_is_said_before_the_scoring(
    invoke: Invoke, options: tuple[str, ...], message: str
) -> None:
    """The models have no weights: scoring them would end in 3."""
    names = ["./m0", "./m1", "./m2"]
    for name in names:
        Path(name).mkdir()
    Path("known.csv").write_text("model,a,b,word\n./m0,1,,x\n./m1,2,5,x\n./m2,3,,x\nm9,4,9,x\n")
    Path("twice.csv").write_text("model,a\n./m0,1\n./m1,2\n./m2,3\n./m0,4\n")
    Path("others.csv").write_text("model,a\nm7,1\nm8,2\nm9,3\n")
    Path("nameless.csv").write_text("name,a\n./m0,1\n./m1,2\n./m2,3\n")
    done = invoke("rank", *names, *options)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not Path("reports").exists()


def test_a_ranking_outlives_correlations_that_fail(five: list[str], invoke: Invoke) -> None:
    """Known of three models, of which one can't be scored; and a figure that is the same for all."""
    Path("empty").mkdir()
    models = [*five[:2], "empty"]
    known = known_file(models, [1, 2, 3])
    done = invoke("rank", *models, "--known", known, "--out", "report", "--metrics", "alpha", "-q")
    assert done.exit_code == 3
    assert len(rows(Path("report/ranking.csv").read_text(encoding="utf-8"))) == 3
    assert "m0" in done.stdout
    assert not Path("report/correlations.csv").exists()
    assert (
        "the ranking is kept, without correlations: known.csv: models to compare: 2, fewer than the 3 needed"
        in done.stderr
    )
    same = invoke("rank", *five[:3], "--known", known_file(five[:3], [1, 1, 1]), "--no-report", "--metrics", "alpha")
    assert same.exit_code == 0
    assert "no correlation for params over all" in same.stdout
    assert "one is the same for all" in same.stdout


def test_correlations_are_written_though_nobody_reads_the_ranking(
    five: list[str], wqscore: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = known_file(five, [1, 2, 3, 4, 5])
    reader, writer = os.pipe()
    os.close(reader)
    done = wqscore("rank", *five, "--known", known, "--out", "report", "--metrics", "alpha", stdout=writer)
    os.close(writer)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert {row["x"] for row in rows(Path("report/correlations.csv").read_text())} >= {"alpha", "params"}

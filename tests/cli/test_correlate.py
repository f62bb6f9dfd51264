"""`wqscore correlate` on published tables, on one of wqscore's rankings, and on tables that don't fit together."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.conftest import toy
from tests.studies.published import LEADERBOARD, TAXONOMY, TORCHVISION

Invoke = Callable[..., Result]

TOP1 = ("--y", "top1_error", "--better", "lower", "--group", "series")


def rows(done: Result) -> list[dict[str, str]]:
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_torchvision_warns_of_alpha_and_counts_what_was_tried(invoke: Invoke) -> None:
    done = invoke("correlate", TORCHVISION, *TOP1, "--x", "alpha", "--x", "alpha_weighted")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert "against top1_error, lower is better · 17 models" in done.stdout
    assert (
        "warning: alpha changes sign (Simpson's paradox): tau -0.43 (n 17, p 0.018) over all, the other way in 1 of "
        "2 groups by series, resnet +0.60 (n 5, p 0.23)" in done.stdout
    )
    assert "alpha_weighted changes sign" not in done.stdout
    assert "2 metrics tried, 8 taus" in done.stdout


def test_every_metric_of_the_table_is_tried_unless_some_are_named(invoke: Invoke) -> None:
    tried = {row["x"] for row in rows(invoke("correlate", TORCHVISION, *TOP1, "--format", "csv"))}
    assert tried == {
        "alpha", "alpha_weighted", "log_norm", "log_spectral_norm", "log_alpha_norm", "mp_softrank", "stable_rank",
    }  # fmt: skip


def test_two_files_are_one_when_split(tmp_path: Path, invoke: Invoke) -> None:
    """The accuracy in a file of its own, in another order: the same figures, and the seed decides them."""
    with TORCHVISION.open(newline="") as file:
        table = list(csv.DictReader(file))
    known = tmp_path / "known.csv"
    lines = [f"{row['model']},{row['top1_error']}\n" for row in reversed(table)]
    known.write_text("model,error\n" + "".join(lines) + "gpt2,50\n", encoding="utf-8")
    options = ("--better", "lower", "--group", "series", "--x", "log_norm", "--seed", "7", "--format")
    split = invoke("correlate", TORCHVISION, known, *options, "csv")
    assert rows(split) == rows(invoke("correlate", TORCHVISION, *TOP1, *options[4:], "csv"))
    told = invoke("correlate", TORCHVISION, known, *options, "json")
    assert json.loads(told.stdout)["only_in_known"] == ["gpt2"]
    assert f"left out, not in {TORCHVISION}: gpt2" in invoke(
        "correlate", TORCHVISION, known, *options, "md"
    ).stdout.replace("\\", "")


def test_out_writes_the_page_and_the_figures_and_prints_all_the_same(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("correlate", TORCHVISION, *TOP1, "--out", tmp_path / "study")
    assert done.exit_code == 0, done.output
    assert done.stderr == f"report: {tmp_path / 'study' / 'index.html'}\n"
    assert done.stdout == invoke("correlate", TORCHVISION, *TOP1).stdout
    for name, output in (("correlations.csv", "csv"), ("correlations.json", "json")):
        printed = invoke("correlate", TORCHVISION, *TOP1, "--format", output).stdout
        assert (tmp_path / "study" / name).read_text(encoding="utf-8") == printed
    assert "7 metrics against" in (tmp_path / "study" / "index.html").read_text(encoding="utf-8")


def test_nothing_is_written_unless_asked(tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("correlate", TORCHVISION, *TOP1).exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_is_found_out_before_anything_is_read(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = invoke("correlate", tmp_path / "missing.csv", "--out", tmp_path / "file" / "study")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.endswith("file: is not a folder: name another with --out\n")
    assert len(done.stderr.splitlines()) == 1


def test_axes_are_given_by_repeating(invoke: Invoke) -> None:
    options = ("--y", "test_acc", "--x", "l2_distance", "--axis", "width", "--axis", "batch_size")
    done = invoke("correlate", TAXONOMY, *options, "--group", "width")
    assert "granulated" in done.stdout
    assert "the other way in 13 of 13 groups by width" in done.stdout


def test_eleven_models_show_little(invoke: Invoke) -> None:
    done = invoke("correlate", LEADERBOARD, "--y", "MMLU_5shot")
    assert "with 11 models no |tau| below 0.45 can be told from 0" in done.stdout
    assert "fewer than 3 models" in done.stdout
    (pooled,) = [
        row
        for row in rows(invoke("correlate", LEADERBOARD, "--y", "MMLU_5shot", "--format", "csv"))
        if row["scope"] == "pooled"
    ]
    assert (round(float(pooled["rho"]), 2), pooled["n"], pooled["as_claimed"]) == (0.02, "11", "unclear")
    assert (round(float(pooled["rho_lo"]), 1), round(float(pooled["rho_hi"]), 1)) == (-0.6, 0.6)


def test_a_ranking_of_ours_is_a_table_of_scores(tmp_path: Path, invoke: Invoke) -> None:
    """Its own params are the baseline; a model that could not be scored is left out by name."""
    models = [toy(tmp_path / f"m{seed}", seed, layers=seed + 1) for seed in range(4)]
    missing = str(tmp_path / "m9")
    Path(missing).mkdir()
    (Path(missing) / "model.safetensors").write_bytes(b"not a checkpoint")
    ranked = invoke("rank", *models, missing, "--metrics", "alpha,stable_rank", "--out", "report")
    assert ranked.exit_code == 3
    with Path("report/ranking.csv").open(newline="") as file:
        names = sorted(row["model"] for row in csv.DictReader(file))
    known = tmp_path / "known.csv"
    known.write_text("model,accuracy\n" + "".join(f"{name},{i}\n" for i, name in enumerate(names)), encoding="utf-8")
    done = invoke("correlate", "report/ranking.csv", known, "--format", "json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["y"], document["params"], document["tried"]) == ("accuracy", "params", ["alpha", "stable_rank"])
    assert len(document["without_rank"]) == 1
    baseline = document["correlations"][0]
    assert (baseline["x"], baseline["n"], baseline["tau"]) == ("params", 4, 1.0)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("model,accuracy\nvgg,1\n", ("--y", "accuracy"), "no model is in both"),
        ("model,accuracy\ntorchvision/vgg11,good\n", ("--y", "accuracy"), "is not numbers: 'good' in row 1"),
        ("name,accuracy\ntorchvision/vgg11,1\n", (), "no column 'model'; it has name, accuracy"),
        ("model,a,b\ntorchvision/vgg11,1,2\n", (), "name the column to compare the metrics with by --y, from a, b"),
        ("", (), "a header and a row per model are needed"),
    ],
)
def test_tables_that_do_not_fit_are_one_line_and_wrong_usage(
    tmp_path: Path, invoke: Invoke, content: str, options: tuple[str, ...], message: str
) -> None:
    known = tmp_path / "known.csv"
    known.write_text(content, encoding="utf-8")
    done = invoke("correlate", TORCHVISION, known, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_model_whose_name_is_a_formula_is_joined_with_what_is_known(invoke: Invoke, tmp_path: Path) -> None:
    names = ["=1+1", "'=1+1", "-a", "plain"]
    for seed, name in enumerate(names):
        toy(tmp_path / name, seed=seed)
    done = invoke("rank", "--no-report", "-q", "--across-families", "--format", "csv", "--", *names)
    Path("scores.csv").write_text(done.stdout, encoding="utf-8")
    # What a person types, and what was printed, is the same model.
    known = "model,accuracy\n=1+1,1\n''=1+1,2\n-a,3\nplain,4\n"
    Path("known.csv").write_text(known, encoding="utf-8")
    found = json.loads(invoke("correlate", "scores.csv", "known.csv", "--x", "alpha", "--format", "json").stdout)
    assert (found["models"], found["only_in_scores"], found["only_in_known"]) == (4, [], [])

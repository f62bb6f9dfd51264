"""`wqscore known`: the columns made from several models' cards, in a file that `correlate` accepts."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from typer.testing import Result

from tests.cli.conftest import InTerminal, toy
from tests.hub_server import HubServer
from tests.warm_processes import run_wqscore

Invoke = Callable[..., Result]


def evaluated(dataset: str, metric: str, value: object, **details: object) -> EvalResult:
    return EvalResult("text-classification", dataset, str(details.pop("name", dataset)), metric, value, **details)


def card(*results: EvalResult) -> str:
    data = ModelCardData(model_name="mine", eval_results=list(results))
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n# Mine\n"))


def model(name: str, *results: EvalResult) -> str:
    Path(name).mkdir()
    (Path(name) / "README.md").write_text(card(*results), encoding="utf-8")
    return f"./{name}"


def rows(done: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_a_row_per_model_and_a_column_per_benchmark(invoke: Invoke) -> None:
    a = model("a", evaluated("beans", "accuracy", 0.9), evaluated("snli", "f1", 0.5))
    b = model("b", evaluated("snli", "f1", "61.5"))
    Path("c").mkdir()
    done = invoke("known", b, a, "./c", a, "--format", "csv")
    assert (done.exit_code, done.stderr) == (0, "wqscore: ./a was named twice: it counts once\n")
    assert done.stdout == "model,snli f1,beans accuracy\n./b,61.5,\n./a,0.5,0.9\n./c,,\n"


def test_configurations_and_splits_are_columns_of_their_own_only_where_they_differ(invoke: Invoke) -> None:
    mrpc, rte = {"dataset_config": "mrpc"}, {"dataset_config": "rte", "dataset_split": "test"}
    few = {"dataset_args": {"num_few_shot": 5}}
    a = model(
        "a", evaluated("glue", "f1", 1, **mrpc), evaluated("arc", "acc", 3, **mrpc), evaluated("mmlu", "acc", 5)
    )
    b = model(
        "b", evaluated("glue", "f1", 2, **rte), evaluated("arc", "acc", 4, **mrpc), evaluated("mmlu", "acc", 6, **few)
    )
    assert rows(invoke("known", a, b, "--format", "csv")) == [
        {"model": a, "arc acc": "3.0", "glue f1 (mrpc)": "1.0", "glue f1 (rte, test)": "", "mmlu acc": "5.0",
         "mmlu acc (num_few_shot=5)": ""},
        {"model": b, "arc acc": "4.0", "glue f1 (mrpc)": "", "glue f1 (rte, test)": "2.0", "mmlu acc": "",
         "mmlu acc (num_few_shot=5)": "6.0"},
    ]  # fmt: skip
    assert rows(invoke("known", a, "--format", "csv"))[0].keys() == {"model", "arc acc", "glue f1", "mmlu acc"}


def test_names_tell_apart_what_one_card_gives_twice(invoke: Invoke) -> None:
    """As in the cards of MTEB, whose parts of CQADupstack are of one data set; the client would write them as one."""
    results = [
        f"  - {{task: {{type: Retrieval}}, dataset: {{type: BeIR/cqadupstack, name: {name}}}, metrics: [{{type: map, "
        f"value: {value}}}]}}\n"
        for name, value in (("Android", 40), ("Gis", 30))
    ]
    a, b = model("a"), model("b", evaluated("BeIR/cqadupstack", "map", 35, name="Gis"))
    Path("a/README.md").write_text(f"---\nmodel-index:\n- name: a\n  results:\n{''.join(results)}---\n")
    assert rows(invoke("known", a, b, "--format", "csv")) == [
        {"model": a, "BeIR/cqadupstack map (Android)": "40.0", "BeIR/cqadupstack map (Gis)": "30.0"},
        {"model": b, "BeIR/cqadupstack map (Android)": "", "BeIR/cqadupstack map (Gis)": "35.0"},
    ]
    # Two spellings in two cards are no reason to keep them apart.
    c = model("c", evaluated("beans", "acc", 1, name="Beans"))
    d = model("d", evaluated("beans", "acc", 2, name="The beans"))
    assert [row["beans acc"] for row in rows(invoke("known", c, d, "--format", "csv"))] == ["1.0", "2.0"]


def test_what_a_card_gives_twice_and_not_the_same_is_left_out(invoke: Invoke) -> None:
    a = model(
        "a", evaluated("d", "acc", 1), evaluated("d", "acc", 2), evaluated("e", "acc", 3), evaluated("e", "acc", 3)
    )
    done = invoke("known", a, "--format", "csv")
    assert rows(done) == [{"model": a, "e acc": "3.0"}]
    assert done.stderr == "wqscore: ./a: left out: d acc: given 2 times, from 1 to 2\n"


def test_a_broken_card_is_said_and_costs_no_other_model(invoke: Invoke) -> None:
    a = model("a", evaluated("beans", "accuracy", 0.9), evaluated("snli", "f1", "45.2 %"), evaluated("x", "f1", [1]))
    Path("b").mkdir()
    Path("b/README.md").write_text("---\nmodel-index: [\n---\n")
    done = invoke("known", a, "./b", "--format", "csv")
    assert done.exit_code == 0
    assert done.stdout == "model,beans accuracy\n./a,0.9\n./b,\n"
    assert done.stderr.splitlines() == [
        "wqscore: ./a: left out: README.md: snli f1: '45.2 %' is not a number, and 1 more",
        "wqscore: ./b: left out: README.md: its YAML can't be read: correct it",
    ]
    told = json.loads(invoke("known", a, "./b", "--format", "json").stdout)["models"]
    assert [len(each["left_out"]) for each in told] == [2, 1]
    assert told[0]["results"] == [
        {"column": "beans accuracy", "task": "text-classification", "dataset": "beans", "metric": "accuracy",
         "value": 0.9, "setting": [], "title": ["beans"], "verified": False}
    ]  # fmt: skip


def test_the_table_says_the_same_and_doubts_mixed_units(invoke: Invoke) -> None:
    models = [
        model(name, evaluated("beans", "acc", value)) for name, value in (("a", 0.91), ("b", 92.5), ("c", 0.93))
    ]
    for output in ("table", "md"):
        done = invoke("known", *models, "--format", output)
        assert all(figure in done.stdout for figure in ("0.91", "92.5", "0.93"))
        assert "beans acc: from 0.91 to 92.5: some may be fractions and some percentages" in done.stdout
    assert "fractions" not in invoke("known", models[0], models[2]).stdout
    Path("d").mkdir()
    assert "no card gives a result that can be compared" in invoke("known", "./d").stdout


def test_hundreds_of_benchmarks_fit_a_terminal_and_are_all_in_the_file(
    invoke: Invoke, in_terminal: Callable[..., InTerminal]
) -> None:
    a = model("a", *[evaluated(f"mteb/dataset{number}", "accuracy", number) for number in range(300)])
    seen = in_terminal("known", a, columns=80)
    assert seen.returncode == 0
    assert max(map(len, seen.left.splitlines())) <= 80
    assert "288 more benchmarks: --format csv" in seen.left
    assert len(rows(invoke("known", a, "--format", "csv"))[0]) == 301


def test_no_model_is_wrong_usage(invoke: Invoke) -> None:
    done = invoke("known")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no model given" in done.stderr


@pytest.fixture
def wqscore_on(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(hub: HubServer, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_wqscore(arguments, hub.environment(tmp_path, **variables), tmp_path)

    return run


def test_from_the_hub(wqscore_on: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """By alias and at a revision, under the names of a ranking; one that is not there costs no other."""
    with HubServer() as hub:
        for name, value in (("google-bert/bert-base-uncased", 84.5), ("org/other", 91.0)):
            hub.add(
                name,
                {"README.md": card(evaluated("glue", "acc", value)).encode()},
                {"main": "a" * 40, "v1": "a" * 40},
            )
        done = wqscore_on(hub, "known", "bert-base", "org/other@v1", "no/thing", "--format", "csv")
        assert done.returncode == 3
        assert done.stdout == "model,glue acc\ngoogle-bert/bert-base-uncased,84.5\norg/other@v1,91.0\nno/thing,\n"
        assert len(done.stderr.splitlines()) == 1
        assert "no/thing: no such model on the Hub" in done.stderr
        hub.stop()
        again = wqscore_on(hub, "known", "bert-base", "org/other@v1", "--format", "csv", HF_HUB_OFFLINE="1")
        assert (again.returncode, again.stderr) == (0, "")
        assert pd.read_csv(io.StringIO(again.stdout))["glue acc"].tolist() == [84.5, 91.0]


def test_a_ranking_with_the_cards_of_the_hub(
    wqscore_on: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """The cards are fetched beside the weights; offline the run is the same."""
    with HubServer() as hub:
        for seed, value in enumerate((80.0, 90.0, 70.0)):
            weights = Path(toy(tmp_path / f"m{seed}", seed, layers=2), "model.safetensors").read_bytes()
            files = {"README.md": card(evaluated("glue", "acc", value)).encode(), "model.safetensors": weights}
            hub.add(f"org/m{seed}", files, {"main": str(seed) * 40})
        command = (
            "rank",
            "org/m0",
            "org/m1",
            "org/m2",
            "--known",
            "cards",
            "--metrics",
            "alpha",
            "--no-report",
            "-q",
        )
        done = wqscore_on(hub, *command)
        assert (done.returncode, done.stderr) == (0, "")
        assert "against glue acc, higher is better · 3 models" in done.stdout
        hub.stop()
        again = wqscore_on(hub, *command, HF_HUB_OFFLINE="1")
        assert (again.returncode, again.stderr, again.stdout) == (0, "", done.stdout)

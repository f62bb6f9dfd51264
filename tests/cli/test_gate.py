"""`wqscore gate`: models that pass, fail or can't be judged, and the exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner, Result

import wqscore
from tests.cli.conftest import COMMAND, environment, toy
from wqscore.checkpoints.tensor import TensorRef
from wqscore.cli import app
from wqscore.gating.wording import WORDS

Invoke = Callable[..., Result]
POLICY = 'rules = ["alpha > 50", "share(random) > 0.5"]\nbaseline = "old.json"\n'


@dataclass(frozen=True)
class Case:
    """A gate: the model, the arguments (NAME.json and NAME.toml are files of the folder), and what is expected."""

    model: str
    arguments: tuple[str, ...]
    code: int
    said: str = ""


def rules(*texts: str, **options: str) -> tuple[str, ...]:
    """Rules, and options by their names."""
    named = [part for name, value in options.items() for part in (f"--{name}", value)]
    return (*(part for text in texts for part in ("--rule", text)), *named)


CASES = [
    # Absolute rules.
    Case("good", rules("alpha > 50"), 0, "gate passed"),
    Case("good", rules("alpha > 0.1"), 1, "alpha > 0.1"),
    Case("good", rules("alpha > 50", "stable_rank < 0.5", "log_norm.mean > 99"), 0),
    Case("good", rules("alpha > 50", "stable_rank > 0.5"), 1, "1 failed, 1 passed"),
    Case("good", rules("param_norm < 0"), 0),
    Case("good", rules("entropy > 2"), 0),
    # A metric beyond the core is computed; one that the model has not never passes.
    Case("good", rules("e_tpl_beta < -1e6"), 0),
    Case("only-embedding", rules("alpha > 50"), 3, "none of its"),
    # Changes.
    Case("good", rules("delta(alpha) > 0", baseline="good.json"), 0),
    Case("good", rules("delta(alpha) >= 0", baseline="good.json"), 1),
    Case("doubled", rules("delta(log_norm) > 0.6020599", baseline="good.json"), 1),
    Case("doubled", rules("delta(log_norm) > 0.6020601", baseline="good.json"), 0),
    Case("doubled", rules("relative(lambda_max) > 3.0001", "relative(lambda_max) < 2.9999", baseline="good.json"), 0),
    Case("doubled", rules("relative(lambda_max) > 2.9999", baseline="good.json"), 1),
    Case("doubled", rules("relative(lambda_max) > 2.9999", baseline="single.json"), 1),
    Case("good", rules("delta(alpha) > 0.5", baseline="ranking.json"), 0),
    Case("good", rules("abs_delta(alpha) > 0", baseline="good.json"), 0, "abs_delta(alpha) is 0"),
    Case("doubled", rules("abs_delta(log_norm) > 0.5", baseline="good.json"), 1),
    Case("good", rules("abs_delta(log_norm) > 0.5", baseline="doubled.json"), 1, "FAILED"),
    Case("eight", rules("worse(alpha)", baseline="eight.json"), 0, "alpha changed by +0.000 (+0.000 to +0.000)"),
    Case("grown", rules("worse(log_norm)", baseline="eight.json"), 1, "fails if the whole interval is above 0"),
    Case("eight", rules("worse(log_norm)", baseline="grown.json"), 0, "8 pairs of matrices"),
    Case("grown", rules("worse(alpha)", baseline="eight.json"), 0),
    Case("doubled", rules("worse(log_norm)", baseline="good.json"), 1, "too few matrices"),
    Case("good", rules("worse(alpha)"), 2, "--baseline"),
    Case("good", rules("worse(alpha) > 1", baseline="good.json"), 2, "worse takes no limit"),
    Case("good", rules("worse(xmin)", baseline="good.json"), 2, "nobody claims which xmin is worse"),
    # Verdicts.
    Case("noise", rules("share(random) > 0.5"), 1, "share(random)"),
    Case("noise", rules("alpha > 50"), 1, "can't be told from noise"),
    Case("good", rules("share(random) > 0.5"), 0),
    # Integrity.
    Case("nan", rules("non_finite > 0"), 1, "layers.0.fc1.weight"),
    Case("nan", rules("non_finite > 1"), 0),
    Case("zero", rules("zero > 0"), 1, "layers.0.fc1.weight"),
    Case("zero", rules("coverage < 0.9"), 1),
    Case("good", rules("non_finite > 0", "zero > 0", "unread > 0", "coverage < 1", "coverage_all < 1"), 0),
    Case("part-int8", rules("non_finite > 0"), 1, "could not be read: layers.0.fc1.weight"),
    Case("part-int8", rules("unread > 0"), 1),
    Case("mostly-int8", rules("alpha > 50"), 1, "of its weights have a fit"),
    # No matrix could be scored.
    Case("all-nan", rules("alpha > 50"), 3, "none of its matrices could be scored"),
    Case("all-nan", rules("non_finite > 9"), 3),
    Case("all-nan", rules("non_finite > 0"), 1),
    Case("biases", rules("non_finite > 0"), 3),
    Case("cut", rules("alpha > 50"), 3, "model.safetensors"),
    Case("empty", rules("alpha > 50"), 3),
    # Wrong usage.
    Case("gone", rules("alpha > 50"), 3, "no model called"),
    Case("good", (), 2, "no rule given"),
    Case("good", rules("alhpa > 6"), 2, "did you mean alpha"),
    Case("good", rules("alpha > six"), 2, "character 9"),
    Case("good", rules("alpha > 50", preset="ww"), 2, "no preset called 'ww'"),
    Case("good", rules("fro_dist > 1"), 2, "--base"),
    Case("good", rules("delta(alpha) > 1"), 2, "--baseline"),
    Case("good", rules("delta(alpha) > 1", baseline="gone.json"), 2, "can't be read"),
    Case("good", rules("delta(alpha) > 1", baseline="torn.json"), 2, "is not valid JSON"),
    Case("good", rules("delta(alpha) > 1", baseline="list.json"), 2, "is not a score or a ranking"),
    Case("good", rules("delta(alpha) > 1", baseline="version.json"), 2, "has schema_version 1, not 4 to 6"),
    Case("good", rules("delta(alpha) > 1", baseline="seed.json"), 2, "seed 7"),
    Case("good", rules("delta(alpha_lo) > 1", baseline="fewer.json"), 2,
         "made with --bootstrap 50, this gate with 200"),
    Case("good", rules("delta(alpha) > 1", baseline="fewer.json"), 0, "pass"),
    Case("good", rules("delta(alpha) > 1", baseline="damaged.json"), 2, "alpha is damaged"),
    Case("good", rules("delta(alpha) > 1", baseline="good.json", preset="ww-0.7"), 2,
         "made with the preset default, this gate with ww-0.7"),
    Case("good", rules("delta(exp_D) > 1", baseline="good.json"), 2, "has no exp_D"),
    Case("noise", rules("delta(alpha) > 1", baseline="ranking.json"), 2, "none of its 2 models is"),
    Case("good", rules("delta(alpha) < 99", baseline="null.json"), 1, "has no value of alpha"),
    Case("good", rules("delta(alpha) > 99", baseline="noise.json"), 1, "can't be trusted"),
    # Policies.
    Case("good", rules(policy="policy.toml"), 0),
    Case("good", rules("delta(alpha) >= 0", policy="policy.toml"), 1),
    Case("good", rules(policy="unknown.toml"), 2, "unknown key 'rule'"),
    Case("good", rules(policy="gone.toml"), 2, "can't be read"),
    Case("good", rules(policy="hostile.toml"), 2, "'__import__' takes no brackets"),
]  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models, sound and broken."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(9)
    toy(folder / "good")
    tensors = load_file(folder / "good" / "model.safetensors")
    first = "layers.0.fc1.weight"

    def variant(name: str, tensors: dict[str, np.ndarray]) -> None:
        (folder / name).mkdir()
        save_file(tensors, folder / name / "model.safetensors")

    nan = tensors[first].copy()
    nan[3, 4] = np.nan
    variant("doubled", {name: 2 * values for name, values in tensors.items()})
    variant("noise", {name: rng.standard_normal((96, 64)).astype("f4") for name in tensors})
    variant("nan", {**tensors, first: nan})
    variant("zero", {**tensors, first: np.zeros((96, 64), "f4")})
    variant("part-int8", {**tensors, first: np.ones((96, 64), "i1")})
    variant("mostly-int8", {n: t if n == first else np.ones((96, 64), "i1") for n, t in tensors.items()})
    variant("all-nan", {name: np.full((96, 64), np.nan, "f4") for name in tensors})
    variant("biases", {"bias": np.ones(64, "f4")})
    variant("only-embedding", {"embed_tokens.weight": tensors[first]})
    toy(folder / "eight", layers=8)
    eight = load_file(folder / "eight" / "model.safetensors")
    variant("grown", {name: 1.1 * values for name, values in eight.items()})
    variant("cut", tensors)
    whole = (folder / "cut" / "model.safetensors").read_bytes()
    (folder / "cut" / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(scope="module")
def files(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models, baselines that wqscore wrote, and broken ones."""
    folder = tmp_path_factory.mktemp("files")
    for model in models.iterdir():
        (folder / model.name).symlink_to(model)

    def write(name: str, value: object) -> None:
        (folder / name).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")

    with contextlib.chdir(folder):
        good = CliRunner().invoke(app, ["score", "good", "--format", "json", "-q"]).stdout
        for name in ("doubled", "eight", "grown", "noise"):
            write(f"{name}.json", CliRunner().invoke(app, ["score", name, "--format", "json", "-q"]).stdout)
        assert CliRunner().invoke(app, ["rank", "good", "doubled", "--out", "both", "-q"]).exit_code == 0
        assert CliRunner().invoke(app, ["rank", "good", "--out", "one", "-q"]).exit_code == 0
    document: dict[str, Any] = json.loads(good)
    alpha = document["summary"]["alpha"]
    write("good.json", good)
    write("old.json", good)
    write("ranking.json", (folder / "both" / "ranking.json").read_text())
    write("single.json", (folder / "one" / "ranking.json").read_text())
    write("torn.json", good[: len(good) // 2])
    write("list.json", [document])
    write("version.json", {**document, "schema_version": 1})
    write("seed.json", {**document, "seed": 7})
    write("fewer.json", {**document, "bootstrap": 50})
    write("null.json", {**document, "summary": {"alpha": {**alpha, "median": None}}})
    write("damaged.json", {**document, "summary": {"alpha": {**alpha, "median": "3"}}})
    write("policy.toml", POLICY)
    write("unknown.toml", 'rule = ["alpha > 6"]')
    write("hostile.toml", "rules = [\"__import__('os').system('touch owned')\"]")
    return folder


@pytest.fixture
def here(files: Path, invoke: Invoke, tmp_path: Path) -> Path:
    """The test's own folder, with all that lies in the other."""
    for entry in files.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join((case.model, *case.arguments)))
def test_exit_codes(case: Case, here: Path, invoke: Invoke) -> None:
    done = invoke("gate", case.model, *case.arguments, "-q")
    assert done.exit_code == case.code, done.output
    assert case.said in done.output
    assert "Traceback" not in done.output
    assert not (here / "owned").exists()
    if case.code == 2:
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
    else:
        verdict = {0: "gate passed", 1: "gate failed", 3: "gate unscored"}[case.code]
        assert done.stdout.startswith(verdict)


def test_five_formats_say_the_same(here: Path, invoke: Invoke) -> None:
    arguments = ("nan", *rules("alpha > 50", "non_finite > 0", "delta(alpha) > 99"), "--baseline", "null.json", "-q")
    expected = {"alpha > 50": "passed", "non_finite > 0": "failed", "delta(alpha) > 99": "unscored"}
    printed = {}
    for name in ("table", "json", "junit", "md", "prometheus"):
        done = invoke("gate", *arguments, "--format", name)
        assert done.exit_code == 1
        printed[name] = done.stdout
    assert {rule["rule"]: rule["status"] for rule in json.loads(printed["json"])["rules"]} == expected
    suite = next(iter(JUnitXml.fromstring(printed["junit"].encode())))
    elements = {"passed": [], "failed": ["failure"], "unscored": ["error"]}
    assert {case.name: [result._tag for result in case.result] for case in suite} == {
        rule: elements[status] for rule, status in expected.items()
    }
    tokens = MarkdownIt().enable("table").parse(printed["md"])
    cells = [token.children[0].content for token in tokens if token.type == "inline" and token.children]
    assert {rule: cells[cells.index(rule) + 1] for rule in expected} == expected
    families = {family.name: family for family in text_string_to_metric_families(printed["prometheus"])}
    assert {s.labels["rule"]: s.value for s in families["wqscore_gate_rule_passed"].samples} == {
        rule: float(status == "passed") for rule, status in expected.items()
    }
    for rule, status in expected.items():
        assert any(
            line.startswith(WORDS[status]) and f"(fails if {rule})" in line for line in printed["table"].splitlines()
        )


def test_several_models_have_an_outcome_each_and_one_code(here: Path, invoke: Invoke) -> None:
    passing = invoke("gate", "good", "eight", "good", *rules("alpha > 50"), "-q", "--format", "json")
    document = json.loads(passing.stdout)
    assert (passing.exit_code, document["status"], document["outcome"]) == (0, "passed", "Passed: 2 models.")
    assert [each["model"] for each in document["models"]] == ["good", "eight"]
    mixed = invoke("gate", "good", "nan", "gone", *rules("non_finite > 0"), "-q", "--junit", "gate.xml")
    assert mixed.exit_code == 1
    last = mixed.stdout.splitlines()[-1]
    assert last == "Failed: 1 of 3 models: nan. 1 could not be scored: gone."
    assert mixed.stdout.count("gate ") == 3
    suites = list(JUnitXml.fromfile("gate.xml"))
    assert [(suite.name, suite.failures, suite.errors) for suite in suites] == [
        ("wqscore gate good", 0, 0),
        ("wqscore gate nan", 1, 0),
        ("wqscore gate gone", 0, 1),
    ]
    assert invoke("gate", "good", "gone", *rules("alpha > 50"), "-q").exit_code == 3


def test_github_gets_annotations_and_a_summary(here: Path, invoke: Invoke) -> None:
    (here / "summary.md").write_text("before\n", encoding="utf-8")
    arguments = ("nan", *rules("alpha > 50", "non_finite > 0"), "--format", "github", "-q", "--out", "report")
    done = invoke("gate", *arguments, GITHUB_STEP_SUMMARY=str(here / "summary.md"))
    outcome = "Failed: 1 of 2 rules. non_finite is 1 (layers.0.fc1.weight), and the rule fails above 0."
    assert done.exit_code == 1
    assert done.stdout == (
        "::error title=wqscore gate%3A non_finite > 0::nan: non_finite is 1 (layers.0.fc1.weight) "
        f"(fails if non_finite > 0)\n{outcome}\n"
    )
    lines = (here / "summary.md").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["before", f"## {outcome.replace('_', chr(92) + '_')}", ""]
    assert lines[-2].endswith("index.html") and (here / "report" / "index.html").is_file()
    assert invoke("gate", *arguments).stdout == done.stdout, "and without a summary's file"


def test_worse_is_what_rank_finds_of_the_pair(here: Path, invoke: Invoke) -> None:
    done = invoke("gate", "grown", *rules("worse(log_norm)", baseline="eight.json", format="json"), "-q")
    rule = json.loads(done.stdout)["rules"][0]
    (pair,) = wqscore.rank(["eight", "grown"], by="log_norm").pairs
    assert pair.ahead.label == "eight"
    found = pair.difference
    assert (rule["value"], rule["interval"]) == (-found.value, [-found.hi, -found.lo])
    assert (rule["comparison"], rule["limit"], rule["status"]) == (None, None, "failed")


def test_junit_has_the_time_it_took(here: Path, invoke: Invoke) -> None:
    suite = next(iter(JUnitXml.fromstring(
        invoke("gate", "good", *rules("alpha > 50"), "--format", "junit", "-q", "--no-store").stdout.encode()
    )))  # fmt: skip
    assert 0 < suite.time < 60
    assert sum(case.time for case in suite) <= suite.time


def test_files_beside_the_table(here: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    (here / "gate.prom").write_text("stale")
    names = {"junit": "gate.xml", "prometheus": "gate.prom", "summary": "gate.md"}
    before = set(here.iterdir())
    options = rules("alpha > 0.1", **names)
    done = invoke("gate", "good", *options, "-q", SOURCE_DATE_EPOCH="0")
    assert done.exit_code == 1
    assert done.stdout.startswith("gate failed: good")
    assert set(here.iterdir()) - before == {here / "gate.xml", here / "gate.md"}
    for name, file in (("junit", "gate.xml"), ("prometheus", "gate.prom"), ("md", "gate.md")):
        alone = invoke("gate", "good", *rules("alpha > 0.1"), "--format", name, "-q", SOURCE_DATE_EPOCH="0")
        assert alone.stdout == (here / file).read_text(encoding="utf-8")


def test_a_model_that_cant_be_read_passes_in_no_file(here: Path, invoke: Invoke) -> None:
    options = rules("alpha > 50", "non_finite > 0", junit="gate.xml", prometheus="gate.prom", format="json")
    done = invoke("gate", "cut", *options, "-q")
    assert done.exit_code == 3
    document = json.loads(done.stdout)
    assert (document["status"], [rule["status"] for rule in document["rules"]]) == ("unscored", ["unscored"] * 2)
    assert "model.safetensors" in document["error"]
    suite = next(iter(JUnitXml.fromfile("gate.xml")))
    assert (suite.tests, suite.errors) == (2, 2)
    gauges = {f.name: f.samples for f in text_string_to_metric_families(Path("gate.prom").read_text())}
    assert gauges["wqscore_gate_passed"][0].value == 0


@pytest.mark.parametrize(
    ("option", "said"),
    [("no/such/gate.xml", "there is no folder"), ("good", "is not a file"), ("/dev/null", "is not a file")],
)
def test_a_file_that_cant_be_written_is_refused_before_the_scoring(
    option: str, said: str, here: Path, invoke: Invoke
) -> None:
    done = invoke("gate", "cut", *rules("alpha > 50", junit=option), "-q")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_same_rule_of_policy_and_command_line_counts_once(here: Path, invoke: Invoke) -> None:
    done = invoke("gate", "good", "--policy", "policy.toml", *rules("alpha>50.0"), "--format", "json", "-q")
    assert [rule["rule"] for rule in json.loads(done.stdout)["rules"]] == ["alpha > 50", "share(random) > 0.5"]


def test_the_value_is_that_of_score(here: Path, invoke: Invoke) -> None:
    """A limit a hair below the number that `score` shows fails, the number itself passes."""
    median = json.loads((here / "good.json").read_text())["summary"]["alpha"]["median"]
    below = float(np.nextafter(median, -np.inf))
    assert invoke("gate", "good", *rules(f"alpha > {median!r}"), "-q").exit_code == 0
    done = invoke("gate", "good", *rules(f"alpha > {below!r}"), "-q")
    assert done.exit_code == 1
    assert f"{median!r}" in done.stdout


def test_a_reader_that_leaves_early_doesnt_open_the_gate(here: Path) -> None:
    for rule, code in (("alpha > 0.1", 1), ("alpha > 50", 0)):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [str(COMMAND), "gate", "good", "--rule", rule, "-q"],
            cwd=here,
            env=environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=300,
            check=False,
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (code, b"")


def test_a_gate_knows_what_was_scored_and_keeps_what_it_scores(
    here: Path, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, rule = ["--store", str(tmp_path / "gate.sqlite")], ["--rule", "alpha > 50", "--format", "json"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    plain = invoke("gate", "good", *rule, "--no-store")
    assert (plain.exit_code, list(tmp_path.glob("gate.sqlite*"))) == (0, [])
    # As old as what people gate: a fresh file may be changed again under the same time.
    old = time.time() - 60
    for file in (here / "good").iterdir():
        os.utime(file, (old, old))
    cold = invoke("gate", "good", *rule, *store)

    def refuse(self: TensorRef) -> np.ndarray:
        raise AssertionError(f"{self.name} is read")

    monkeypatch.setattr(TensorRef, "read", refuse)
    warm = invoke("gate", "good", *rule, *store)
    assert invoke("score", "good", *store).exit_code == 0
    assert plain.stdout == cold.stdout == warm.stdout
    assert invoke("gate", "good", *rule, *store, "--no-store").exit_code == 2

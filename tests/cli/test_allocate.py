"""`wqscore allocate`: each use of a table and of a model, the forms of other programs, and wrong usage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

from tests.cli.conftest import toy

Invoke = Callable[..., Result]
TABLE = "name,block,role,params,alpha\n" + "".join(
    f"h.{block}.{role},{block},{role},{100 * (place + 1)},{2 + block % 3 + place / 7}\n"
    for block in range(4)
    for place, role in enumerate(("q", "k"))
)
USES = {"prune": "0.5", "lr": "0.1", "wd": "0.1", "lora": "16", "unfreeze": "0.5"}


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    (tmp_path / "layers.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path / "layers.csv"


@pytest.mark.parametrize("use", USES)
def test_each_use_shows_the_three_plans(invoke: Invoke, layers: Path, use: str) -> None:
    done = invoke("allocate", use, layers, "--total", USES[use], "--by", "alpha", "--no-store")
    assert (done.exit_code, done.stderr) == (0, "")
    for word in ("uniform", "linear in depth", "not tested on your model"):
        assert word in done.stdout


def test_a_model_is_scored_and_its_plan_written(invoke: Invoke, tmp_path: Path) -> None:
    model = toy(tmp_path / "model")
    options = (
        "--total",
        "0.5",
        "--by",
        "stable_rank",
        "--out",
        "made",
        "--as",
        "mergekit",
        "--store",
        "store.sqlite",
    )
    done = invoke("allocate", "prune", model, *options, SOURCE_DATE_EPOCH="0")
    assert done.exit_code == 0, done.output
    assert done.stderr.endswith(f"plan: {Path('made') / 'plan.json'}\n")
    document = json.loads((tmp_path / "made" / "plan.json").read_text(encoding="utf-8"))
    assert [row["block"] for row in document["plan"]] == [f"layers.{layer}" for layer in range(4)]
    assert sum(row["value"] for row in document["plan"]) == pytest.approx(2, rel=1e-14)
    printed = yaml.safe_load(done.stdout)
    assert printed == yaml.safe_load((tmp_path / "made" / "mergekit.yaml").read_text(encoding="utf-8"))
    assert len(printed["models"][0]["parameters"]["density"]) == 4
    assert len((tmp_path / "made" / "plan.csv").read_text(encoding="utf-8").splitlines()) == 5


def test_other_programs_read_what_is_printed(invoke: Invoke, layers: Path) -> None:
    groups = invoke("allocate", "lr", layers, "--total", "0.1", "--by", "alpha", "--as", "groups", "--form", "log2")
    assert len(json.loads(groups.stdout)) == 4
    chosen = invoke("allocate", "unfreeze", layers, "--total", "0.5", "--by", "alpha", "--as", "axolotl")
    assert len(yaml.safe_load(chosen.stdout)["unfrozen_parameters"]) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prune", "--total", "0.5"), "no column 'alpha_peak'; it has name, block"),
        (("prune", "--total", "0.995", "--by", "alpha"), "no plan prunes 0.995"),
        (("lora", "--total", "3", "--by", "alpha"), "3 is too few for 4 blocks"),
        (("prune", "--total", "0.5", "--by", "alpha", "--epsilon", "2"), "epsilon is 2"),
        (("lr", "--total", "0.5", "--by", "role"), "column 'role' is not numbers"),
    ],
)
def test_wrong_usage_is_a_line(invoke: Invoke, layers: Path, arguments: tuple[str, ...], message: str) -> None:
    done = invoke("allocate", arguments[0], layers, *arguments[1:], "--no-store")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1

"""The public functions beside `score` and `rank`: what the commands of the same names print."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

import wqscore
from tests.cli.conftest import invoke, toy
from wqscore.errors import UsageError, WqscoreError
from wqscore.stores.errors import StoreError

__all__ = ["invoke"]
Invoke = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> str:
    return toy(tmp_path / "run", layers=3)


def test_gate_takes_rules_policies_and_scores(invoke: Invoke, run: str, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('rules = ["alpha > 1", "non_finite > 0"]\n')
    found = wqscore.gate(run, ["alpha > 1", "non_finite > 0"])
    assert found.status == "failed"
    printed = invoke("gate", run, "--rule", "alpha>1", "--rule", "non_finite>0", "--format", "json", "-q")
    assert printed.stdout == found.to_json()
    for policy in (tmp_path / "policy.toml", str(tmp_path / "policy.toml"), found.policy):
        again = wqscore.gate(run, policy).outcomes
        assert [replace(each, seconds=0.0) for each in again] == [
            replace(each, seconds=0.0) for each in found.outcomes
        ]
    assert wqscore.gate(run, "alpha > 100", metrics="entropy").status == "passed"
    before = wqscore.score(run)
    (tmp_path / "before.json").write_text(before.to_json())
    for baseline in (before, tmp_path / "before.json", str(tmp_path / "before.json")):
        changed = wqscore.gate(run, "delta(alpha) > 0.3", baseline)
        assert [(outcome.status, outcome.value) for outcome in changed.outcomes] == [("passed", 0.0)]
    with pytest.raises(UsageError, match="no rule given"):
        wqscore.gate(run, [])
    with pytest.raises(UsageError, match=r"the score of .*run: was made with the seed 0, this gate with 1"):
        wqscore.gate(run, "delta(alpha) > 0.3", before, seed=1)


def test_the_keywords_of_gate_override_the_policy(run: str) -> None:
    found = wqscore.gate(run, "alpha > 100", preset="ww-0.7")
    assert found.score is not None and found.score.preset.name == "ww-0.7"


def test_a_card_is_that_of_the_command(
    invoke: Invoke, run: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    text = invoke("card", "run", "-q", SOURCE_DATE_EPOCH="0").stdout
    monkeypatch.chdir(tmp_path)
    card = wqscore.card("run")
    assert card.to_markdown() == str(card) == text
    assert wqscore.card(card.score).to_markdown() == text
    frame = card.to_frame()
    alpha = card.score.summary.statistics["alpha"]
    assert frame.set_index("metric")["median"]["alpha"] == alpha.median
    with pytest.raises(UsageError, match="a score is made already"):
        wqscore.card(card.score, seed=3)


def test_known_reads_cards_and_lists_the_missing(run: str, tmp_path: Path) -> None:
    (tmp_path / "run" / "README.md").write_text(
        "---\nmodel-index:\n- name: a\n  results:\n  - task: {type: nli}\n    dataset: {type: glue, name: GLUE}\n"
        "    metrics: [{type: accuracy, value: 0.9}]\n---\n"
    )
    found = wqscore.known([run, tmp_path / "gone"])
    assert found.to_frame().set_index("model").loc[run].tolist() == [0.9]
    assert [failure.ref.label for failure in found.unread] == [str(tmp_path / "gone")]


def test_correlate_takes_rankings_frames_and_files(invoke: Invoke, tmp_path: Path) -> None:
    models = {str(i): toy(tmp_path / f"run-{i}", i, layers=2) for i in range(4)}
    ranking = wqscore.rank(models, bootstrap=0, gof=0)
    figures = pd.DataFrame({"model": list(models), "accuracy": [0.1, 0.4, 0.2, 0.3]})
    figures.to_csv(tmp_path / "known.csv", index=False)
    (tmp_path / "scores.csv").write_text(ranking.to_csv())
    found = wqscore.correlate(ranking, figures, y="accuracy", x=["alpha"])
    row = next(row for row in found.rows if row.x == "alpha" and row.group is None)
    alphas = ranking.to_frame().set_index("model")["alpha"].loc[list(models)].to_numpy()
    ranks = [np.argsort(np.argsort(values)) for values in (alphas, figures["accuracy"].to_numpy())]
    assert row.correlation is not None
    assert row.correlation.rho.value == pytest.approx(np.corrcoef(*ranks)[0, 1])
    for scores in (ranking.to_frame(), tmp_path / "scores.csv"):
        for known in (figures, tmp_path / "known.csv"):
            again = wqscore.correlate(scores, known, y="accuracy", x=["alpha"])
            assert again.to_csv() == found.to_csv()
    done = invoke("correlate", "scores.csv", "known.csv", "--y", "accuracy", "--x", "alpha", "--format", "csv")
    assert done.stdout == found.to_csv()
    with pytest.raises(TypeError, match="unexpected keyword 'grup': did you mean group"):
        wqscore.correlate(ranking, figures, grup="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="what is known: pass a ranking, a data frame or the path of a CSV file"):
        wqscore.correlate(ranking, 3)  # type: ignore[arg-type]


def test_the_store_of_the_command_line_serves_python(invoke: Invoke, run: str) -> None:
    assert invoke("score", run, "-q").exit_code == 0
    found = wqscore.store()
    assert [model.label for model in found.models] == [run]
    assert found.to_frame()["model"].tolist() == [run]
    assert found.path.is_file()
    wqscore.score(run, store=found.path)
    with pytest.raises(StoreError):
        wqscore.store(Path(run) / "model.safetensors")


def test_a_leaderboard_takes_models_and_lists(run: str, tmp_path: Path) -> None:
    other = toy(tmp_path / "other", 1, layers=2)
    (tmp_path / "list.toml").write_text(f'[[models]]\nid = "{other}"\naliases = ["other"]\n')
    built = wqscore.leaderboard([tmp_path / "list.toml", run], tmp_path / "site")
    assert [model.name for model in built.site.models] == built.to_frame()["model"].tolist()
    assert set(built.to_frame()["model"]) == {"other", "run"}
    assert built.to_csv() == (tmp_path / "site" / "data" / "models.csv").read_text()
    assert built.to_html() == built.index.read_text()
    assert len(repr(built)) < 200
    with pytest.raises(UsageError, match="a leaderboard has no choice of seed: leave it out"):
        wqscore.leaderboard(run, tmp_path / "site", seed=3)
    with pytest.raises(UsageError, match="no model given"):
        wqscore.leaderboard([], tmp_path / "site")


def test_every_public_name_is_there_with_its_documentation() -> None:
    for name in wqscore.__all__:
        found = getattr(wqscore, name)
        assert name == "__version__" or (inspect.getdoc(found) or "").strip(), name
    for name in ("score", "rank", "gate", "card", "leaderboard", "watch"):
        assert {"preset", "seed", "store", "jobs"} <= inspect.signature(getattr(wqscore, name)).parameters.keys()
    assert issubclass(UsageError, WqscoreError)


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'altair', 'vl_convert', 'numba', 'torch', 'transformers', 'jinja2', 'typer'}"
    program = f"import sys, wqscore; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_notebook_shows_the_conclusion_the_table_and_the_notes(tmp_path: Path) -> None:
    ranking = wqscore.rank([toy(tmp_path / str(i), i, layers=2) for i in range(2)], bootstrap=0, gof=0)
    shown = ranking._repr_html_()
    assert shown.startswith("<p><strong>") and ranking.conclusion.text.split()[0] in shown
    assert shown.count("<table>") == 1 and shown.index("<strong>") < shown.index("<table>")
    one = ranking.models[0]._repr_html_()
    assert one.count("<table>") == 1 and len(one) < 3000
    assert f"{ranking.models[0].rank}, could be" in one

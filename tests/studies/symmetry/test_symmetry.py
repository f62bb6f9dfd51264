"""`wqscore.symmetry`: the contract of its JSON, spreads computed again from whole scores, and outputs that stay."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wqscore
from tests.reports.html.parsed import Page
from tests.symmetries.made import BERT, QUICK, RELU, SMALL, bert, chain
from tests.symmetries.tiny import build
from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.errors import UsageError
from wqscore.fits.sampling import Sampling
from wqscore.ranking.gauge_spread import read_gauge_spreads
from wqscore.refs.callers import as_ref
from wqscore.scoring.score_checkpoint import score_checkpoint
from wqscore.studies.symmetry import outputs
from wqscore.studies.symmetry.page import CHANGES
from wqscore.studies.symmetry.symmetry import Symmetry
from wqscore.symmetries.derived import stored_of, transformed
from wqscore.symmetries.finding import find_layout
from wqscore.symmetries.sites import NAMES, Layout
from wqscore.symmetries.transformations import draw

FEW = {**QUICK, "metrics": "stable_rank,log_norm,rand_distance"}


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an installation without torch."""
    monkeypatch.setattr(outputs, "find_spec", lambda name: None)


@pytest.fixture(scope="module")
def study() -> Symmetry:
    """Of a BERT of one layer, without torch."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(outputs, "find_spec", lambda name: None)
        return found(bert(layers=1), SMALL, seed=5)


def found(content: dict[str, np.ndarray], config: dict[str, Any], **changes: Any) -> Symmetry:
    return wqscore.symmetry(as_ref(content, config, "made"), **{**FEW, **changes})


def test_all_ten_are_listed_with_what_they_move(study: Symmetry) -> None:
    document = json.loads(study.to_json())
    assert [*document][:6] == ["schema_version", "wqscore", "created", "seed", "model", "revision"]
    made = document["transformations"]
    assert [each["name"] for each in made] == [*NAMES]
    for each in made:
        assert [*each] == ["name", "applies", "reason", "sites", "logit_change", "metrics"]
        assert each["logit_change"] is None
        assert each["applies"] == bool(each["sites"]) == bool(each["metrics"]) == (each["reason"] is None)
    by_name = {each["name"]: each for each in made}
    assert [name for name in NAMES if not by_name[name]["applies"]] == [
        *("norm.gain", "neuron.scale", "residual.rotation", "residual.scale")
    ]
    assert by_name["attention.qk"]["sites"] == 4
    assert [*by_name["attention.qk"]["metrics"]] == ["log_norm", "stable_rank", "rand_distance"]
    for name in ("neuron.permutation", "head.permutation"):
        metrics = by_name[name]["metrics"]
        assert metrics["stable_rank"]["invariance"] == metrics["log_norm"]["invariance"] == "exact"
        assert max(metrics["stable_rank"]["spread"], metrics["log_norm"]["spread"]) < 1e-9
        assert metrics["rand_distance"]["invariance"] == "none-claimed"
    moved = by_name["attention.vo"]["metrics"]["stable_rank"]
    assert moved["invariance"] == "moves"
    assert moved["spread"] > 1e-3


@pytest.mark.parametrize("name", ["attention.qk", "neuron.split", "norm.mean"])
def test_spreads_are_those_of_eight_whole_scores(name: str, study: Symmetry) -> None:
    checkpoint = open_in_memory(as_ref(bert(layers=1), SMALL, "made"))
    layout = find_layout(checkpoint)
    assert isinstance(layout, Layout)
    stored = stored_of(checkpoint, layout)
    values = []
    for number in range(8):
        rng = np.random.default_rng([5, NAMES.index(name), number])
        changed = transformed(checkpoint, draw(name, layout, stored, rng))
        whole = score_checkpoint(changed, metrics=("log_norm", "stable_rank"), sampling=Sampling(5, 0, 0))
        values.append([whole.summary.statistics[metric].median for metric in ("log_norm", "stable_rank")])
    (result,) = (each for each in study.transformations if each.name == name)
    spread = np.ptp(np.array(values), axis=0)
    assert [result.metrics[metric].spread for metric in ("log_norm", "stable_rank")] == pytest.approx(
        spread, abs=1e-9
    )


def test_a_deep_relu_chain_is_run_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "find_spec", lambda name: None)
    study = found(chain(), RELU)
    applying = {each.name: each for each in study.transformations if each.applies}
    assert set(applying) == {"neuron.scale", "neuron.permutation", "neuron.split"}
    for each in applying.values():
        assert each.sites == 3
        assert each.logit_change is not None
        assert each.logit_change <= 1e-8
    assert applying["neuron.scale"].metrics["stable_rank"].spread > 0.01
    # The check can fail: the same scales are no symmetry of a chain with another activation.
    other = found(chain(), {**RELU, "hidden_act": "tanh"})
    reasons = {each.name: each.reason for each in other.transformations}
    assert reasons["neuron.scale"] == "its activation, tanh, doesn't scale with its input"
    assert reasons["attention.qk"] == "it has no attention"


def test_without_a_configuration_none_applies() -> None:
    for content in (bert(), chain()):
        study = wqscore.symmetry(content, **FEW)
        assert [each.name for each in study.transformations] == [*NAMES]
        assert {each.applies for each in study.transformations} == {False}
        assert {each.reason for each in study.transformations} == {
            "it has no configuration, so that how its layers are joined can't be told"
        }
        assert "no transformation applies" in study.to_markdown()
        assert np.isnan(study.spread("stable_rank"))


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("name", ["bert", "gpt2-untied", "llama", "neox", "qwen3", "mixtral"])
def test_the_outputs_of_tiny_models_stay(name: str, tmp_path: Path) -> None:
    study = wqscore.symmetry(str(build(name, tmp_path / "model")), **{**FEW, "metrics": "stable_rank"})
    for each in study.transformations:
        assert (each.logit_change is None) != each.applies, each.name
        assert each.logit_change is None or each.logit_change <= 1e-8, each.name


@pytest.mark.oracle("torch", "transformers")
def test_a_model_that_lacks_weights_is_not_run() -> None:
    study = found(bert(layers=1), {**SMALL, "architectures": ["BertForMaskedLM"]}, metrics="log_norm")
    assert {each.logit_change for each in study.transformations} == {None}


def test_rows_and_page(study: Symmetry) -> None:
    header, *rows = csv.reader(io.StringIO(study.to_csv()))
    assert header == ["name", "applies", "sites", "logit_change", "metric", "invariance", "spread", "reason"]
    assert len(rows) == 6 * 3 + 4
    text = study.to_html()
    page = Page(text)
    assert text.count("<script") == 0
    applying = [each for each in study.transformations if each.applies]
    moves = page.table("moves-table")
    assert moves.header == ["metric", *(each.name for each in applying)]
    for metric, *cells in moves.body:
        for cell, each in zip(cells, applying, strict=True):
            moved = each.metrics[metric]
            assert cell.startswith("(") is (moved.invariance == "none-claimed")
            assert float(cell.strip("()")) == pytest.approx(moved.spread, rel=1e-3, abs=1e-6)
    acting = page.table("transformations-table")
    assert [(row[0], int(row[2])) for row in acting.body] == [(each.name, each.sites) for each in applying]
    assert all(row[1] for row in acting.body) and {*CHANGES} == {*NAMES}
    assert "outputs were not compared" in page.text.lower()
    reasons = {each.reason for each in study.transformations if not each.applies}
    assert all(page.text.count(f": {reason}") == 1 for reason in reasons), "each reason once"


def test_the_page_of_a_model_of_unknown_layout_says_the_reason_once() -> None:
    study = found(bert(layers=1), {"hidden_act": "gelu"}, metrics="log_norm")
    text = Page(study.to_html()).text
    assert text.count("names no type of model (model_type)") == 1
    assert "Draws" not in text and f"Tried: {', '.join(NAMES)}." in text


@pytest.mark.parametrize(
    "change",
    [{"base": "a"}, {"engine": "weightwatcher"}, {"gauge": "balanced"}, {"metrics": "param_norm"}, {"stream": True}],
)
def test_what_it_can_not_do_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        found(bert(), BERT, **change)


def test_rank_reads_what_the_study_writes(study: Symmetry, tmp_path: Path) -> None:
    (tmp_path / "symmetry.json").write_text(study.to_json())
    (read,) = read_gauge_spreads([tmp_path])
    for metric in study.score.metrics:
        assert read.of(metric, "none") == study.spread(metric)
        assert read.of(metric, "balanced") <= study.spread(metric)
    assert read.of("alpha", "none") == 0


@pytest.mark.usefixtures("without_torch")
def test_only_chosen_matrices_are_scored() -> None:
    chosen = found(bert(layers=1), SMALL, metrics="log_norm", roles="mlp.*")
    moved = {each.name: each.metrics["log_norm"].spread for each in chosen.transformations if each.applies}
    assert moved["attention.qk"] == moved["attention.vo"] == 0
    assert moved["neuron.split"] > 0

"""Baselines: the numbers of files that wqscore writes, and one clear line for any other."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from wqscore.checkpoints.opening import open_checkpoint
from wqscore.errors import UsageError
from wqscore.gating.baseline import Baseline, load_baseline
from wqscore.gating.grammar import parse_rule
from wqscore.gating.rules import Quantity
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.ranking import rank_models
from wqscore.refs.reference import ModelRef
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import score_checkpoint

METRICS = ("alpha", "param_norm")
RULES = tuple(map(parse_rule, ("delta(alpha) > 1", "relative(alpha.mean) > 1", "delta(param_norm) > 1", "D > 1")))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[ModelScore]:
    """Two models, one of them on the Hub."""
    rng = np.random.default_rng(0)
    found = []
    for ref in (ModelRef("./here", "folder"), ModelRef("org/there", "hub", "org/there", "v2")):
        folder = tmp_path_factory.mktemp("model")
        mixed = rng.standard_t(3, (96, 64)) @ rng.standard_normal((64, 64)) * 0.04
        save_file({"layers.0.fc1.weight": mixed.astype("f4")}, folder / "model.safetensors")
        checkpoint = open_checkpoint(ModelRef(ref.text, "folder", path=folder))
        score = score_checkpoint(checkpoint, metrics=METRICS)
        found.append(replace(score, ref=ref))
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("baseline") / "baseline.json"


def load(file: Path, document: object, ref: ModelRef) -> Baseline:
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return load_baseline(file, ref, DEFAULT, 0, RULES)


def test_a_score_and_a_ranking_give_what_the_model_has(scores: list[ModelScore], file: Path) -> None:
    ranking = rank_models(scores, metrics=METRICS)
    for score in scores:
        alpha = score.summary.statistics["alpha"]
        expected = {
            Quantity("alpha"): alpha.median,
            Quantity("alpha", "mean"): alpha.mean,
            Quantity("param_norm"): score.summary.values["param_norm"].value,
        }
        for text in (score.to_json(), ranking.to_json()):
            baseline = load(file, text, score.ref)
            assert (baseline.model, baseline.doubt, baseline.values) == (score.ref.label, "", expected)


def test_which_model_of_a_ranking(scores: list[ModelScore], file: Path) -> None:
    document = json.loads(rank_models(scores, metrics=METRICS).to_json())
    newer = ModelRef("org/there@main", "hub", "org/there", "main")
    assert load(file, document, newer).model == "org/there@v2"
    with pytest.raises(UsageError, match="none of its 2 models is org/else"):
        load(file, document, ModelRef("org/else", "hub", "org/else"))
    document["models"] += [{**model, "model": "org/there@v1"} for model in document["models"] if model["repo"]]
    with pytest.raises(UsageError, match="2 of its 3 models are org/there@main"):
        load(file, document, newer)
    failed = {**document, "models": [{"model": "./here", "status": "failed", "reason": "cut short"}]}
    with pytest.raises(UsageError, match="here could not be scored there: cut short"):
        load(file, failed, scores[0].ref)


def test_another_engines_numbers_are_refused(scores: list[ModelScore], file: Path) -> None:
    document = {**json.loads(scores[0].to_json()), "engine": "weightwatcher"}
    with pytest.raises(UsageError, match="holds the numbers of weightwatcher"):
        load(file, document, scores[0].ref)


@pytest.mark.parametrize("text", ["", "NaN", "[" * 100_000, "9" * 10_000, '{"schema_version": 5, "seed": NaN}'])
def test_what_is_no_json(text: str, file: Path, scores: list[ModelScore]) -> None:
    with pytest.raises(UsageError, match="is not valid JSON"):
        load(file, text, scores[0].ref)


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.none()), st.just({}),
    st.just(10**400), st.just("1e999"),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_file_gives_numbers_or_one_clear_line(
    data: st.DataObject, scores: list[ModelScore], file: Path
) -> None:
    document = json.loads(scores[0].to_json())
    del document["layers"]
    broken = copy.deepcopy(document)
    *way, last = data.draw(st.sampled_from(places(broken)[1:]))
    parent = broken
    for key in way:
        parent = parent[key]
    parent[last] = data.draw(anything)
    text = json.dumps(broken).replace('"1e999"', "1e999")
    try:
        baseline = load(file, text, scores[0].ref)
    except UsageError as error:
        assert str(error).startswith(f"{file}: ")
        assert str(error).isprintable()
    else:
        assert isinstance(baseline.model, str)
        assert isinstance(baseline.base, str)
        assert not any(np.isinf(value) for value in baseline.values.values())

"""The balanced form: equal for equal functions, and what NumPy's SVD of the products says it is."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

import wqscore
from tests.saved_models import saved
from tests.symmetries.made import BERT, HEADS, LAYERS, QUICK, RELU, SIZE, Tensors, bert, chain
from tests.symmetries.tiny import MODELS, build, log_softmax, opened, store
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError, UsageError
from wqscore.ranking.ranking import rank_models
from wqscore.refs.callers import as_ref
from wqscore.scoring import score_matrix
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import score_checkpoint
from wqscore.symmetries.derived import stored_of, transformed
from wqscore.symmetries.finding import find_layout
from wqscore.symmetries.gauge import balanced
from wqscore.symmetries.sites import Layout
from wqscore.symmetries.transformations import draw, why_not

QUERY, KEY, VALUE = (f"encoder.layer.{{}}.attention.self.{name}" for name in ("query", "key", "value"))
OUTPUT = "encoder.layer.{}.attention.output.dense.weight"


def multiplied(content: Tensors, seed: int = 3) -> Tensors:
    """The same function: every head multiplied by elements of GL(32), exponentials of matrices of scale 0.6."""
    rng, found = np.random.default_rng(seed), {name: value.copy() for name, value in content.items()}
    for layer in range(LAYERS):
        for head in range(HEADS):
            rows = slice(head * SIZE, (head + 1) * SIZE)
            one, two = (expm(0.6 * rng.standard_normal((SIZE, SIZE)) / SIZE**0.5) for _ in range(2))
            for name, factor in ((QUERY, one), (KEY, np.linalg.inv(one).T), (VALUE, two)):
                for part in ("weight", "bias"):
                    tensor = found[f"{name.format(layer)}.{part}"]
                    tensor[rows] = factor @ tensor[rows]
            output = found[OUTPUT.format(layer)]
            output[:, rows] = output[:, rows] @ np.linalg.inv(two)
    return found


def differences(one: ModelScore, other: ModelScore) -> list[float]:
    """How far the metrics of each matrix are apart, eigenvalues' noise floor and bounds included."""
    return [
        abs(a.metrics[name] - b.metrics[name])
        for a, b in zip(one.layers, other.layers, strict=True)
        for name in a.metrics
        if np.isfinite(a.metrics[name])
    ]


def scored(content: Tensors, config: dict[str, Any], **changes: Any) -> ModelScore:
    return wqscore.score(content, config=config, name="made", **{**QUICK, **changes})


def test_heads_multiplied_by_random_elements_have_one_balanced_score() -> None:
    one, other = bert(), multiplied(bert())
    assert max(differences(scored(one, BERT), scored(other, BERT))) > 1e-3
    first, second = (scored(each, BERT, gauge="balanced") for each in (one, other))
    assert first.gauge == "balanced"
    assert max(differences(first, second)) <= 1e-9
    for name, statistic in first.summary.statistics.items():
        assert second.summary.statistics[name].median == pytest.approx(statistic.median, abs=1e-9, nan_ok=True)


def test_the_balanced_matrices_are_those_of_numpys_svd() -> None:
    content = bert()
    found = {row.matrix.name: row for row in scored(content, BERT, gauge="balanced").layers}
    for layer in range(LAYERS):
        query, key, value = (content[f"{name.format(layer)}.weight"] for name in (QUERY, KEY, VALUE))
        output = content[OUTPUT.format(layer)]
        made: dict[str, list[np.ndarray]] = {"query": [], "key": [], "value": [], "output": []}
        for start in range(0, HEADS * SIZE, SIZE):
            rows = slice(start, start + SIZE)
            u, s, v = np.linalg.svd(query[rows].T @ key[rows])
            made["query"].append(np.sqrt(s[:SIZE, None]) * u.T[:SIZE])
            made["key"].append(np.sqrt(s[:SIZE, None]) * v[:SIZE])
            u, s, v = np.linalg.svd(output[:, rows] @ value[rows])
            made["output"].append(np.sqrt(s[:SIZE, None]) * u.T[:SIZE])
            made["value"].append(np.sqrt(s[:SIZE, None]) * v[:SIZE])
        names = {"query": f"{QUERY}.weight", "key": f"{KEY}.weight", "value": f"{VALUE}.weight", "output": OUTPUT}
        for part, name in names.items():
            values = np.square(np.linalg.svd(np.concatenate(made[part]), compute_uv=False))
            metrics = found[name.format(layer)].metrics
            assert metrics["stable_rank"] == pytest.approx(values.sum() / values[0], abs=1e-8)
            assert metrics["log_norm"] == pytest.approx(np.log10(values.sum()), abs=1e-8)
    # Gelu: the neurons stay as they are.
    plain = {row.matrix.name: row for row in scored(content, BERT).layers}
    inner = "encoder.layer.0.intermediate.dense.weight"
    assert found[inner].metrics == plain[inner].metrics


def test_a_deep_chain_has_one_balanced_score_whatever_its_neurons_are_scaled_by() -> None:
    content, rng = chain(), np.random.default_rng(4)
    other = {name: value.copy() for name, value in content.items()}
    for layer in range(3):
        scale = np.exp(rng.standard_normal(len(other[f"{2 * layer}.bias"])))
        other[f"{2 * layer}.weight"] *= scale[:, None]
        other[f"{2 * layer}.bias"] *= scale
        other[f"{2 * layer + 2}.weight"] /= scale
    assert max(differences(scored(content, RELU), scored(other, RELU))) > 1e-3
    found = [scored(each, RELU, gauge="balanced") for each in (content, other)]
    assert max(differences(*found)) <= 1e-9
    # It is balanced: of every hidden neuron the weights in have the norm of the weights out.
    values = [each.matrix.tensor.read() for each in _checkpoint_rows(content)]
    for into, out in pairwise(values):
        np.testing.assert_allclose(np.linalg.norm(into, axis=1), np.linalg.norm(out, axis=0), rtol=1e-12)


def _checkpoint_rows(content: Tensors) -> tuple[Any, ...]:
    checkpoint = balanced(open_in_memory(as_ref(content, RELU, "made")))
    return score_checkpoint(checkpoint, metrics=("stable_rank",)).layers


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("name", MODELS)
def test_every_layout_has_one_balanced_score_and_the_same_outputs(
    name: str, tmp_path: Path, monkeypatch: Any
) -> None:
    folder = build(name, tmp_path / "model")
    checkpoint = opened(folder)
    layout = find_layout(checkpoint)
    assert isinstance(layout, Layout)
    moved: Checkpoint = checkpoint
    for each in ("norm.gain", "attention.qk", "attention.vo", "neuron.scale"):
        stored = stored_of(moved, layout)
        if not why_not(each, layout, stored):
            moved = transformed(moved, draw(each, layout, stored, np.random.default_rng(5), 0.6))
    plain = [
        score_checkpoint(each, metrics=("stable_rank", "log_norm", "alpha_hill")) for each in (checkpoint, moved)
    ]
    assert max(differences(*plain)) > 1e-3
    forms = [score_checkpoint(balanced(each), metrics=plain[0].metrics) for each in (checkpoint, moved)]
    assert max(differences(*forms)) <= 1e-9
    before = log_softmax(folder, monkeypatch)
    after = log_softmax(store(balanced(moved), tmp_path / "balanced"), monkeypatch)
    assert np.abs(after - before).max() <= 1e-8


def saved_bert(folder: Path, content: Tensors, config: dict[str, Any] = BERT) -> str:
    path = saved(folder, content)
    (folder / "config.json").write_text(json.dumps(config))
    return path


@pytest.mark.usefixtures("settled")
def test_a_warm_store_reads_and_solves_nothing_and_only_what_changes_is_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, file = saved_bert(tmp_path / "a", bert()), tmp_path / "store.sqlite"
    done: list[str] = []
    read, solve = TensorRef.read, score_matrix.compute_spectrum
    monkeypatch.setattr(TensorRef, "read", lambda self: done.append("read") or read(self))
    monkeypatch.setattr(score_matrix, "compute_spectrum", lambda *a, **k: done.append("solve") or solve(*a, **k))
    plain = wqscore.score(model, store=file, **QUICK)
    done.clear()
    first = wqscore.score(model, store=file, gauge="balanced", **QUICK)
    # Of each layer the four matrices of attention, each read with the one that it is balanced with.
    assert (done.count("solve"), done.count("read")) == (4 * LAYERS, 8 * LAYERS)
    done.clear()
    again = wqscore.score(model, store=file, gauge="balanced", **QUICK)
    assert done == []
    assert again.to_csv() == first.to_csv()
    assert wqscore.score(model, store=file, **QUICK).to_csv() == plain.to_csv()
    assert done == []


def test_the_gauge_is_in_every_output(tmp_path: Path) -> None:
    one, other = (saved_bert(tmp_path / name, bert(seed)) for seed, name in enumerate("ab"))
    found = wqscore.rank([one, other], gauge="balanced", **{**QUICK, "jobs": 2})
    frame = found.to_frame()
    assert list(frame["gauge"]) == ["balanced"] * 2
    assert '"gauge": "balanced"' in found.to_json()
    assert set(found.scores[0].to_frame()["gauge"]) == {"balanced"}
    assert "balanced form" in found.to_markdown()
    assert "balanced form" in found.to_html()
    plain = wqscore.rank([one, other], **QUICK)
    assert '"gauge' not in plain.to_json()
    assert not {"gauge"} & {*plain.to_frame(), *plain.scores[0].to_frame()}


def test_gauges_are_not_mixed_in_one_ranking() -> None:
    mixed = [scored(bert(seed), BERT, gauge=gauge) for seed, gauge in enumerate(("none", "balanced"))]
    with pytest.raises(UsageError, match="scores of different gauges can't share a ranking"):
        rank_models(mixed, metrics=mixed[0].metrics)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "it has no configuration"),
        ({**BERT, "model_type": "deberta"}, "models of type deberta are not among those whose layout is known"),
        ({**BERT, "num_attention_heads": 7}, "is no multiple of its 7 heads"),
    ],
)
def test_a_model_whose_layout_is_not_known_fails(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(CheckpointError, match=f"has no balanced form: .*{reason}"):
        scored(bert(), config, gauge="balanced")


def test_nan_in_one_of_two_matrices_has_no_balanced_form() -> None:
    content = bert()
    content[f"{KEY.format(0)}.weight"][3, 4] = np.nan
    with pytest.raises(CheckpointError, match=r"attention.self.query.weight: has no balanced form: NaN or Inf in"):
        scored(content, BERT, gauge="balanced")


def test_rules_and_other_engines_are_of_stored_weights() -> None:
    with pytest.raises(UsageError, match="leave gauge out"):
        wqscore.gate(bert(), rules=["alpha > 9"], gauge="balanced")
    form = scored(bert(), BERT, gauge="balanced")
    with pytest.raises(UsageError, match="was made with the gauge balanced, and a gate is of the stored weights"):
        wqscore.gate(bert(), "delta(alpha) > 0.3", baseline=form, bootstrap=0, gof=0)
    with pytest.raises(UsageError, match="leave gauge out"):
        wqscore.card(form)
    with pytest.raises(UsageError, match="no such gauge: 'blue': choose from none, balanced"):
        scored(bert(), BERT, gauge="blue")


def test_distances_from_a_base_are_those_of_balanced_forms() -> None:
    base = as_ref(bert(), BERT, "base")
    config: dict[str, Any] = {"base": base, "metrics": "base,stable_rank"}
    plain, form = (scored(multiplied(bert()), BERT, gauge=gauge, **config) for gauge in ("none", "balanced"))
    attention = [row.matrix.name for row in plain.layers if row.matrix.role.startswith("attention")]
    moved = [{row.matrix.name: row.metrics["fro_dist"] for row in each.layers} for each in (plain, form)]
    assert min(moved[0][name] for name in attention) > 1e-3
    assert max(moved[1][name] for name in attention) < 1e-9


def test_a_balanced_tensor_can_be_sent_to_another_process() -> None:
    (tensor,) = (
        each
        for each in balanced(open_in_memory(as_ref(bert(), BERT, "made"))).tensors
        if each.name == f"{QUERY.format(1)}.weight"
    )
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(tensor)).read(), tensor.read())


def test_a_checkpoint_says_its_form() -> None:
    checkpoint = open_in_memory(as_ref(bert(), BERT, "made"))
    assert checkpoint.gauge == "none"
    found = balanced(checkpoint)
    assert found.gauge == "balanced"
    assert replace(found, tensors=checkpoint.tensors, gauge="none", remarks=()) == checkpoint

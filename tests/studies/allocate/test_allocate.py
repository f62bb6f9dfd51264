"""Plans of tables and of models: the contract's fields, the three columns, and what other programs read of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from tests.examples import examples
from tests.oracles import Oracle
from tests.small_models import bert
from wqscore.errors import CheckpointError, UsageError
from wqscore.scoring.model_score import ModelScore
from wqscore.stores.store import Store
from wqscore.studies.allocate.allocate import Allocation, allocate

torch = Oracle("torch")
USES = {"prune": 0.5, "lr": 0.1, "wd": 0.01, "lora": 16, "unfreeze": 0.5}
METRICS = ("alpha_hill", "alpha_peak", "stable_rank")


def table(values: dict[str, list[float]], params: int = 100) -> pd.DataFrame:
    """Matrices of blocks by name, each with the role of its place."""
    rows = [
        {
            "name": f"h.{block}.w{place}",
            "block": block,
            "role": f"w{place}",
            "params": params * (place + 1),
            "alpha": value,
        }
        for block, members in values.items()
        for place, value in enumerate(members)
    ]
    return pd.DataFrame(rows)


LAYERS = table({"0": [2.0, 3.0], "1": [4.0, 5.0], "10": [6.0, 7.0], "2": [3.0, 3.0]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model")
    save_file(bert(0, layers=3), made / "model.safetensors")
    return made


@pytest.fixture(scope="module")
def score(folder: Path) -> ModelScore:
    return wqscore.score(str(folder), metrics=METRICS, bootstrap=0, gof=0)


@pytest.mark.parametrize("use", USES)
def test_json_has_the_contracts_keys(score: ModelScore, use: str) -> None:
    document = json.loads(allocate(use, score, USES[use]).to_json())  # type: ignore[arg-type]
    assert list(document)[:4] == ["schema_version", "wqscore", "created", "seed"]
    first = "name" if use == "unfreeze" else "block"
    assert list(document["plan"][0]) == [first, "params", "metric", "value", "uniform", "linear"]
    assert {"total", "epsilon", "warning", "by", "use", "model", "revision", "skipped"} <= document.keys()
    assert document["by"] == {"prune": "alpha_peak", "lora": "alpha_peak", "unfreeze": "signal"}.get(
        use, "alpha_hill"
    )
    reasons = {each["name"]: each["reason"] for each in document["skipped"]}
    assert reasons["bert.embeddings.word_embeddings.weight"] == "its role is embedding"
    assert reasons["bert.pooler.dense.weight"] == "it is in no numbered layer"
    assert any("not tested on your model" in note for note in document["notes"])


def test_a_block_is_the_mean_of_its_matrices_in_order_of_depth() -> None:
    found = allocate("prune", LAYERS, 0.5, "alpha")
    assert [row.name for row in found.plan] == ["0", "1", "2", "10"]
    assert [row.metric for row in found.plan] == [2.5, 4.5, 3.0, 6.5]
    assert [row.params for row in found.plan] == [300] * 4
    expected = 0.5 * (0.7 + 0.6 * (np.array([2.5, 4.5, 3.0, 6.5]) - 2.5) / 4)
    expected *= 2 / expected.sum()
    np.testing.assert_allclose([row.value for row in found.plan], expected, rtol=0, atol=1e-12)
    assert [row.uniform for row in found.plan] == [0.5] * 4
    np.testing.assert_allclose([row.linear for row in found.plan], [0.35, 0.45, 0.55, 0.65], rtol=1e-12)


def test_a_model_gives_the_plan_of_its_scores_table(score: ModelScore) -> None:
    rows = [row for row in score.layers if row.matrix.depth is not None]
    made = pd.DataFrame(
        {
            "name": [row.matrix.name for row in rows],
            "block": [row.matrix.depth for row in rows],
            "role": [row.matrix.role for row in rows],
            "params": [row.matrix.parameters for row in rows],
            "stable_rank": [row.metrics["stable_rank"] for row in rows],
        }
    )
    ours, theirs = (allocate("prune", each, 0.6, "stable_rank", epsilon=0.2) for each in (score, made))
    assert [row.name for row in ours.plan] == [f"bert.encoder.layer.{place}" for place in range(3)]
    assert [row.value for row in ours.plan] == pytest.approx([row.value for row in theirs.plan], abs=1e-12)
    assert ours.warning == theirs.warning


def test_a_path_is_scored_as_it_is(folder: Path, score: ModelScore) -> None:
    found = allocate("lora", str(folder), 16, "alpha_hill")
    assert found.to_csv() == allocate("lora", score, 16, "alpha_hill").to_csv()
    assert sum(row.value for row in found.plan) == sum(row.uniform for row in found.plan) == 16
    assert sum(row.linear for row in found.plan) == 16
    assert (found.layers.seed, found.layers.model) == (0, str(folder))


def test_two_stacks_are_planned_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    tensors = {
        f"{stack}.layers.{layer}.fc1.weight": (rng.standard_t(3, (96, 64)) * 0.1).astype("f4")
        for stack in ("encoder", "decoder")
        for layer in (0, 1)
    }
    plan = allocate("prune", wqscore.score(tensors, metrics="stable_rank"), 0.5, "stable_rank").plan
    stacks = [row.name for row in plan]
    assert sorted(stacks) == sorted(f"{stack}.layers.{layer}" for stack in ("encoder", "decoder") for layer in (0, 1))
    assert [name[-1] for name in stacks] == ["0", "1", "0", "1"]


def test_what_has_no_metric_is_left_out_with_a_reason() -> None:
    holes = LAYERS.copy()
    holes.loc[holes["block"] == "1", "alpha"] = np.nan
    holes.loc[0, "alpha"] = np.nan
    found = allocate("prune", holes, 0.5, "alpha")
    assert {row.name: row.metric for row in found.plan} == {"0": 3.0, "2": 3.0, "10": 6.5}
    # A matrix without a metric is pruned as its block is.
    assert found.plan[0].params == 300
    assert [(each.name, each.reason) for each in found.layers.skipped] == [
        ("h.0.w0", "no alpha"),
        ("h.1.w0", "no alpha"),
        ("h.1.w1", "no alpha"),
        ("1", "none of its matrices has alpha"),
    ]


@pytest.mark.parametrize("use", USES)
def test_equal_metrics_give_the_uniform_plan_in_every_use(use: str) -> None:
    same = table({str(block): [3.0, 3.0] for block in range(5)})
    found = allocate(use, same, USES[use], "alpha")  # type: ignore[arg-type]
    assert [row.value for row in found.plan] == pytest.approx([row.uniform for row in found.plan], rel=1e-14)
    assert found.warning is not None and found.warning.startswith("layers hardly differ")


def test_groups_are_json_with_the_names_of_parameters(score: ModelScore) -> None:
    found = allocate("wd", score, 0.1)
    groups = json.loads(found.to_groups())
    assert [group["weight_decay"] for group in groups] == [row.value for row in found.plan]
    names = [name for group in groups for name in group["params"]]
    assert sorted(names) == sorted(row.matrix.tensor.name for row in score.layers if row.matrix.depth is not None)


@pytest.mark.oracle("torch")
def test_an_optimizer_takes_the_groups(score: ModelScore) -> None:
    groups = json.loads(allocate("lr", score, 0.1, form="sqrt").to_groups())
    named = {name: torch.nn.Parameter(torch.zeros(2)) for group in groups for name in group["params"]}
    made = torch.optim.SGD([{**group, "params": [named[name] for name in group["params"]]} for group in groups], lr=1)
    assert np.mean([group["lr"] for group in made.param_groups]) == pytest.approx(0.1, rel=1e-12)


def test_axolotl_unfreezes_what_was_chosen(score: ModelScore) -> None:
    """As Axolotl reads the list: full stops are escaped, then a pattern matches from a name's beginning."""
    found = allocate("unfreeze", score, 0.34)
    chosen = {row.name for row in found.plan if row.value}
    assert len(chosen) == 6
    patterns = [
        re.compile(each.replace(".", "\\.")) for each in yaml.safe_load(found.to_axolotl())["unfrozen_parameters"]
    ]
    names = [*bert(0, layers=3), *(f"x.{name}" for name in bert(0, layers=3)), *(f"{name}.x" for name in chosen)]
    assert {name for name in names if any(pattern.match(name) for pattern in patterns)} == chosen


def test_names_survive_yaml() -> None:
    odd = LAYERS.assign(name=[f"it's: #{place} [q] \\d+ *&! ü" for place in range(len(LAYERS))])
    found = allocate("unfreeze", odd, 1.0, "alpha")
    patterns = yaml.safe_load(found.to_axolotl())["unfrozen_parameters"]
    for name in odd["name"]:
        assert sum(re.compile(each.replace(".", "\\.")).match(name) is not None for each in patterns) == 1


def test_mergekit_takes_a_density_for_each_layer() -> None:
    plan = allocate("prune", table({"0": [2.0], "1": [3.0], "2": [5.0]}), 0.5, "alpha")
    (model,) = yaml.safe_load(plan.to_mergekit())["models"]
    assert model["model"] == "the layers"
    assert model["parameters"]["density"] == [1 - row.value for row in plan.plan]
    with pytest.raises(UsageError, match="some are missing"):
        allocate("prune", LAYERS, 0.5, "alpha").to_mergekit()


@pytest.mark.parametrize(
    ("use", "form", "message"),
    [
        ("prune", "to_groups", "parameter groups are for lr and wd, not prune"),
        ("prune", "to_axolotl", "Axolotl's list is of unfreeze, not prune"),
        ("lr", "to_mergekit", "mergekit takes densities, of prune, not of lr"),
    ],
)
def test_a_form_of_another_use_is_refused(use: str, form: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        getattr(allocate(use, LAYERS, 0.5, "alpha"), form)()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prune", LAYERS, 0.5, "beta"), "no column 'beta'"),
        (("prune", LAYERS, 0.0, "alpha"), "the total is 0: give a number above 0"),
        (("prune", LAYERS, float("nan"), "alpha"), "the total is nan"),
        (("lora", LAYERS, 2.5, "alpha"), "the total 2.5 .* whole numbers"),
        (("lora", LAYERS, 3, "alpha"), "3 is too few for 4 blocks"),
        (("trim", LAYERS, 0.5, "alpha"), "no such use 'trim': choose from prune, lr, wd, lora, unfreeze"),
        (("prune", LAYERS.assign(params=0), 0.5, "alpha"), "row 1 has 0 params"),
        (("prune", LAYERS.assign(name="a"), 0.5, "alpha"), "'a' is in several rows"),
        (("prune", LAYERS.assign(alpha=np.nan), 0.5, "alpha"), "no matrix in a numbered layer has alpha"),
        (("prune", LAYERS.drop(columns="block"), 0.5, "alpha"), "no column 'block'"),
    ],
)
def test_wrong_usage_is_a_line(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        allocate(*arguments)  # type: ignore[arg-type]


def test_a_score_has_to_have_the_metric(score: ModelScore) -> None:
    with pytest.raises(UsageError, match="the score has no entropy"):
        allocate("prune", score, 0.5, "entropy")
    with pytest.raises(UsageError, match="is of the whole model"):
        allocate("prune", score, 0.5, "param_norm")
    with pytest.raises(TypeError, match="colour"):
        allocate("prune", LAYERS, 0.5, "alpha", colour="red")


def test_a_model_without_the_metric_in_any_layer_is_a_failure_of_the_model() -> None:
    with pytest.raises(CheckpointError, match="no matrix in a numbered layer has alpha_hill: layers"):
        allocate("lr", {"layers.0.fc1.weight": np.eye(8, dtype="f4")}, 0.1)


def test_the_report_says_what_it_rests_on(score: ModelScore) -> None:
    found: Allocation = wqscore.allocate("lr", score, 0.1)
    shown = found.to_markdown()
    for words in (
        "uniform",
        "linear in depth",
        "not tested on your model",
        "alpha is a coin",
        "doesn't keep the mean",
    ):
        assert words in shown
    assert found.to_frame().columns.tolist() == ["block", "params", "metric", "value", "uniform", "linear"]
    import wqscore.studies.allocate as room

    assert room.allocate is wqscore.allocate


_NUMBER = st.floats(allow_nan=True, allow_infinity=False)


@given(st.sampled_from(list(USES)), st.lists(_NUMBER, min_size=1, max_size=8), st.floats(1e-9, 1e6), _NUMBER)
@settings(max_examples=examples(300))
def test_a_plan_has_finite_numbers_or_there_is_a_line(
    use: str, values: list[float], total: float, beta: float
) -> None:
    blocks = table({str(place): [value] for place, value in enumerate(values)}, params=10**12)
    total = round(total) if use == "lora" else total
    if beta != beta or (total > 10**4 and use == "lora"):
        return
    for form in ("linear", "sqrt", "log2"):
        try:
            found = allocate(use, blocks, total, "alpha", beta=beta, form=form)  # type: ignore[arg-type]
        except UsageError:
            continue
        document = json.loads(found.to_json(), parse_constant=pytest.fail)
        assert all(np.isfinite(row[name]) for row in document["plan"] for name in ("value", "uniform", "linear"))
        if use == "lora":
            assert sum(row["value"] for row in document["plan"]) == total
        assert found.to_markdown()


def test_stored_spectra_are_not_solved_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.sqlite"
    Store.open(path).close()
    wqscore.score(str(folder), metrics="stable_rank", bootstrap=0, gof=0, store=path)
    monkeypatch.setattr("wqscore.spectra.spectrum.gram_eigenvalues", pytest.fail)
    quick: dict[str, Any] = {"store": path, "bootstrap": 0, "gof": 0}
    plans = [allocate(use, str(folder), total, **quick) for use, total in USES.items()]  # type: ignore[arg-type]
    assert all(len(plan.plan) in (3, 18) for plan in plans)

"""Choosing matrices by layer, name and role: what is scored is what the whole run has, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from typer.testing import CliRunner

import wqscore
from tests.examples import examples
from tests.small_models import bert
from wqscore.cli import app
from wqscore.errors import UsageError
from wqscore.matrices import roles
from wqscore.scoring.find_layer import choose_layer
from wqscore.scoring.selection import ROLES, LeftOut, Selection, selection_of
from wqscore.stores.store import Store


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("selection") / "model"
    folder.mkdir()
    save_file(bert(0), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def whole(model: Path) -> wqscore.ModelScore:
    return wqscore.score(model, jobs=1)


@pytest.mark.parametrize(
    ("pattern", "name", "role", "depth", "chosen"),
    [
        ("0-5", "layer.3.fc", "other", 3, True),
        ("layers 4-5", "layer.3.fc", "other", 3, False),
        ("3", "layer.3.fc", "other", 3, True),
        ("3", "layer.13.fc", "other", 13, False),
        ("3", "fc3", "other", None, False),
        ("3.attention.q", "layer.3.attention.self.query.weight", "attention.q", 3, True),
        ("3.attention.q", "layer.13.attention.self.query.weight", "attention.q", 13, False),
        ("3.attention.q", "layer.3.attention.self.key.weight", "attention.k", 3, False),
        ("3.attention", "layer.3.attention.self.key.weight", "attention.k", 3, True),
        ("attention.self.query", "layer.3.attention.self.query.weight", "attention.q", 3, True),
        ("layer.1", "layer.11.fc", "other", 11, False),
        ("layer.1", "layer.1.fc", "other", 1, True),
        ("*.query.weight", "layer.3.attention.self.query.weight", "attention.q", 3, True),
        ("layer.?.attention", "x.layer.3.attention.self.query.weight", "attention.q", 3, True),
        ("mlp.in", "layer.3.intermediate.dense.weight", "mlp.in", 3, True),
        ("[q]", "layer.3.qkv.weight[q]", "attention.q", 3, True),
    ],
)
def test_what_a_pattern_of_layers_fits(pattern: str, name: str, role: str, depth: int | None, chosen: bool) -> None:
    assert Selection(layers=(pattern,)).chooses(name, role, depth) is chosen


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        ("attention.q", {"attention.q"}),
        ("mlp.*", {"mlp.gate", "mlp.in", "mlp.out"}),
        ("Attention", {"attention.q", "attention.k", "attention.v", "attention.o"}),
        ("head", {"head"}),
        ("*", set(ROLES)),
    ],
)
def test_what_a_pattern_of_roles_fits(pattern: str, fitting: set[str]) -> None:
    assert {role for role in ROLES if Selection(roles=(pattern,)).chooses("x", role, None)} == fitting


def test_every_role_is_known() -> None:
    listed = {role for table in (roles._BY_NAME, roles._IN_ATTENTION, roles._IN_MLP) for role in table.values()}
    single = {roles.EMBEDDING, roles.HEAD, roles.CONV, roles.OTHER}
    assert set(ROLES) == listed | single | set(roles.PART_ROLES.values())


@settings(max_examples=examples(30))
@given(st.sets(st.sampled_from(["0", "1", "attention.q", "dense", "3.mlp", "word"])), st.sets(st.sampled_from(ROLES)))
def test_every_matrix_is_scored_or_left_out(
    model: Path, whole: wqscore.ModelScore, layers: set[str], wanted: set[str]
) -> None:
    """And what is scored has the row of the whole run, to the bit; no other number is in the summary."""
    try:
        part = wqscore.score(
            model, layers=sorted(layers) or None, roles=sorted(wanted) or None, jobs=1, metrics="alpha"
        )
    except UsageError as error:
        assert "fits no matrix" in str(error)
        return
    full = {row.matrix.name: row for row in whole.layers}
    left = {row.name for row in part.skipped if isinstance(row, LeftOut)}
    chosen = {row.matrix.name for row in part.layers}
    assert chosen | left == full.keys() and not chosen & left
    for row in part.layers:
        assert row.metrics["alpha"] == pytest.approx(
            full[row.matrix.name].metrics["alpha"], rel=0, abs=0, nan_ok=True
        )
        assert row.verdict == full[row.matrix.name].verdict
    counted = [
        row.metrics["alpha"] for row in part.layers if row.fit and row.matrix.role not in roles.OUTSIDE_AVERAGES
    ]
    found = part.summary.statistics["alpha"]
    assert found.count == len(counted)
    assert not counted or found.median == np.median(counted)
    if layers or wanted:
        assert part.remarks[-1].startswith(f"only {part.selection}: {len(chosen)} of {len(full)} matrices")


def test_a_store_has_the_same_keys_whatever_was_chosen(model: Path, tmp_path: Path) -> None:
    """What a part has stored the whole run finds, and adds the rest."""

    def keys(file: str, *choices: dict[str, str]) -> set[object]:
        with Store.open(tmp_path / file) as store:
            for choice in choices:
                wqscore.score(model, store=store, jobs=1, metrics="alpha", **choice)  # type: ignore[arg-type]
        export = CliRunner().invoke(app, ["store", "export", "--store", str(tmp_path / file)])
        return {line.split(",", 1)[1] for line in export.stdout.splitlines()}

    part = keys("part", {"roles": "attention.q"})
    assert part < keys("whole", {})
    assert keys("both", {"roles": "attention.q"}, {}) == keys("whole")


def test_a_fused_tensor_may_be_chosen_in_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tensors = {f"h.{layer}.attn.c_attn.weight": rng.standard_t(3, (64, 192)).astype("f4") for layer in range(2)}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 2}))
    score = wqscore.score(tmp_path, roles="attention.k", jobs=1)
    assert [row.matrix.name for row in score.layers] == [f"h.{layer}.attn.c_attn.weight[k]" for layer in range(2)]
    left = [row.name for row in score.skipped if isinstance(row, LeftOut)]
    assert left == [f"h.{layer}.attn.c_attn.weight[{part}]" for layer in range(2) for part in "qv"]
    full = {row.matrix.name: row.metrics["alpha"] for row in wqscore.score(tmp_path, jobs=1).layers}
    assert {row.matrix.name: row.metrics["alpha"] for row in score.layers}.items() <= full.items()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--roles", "atention.q"], "no role called 'atention.q': did you mean attention.q"),
        (["--roles", "conv"], "--roles conv fits no matrix: its roles are "),
        (["--layers", "99"], "--layers 99 fits no matrix: its layers are 0 to "),
        (["--layers", "self.qery"], "--layers self.qery fits no matrix: near it: "),
        (["--layers", ","], "layers is empty: give a pattern, such as 0-5"),
    ],
)
def test_no_match_names_what_is_near(model: Path, options: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["score", str(model), "-q", "--no-store", *options])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1
    if "near it" in said:
        near = done.stderr.partition("near it: ")[2].split(", ")
        assert len(near) == 3 and all("self.query" in name for name in near[:2])


def test_one_model_without_a_match_stops_no_other(model: Path, tmp_path: Path) -> None:
    save_file({"layers.0.conv.weight": np.ones((64, 64), "f4")}, tmp_path / "model.safetensors")
    ranking = wqscore.rank([model, tmp_path], roles="attention", jobs=1)
    assert {m.ref.label: m.status for m in ranking.models} == {str(model): "ranked", str(tmp_path): "failed"}


def test_metrics_of_the_whole_model_have_no_value_of_a_part(model: Path) -> None:
    score = wqscore.score(model, roles="attention", metrics="param_norm", jobs=1)
    assert "leaves matrices out" in score.summary.values["param_norm"].reason
    assert selection_of(None, "attention,mlp.in").roles == ("attention", "mlp.in")


def test_a_gate_compares_what_was_chosen_alike(model: Path, tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [words[0], str(model), "-q", "--no-store", *words[1:]])
        return done.exit_code, done.output

    (tmp_path / "old.json").write_text(run("score", "--roles", "attention", "--format", "json")[1], encoding="utf-8")
    gate = ("gate", "--rule", "worse(alpha)", "--baseline", str(tmp_path / "old.json"))
    assert run(*gate, "--roles", "attention")[0] == 0
    code, said = run(*gate)
    assert code == 2 and "was made with --roles attention, this gate with all: score both alike" in said


def test_one_matrix_is_found_by_its_layer_and_role(whole: wqscore.ModelScore) -> None:
    row = choose_layer(whole, "1.attention.q")
    assert (row.matrix.depth, row.matrix.role) == (1, "attention.q")
    with pytest.raises(UsageError, match="is in the names of"):
        choose_layer(whole, "1.attention")

"""Low-rank updates of ranks too small for a fit are ranked and gated by the metrics that need none."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from typer.testing import CliRunner

import wqscore
from tests.examples import examples
from wqscore.cli import app
from wqscore.gating.gate import gate
from wqscore.gating.policy import Policy, read_rules
from wqscore.metrics.registry import MATRIX_METRICS

LAYERS, ROWS, COLUMNS = 8, 60, 70
FREE = tuple(name for name, metric in MATRIX_METRICS.items() if not metric.needs_fit and not metric.summed)


def adapter(folder: Path, rank: int, seed: int = 0, decay: float = 0.0, config: bool = True) -> list[np.ndarray]:
    """Write an adapter of random factors; return its ΔW's, with alpha twice the rank."""
    rng, stored, changes = np.random.default_rng([seed, rank]), {}, []
    for layer in range(LAYERS):
        sizes = (1.0 + np.arange(rank)) ** -decay
        a = (sizes[:, None] * rng.standard_normal((rank, COLUMNS))).astype(np.float32)
        b = rng.standard_normal((ROWS, rank)).astype(np.float32)
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        stored |= {f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}
        changes.append((2.0 if config else 1.0) * b.astype(np.float64) @ a)
    folder.mkdir(parents=True)
    save_file(stored, folder / "adapter_model.safetensors")
    if config:
        settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank}
        (folder / "adapter_config.json").write_text(json.dumps(settings))
    return changes


def stable_rank(change: np.ndarray) -> float:
    return float((np.linalg.norm(change) / np.linalg.norm(change, 2)) ** 2)


@settings(max_examples=examples(50))
@given(st.integers(1, 49), st.floats(0, 2), st.booleans(), st.integers(0, 1000))
def test_a_rule_is_held_to_every_update(rank: int, decay: float, config: bool, seed: int) -> None:
    with TemporaryDirectory() as folder:
        changes = adapter(Path(folder, "adapter"), rank, seed, decay, config)
        expected = float(np.median([stable_rank(change) for change in changes]))
        norm = float(np.median([2 * np.log10(np.linalg.norm(change)) for change in changes]))
        policy = Policy(read_rules([f"stable_rank < {expected * 1.001}"]), metrics=("stable_rank", "log_norm"))
        judged = gate(str(Path(folder, "adapter")), policy, jobs=1)
        assert judged.status == "failed"
        assert judged.outcomes[0].value == pytest.approx(expected, rel=1e-6)
        assert judged.score is not None
        statistics = judged.score.summary.statistics
        assert statistics["stable_rank"].count == statistics["log_norm"].count == LAYERS
        assert statistics["log_norm"].median == pytest.approx(norm, abs=1e-6)
        policy = Policy(read_rules([f"stable_rank < {expected * 0.999}"]), metrics=("stable_rank",))
        assert gate(str(Path(folder, "adapter")), policy, jobs=1).status == "passed"


@pytest.mark.parametrize("rank", [4, 16, 49])
def test_exit_codes(tmp_path: Path, rank: int) -> None:
    adapter(tmp_path / "adapter", rank)

    def code(*rules: str) -> int:
        options = [part for rule in rules for part in ("--rule", rule)]
        return CliRunner().invoke(app, ["gate", str(tmp_path / "adapter"), *options]).exit_code

    assert code("stable_rank < 1") == 0
    assert code(f"stable_rank < {rank}") == 1
    assert code("entropy < 0.01", "log_norm.mean > 99", "lambda_max < 0") == 0
    # A rule that needs a fit can't be judged, and never counts as passed.
    assert code("stable_rank < 1", "alpha > 6") == 1
    assert code("alpha > 6") == 3
    assert code("share(random) > 0.5") == 3


def test_a_change_from_a_baseline(tmp_path: Path) -> None:
    adapter(tmp_path / "old", 8, seed=1)
    adapter(tmp_path / "new", 8, seed=2)
    old = CliRunner().invoke(app, ["score", str(tmp_path / "old"), "--format", "json"])
    (tmp_path / "old.json").write_text(old.stdout)
    arguments = ["gate", str(tmp_path / "new"), "--baseline", str(tmp_path / "old.json"), "--rule"]
    assert CliRunner().invoke(app, [*arguments, "relative(stable_rank) > 0.5"]).exit_code == 0
    assert CliRunner().invoke(app, [*arguments, "relative(stable_rank) < 0.5"]).exit_code == 1


@pytest.mark.parametrize("by", ["stable_rank", "log_norm", "log_spectral_norm", "entropy", "matrix_rank"])
def test_adapters_are_ranked(tmp_path: Path, by: str) -> None:
    refs = []
    for rank in (4, 16, 49):
        adapter(tmp_path / str(rank), rank)
        refs.append(str(tmp_path / str(rank)))
    ranking = wqscore.rank(refs, by=by, jobs=1)
    assert {model.status for model in ranking.models} == {"ranked"}
    values = [model.score.summary.headline(by, ranking.preset) for model in ranking.models if model.score]
    assert values == sorted(values, reverse=MATRIX_METRICS[by].better == "higher")
    assert {model.status for model in wqscore.rank(refs, by="alpha", jobs=1).models} == {"unranked"}


def test_every_metric_without_a_fit_has_a_number_or_no_eigenvalues(tmp_path: Path) -> None:
    adapter(tmp_path / "adapter", 40)
    score = wqscore.score(str(tmp_path / "adapter"), metrics=FREE, bootstrap=0, gof=0, jobs=1)
    for name in FREE:
        defined = sum(bool(np.isfinite(row.metrics[name])) for row in score.layers)
        assert score.summary.statistics[name].count == defined
    assert score.summary.n_fitted == 0
    assert score.summary.coverage_without_fit == 1


def test_updates_that_are_not_read_count_against_the_others(tmp_path: Path) -> None:
    adapter(tmp_path / "adapter", 8, config=False)
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    refused = {f"x.{n}.hada_w1_a": np.ones((300, 400), np.float32) for n in range(3)}
    from safetensors.numpy import load_file

    save_file(load_file(file) | refused, file)
    policy = Policy(read_rules(["stable_rank < 2"]))
    outcome = gate(str(file), policy, jobs=1).outcomes[0]
    assert outcome.status == "unscored"
    assert "of its weights have eigenvalues" in outcome.reason

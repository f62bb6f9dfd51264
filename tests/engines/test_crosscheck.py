"""wqscore compared with WeightWatcher: agreements, differences, and matrices that only one of them scores."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.oracles import Oracle
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.engines.crosscheck import Crosscheck, crosscheck
from wqscore.engines.weightwatcher import COMPARED, WatchedLayer, WeightWatcherResult, run_weightwatcher
from wqscore.refs.parsing import parse_ref

torch = Oracle("torch")

needs_weightwatcher = pytest.mark.oracle("weightwatcher", "torch")


def heavy(seed: int, *shape: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_t(3, shape) * 0.3).astype(np.float32)


def score(path: Path) -> wqscore.ModelScore:
    return wqscore.score(str(path), preset="ww-0.7", metrics=COMPARED)


def watch(path: Path) -> WeightWatcherResult:
    return run_weightwatcher(open_checkpoint(parse_ref(str(path))))


def matrices() -> dict[str, np.ndarray]:
    return {
        "embed_tokens.weight": heavy(0, 90, 48),
        "layers.0.fc.weight": heavy(1, 64, 48),
        "layers.1.conv.weight": heavy(2, 16, 24, 3, 3),
        "layers.2.fc.weight": heavy(3, 150, 100),
    }


def save(folder: Path, **tensors: np.ndarray) -> Path:
    folder.mkdir()
    save_file({**matrices(), **tensors}, folder / "model.safetensors")
    return folder


@needs_weightwatcher
def test_a_real_model_is_the_same_in_every_column(checkpoints: Path, watched_minilm: WeightWatcherResult) -> None:
    check = crosscheck(score(checkpoints / "all-MiniLM-L6-v2"), watched_minilm)
    assert len(check.matrices) == 39
    assert {matrix.verdict for matrix in check.matrices} == {"same"}
    assert {len(matrix.comparisons) for matrix in check.matrices} == {14}
    assert [(one.name, one.scored_by) for one in check.unpaired] == [
        ("embeddings.token_type_embeddings.weight", "wqscore")
    ]
    means = {mean.column: mean for mean in check.means}
    assert means.keys() == {
        "alpha", "log_norm", "log_spectral_norm", "stable_rank", "alpha_weighted", "log_alpha_norm",
    }  # fmt: skip
    assert round(means["alpha"].ours, 4) == round(means["alpha"].theirs, 4) == 4.1171
    assert {mean.verdict for mean in check.means} == {"same"}
    assert check.averaged == (39, 39)
    assert check.failed == ()


@needs_weightwatcher
def test_the_one_layer_that_was_altered_differs(tmp_path: Path) -> None:
    before = score(save(tmp_path / "before"))
    altered = matrices()["layers.2.fc.weight"].copy()
    altered[0, 0] += 1
    check = crosscheck(before, watch(save(tmp_path / "after", **{"layers.2.fc.weight": altered})))
    assert {matrix.name: matrix.verdict for matrix in check.matrices} == {
        "embed_tokens.weight": "same",
        "layers.0.fc.weight": "same",
        "layers.1.conv.weight": "same",
        "layers.2.fc.weight": "differs",
    }
    assert {"log_norm", "stable_rank"} <= {one.column for one in check.matrices[-1].differing}
    assert {mean.column for mean in check.means if mean.verdict == "differs"} >= {"log_norm", "stable_rank"}


@needs_weightwatcher
def test_what_only_one_scores_says_why(tmp_path: Path) -> None:
    odd = {
        "layers.3.tiny.weight": heavy(4, 4, 40),
        "layers.4.conv1d.weight": heavy(5, 24, 16, 5),
        "layers.5.in_proj_weight": heavy(6, 96, 32),
        "layers.6.copy.weight": matrices()["layers.0.fc.weight"],
        "layers.7.zero.weight": np.zeros((32, 32), np.float32),
    }
    folder = save(tmp_path / "odd", **odd)
    check = crosscheck(score(folder), watch(folder))
    assert {one.name: (one.scored_by, one.reason) for one in check.unpaired} == {
        "layers.3.tiny.weight": ("wqscore", "WeightWatcher leaves out fewer than 8 eigenvalues"),
        "layers.4.conv1d.weight": ("wqscore", "WeightWatcher reads no 3-D tensors"),
        "layers.5.in_proj_weight": ("wqscore", "WeightWatcher reads tensors called *.weight only"),
        "layers.6.copy.weight": ("weightwatcher", "skipped: tied to layers.0.fc.weight"),
    }
    zero = check.matrices[-1]
    assert (zero.name, zero.reason) == ("layers.7.zero.weight", "every weight is 0, or too small to square")
    # Zero counts and norms are numbers to WeightWatcher; where neither has a number they agree.
    assert {one.column for one in zero.differing} == {"lambda_max", "matrix_rank", "rank_loss"}
    assert check.failed == ("layers.7.zero.weight",)


@needs_weightwatcher
def test_a_tied_copy_in_a_bin_file_counts_once_here_and_twice_there(tmp_path: Path) -> None:
    embedding = torch.from_numpy(heavy(0, 90, 48))
    torch.save(
        {
            "transformer.wte.weight": embedding,
            "transformer.h.0.fc.weight": torch.from_numpy(heavy(1, 64, 48)),
            "lm_head.weight": embedding,
        },
        tmp_path / "pytorch_model.bin",
    )
    check = crosscheck(score(tmp_path), watch(tmp_path))
    assert {matrix.verdict for matrix in check.matrices} == {"same"}
    assert [(one.name, one.reason) for one in check.unpaired] == [
        ("lm_head.weight", "skipped: tied to transformer.wte.weight")
    ]
    assert check.averaged == (2, 3)


def echo(scored: wqscore.ModelScore, **changed: float) -> WeightWatcherResult:
    """What WeightWatcher would have to say to agree, but for the columns changed in the first layer."""
    renamed = {"n_tail": "num_pl_spikes"}
    columns = [{renamed.get(name, name): value for name, value in row.metrics.items()} for row in scored.layers]
    columns[0].update(changed)
    layers = [
        WatchedLayer(row.matrix.name, "success", values)
        for row, values in zip(scored.layers, columns, strict=True)
    ]  # fmt: skip
    return WeightWatcherResult(
        "0.7.7", tuple(layers), {"alpha": float(np.mean([values["alpha"] for values in columns]))}
    )


def test_means_are_compared_over_what_both_have_too(tmp_path: Path) -> None:
    """A copy that only WeightWatcher counts moves its mean, and says nothing of how the tools agree."""
    scored = score(save(tmp_path / "model"))
    theirs = echo(scored)
    copy = WatchedLayer("lm_head.weight", "success", theirs.layers[0].columns)
    mean = float(np.mean([layer.columns["alpha"] for layer in (*theirs.layers, copy)]))
    more = replace(theirs, layers=(*theirs.layers, copy), summary={"alpha": mean})
    check = crosscheck(scored, more)
    assert [each.verdict for each in check.means] == ["differs"]
    (shared,) = check.shared_means
    expected = np.mean([row.metrics["alpha"] for row in scored.layers])
    assert (shared.column, shared.verdict) == ("alpha", "same")
    assert shared.ours == pytest.approx(expected, rel=1e-12)
    assert "same over what both have" in check.to_markdown()


def differing(check: Crosscheck) -> set[str]:
    return {one.column for matrix in check.matrices for one in matrix.differing}


def test_the_tolerance_is_relative_and_for_logarithms_at_least_to_one(tmp_path: Path) -> None:
    scored = score(save(tmp_path / "model"))
    alpha = scored.layers[0].metrics["alpha"]
    assert differing(crosscheck(scored, echo(scored))) == set()
    assert differing(crosscheck(scored, echo(scored, alpha=alpha * (1 + 0.9e-6)))) == set()
    assert differing(crosscheck(scored, echo(scored, alpha=alpha * (1 + 1.1e-6)))) == {"alpha"}
    near_zero = replace(
        scored, rows=(replace(scored.layers[0], metrics={**scored.layers[0].metrics, "log_norm": 1e-7}),)
    )
    assert differing(crosscheck(near_zero, echo(near_zero, log_norm=-1e-7))) == set()
    assert differing(crosscheck(near_zero, echo(near_zero, log_norm=-2e-6))) == {"log_norm"}


def test_a_number_beside_none_differs_and_none_beside_none_is_the_same(tmp_path: Path) -> None:
    scored = score(save(tmp_path / "model"))
    check = crosscheck(scored, echo(scored, alpha=nan, D=nan))
    assert differing(check) == {"alpha", "D"}
    assert all(isnan(one.difference) for one in check.matrices[0].differing)
    assert check.failed == ("embed_tokens.weight",)
    unfitted = replace(scored.layers[0], metrics={**scored.layers[0].metrics, "alpha": nan, "D": nan})
    assert differing(crosscheck(replace(scored, rows=(unfitted,)), echo(scored, alpha=nan, D=nan))) == set()


def test_only_metrics_that_were_computed_are_compared(tmp_path: Path) -> None:
    folder = save(tmp_path / "model")
    few = wqscore.score(str(folder), preset="ww-0.7", metrics=["alpha", "stable_rank", "xmin_scaled"])
    check = crosscheck(few, echo(score(folder)))
    assert {one.column for matrix in check.matrices for one in matrix.comparisons} == {"alpha", "stable_rank"}
    assert [mean.column for mean in check.means] == ["alpha"]

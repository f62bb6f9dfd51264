"""WeightWatcher's layers as rows: its numbers on wqscore's matrices."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.engines.rows import watched_rows
from wqscore.engines.weightwatcher import COMPARED, run_weightwatcher
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.refs.parsing import parse_ref
from wqscore.scoring.layer_score import LayerScore

pytestmark = pytest.mark.oracle("weightwatcher", "torch")


def heavy(seed: int, *shape: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_t(3, shape) * 0.3).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    tensors = {
        "embed_tokens.weight": heavy(0, 90, 48),
        "layers.0.fc.weight": heavy(1, 64, 48),
        "layers.1.conv.weight": heavy(2, 16, 24, 3, 3),
        "layers.2.copy.weight": heavy(1, 64, 48),
        "layers.3.weak.weight": heavy(3, 40, 40) * np.float32(1e-4),
        "layers.4.tiny.weight": heavy(4, 4, 40),
        "layers.5.conv1d.weight": heavy(5, 24, 16, 5),
        "layers.6.in_proj_weight": heavy(6, 96, 32),
        "layers.6.norm.weight": heavy(7, 48),
    }
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_the_rows_are_those_of_the_preset_with_their_numbers(model: Path) -> None:
    checkpoint = open_checkpoint(parse_ref(str(model)))
    rows = watched_rows(checkpoint, run_weightwatcher(checkpoint), [*COMPARED, "xmin_scaled"])
    ours = wqscore.score(str(model), preset="ww-0.7", metrics=COMPARED).rows
    names = [row.matrix.name if isinstance(row, LayerScore) else row.name for row in rows]
    assert names == [row.matrix.name if isinstance(row, LayerScore) else row.name for row in ours]
    for row, own in zip(rows, ours, strict=True):
        if isinstance(row, LayerScore):
            assert isinstance(own, LayerScore)
            # It has no verdicts on noise and traps.
            on_noise = own.verdict in ("trap", "random") or own.reason.startswith(("random or not", "trap or not"))
            assert row.verdict == ("ok" if on_noise else own.verdict)
            assert row.flags == tuple(flag for flag in own.flags if not flag.startswith("random-scaled"))
            assert isnan(row.metrics["xmin_scaled"])
            for name in COMPARED:
                assert row.metrics[name] == pytest.approx(own.metrics[name], rel=1e-6, nan_ok=True), (row, name)
            assert (row.fit is None) == (own.fit is None)
            if row.fit is not None:
                assert row.fit.n_tail == row.metrics["n_tail"]

    skipped = {row.name: row for row in rows if isinstance(row, SkippedTensor)}
    assert {name: (skip.kind, skip.weights, skip.reason) for name, skip in skipped.items()} == {
        "layers.2.copy.weight": ("tied", 0, "tied to layers.0.fc.weight"),
        "layers.4.tiny.weight": ("not-a-matrix", 0, "fewer than 8 eigenvalues"),
        "layers.5.conv1d.weight": ("unread", 24 * 16 * 5, "WeightWatcher does not score it"),
        "layers.6.in_proj_weight": ("unread", 96 * 32, "WeightWatcher does not score it"),
        "layers.6.norm.weight": ("not-a-matrix", 0, "1-D"),
    }
    scored = {row.matrix.name: row for row in rows if isinstance(row, LayerScore)}
    assert scored.keys() == {
        "embed_tokens.weight",
        "layers.0.fc.weight",
        "layers.1.conv.weight",
        "layers.3.weak.weight",
    }
    weak = scored["layers.3.weak.weight"]
    assert (weak.verdict, weak.reason, weak.fit) == ("degenerate", "WeightWatcher's fit failed", None)

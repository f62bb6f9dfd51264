"""The real WeightWatcher in a separate process: its input, its output, and that nothing leaks."""

from __future__ import annotations

import csv
import json
import logging
import warnings
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.oracles import Oracle
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.engines.weightwatcher import WeightWatcherResult, run_weightwatcher
from wqscore.errors import CheckpointError
from wqscore.refs.parsing import parse_ref

torch = Oracle("torch")

pytestmark = pytest.mark.oracle("weightwatcher", "torch")

RECORDED = Path(__file__).parent.parent / "data" / "weightwatcher-0.7.7" / "all-MiniLM-L6-v2.default.csv"


def run(path: Path | str) -> WeightWatcherResult:
    return run_weightwatcher(open_checkpoint(parse_ref(str(path))))


def heavy(seed: int, *shape: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_t(3, shape) * 0.3).astype(np.float32)


def test_a_real_model_gives_the_recorded_table(watched_minilm: WeightWatcherResult) -> None:
    layers = {layer.tensor: layer for layer in watched_minilm.layers}
    with RECORDED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert watched_minilm.version == "0.7.7"
    assert layers.keys() == {f"{row['longname']}.weight" for row in rows}
    for row in rows:
        layer = layers[f"{row['longname']}.weight"]
        assert layer.status == row["status"] == "success"
        assert layer.columns.keys() == row.keys() - {
            "layer_id", "name", "longname", "layer_type", "status", "warning", "has_esd",
        }  # fmt: skip
        for column, value in layer.columns.items():
            assert value == pytest.approx(float(row[column]), rel=1e-6), (row["longname"], column)
    means = {name: round(value, 4) for name, value in watched_minilm.summary.items()}
    assert (means["alpha"], means["log_norm"], means["alpha_weighted"]) == (4.1171, 2.9307, 5.0648)


def test_a_failed_fit_is_no_number_and_nothing_leaks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    failing = {
        "small.weight": heavy(1, 40, 40) * 1e-4,
        "zero.weight": np.zeros((32, 32), "f4"),
        "eye.weight": np.eye(40),
    }
    save_file({"fc.weight": heavy(0, 64, 48), **failing}, tmp_path / "model.safetensors")
    root = logging.getLogger()
    before = (list(root.handlers), root.level, list(warnings.filters))
    watched = run(tmp_path)
    assert (list(root.handlers), root.level, list(warnings.filters)) == before
    assert capfd.readouterr() == ("", "")

    layers = {layer.tensor: layer for layer in watched.layers}
    assert {name: layers[name].status for name in layers} == {
        "fc.weight": "success",
        "small.weight": "failed",
        "zero.weight": "failed",
        "eye.weight": "success",  # with an infinite alpha
    }
    for name in failing:
        for column in ("alpha", "D", "xmin", "sigma", "num_pl_spikes", "alpha_weighted", "log_alpha_norm"):
            assert isnan(layers[name].columns[column]), (name, column)
    assert layers["fc.weight"].columns["alpha"] > 1
    assert layers["small.weight"].columns["stable_rank"] > 1
    assert isnan(layers["zero.weight"].columns["log_norm"])
    assert all(not np.isinf(value) for layer in watched.layers for value in layer.columns.values())


def test_it_is_shown_the_files_that_wqscore_reads(tmp_path: Path) -> None:
    save_file({"fc.weight": heavy(0, 64, 48)}, tmp_path / "model.safetensors")
    save_file({"stale.weight": heavy(1, 64, 48)}, tmp_path / "model.old.safetensors")
    assert [layer.tensor for layer in run(tmp_path).layers] == ["fc.weight"]
    alone = tmp_path / "model.old.safetensors"
    assert [layer.tensor for layer in run(alone).layers] == ["stale.weight"]


def test_shards_are_one_model_though_one_holds_no_matrix(tmp_path: Path) -> None:
    shards = {
        "model-00001-of-00002.safetensors": {"bias": heavy(2, 64)},
        "model-00002-of-00002.safetensors": {"a.weight": heavy(0, 64, 48), "b.weight": heavy(1, 64, 48)},
    }
    for name, tensors in shards.items():
        save_file(tensors, tmp_path / name)
    weight_map = {tensor: name for name, tensors in shards.items() for tensor in tensors}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert [layer.tensor for layer in run(tmp_path).layers] == ["a.weight", "b.weight"]


def test_a_single_bin_file_of_any_name(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.from_numpy(heavy(0, 64, 48))}, tmp_path / "weights.bin")
    save_file({"fc.weight": heavy(0, 64, 48)}, tmp_path / "weights.safetensors")
    assert run(tmp_path / "weights.bin").layers == run(tmp_path / "weights.safetensors").layers


def test_no_layers_are_an_empty_table(tmp_path: Path) -> None:
    save_file({"norm.weight": heavy(0, 48)}, tmp_path / "model.safetensors")
    assert run(tmp_path).layers == ()


def test_its_failure_is_one_line(tmp_path: Path) -> None:
    # WeightWatcher looks in vain for a matrix called bias.weight.
    torch.save({"bias": torch.ones(48)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"^[^\n]*: WeightWatcher failed: KeyError: 'bias.weight'$"):
        run(tmp_path)

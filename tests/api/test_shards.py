"""Shards: every tensor is in exactly one, and the merged stores leave nothing to compute."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from wqscore.api.settings import Settings
from wqscore.api.shards import Shard, deal, parse_shard, score_shard
from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import UsageError
from wqscore.matrices.plan import PlannedTensor
from wqscore.matrices.weight_matrix import Cut, SkippedTensor, WeightMatrix
from wqscore.planning.work import cost
from wqscore.spectra import spectrum

F32 = StoredDtype("F32", 32, np.dtype("<f4"), "float")
QUICK = ["--bootstrap", "5", "--gof", "3", "--quiet"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Matrices of several sizes, a fused projection, a copy under another name, zeros and a number that is none."""
    rng = np.random.default_rng(0)
    tensors = {f"layers.{i}.fc1.weight": rng.standard_t(3, (96, 64 + 16 * (i % 3))).astype("f4") for i in range(7)}
    tensors["h.0.attn.c_attn.weight"] = rng.standard_t(3, (64, 192)).astype("f4")
    tensors["layers.7.fc1.weight"] = tensors["layers.0.fc1.weight"].copy()
    tensors["layers.8.fc1.weight"] = np.zeros((96, 64), "f4")
    tensors["layers.9.fc1.weight"] = np.full((96, 64), np.nan, "f4")
    folder = tmp_path / "model"
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    # A fresh file may be changed again under the same time.
    os.utime(folder / "model.safetensors", (10**9, 10**9))
    return folder


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [Path(sysconfig.get_path("scripts")) / "wqscore", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wqscore_cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    process = start(*arguments)
    stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


def test_three_processes_and_three_stores_are_one_run(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [tmp_path / f"{number}.sqlite" for number in (1, 2, 3)]
    running = [
        start("rank", model, *QUICK, "--shard", f"{number}/3", "--store", store)
        for number, store in enumerate(stores, 1)
    ]
    told = []
    for process in running:
        stdout, stderr = process.communicate(timeout=300)
        assert (process.returncode, stderr) == (0, "")
        told.append(stdout)
    # 10 tensors of 12 matrices: 4, 3 and 3 tensors, one of them with three matrices.
    counts = [int(text.split(": ")[-1].split()[0]) for text in told]
    assert sum(counts) == 13
    assert told == [f"{model}: shard {i}/3: {n} of 13 matrices\n" for i, n in enumerate(counts, 1)]
    assert not (tmp_path / "reports").exists()

    whole = tmp_path / "whole.sqlite"
    assert wqscore_cli("store", "merge", *stores, "--store", whole).returncode == 0
    alone = wqscore.rank([str(model)], bootstrap=5, gof=3)
    monkeypatch.delattr(TensorRef, "read")
    monkeypatch.delattr(spectrum, "gram_eigenvalues")
    joined = wqscore.rank([str(model)], bootstrap=5, gof=3, store=whole)
    assert joined.to_csv() == alone.to_csv()
    assert joined.scores[0].to_csv() == alone.scores[0].to_csv()


@pytest.mark.usefixtures("settled")
def test_a_shard_that_is_run_again_computes_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store.sqlite"
    settings = Settings(store=store, bootstrap=0, gof=0)
    first, failures = score_shard([str(model)], "1/2", settings)
    assert not failures
    monkeypatch.delattr(TensorRef, "read")
    assert score_shard([str(model)], "1/2", settings) == (first, [])
    _, (failure,) = score_shard([str(model)], "2/2", settings)
    assert "AttributeError" in failure.reason, "the other part is read, and can't be"


def test_a_model_that_cant_be_read_stops_no_other(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x10")
    settings = Settings(store=tmp_path / "store.sqlite", bootstrap=0, gof=0)
    done, failures = score_shard([str(broken), str(model)], "1/1", settings)
    assert [(part.matrices, part.all_matrices) for part in done] == [(13, 13)]
    assert [failure.ref.label for failure in failures] == [str(broken)]


def _group(rows: int, place: int) -> list[PlannedTensor]:
    tensor = TensorRef(f"w{place}", (rows, 8), F32, Path("model.safetensors"), 0)
    return [WeightMatrix(tensor.name, tensor, Cut(tensor.shape), "other", rows, 8)]


@given(st.lists(st.integers(1, 99), max_size=30), st.integers(1, 9))
def test_every_tensor_is_in_one_part_and_the_parts_are_alike(sizes: list[int], parts: int) -> None:
    groups = [_group(rows, place) for place, rows in enumerate(sizes)]
    skip: list[PlannedTensor] = [SkippedTensor("bias", (8,), "F32", "-", "not a matrix", "not-a-matrix")]
    dealt = [deal([*groups, skip], Shard(number, parts)) for number in range(1, parts + 1)]
    assert Counter(group[0].name for part in dealt for group in part) == Counter(group[0].name for group in groups)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    costs = [sum(cost(group) for group in part) for part in dealt]
    largest = max((cost(group) for group in groups), default=0)
    assert max(costs) - min(costs) <= largest


@pytest.mark.parametrize("text", ["0/0", "0/4", "5/4", "a/b", "1", "1/4/2", "-1/4", "1.5/4", "", "1/1000000000"])
def test_no_such_part(text: str) -> None:
    with pytest.raises(UsageError, match="no part of the work: write 1/4, 2/4, 3/4 and 4/4"):
        parse_shard(text)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--shard", "5/4", "--store", "s"], "no part of the work"),
        (["--shard", "1/4"], "--shard needs a store of its own"),
        (["--shard", "1/4", "--no-store"], "--shard needs a store of its own"),
        (["--shard", "1/4", "--store", "s", "--out", "o"], "--out says nothing to a shard"),
        (["--shard", "1/4", "--store", "s", "--base", "bert-base"], "--base says nothing to a shard"),
        (["--shard", "1/4", "--store", "s", "--metrics", "core,fro_dist"], "fro_dist is not kept in a store"),
        (["--shard", "1/4", "--store", "s", "--metrics", "base"], "is not kept in a store"),
    ],
)
@pytest.mark.parametrize("command", ["score", "rank"])
def test_wrong_usage(
    command: str, arguments: list[str], complaint: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from wqscore.cli import app

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [command, str(model), *arguments])
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not (tmp_path / "s").exists()

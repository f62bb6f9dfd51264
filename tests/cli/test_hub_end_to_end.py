"""`wqscore` as a person types it, against a local Hub: aliases, revisions, one failure among others, offline."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tests.hub_server import HubServer
from tests.warm_processes import run_wqscore

BERT, ROBERTA = "google-bert/bert-base-uncased", "FacebookAI/roberta-base"
FIRST, SECOND = "a" * 40, "b" * 40


def weights(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return safetensors.numpy.save(
        {
            f"encoder.layer.{i}.intermediate.dense.weight": (
                rng.standard_t(3, (160, 64)) @ rng.standard_normal((64, 64)) * 0.03
            ).astype(np.float32)
            for i in range(4)
        }
    )


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        for seed, (name, commit) in enumerate(((BERT, FIRST), (ROBERTA, SECOND))):
            files = {
                "config.json": json.dumps({"model_type": name.split("/")[1].split("-")[0]}).encode(),
                "model.safetensors": weights(seed),
                "pytorch_model.bin": b"never fetched",
                "README.md": b"# model",
            }
            server.add(name, files, revisions={"main": commit, "v1": commit})
        yield server


def wqscore(hub: HubServer, home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_wqscore(arguments, hub.environment(home, **variables), home)


def test_rank_two_aliases_then_again_offline(hub: HubServer, tmp_path: Path) -> None:
    online = wqscore(hub, tmp_path, "rank", "bert-base", "roberta-base", "--format", "csv", "--out", "report")
    assert online.returncode == 0, online.stderr
    rows = list(csv.DictReader(io.StringIO(online.stdout)))
    # No two share a family, so they are ranked together, with a warning.
    assert {(row["model"], row["revision"], row["rank"]) for row in rows} == {
        (BERT, FIRST, "1"),
        (ROBERTA, SECOND, "2"),
    }
    assert float(rows[0]["alpha"]) < float(rows[1]["alpha"])
    assert "not known to compare families" in online.stderr
    assert {row["family"] for row in rows} == {"bert", "roberta"}
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "index.html", "layers.csv", "pairs.csv", "ranking.csv", "ranking.json",
    ]  # fmt: skip
    assert not any("pytorch_model.bin" in path or "README" in path for path in hub.fetched())
    assert "Traceback" not in online.stderr

    hub.stop()
    again = wqscore(
        hub, tmp_path, "rank", "bert-base", "roberta-base", "--format", "csv", "--no-report", HF_HUB_OFFLINE="1"
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout == online.stdout


def test_one_missing_model_does_not_stop_the_others(hub: HubServer, tmp_path: Path) -> None:
    done = wqscore(hub, tmp_path, "rank", "nobody/nothing", f"{BERT}@v1", "--format", "csv", "--no-report", "-q")
    assert done.returncode == 3
    line, conclusion = done.stderr.splitlines()
    assert "nobody/nothing: no such model on the Hub" in line
    assert conclusion.endswith(f"1 model could not be scored ({line.removeprefix('wqscore: ')}).")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["model"], row["status"]) for row in rows] == [(f"{BERT}@v1", "ranked"), ("nobody/nothing", "failed")]
    assert rows[0]["revision"] == FIRST


def test_describe_reads_no_weights(hub: HubServer, tmp_path: Path) -> None:
    done = wqscore(hub, tmp_path, "describe", BERT, "--format", "json")
    assert done.returncode == 0, done.stderr
    described = json.loads(done.stdout)
    assert described["revision"] == FIRST
    assert [tensor["what_happens"] for tensor in described["tensors"]] == ["scored"] * 4
    assert not (tmp_path / "hub").exists() or not list((tmp_path / "hub").rglob("model.safetensors"))

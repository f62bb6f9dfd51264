"""`wqscore describe`: what the headers say, and no weight read."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open
from typer.testing import Result

import wqscore

Invoke = Callable[..., Result]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_it_lists_what_the_safetensors_library_lists(checkpoints: Path, invoke: Invoke) -> None:
    model = checkpoints / "all-MiniLM-L6-v2"
    done = invoke("describe", model, "--format", "csv")
    assert done.exit_code == 0
    with safe_open(model / "model.safetensors", "np") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        expected = {name: ("×".join(map(str, s.get_shape())), s.get_dtype()) for name, s in slices.items()}
    listed = rows(done.stdout)
    assert {row["name"]: (row["shape"], row["dtype"]) for row in listed} == expected
    size = sum(int(row["bytes"]) for row in listed)
    document = json.loads(invoke("describe", model, "--format", "json").stdout, parse_constant=pytest.fail)
    # A file is its header and its tensors: what is listed accounts for the rest of it.
    file_size = (model / "model.safetensors").stat().st_size
    with (model / "model.safetensors").open("rb") as stream:
        assert size == file_size - 8 - struct.unpack("<Q", stream.read(8))[0]
    assert document["params"] == sum(math.prod(s.get_shape()) for s in slices.values())
    assert document["bytes_to_read"] == sum(int(r["bytes"]) for r in listed if r["what happens"].startswith("scored"))
    assert [tensor["name"] for tensor in document["tensors"]] == [row["name"] for row in listed]


def test_it_tells_what_score_does(checkpoints: Path, invoke: Invoke) -> None:
    model = checkpoints / "rxnmapper-albert"
    told = {row["name"]: row["what happens"] for row in rows(invoke("describe", model, "--format", "csv").stdout)}
    done = {row["name"]: row for row in rows(invoke("score", model, "--format", "csv").stdout)}
    assert told.keys() == done.keys()
    for name, happens in told.items():
        if done[name]["verdict"] == "skipped":
            assert happens == f"skipped: {done[name]['reason']}"
        else:
            assert happens.startswith("scored")
            assert ("too small" in happens) == (done[name]["verdict"] == "too-small")


def test_a_model_of_a_terabyte_takes_a_moment(invoke: Invoke) -> None:
    entry = {"dtype": "F32", "shape": [500_000, 500_000], "data_offsets": [0, 10**12]}
    header = json.dumps({"fc.weight": entry}).encode()
    Path("huge").mkdir()
    with Path("huge/model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        # A sparse file: it has the size, and takes no room.
        os.truncate(file.fileno(), 8 + len(header) + 10**12)
    done = invoke("describe", "huge")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("1 matrix to score\n")
    assert "1 tensor, 250B parameters; 1.0 TB to read" in done.stdout
    assert " h on one core of this machine" in done.stdout
    # A Gram matrix of 500,000² in float64 is 2 TB, and the weights are one.
    assert "3.0 TB of memory at its peak" in done.stdout


def test_it_foretells_the_same_as_plan(checkpoints: Path, invoke: Invoke) -> None:
    arguments = (checkpoints / "rxnfp-bert_ft", "--jobs", "3", "--format", "json")
    described = json.loads(invoke("describe", *arguments).stdout)
    planned = json.loads(invoke("plan", *arguments).stdout)["models"][0]
    for key in ("bytes_to_fetch", "bytes_to_read", "params", "matrices", "eigensolves", "peak_memory_estimate"):
        assert described[key] == planned[key]


@pytest.mark.parametrize("output", ["table", "md"])
def test_tables_name_every_tensor(checkpoints: Path, invoke: Invoke, output: str) -> None:
    model = checkpoints / "fracast" / "model.int8.safetensors"
    shown = invoke("describe", model, "--all", "--format", output).stdout.replace("\\", "")
    for row in rows(invoke("describe", model, "--format", "csv").stdout):
        assert row["name"] in shown
        assert row["what happens"] in shown
    # The codes stand for the weights that the model had before, and their scales for none.
    with safe_open(model, "np") as file:
        assert file.metadata()["parameter_count"] == "85001"
    assert json.loads(invoke("describe", model, "--format", "json").stdout)["params"] == 85001
    assert "tensors, 85k parameters" in shown


def test_groups_count_every_tensor_and_say_why_rank_has_fewer(checkpoints: Path, invoke: Invoke) -> None:
    model = checkpoints / "rxnfp-bert_ft"
    shown = invoke("describe", model).stdout.splitlines()
    listed = rows(invoke("describe", model, "--format", "csv").stdout)
    scored = [row for row in listed if row["what happens"].startswith("scored")]
    heads = [row for row in scored if row["role"] in ("embedding", "head")]
    assert shown[0] == f"{len(scored)} matrices to score, {len(listed) - len(scored)} not matrices"
    counted = len(scored) - len(heads)
    assert shown[1] == (
        f"{len(heads)} of them are embeddings and heads, which no average counts: rank counts {counted} matrices"
    )
    assert wqscore.score(model, bootstrap=0, gof=0).summary.n_matrices == counted
    groups = shown[shown.index(next(line for line in shown if line.startswith("what happens"))) + 2 :]
    numbers = [re.search(r"\s(\d+)\s+[\d.,]+ (bytes|kB|MB)", line) for line in groups if line]
    assert sum(int(found[1]) for found in numbers if found) == len(listed)
    assert all(numbers)

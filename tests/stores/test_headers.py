"""The store and the Hub: weights that a commit leaves unchanged are neither requested nor solved again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tests.hub_server import HubServer, Request
from tests.warm_processes import run_wqscore
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.stores.headers import StoredHeaders
from wqscore.stores.records import HeaderTensor
from wqscore.stores.store import Store

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def matrix(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_t(3, (120, 64)) @ rng.standard_normal((64, 64)) * 0.03).astype(np.float32)


def files(readme: str, last: int = 3) -> dict[str, bytes]:
    """Two shards of two matrices each."""
    names = [f"encoder.layer.{i}.intermediate.dense.weight" for i in range(4)]
    seeds = [0, 1, 2, last]
    shards = {
        shard: safetensors.numpy.save({names[i]: matrix(seeds[i]) for i in held})
        for shard, held in {FIRST: (0, 1), SECOND: (2, 3)}.items()
    }
    index = {"weight_map": {name: FIRST if i < 2 else SECOND for i, name in enumerate(names)}}
    texts = {"README.md": readme.encode(), "config.json": b'{"model_type": "bert"}'}
    return {**texts, "model.safetensors.index.json": json.dumps(index).encode(), **shards}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def score(hub: HubServer, home: Path, *options: str) -> str:
    """The rows, from a run whose requests are the server's alone."""
    hub.requests.clear()
    home.mkdir(exist_ok=True)
    done = run_wqscore(["score", "org/m", "--format", "csv", "-q", *options], hub.environment(home), home)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def of_weights(hub: HubServer) -> list[Request]:
    return [r for r in hub.requests if "safetensors" in r.path and "index.json" not in r.path]


def weight_bytes(hub: HubServer) -> int:
    return sum(r.sent for r in of_weights(hub))


def test_after_a_commit_to_the_readme_nothing_of_the_weights_is_asked_for(hub: HubServer, tmp_path: Path) -> None:
    store = ["--stream", "--store", str(tmp_path / "store.sqlite")]
    before = hub.add("org/m", files("one"))
    cold = score(hub, tmp_path / "home", *store)
    assert of_weights(hub)
    after = hub.add("org/m", files("two"))
    warm = score(hub, tmp_path / "home", *store)
    assert of_weights(hub) == []
    assert before != after
    assert warm == cold.replace(before, after)
    assert warm == score(hub, tmp_path / "other", "--stream", "--no-store")


def test_after_a_commit_to_the_readme_nothing_is_downloaded(hub: HubServer, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "store.sqlite")]
    before = hub.add("org/m", files("one"))
    cold = score(hub, tmp_path / "home", *store)
    assert weight_bytes(hub) == sum(len(body) for name, body in files("one").items() if name in (FIRST, SECOND))
    after = hub.add("org/m", files("two"))
    warm = score(hub, tmp_path / "home", *store)
    assert weight_bytes(hub) == 0
    assert warm == cold.replace(before, after)


@pytest.mark.parametrize("streamed_first", [True, False])
def test_what_is_downloaded_and_what_is_streamed_know_each_other(
    hub: HubServer, tmp_path: Path, streamed_first: bool
) -> None:
    path = tmp_path / "store.sqlite"
    hub.add("org/m", files("one"))
    # Each in a cache of its own: what one has fetched the other has not.
    ways = [("here", ["--stream"]), ("there", [])]
    (first, one), (second, other) = ways if streamed_first else ways[::-1]
    cold = score(hub, tmp_path / first, *one, "--store", str(path))
    with Store.open(path) as opened:
        keys = [key for key, _ in opened.all_spectra()]
    assert len(keys) == 4
    assert all(key.content.startswith("lfs:") for key in keys)
    assert score(hub, tmp_path / second, *other, "--store", str(path)) == cold
    with Store.open(path) as opened:
        assert [key for key, _ in opened.all_spectra()] == keys
    if not streamed_first:
        held = sum(len(body) for name, body in files("one").items() if name in (FIRST, SECOND))
        assert weight_bytes(hub) < held / 10, "the headers alone"


def test_of_a_changed_shard_only_its_tensors_are_fetched(hub: HubServer, tmp_path: Path) -> None:
    store = ["--stream", "--store", str(tmp_path / "store.sqlite")]
    hub.add("org/m", files("one"))
    score(hub, tmp_path / "home", *store)
    hub.add("org/m", files("one", last=9))
    warm = score(hub, tmp_path / "home", *store)
    assert {r.path.rsplit("/", 1)[-1].split("=")[-1] for r in of_weights(hub)} == {SECOND}
    assert weight_bytes(hub) == len(files("one", last=9)[SECOND])
    assert warm == score(hub, tmp_path / "other", "--stream", "--no-store")


def test_a_listing_without_sums_costs_the_reading_alone(hub: HubServer, tmp_path: Path) -> None:
    hub.lists_sha256 = False
    path = tmp_path / "store.sqlite"
    hub.add("org/m", files("one"))
    cold = score(hub, tmp_path / "home", "--stream", "--store", str(path))
    assert score(hub, tmp_path / "home", "--stream", "--store", str(path)) == cold
    assert of_weights(hub)
    with Store.open(path) as opened:
        assert not list(opened.all_headers())
        assert all(key.content.startswith("blake3:") for key, _ in opened.all_spectra())


def test_a_gated_model_is_refused_with_a_warm_store_too(hub: HubServer, tmp_path: Path) -> None:
    store = ["--stream", "--store", str(tmp_path / "store.sqlite")]
    hub.add("org/m", files("one"), token="ours")
    home = tmp_path / "home"
    home.mkdir()
    command = ["score", "org/m", "--format", "csv", "-q", *store]
    for variables, code in (({"HF_TOKEN": "ours"}, 0), ({}, 3), ({"HF_TOKEN": "ours"}, 0)):
        done = run_wqscore(command, hub.environment(home, **variables), home)
        assert done.returncode == code, done.stderr


def test_a_header_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(files("one")[FIRST])
    tensors = read_safetensors(file)
    with Store.open(tmp_path / "store.sqlite") as store:
        known = StoredHeaders(store)
        assert known.find("a" * 64, file) is None
        known.keep("a" * 64, tensors)
        assert known.find("a" * 64, file) == tensors
        store.put_headers({"b" * 64: [HeaderTensor("w", "F1_OF_LATER", (2,), 8, 2)]})
        assert "F1_OF_LATER" not in STORED_DTYPES
        assert known.find("b" * 64, file) is None
    path = tmp_path / "store.sqlite"
    with Store.open(path, writable=False) as store:
        # One that can't be written costs the next run a request, not this one its result.
        StoredHeaders(store).keep("c" * 64, tensors)
        assert StoredHeaders(store).find("c" * 64, file) is None

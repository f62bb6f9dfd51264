"""The real client against a local Hub: tensors streamed by byte ranges, through every failure on the way."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from tests.hub_server import FOREVER, HubServer
from tests.warm_processes import run_python

#: Opens a model as requested and reads its tensors, several at a time; prints their digests, or the error.
PROGRAM = """
import hashlib, json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from wqscore.checkpoints.hub import files, ranges
from wqscore.checkpoints.hub.fetch import fetch, stream
from wqscore.errors import WqscoreError
from wqscore.refs.reference import ModelRef

# As many attempts as ever, with shorter pauses between them.
files.PAUSES = ranges.PAUSES = tuple(pause / 100 for pause in ranges.PAUSES)

def digest(tensor):
    return [tensor.name, hashlib.sha256(tensor.read().tobytes()).hexdigest()]

announced = []
try:
    ref = ModelRef("org/m", "hub", "org/m")
    if sys.argv[1] == "fetch":
        fetch(ref)
    headers = stream(ref, lambda name, size: announced.append([name, size]))
    with ThreadPoolExecutor(int(sys.argv[2])) as pool:
        digests = dict(pool.map(digest, headers.tensors))
    result = {"revision": headers.revision, "digests": digests, "announced": announced}
    assert len({hash(tensor) for tensor in headers.tensors}) == len(headers.tensors)
except WqscoreError as error:
    result = {"error": str(error), "kind": type(error).__name__, "announced": announced}
print(json.dumps(result))
"""
NO_WAIT = {"Retry-After": "0"}
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def run(hub: HubServer, home: Path, mode: str = "stream", threads: int = 2, **variables: str) -> dict:
    done = run_python(PROGRAM, [mode, str(threads)], hub.environment(home) | variables)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def weights(*names: str, rows: int = 40) -> bytes:
    matrices = {n: np.random.default_rng(list(n.encode())).standard_normal((rows, 64)) for n in names}
    return safetensors.numpy.save({n: m.astype("float32") for n, m in matrices.items()})


def sharded() -> dict[str, bytes]:
    index = {"weight_map": {"a": FIRST, "b": FIRST, "c": SECOND}}
    return {
        "config.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        FIRST: weights("a", "b"),
        SECOND: weights("c"),
    }


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """By the format's own package."""
    views = [v for n, body in files.items() if n.endswith(".safetensors") for v in safetensors.deserialize(body)]
    return {name: hashlib.sha256(view["data"]).hexdigest() for name, view in views}


def stored(home: Path) -> set[str]:
    """The names of the files in the cache."""
    return {path.name for path in home.rglob("snapshots/*/*")}


def header_bytes(body: bytes) -> int:
    return 8 + int.from_bytes(body[:8], "little")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def test_every_tensor_comes_whole_once_and_no_weights_are_stored(hub, tmp_path):
    files = sharded()
    sha = hub.add("org/m", files)
    done = run(hub, tmp_path)
    assert (done["revision"], done["digests"]) == (sha, digests(files))
    assert stored(tmp_path) == {"config.json", "model.safetensors.index.json"}
    assert {name for name, _ in done["announced"]} == stored(tmp_path)
    served = [r for r in hub.requests if r.sent and "/lfs/" in r.path]
    assert sum(r.sent for r in served) == len(files[FIRST]) + len(files[SECOND])
    assert len(served) == 2 * 2 + 3, "a prefix and a header for each shard, one range for each tensor"


def test_ten_drops_inside_a_tensor_each_taken_up_at_the_byte_where_it_stopped(hub, tmp_path):
    body = weights("w", rows=400)
    hub.add("org/m", {"model.safetensors": body})
    # The prefix and the header are shorter than what is let through.
    hub.fault("/lfs/", drop_after=1000, times=12)
    assert run(hub, tmp_path)["digests"] == digests({"model.safetensors": body})
    served = [r for r in hub.requests if r.sent and "/lfs/" in r.path]
    begin = header_bytes(body)
    starts = [int(r.headers["range"].split("=")[1].split("-")[0]) for r in served[2:]]
    assert starts == [begin + 1000 * drop for drop in range(11)]
    assert sum(r.sent for r in served) == len(body), "no byte comes twice"


def test_requests_are_repeated_as_the_hub_asks(hub, tmp_path):
    files = sharded()
    hub.add("org/m", files)
    hub.fault("/lfs/", status=429, times=2, headers=NO_WAIT)
    hub.fault("/resolve/", status=503, headers=NO_WAIT)
    hub.fault("/lfs/", status=429, headers={"ratelimit": '"resolvers";r=0;t=0'})
    hub.fault("/lfs/", status=500, headers=NO_WAIT)
    hub.fault("/lfs/", stall=3)
    done = run(hub, tmp_path, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert done["digests"] == digests(files)
    assert sorted(r.status for r in hub.requests if r.status > 404) == [429, 429, 429, 500, 503]


NO_RANGES = {
    "the whole file for a range": {"whole": True, "times": FOREVER},
    "another range": {"headers": {"Content-Range": "bytes 1-8/99999"}},
    "no word of the range": {"headers": {"Content-Range": ""}},
    "a file of another size": {"headers": {"Content-Range": "bytes 0-7/99999"}},
    "more than the range": {"more": 1},
    "compressed": {"headers": {"Content-Encoding": "gzip"}},
}


@pytest.mark.parametrize("case", NO_RANGES)
def test_without_true_ranges_the_whole_shard_is_downloaded_once(hub, tmp_path, case):
    files = sharded()
    hub.add("org/m", files)
    hub.fault("/lfs/", **NO_RANGES[case])
    done = run(hub, tmp_path, threads=3)
    assert done["digests"] == digests(files)
    downloads = [name for name, _ in done["announced"] if name in (FIRST, SECOND)]
    assert len(downloads) == len(set(downloads)) == (2 if case.startswith("the whole") else 1)
    assert stored(tmp_path) == {"config.json", "model.safetensors.index.json", *downloads}
    assert sum(r.method == "GET" and "range" not in r.headers and "/lfs/" in r.path for r in hub.requests) == len(
        downloads
    )


def test_ranges_that_end_midway_are_met_by_one_download_though_several_wait_for_it(hub, tmp_path):
    """The headers come by ranges; then the server has none any more."""
    files = {"model.safetensors": weights(*"abcdefgh")}
    hub.add("org/m", files)
    hub.fault("/lfs/", times=2)
    hub.fault("/lfs/", whole=True, times=FOREVER)
    done = run(hub, tmp_path, threads=8)
    assert done["digests"] == digests(files)
    assert done["announced"] == [["model.safetensors", len(files["model.safetensors"])]]


@dataclass(frozen=True)
class Stubborn:
    """A fault that stays, from the first range of a tensor on, and what is said of it."""

    fault: dict
    words: str


STUBBORN = {
    "dropped at once": Stubborn({"drop_after": 0}, "check the connection"),
    "silence": Stubborn({"stall": 30}, "check the connection"),
    "401": Stubborn({"status": 401}, "wants a valid token"),
    "403": Stubborn({"status": 403}, "gives no access"),
    "404": Stubborn({"status": 404}, "does not serve it: try again later (HTTP 404)"),
    "416": Stubborn({"status": 416}, "does not serve it: try again later (HTTP 416)"),
    "429": Stubborn({"status": 429, "headers": NO_WAIT}, "too many requests to the Hub: wait some minutes"),
    "500": Stubborn({"status": 500, "headers": NO_WAIT}, "the Hub is failing: try again later (HTTP 500)"),
    "503": Stubborn({"status": 503, "headers": NO_WAIT}, "the Hub is failing: try again later (HTTP 503)"),
    "a web page": Stubborn({"whole": True, "headers": {"Content-Type": "text/html"}}, "a web page came instead"),
    "redirect loop": Stubborn({"status": 302, "headers": {"Location": "?again"}}, "redirects"),
    "TLS refused": Stubborn({"status": 302, "headers": {"Location": "https://127.0.0.1:{port}/lfs/"}}, "SSL"),
}


def test_a_fault_that_stays_ends_in_one_line(tmp_path):
    """All at once, because they wait most of the time."""

    def outcome(case: str) -> tuple[dict, list]:
        with HubServer() as hub:
            hub.add("org/m", {"model.safetensors": weights("w")})
            hub.fault("/lfs/", times=2)
            how = json.loads(json.dumps(STUBBORN[case].fault).replace("{port}", str(hub.port)))
            hub.fault("/lfs/", times=FOREVER, **how)
            return run(hub, tmp_path / case, HF_HUB_DOWNLOAD_TIMEOUT="1"), list(hub.requests)

    with ThreadPoolExecutor(len(STUBBORN)) as pool:
        outcomes = dict(zip(STUBBORN, pool.map(outcome, STUBBORN), strict=True))
    for case, (result, requests) in outcomes.items():
        assert STUBBORN[case].words in result["error"], case
        assert result["error"].startswith("org/m: model.safetensors: "), case
        assert "\n" not in result["error"], case
        assert not stored(tmp_path / case), case
        attempts = sum("/resolve/" in r.path and r.method == "GET" for r in requests) - 2
        lasting = case in ("401", "403", "404", "416", "a web page", "redirect loop")
        assert attempts == (1 if lasting else 5), case


def test_shards_that_the_cache_has_are_read_there(hub, tmp_path):
    files = sharded()
    hub.add("org/m", files)
    run(hub, tmp_path, "fetch")
    next(tmp_path.rglob(f"snapshots/*/{FIRST}")).unlink()
    before = len(hub.requests)
    done = run(hub, tmp_path)
    assert done["digests"] == digests(files)
    fetched = {hashlib.sha256(files[name]).hexdigest() for name in (FIRST,)}
    assert {r.path.split("/")[2].split("?")[0] for r in hub.requests[before:] if "/lfs/" in r.path} == fetched


def test_an_index_that_contradicts_its_shards_is_refused(hub, tmp_path):
    index = json.dumps({"weight_map": {"a": FIRST, "b": FIRST, "c": SECOND, "d": SECOND}}).encode()
    hub.add("org/m", sharded() | {"model.safetensors.index.json": index})
    assert f"{SECOND}: lacks d, which the index puts there" in run(hub, tmp_path)["error"]


@pytest.mark.parametrize("how", ["stream", "fetch"])
def test_the_index_says_which_copy_is_meant_and_a_single_file_goes_before_it(hub, tmp_path, how):
    index = json.dumps({"weight_map": {"a": FIRST, "b": FIRST, "c": "twin.safetensors"}}).encode()
    files = sharded() | {"model.safetensors.index.json": index, "twin.safetensors": weights("a", "c", rows=20)}
    hub.add("org/m", files)
    shards = [digests({name: files[name]}) for name in ("twin.safetensors", FIRST)]
    assert run(hub, tmp_path, how)["digests"] == shards[0] | shards[1]
    single = {"model.safetensors": weights("c", "d")}
    hub.add("org/m", files | single)
    assert run(hub, tmp_path, how)["digests"] == digests(single)


def test_a_fallback_is_reported_before_any_weights_are_fetched(hub, tmp_path):
    hub.add("org/m", {"pytorch_model.bin": b"pickle"})
    done = run(hub, tmp_path)
    assert (done["kind"], done["error"]) == (
        "FallbackNeededError",
        "org/m: .bin files can't be streamed: read it without --stream",
    )
    hub.add("org/m", {"model.safetensors": TooLarge()})
    done = run(hub, tmp_path, "fetch")
    assert done["kind"] == "FallbackNeededError"
    assert "org/m: its weights of 10,000,000.0 GB don't fit the " in done["error"]
    assert not hub.fetched()


class TooLarge:
    """More than any disk."""

    def __len__(self) -> int:
        return 10**16

    def __getitem__(self, part: slice) -> bytes:
        raise AssertionError("it was asked for")


#: The same in another process, as a cluster does it: the tensors are pickled, and read there.
ELSEWHERE = """
import hashlib, json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from wqscore.checkpoints.hub.fetch import stream
from wqscore.refs.reference import ModelRef

headers = stream(ModelRef("org/m", "hub", "org/m"), lambda name, size: None)
with ProcessPoolExecutor(1, get_context("forkserver")) as pool:
    arrays = list(pool.map(type(headers.tensors[0]).read, headers.tensors))
names = [tensor.name for tensor in headers.tensors]
print(json.dumps(dict(zip(names, [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]))))
"""


def test_tensors_can_be_sent_to_another_process_and_read_there(hub, tmp_path):
    files = sharded()
    hub.add("org/m", files)
    env = hub.environment(tmp_path, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == digests(files)

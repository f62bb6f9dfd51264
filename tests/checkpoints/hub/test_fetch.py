"""The real client against a local Hub: the files it fetches, and the messages when it can't."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from tests.hub_server import FOREVER, HubServer
from tests.oracles import Oracle
from tests.warm_processes import run_python
from wqscore.checkpoints.hub.errors import hub_errors
from wqscore.errors import CheckpointError

torch = Oracle("torch")

PROGRAM = """
import json, sys
from wqscore.checkpoints.hub.fetch import fetch, read_headers
from wqscore.errors import WqscoreError
from wqscore.refs.reference import ModelRef

assert "huggingface_hub" not in sys.modules, "imported before it is needed"
for typed in sys.argv[2:]:
    repo, _, revision = typed.partition("@")
    ref, announced = ModelRef(typed, "hub", repo, revision or None), []
    try:
        if sys.argv[1] == "fetch":
            snapshot = fetch(ref, lambda name, size: announced.append([name, size]))
            result = {"folder": str(snapshot.folder), "revision": snapshot.revision, "announced": announced}
        else:
            headers = read_headers(ref)
            tensors = [
                [t.name, t.shape, t.dtype.name, t.offset, t.nbytes, str(t.file)] for t in headers.tensors
            ]
            result = {"revision": headers.revision, "config": headers.config, "tensors": tensors}
    except WqscoreError as error:
        result = {"error": str(error)}
    print(json.dumps(result))
"""
NO_WAIT = {"Retry-After": "0"}
CONFIG = b'{"model_type": "toy"}'


@dataclass(frozen=True)
class Run:
    results: list[dict[str, Any]]
    stderr: str

    @property
    def error(self) -> str:
        return self.results[0]["error"]

    @property
    def folder(self) -> Path:
        return Path(self.results[0]["folder"])

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


def run(hub: HubServer, home: Path, *typed: str, command: str = "fetch", **variables: str) -> Run:
    """Call wqscore in a separate process; TQDM_POSITION turns on progress bars without a terminal."""
    env = hub.environment(home, TQDM_POSITION="-1") | variables
    done = run_python(PROGRAM, [command, *typed], env)
    assert done.returncode == 0, done.stderr
    return Run([json.loads(line) for line in done.stdout.splitlines()], done.stderr)


def weights(rows: int, seed: int = 0, name: str = "w") -> bytes:
    matrix = np.random.default_rng(seed).standard_normal((rows, 64)).astype("float32")
    return safetensors.numpy.save({name: matrix, f"{name}.bias": matrix[0]})


def sharded(*shards: str) -> dict[str, bytes]:
    index = {"weight_map": {f"t{i}{part}": s for i, s in enumerate(shards) for part in ("", ".bias")}}
    bodies = {shard: weights(30, i, f"t{i}") for i, shard in enumerate(shards)}
    return {"config.json": CONFIG, "model.safetensors.index.json": json.dumps(index).encode(), **bodies}


def single_line(text: str) -> bool:
    return "\n" not in text and "Traceback" not in text


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def test_every_kind_of_revision_resolves_to_its_commit_and_that_commits_files(hub, tmp_path):
    bodies = {name: weights(10, seed) for seed, name in enumerate(["main", "dev", "v1", "refs/pr/10", "old"])}
    shas = {name: hashlib.sha1(name.encode()).hexdigest() for name in bodies}
    for name, body in bodies.items():
        revisions = {name: shas[name]} if name != "old" else {shas[name]: shas[name]}
        hub.add("org/m", {"config.json": CONFIG, "model.safetensors": body}, revisions)
    typed = ["org/m", "org/m@dev", "org/m@v1", "org/m@refs/pr/10", f"org/m@{shas['old']}"]
    done = run(hub, tmp_path, *typed)
    assert done.stderr == ""
    for result, name in zip(done.results, bodies, strict=True):
        assert result["revision"] == shas[name]
        assert (Path(result["folder"]) / "model.safetensors").read_bytes() == bodies[name]
    commits = {r.path.split("/")[4] for r in hub.requests if "/resolve/" in r.path}
    assert commits == set(shas.values()), "files are asked for by commit, never by a branch that may move"


def test_exactly_the_shards_of_the_index_are_fetched_and_announced(hub, tmp_path):
    files = sharded("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    strays = {
        "model.fp16.safetensors": weights(20),
        "model-00003-of-00003.safetensors": weights(20),
        "original/model.safetensors": weights(20),
        "onnx/model.onnx": b"onnx",
        "pytorch_model.bin": b"pickle",
        "README.md": b"read me",
    }
    hub.add("org/m", files | strays)
    done = run(hub, tmp_path, "org/m", "org/m")
    assert done.files() == files
    assert hub.fetched() == set(files)
    assert sorted(done.results[0]["announced"]) == sorted([name, len(body)] for name, body in files.items())
    assert done.results[1]["announced"] == [], "what is in the cache is not announced"


def test_safetensors_come_before_bin_and_a_missing_config_is_not_requested(hub, tmp_path):
    hub.add("gpt2", {"pytorch_model.bin": b"pickle", "model.safetensors": weights(10)})
    hub.add("org/bin", {"pytorch_model.bin": b"pickle", "config.json": CONFIG})
    done = run(hub, tmp_path, "gpt2", "org/bin")
    assert set(done.files()) == {"model.safetensors"}
    assert sorted(p.name for p in Path(done.results[1]["folder"]).iterdir()) == [
        "config.json",
        "pytorch_model.bin",
    ]
    assert not any(r.status == 404 and "/resolve/" in r.path for r in hub.requests)


def test_a_dropped_download_goes_on_where_it_stopped(hub, tmp_path):
    body = weights(50_000)
    hub.add("org/m", {"model.safetensors": body})
    hub.fault("/lfs/", drop_after=len(body) - 1000)
    done = run(hub, tmp_path, "org/m")
    assert done.files() == {"model.safetensors": body}
    first, second = (r for r in hub.requests if r.method == "GET" and "/lfs/" in r.path)
    assert "range" not in first.headers
    start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= first.sent, "the client keeps whole pieces of 10 MiB"
    assert second.sent == len(body) - start
    assert done.stderr == ""


def test_a_token_goes_to_the_hub_and_not_to_the_host_that_stores_the_weights(hub, tmp_path):
    hub.add("org/private", {"config.json": CONFIG, "model.safetensors": weights(10)}, token="hf_secret")
    done = run(hub, tmp_path, "org/private", HF_TOKEN="hf_secret")
    assert set(done.files()) == {"config.json", "model.safetensors"}
    by_host = {
        "/lfs/" in r.path: r.headers.get("authorization") for r in hub.requests if "org" in r.path or "lfs" in r.path
    }
    assert by_host == {False: "Bearer hf_secret", True: None}


@pytest.mark.parametrize("token", [None, "hf_other"])
def test_refusals_say_what_to_do_in_one_line(hub, tmp_path, token):
    files = {"config.json": CONFIG, "model.safetensors": weights(10)}
    hub.add("org/public", files)
    hub.add("org/private", files, token="hf_secret")
    hub.add("org/gated", files, gated=True)
    hub.add("org/odd", files, {"main": "../../etc"})
    hub.add("org/empty", {"README.md": b"soon"})
    hub.add("org/forbidden", files)
    hub.fault("/org/forbidden/resolve/", status=403, times=FOREVER)
    hub.add("org/gone", files)
    hub.fault("/org/gone/resolve/", status=404, times=FOREVER, headers={"X-Error-Code": "EntryNotFound"})
    private = "no such model on the Hub" if token is None else "wants a valid token"
    expected = {
        "org/none": "org/none: no such model on the Hub, or it is private",
        "org/public@v9": "org/public@v9: no such branch, tag or commit",
        f"org/public@{'0' * 40}": "no such branch, tag or commit",
        "org/private": private,
        "org/gated": "request it at https://huggingface.co/org/gated and log in with `hf auth login`",
        "a/b/c": "a/b/c: is not a valid name on the Hub",
        "org/odd": "which is not a commit",
        "org/empty": "org/empty: no weights",
        "org/forbidden": "org/forbidden: config.json: the token gives no access",
        "org/gone": "org/gone: config.json: no such file",
    }
    done = run(hub, tmp_path, *expected, **({} if token is None else {"HF_TOKEN": token}))
    for result, (typed, words) in zip(done.results, expected.items(), strict=True):
        assert words in result["error"], typed
        assert single_line(result["error"])
    assert done.stderr == ""
    assert "model.safetensors" not in hub.fetched()


@pytest.mark.parametrize(
    ("shard", "words"),
    [
        ("../../evil.safetensors", "outside the checkpoint's folder: refused"),
        ("model-00009.safetensors", "the repository does not have"),
    ],
)
def test_a_bad_index_is_refused_before_any_weights_are_fetched(hub, tmp_path, shard, words):
    index = json.dumps({"weight_map": {"a": "model-00001.safetensors", "b": shard}}).encode()
    files = {"config.json": CONFIG, "model-00001.safetensors": weights(10), "../../evil.safetensors": b"evil"}
    hub.add("org/m", files | {"model.safetensors.index.json": index})
    done = run(hub, tmp_path, "org/m")
    assert words in done.error
    assert shard in done.error
    assert hub.fetched() == {"config.json", "model.safetensors.index.json"}


def test_too_many_requests_are_waited_out(hub, tmp_path):
    hub.add("org/m", {"config.json": CONFIG, "model.safetensors": weights(10)})
    hub.fault("/api/models/org/m", status=429, headers={"ratelimit": '"api";r=0;t=0'})
    hub.fault("/api/models/org/m", status=429, headers=NO_WAIT)
    hub.fault("/resolve/", status=429, times=2, headers=NO_WAIT)
    hub.fault("/lfs/", status=429, headers=NO_WAIT)
    done = run(hub, tmp_path, "org/m")
    assert set(done.files()) == {"config.json", "model.safetensors"}
    assert sum(r.status == 429 for r in hub.requests) == 5
    assert done.stderr == ""


STUBBORN = {
    "429 for the repository": (
        {"path": "/api/models", "status": 429, "headers": NO_WAIT},
        "too many requests",
    ),
    "429 for files": ({"path": "/resolve/", "status": 429, "headers": NO_WAIT}, "too many requests"),
    "503 for the repository": ({"path": "/api/models", "status": 503, "headers": NO_WAIT}, "(HTTP 503)"),
    "500 for files": ({"path": "/resolve/", "status": 500, "headers": NO_WAIT}, "(HTTP 500)"),
    "a body that never comes": ({"path": "/lfs/", "drop_after": 0}, "check the connection"),
    "silence about the repository": ({"path": "/api/models", "stall": 30}, "check the connection"),
    "silence about a file": ({"path": "/lfs/", "stall": 30}, "check the connection"),
    "a length that is not true": ({"path": "org/m/resolve/", "headers": {"X-Linked-Size": "99"}}, "size 99"),
}


def test_a_fault_that_stays_ends_in_one_line(tmp_path):
    """All at once, because they wait most of the time."""

    def outcome(case: str) -> Run:
        with HubServer() as hub:
            hub.add("org/m", {"model.safetensors": weights(10)})
            hub.fault(**STUBBORN[case][0], times=FOREVER)
            limits = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "2"}
            return run(hub, tmp_path / case, "org/m", **limits)

    with ThreadPoolExecutor(len(STUBBORN)) as pool:
        runs = dict(zip(STUBBORN, pool.map(outcome, STUBBORN), strict=True))
    for case, (_, words) in STUBBORN.items():
        assert words in runs[case].error, case
        assert runs[case].error.startswith("org/m: "), case
        assert single_line(runs[case].error), case
        assert runs[case].stderr == "", case


def test_without_a_connection_the_cache_serves(hub, tmp_path):
    files = sharded("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    sha = hub.add("org/m", files)
    hub.repos["org/m"].refs["v1"] = sha
    typed = ["org/m", "org/m@v1", f"org/m@{sha}"]
    online = run(hub, tmp_path, *typed)
    hub.fault("/api/", status=502, times=FOREVER)
    before = len(hub.requests)
    failing = run(hub, tmp_path, *typed)
    assert {r.status for r in hub.requests[before:]} == {502}
    hub.stop()
    switched_off = run(hub, tmp_path, *typed, HF_HUB_OFFLINE="1")
    refused = run(hub, tmp_path, *typed)
    headers = run(hub, tmp_path, *typed, command="headers", HF_HUB_OFFLINE="1")
    assert online.files() == files
    places = [{key: result[key] for key in ("folder", "revision")} for result in online.results]
    for offline in (failing, switched_off, refused):
        assert offline.results == [place | {"announced": []} for place in places]
        assert offline.stderr == ""
    assert {t[0] for t in headers.results[0]["tensors"]} == {"t0", "t0.bias", "t1", "t1.bias"}


def test_what_the_cache_does_not_have_is_said(hub, tmp_path):
    sha = hub.add("org/m", sharded("model-00001-of-00001.safetensors"))
    run(hub, tmp_path / "described", "org/m", command="headers")
    hub.add("org/single", {"config.json": CONFIG, "model.safetensors": weights(10)})
    run(hub, tmp_path / "described", "org/single", command="headers")
    hub.stop()
    typed = ["org/m", f"org/m@{sha}"]
    for variables in ({"HF_HUB_OFFLINE": "1"}, {}):
        cold = run(hub, tmp_path / "cold", *typed, **variables)
        partly = run(hub, tmp_path / "described", "org/m", "org/single", **variables)
        for result in cold.results:
            words = "not in the local cache" if variables else "check the connection"
            assert words in result["error"]
            assert single_line(result["error"])
        assert "model-00001-of-00001.safetensors is not in the local cache" in partly.error
        assert "its weights are not in the local cache" in partly.results[1]["error"]
        assert cold.stderr == partly.stderr == ""


def test_unreachable_hubs_and_unusable_caches(hub, tmp_path):
    hub.add("org/m", {"model.safetensors": weights(10)})
    (tmp_path / "file").write_text("not a folder")
    cases = [
        ({"HF_ENDPOINT": "http://no-such-host.invalid"}, "home", "check the connection"),
        ({"HF_ENDPOINT": hub.endpoint.replace("http", "https")}, "home", "SSL"),
        ({}, "file/home", "the Hub's cache can't be used: Not a directory"),
    ]
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda case: run(hub, tmp_path / case[1], "org/m", **case[0]), cases))
    for done, (_, _, words) in zip(runs, cases, strict=True):
        assert words in done.error
        assert single_line(done.error)


def test_a_full_disk_and_a_bad_connection_give_different_messages():
    message = "org/m: the disk of the Hub's cache is full"
    with pytest.raises(CheckpointError, match=message), hub_errors("org/m", "org/m"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_headers_are_read_without_the_weights(hub, tmp_path):
    files = sharded("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    sha = hub.add("org/m", files)
    done = run(hub, tmp_path, "org/m", command="headers")
    (result,) = done.results
    assert (result["revision"], result["config"]) == (sha, {"model_type": "toy"})
    expected = {}
    for shard in sorted(name for name in files if name.endswith(".safetensors")):
        for name, view in safetensors.deserialize(files[shard]):
            expected[name] = (shard, view["shape"], view["dtype"], bytes(view["data"]))
    assert len(result["tensors"]) == len(expected)
    for name, shape, dtype, offset, nbytes, shard in result["tensors"]:
        assert (shard, shape, dtype, files[shard][offset : offset + nbytes]) == expected[name]
    served = sum(r.sent for r in hub.requests if "/lfs/" in r.path)
    shards = [body for name, body in files.items() if name.endswith(".safetensors")]
    assert served == sum(8 + int.from_bytes(body[:8], "little") for body in shards)
    assert done.stderr == ""


@pytest.mark.oracle("torch")
def test_headers_of_what_the_cache_has_are_read_there(hub, tmp_path):
    torch.save({"a": torch.ones(3, 4)}, tmp_path / "pytorch_model.bin")
    hub.add("org/bin", {"pytorch_model.bin": (tmp_path / "pytorch_model.bin").read_bytes()})
    hub.add("org/m", {"config.json": CONFIG, "model.safetensors": weights(10)})
    cold = run(hub, tmp_path / "cold", "org/bin", command="headers")
    assert "can't be read without downloading" in cold.error
    assert not hub.fetched()
    run(hub, tmp_path / "warm", "org/bin", "org/m")
    before = len(hub.requests)
    warm = run(hub, tmp_path / "warm", "org/bin", "org/m", command="headers")
    assert [t[:2] for t in warm.results[0]["tensors"]] == [["a", [3, 4]]]
    assert {t[0] for t in warm.results[1]["tensors"]} == {"w", "w.bias"}
    assert not any("/resolve/" in r.path or "/lfs/" in r.path for r in hub.requests[before:])


def test_headers_that_lie_or_come_without_ranges(hub, tmp_path):
    body = weights(10)
    hub.add("org/cut", {"model.safetensors": body[:-7]})
    hub.add("org/tiny", {"model.safetensors": body[:5]})
    hub.add("org/whole", {"model.safetensors": weights(20)})
    digest = hashlib.sha256(weights(20)).hexdigest()
    hub.fault(digest, status=200, times=FOREVER)
    done = run(hub, tmp_path, "org/cut", "org/tiny", "org/whole", command="headers")
    for result, words in zip(done.results, ["cut short", "cut short", "sends no byte ranges"], strict=True):
        assert words in result["error"]
        assert "model.safetensors" in result["error"]
        assert result["error"].startswith("org/")


def test_an_adapter_and_a_model_in_folders_are_fetched_whole_and_not_read_by_ranges(hub, tmp_path):
    adapter = {"adapter_config.json": b"{}", "adapter_model.safetensors": weights(10), "adapter_model.bin": b"twin"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": "-"} for i, path in enumerate(["", "1_Pooling", "2_Dense"])
    ]
    folders = {
        "modules.json": json.dumps(modules).encode(),
        "config.json": CONFIG,
        "model.safetensors": weights(10),
        "1_Pooling/config.json": b"{}",
        "2_Dense/config.json": b"{}",
        "2_Dense/model.safetensors": weights(20),
        "onnx/model.onnx": b"onnx",
    }
    hub.add("org/adapter", adapter)
    hub.add("org/folders", folders)
    for result in run(hub, tmp_path / "cold", "org/adapter", "org/folders", command="headers").results:
        assert "can't be read without downloading them" in result["error"]
    done = run(hub, tmp_path, "org/adapter", "org/folders")
    fetched = [
        {path.relative_to(r["folder"]).as_posix() for path in Path(r["folder"]).rglob("*") if path.is_file()}
        for r in done.results
    ]
    assert fetched == [
        set(adapter) - {"adapter_model.bin"},
        set(folders) - {"1_Pooling/config.json", "onnx/model.onnx"},
    ]


def test_one_file_of_a_repository_is_fetched_with_what_lies_beside_it(hub, tmp_path):
    files = {
        "a/config.json": CONFIG,
        "a/x.safetensors": weights(10),
        "model.safetensors": weights(20),
        "config.json": b"{}",
    }
    hub.add("org/m", files)
    program = (
        "from wqscore.checkpoints.hub.fetch import fetch, read_headers\nfrom wqscore.refs.parsing import parse_ref\n"
        "ref = parse_ref('org/m/a/x.safetensors')\nprint(read_headers(ref).config, fetch(ref).folder)\n"
    )
    env = hub.environment(tmp_path, PYTHONPATH=os.pathsep.join(sys.path))
    printed = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    ).stdout
    config, _, folder = printed.strip().rpartition(" ")
    assert config == "{'model_type': 'toy'}"
    assert {p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file()} == {
        "a/config.json",
        "a/x.safetensors",
    }


def test_the_clients_noise_stays_off_stderr_only_while_wqscore_calls_it(hub, tmp_path):
    hub.add("org/m", {"config.json": CONFIG, "model.safetensors": weights(10)})
    noisy = {"status": 429, "headers": NO_WAIT, "times": 2}
    hub.fault("/config.json", **noisy)
    assert run(hub, tmp_path / "ours", "org/m").stderr == ""
    assert "/api/models/org/m" in run(hub, tmp_path / "ours", "org/m", HF_HUB_VERBOSITY="debug").stderr
    program = (
        "from wqscore.checkpoints.hub.fetch import fetch\nfrom wqscore.refs.reference import ModelRef\n"
        "fetch(ModelRef('org/m', 'hub', 'org/m'))\n"
        "import huggingface_hub\nhuggingface_hub.hf_hub_download('org/m', 'README.md')\n"
    )
    hub.add("org/m", {"config.json": CONFIG, "model.safetensors": weights(10), "README.md": b"read me"})
    hub.fault("/README.md", **noisy)
    env = hub.environment(tmp_path / "theirs", PYTHONPATH=os.pathsep.join(sys.path), TQDM_POSITION="-1")
    arguments = [sys.executable, "-c", program]
    stderr = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=300, check=True).stderr
    assert "HTTP Error 429" in stderr
    assert "README.md: 100%" in stderr
    assert "config.json" not in stderr

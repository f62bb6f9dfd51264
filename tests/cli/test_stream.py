"""`--stream` as a person types it, against a local Hub: the same scores, nothing stored, one failure among others."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tests.hub_server import FOREVER, HubServer
from tests.oracles import Oracle
from tests.warm_processes import run_wqscore

torch = Oracle("torch")

COMMAND = str(Path(sys.executable).with_name("wqscore"))
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
NO_WAIT = {"Retry-After": "0"}
#: The command with as many attempts as ever, and shorter pauses between them.
IMPATIENT = (
    sys.executable,
    "-c",
    "from wqscore.checkpoints.hub import ranges\n"
    "ranges.PAUSES = tuple(pause / 100 for pause in ranges.PAUSES)\n"
    "from wqscore.cli import app\napp()",
)


def tensors(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        f"encoder.layer.{i}.intermediate.dense.weight": (
            rng.standard_t(3, (160, 64)) @ rng.standard_normal((64, 64)) * 0.03
        ).astype(np.float32)
        for i in range(4)
    }


def single(seed: int) -> dict[str, bytes]:
    return {"config.json": b'{"model_type": "bert"}', "model.safetensors": safetensors.numpy.save(tensors(seed))}


def sharded(seed: int) -> dict[str, bytes]:
    matrices = tensors(seed)
    names = sorted(matrices)
    shards = {FIRST: names[:2], SECOND: names[2:]}
    index = {"weight_map": {name: shard for shard, held in shards.items() for name in held}}
    bodies = {shard: safetensors.numpy.save({n: matrices[n] for n in held}) for shard, held in shards.items()}
    return {"config.json": b"{}", "model.safetensors.index.json": json.dumps(index).encode(), **bodies}


def start(
    hub: HubServer, home: Path, *arguments: str, command: Sequence[str] = (COMMAND,), **variables: str
) -> subprocess.Popen[str]:
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [*command, *arguments],
        env=hub.environment(home, **variables),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wqscore(
    hub: HubServer, home: Path, *arguments: str, command: Sequence[str] = (COMMAND,), **variables: str
) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    if command == (COMMAND,):
        return run_wqscore(arguments, hub.environment(home, **variables), home)
    process = start(hub, home, *arguments, command=command, **variables)
    stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


def stored(home: Path) -> set[str]:
    return {path.name for path in home.rglob("snapshots/*/*")}


def asked_for(hub: HubServer, body: bytes, since: int = 0) -> int:
    """How many requests there were for a file's content."""
    digest = hashlib.sha256(body).hexdigest()
    return sum(f"/lfs/{digest}" in request.path for request in hub.requests[since:])


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def test_a_streamed_score_is_the_downloaded_one_and_nothing_is_stored(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/m", sharded(1))
    arguments = ("score", "org/m", "--base", "org/m", "--format", "csv", "-q")
    streamed = wqscore(hub, tmp_path / "streamed", *arguments, "--stream", "--jobs", "3")
    downloaded = wqscore(hub, tmp_path / "downloaded", *arguments, "--jobs", "1")
    assert (streamed.returncode, streamed.stderr) == (downloaded.returncode, downloaded.stderr) == (0, "")
    assert streamed.stdout == downloaded.stdout
    assert len(streamed.stdout.splitlines()) == 5
    assert stored(tmp_path / "streamed") == {"config.json", "model.safetensors.index.json"}
    assert stored(tmp_path / "downloaded") == set(sharded(1))


FAULTS = {
    "401": ({"status": 401}, "wants a valid token"),
    "403": ({"status": 403}, "gives no access"),
    "500": ({"status": 500, "headers": NO_WAIT}, "the Hub is failing"),
    "a redirect loop": ({"status": 302, "headers": {"Location": "?again"}}, "redirects"),
    "no bytes": ({"drop_after": 0}, "check the connection"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_model_whose_tensors_dont_come_stops_no_other(hub: HubServer, tmp_path: Path, case: str) -> None:
    fault, words = FAULTS[case]
    hub.add("org/bad", single(1))
    hub.add("org/good", single(2))
    digest = hashlib.sha256(single(1)["model.safetensors"]).hexdigest()
    # After the header and the first tensor.
    hub.fault(f"/lfs/{digest}", times=3)
    hub.fault(f"/lfs/{digest}", times=FOREVER, **fault)
    arguments = ("rank", "org/bad", "org/good", "--stream", "--format", "csv", "--no-report", "-q")
    done = wqscore(hub, tmp_path, *arguments, command=IMPATIENT)
    assert done.returncode == 3
    rows = [(row["model"], row["status"]) for row in csv.DictReader(io.StringIO(done.stdout))]
    assert rows == [("org/good", "ranked"), ("org/bad", "failed")]
    line, conclusion = done.stderr.splitlines()
    assert line.startswith("wqscore: org/bad: model.safetensors: ")
    assert words in line
    assert conclusion.startswith("org/good is alone in its family")
    assert stored(tmp_path) == {"config.json"}


class WithHole:
    """A safetensors file of ten petabytes: some matrices, and a vector of zeros that nothing reads."""

    def __init__(self, matrices: dict[str, np.ndarray]) -> None:
        body = safetensors.numpy.save(matrices)
        begin = 8 + int.from_bytes(body[:8], "little")
        header = json.loads(body[8:begin])
        end = len(body) - begin
        header["padding.bias"] = {"dtype": "U8", "shape": [10**16], "data_offsets": [end, end + 10**16]}
        text = json.dumps(header).encode()
        self.start = len(text).to_bytes(8, "little") + text + body[begin:]

    def __len__(self) -> int:
        return len(self.start) + 10**16

    def __getitem__(self, part: slice) -> bytes:
        assert 0 <= part.start <= part.stop <= len(self.start), "more than the matrices was asked for"
        return self.start[part]


def test_what_the_disk_has_no_room_for_is_streamed_and_that_is_said(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/m", {"config.json": b"{}", "model.safetensors": WithHole(tensors(1))})
    hub.add("org/small", single(1) | {"config.json": b"{}"})
    done = wqscore(hub, tmp_path, "score", "org/m", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert "org/m: its weights of 10,000,000.0 GB don't fit the " in done.stderr
    assert " GB free for the cache: streaming them\n" in done.stderr
    assert stored(tmp_path) == {"config.json"}
    small = wqscore(hub, tmp_path, "score", "org/small", "--format", "csv")
    assert "streaming" not in small.stderr
    scored = [line for line in done.stdout.splitlines() if "padding" not in line]
    assert scored == small.stdout.replace("org/small", "org/m").splitlines()


@pytest.mark.oracle("torch")
def test_bin_files_are_downloaded_all_the_same_and_that_is_said(hub: HubServer, tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({name: torch.from_numpy(matrix) for name, matrix in tensors(1).items()}, stream)
    hub.add("org/m", {"config.json": b"{}", "pytorch_model.bin": stream.getvalue()})
    done = wqscore(hub, tmp_path, "score", "org/m", "--stream", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert "org/m: .bin files can't be streamed: downloading them\n" in done.stderr
    assert len(done.stdout.splitlines()) == 5
    assert "pytorch_model.bin" in stored(tmp_path)


def test_gate_and_check_stream_too(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/m", single(1))
    passed = wqscore(hub, tmp_path, "gate", "org/m", "--rule", "alpha>100", "--stream", "-q")
    assert (passed.returncode, passed.stderr) == (0, "")
    # What lies in the working folder by the same name is another file.
    (tmp_path / "model.safetensors").write_bytes(b"another")
    checked = wqscore(hub, tmp_path, "check", "org/m", "--stream", "--format", "json", "-q")
    assert (checked.returncode, checked.stderr) == (0, "")
    found = json.loads(checked.stdout)
    assert found["files"] == []
    assert stored(tmp_path) == {"config.json"}


def test_wrong_bytes_are_told_where_the_whole_file_is_there(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/m", single(1))
    hub.fault("model.safetensors", times=FOREVER, headers={"X-Linked-ETag": f'"{"0" * 64}"'})
    done = wqscore(hub, tmp_path, "check", "org/m", "-q")
    assert done.returncode == 3
    assert "model.safetensors: its SHA-256 is " in done.stderr


def test_a_full_disk_is_told_and_streaming_needs_none(hub: HubServer, tmp_path: Path) -> None:
    padded = tensors(1) | {"padding.bias": np.zeros(8_000_000, np.uint8)}
    hub.add("org/m", {"model.safetensors": safetensors.numpy.save(padded)})
    limited = (
        "import os, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = (sys.executable, "-c", limited, COMMAND)
    arguments = ("score", "org/m", "--format", "csv", "-q")
    full = wqscore(hub, tmp_path / "full", *arguments, command=command)
    assert full.returncode == 3
    assert full.stderr.startswith("wqscore: org/m: model.safetensors: the disk of the Hub's cache is full: make room")
    streamed = wqscore(hub, tmp_path / "streamed", *arguments, "--stream", command=command)
    assert (streamed.returncode, streamed.stderr) == (0, "")


def kill_when(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    while not reached():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_after_a_kill_finished_shards_are_not_fetched_again(hub: HubServer, tmp_path: Path) -> None:
    files = sharded(1)
    hub.add("org/m", files)
    second = hashlib.sha256(files[SECOND]).hexdigest()
    hub.fault(f"/lfs/{second}", stall=300)
    arguments = ("score", "org/m", "--format", "csv", "-q")
    process = start(hub, tmp_path, *arguments, HF_HUB_DOWNLOAD_TIMEOUT="300")
    kill_when(process, lambda: not any(fault.times for fault in hub.faults))
    assert asked_for(hub, files[FIRST]) == 1
    before = len(hub.requests)
    again = wqscore(hub, tmp_path, *arguments)
    assert again.returncode == 0, again.stderr
    assert asked_for(hub, files[FIRST], before) == 0
    assert asked_for(hub, files[SECOND], before) == 1


def test_after_a_kill_streaming_starts_again(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/m", single(1))
    hub.fault("/lfs/", times=3)
    hub.fault("/lfs/", stall=300)
    arguments = ("score", "org/m", "--stream", "--format", "csv", "-q")
    process = start(hub, tmp_path, *arguments, HF_HUB_DOWNLOAD_TIMEOUT="300")
    kill_when(process, lambda: not any(fault.times for fault in hub.faults))
    again = wqscore(hub, tmp_path, *arguments)
    assert again.returncode == 0, again.stderr
    assert len(again.stdout.splitlines()) == 5


def test_weightwatcher_reads_files(hub: HubServer, tmp_path: Path) -> None:
    done = wqscore(hub, tmp_path, "score", "org/m", "--stream", "--engine", "weightwatcher")
    assert done.returncode == 2
    assert "the engine weightwatcher reads files: leave --stream out" in done.stderr

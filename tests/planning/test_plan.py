"""Planning many models against a local Hub: what is fetched, what of it is kept, and how many at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tests.hub_server import HubServer
from tests.warm_processes import run_python

PROGRAM = """
import json, sys
from wqscore import PlanInterrupted, plan

told = []

def on_model(model):
    told.append(model.ref.label)
    print(model.ref.label, file=sys.stderr, flush=True)

try:
    found, interrupted = plan(sys.argv[1:], jobs=1, on_model=on_model), False
except PlanInterrupted as interrupt:
    found, interrupted = interrupt.plan, True
rows = [[m.ref.label, m.revision, m.to_fetch, m.cost and vars(m.cost), m.reason] for m in found.models]
print(json.dumps([interrupted, told, rows, found.to_fetch, vars(found.total)]), flush=True)
import os
os._exit(0)
"""


class SlowContent:
    """A file that takes a moment to read, and knows how many of its kind were read at the same time."""

    lock = threading.Lock()
    reading = most = 0

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, part: slice, /) -> bytes:
        with self.lock:
            SlowContent.reading += 1
            SlowContent.most = max(SlowContent.most, SlowContent.reading)
        time.sleep(0.1)
        with self.lock:
            SlowContent.reading -= 1
        return self.content[part]


def weights(seed: int, *shapes: tuple[int, ...]) -> bytes:
    rng = np.random.default_rng(seed)
    arrays = {f"layers.{i}.fc{seed}.weight": rng.standard_normal(s, dtype="f4") for i, s in enumerate(shapes)}
    return safetensors.numpy.save(arrays)


def header_size(file: bytes) -> int:
    return 8 + int.from_bytes(file[:8], "little")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def start(hub: HubServer, home: Path, *refs: str) -> subprocess.Popen[str]:
    env = hub.environment(home, PYTHONPATH=os.pathsep.join(sys.path))
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *refs], env=env, stdout=-1, stderr=-1, encoding="utf-8", cwd=home
    )


def planned(hub: HubServer, home: Path, *refs: str) -> tuple[list[list[Any]], int, dict[str, Any]]:
    done = run_python(PROGRAM, refs, hub.environment(home), home)
    assert done.stdout, done.stderr
    interrupted, told, rows, to_fetch, total = json.loads(done.stdout)
    assert not interrupted
    assert told == [row[0] for row in rows] == list(refs)
    return rows, to_fetch, total


def test_only_headers_are_fetched_and_the_files_are_counted(hub: HubServer, tmp_path: Path) -> None:
    one, first, second = weights(0, (300, 200), (7,)), weights(1, (128, 64)), weights(2, (64, 32, 3, 3))
    index = {"layers.0.fc1.weight": "model-00001-of-00002.safetensors"}
    index |= {"layers.0.fc2.weight": "model-00002-of-00002.safetensors"}
    shards = dict(zip(index.values(), (first, second), strict=True))
    config = b'{"model_type": "toy"}'
    revision = hub.add("org/one", {"config.json": config, "model.safetensors": one, "tf_model.h5": b"never"})
    hub.add("org/two", {"model.safetensors.index.json": json.dumps({"weight_map": index}).encode(), **shards})
    rows, to_fetch, total = planned(hub, tmp_path, "org/one", "org/two")
    assert [row[:3] for row in rows] == [
        ["org/one", revision, len(one)],
        ["org/two", rows[1][1], len(first) + len(second)],
    ]
    counts = [[row[3][key] for key in ("parameters", "tensors", "matrices", "eigensolves")] for row in rows]
    assert counts == [[300 * 200 + 7, 2, 1, 1], [128 * 64 + 64 * 32 * 9, 2, 2, 10]]
    assert to_fetch == len(one) + len(first) + len(second)
    assert [total[key] for key in ("tensors", "matrices", "eigensolves")] == [4, 3, 11]
    assert total["seconds"] == pytest.approx(sum(row[3]["seconds"] for row in rows))
    assert total["peak_memory"] == max(row[3]["peak_memory"] for row in rows)
    # Of files that hold weights, no byte beyond their headers.
    sent = sum(request.sent for request in hub.requests if "/lfs/" in request.path)
    assert sent == sum(map(header_size, (one, first, second)))
    others = {name for name in hub.fetched() if not name.endswith(".safetensors")}
    assert others == {"config.json", "model.safetensors.index.json"}


def test_of_models_that_are_alike_the_headers_of_one_are_read(hub: HubServer, tmp_path: Path) -> None:
    """Alike in configuration, index and sizes; each of the others differs from the first in one of these."""
    shard, names = "model-00001-of-00001.safetensors", [f"layers.{i}.fc0.weight" for i in range(2)]
    body, larger = weights(0, (300, 200), (128, 64)), weights(0, (300, 200), (128, 64), (64, 64))

    def add(name: str, body: bytes, index: dict[str, str], **changes: str) -> str:
        config = json.dumps({"model_type": "toy", "_name_or_path": name, **changes}).encode()
        listed = json.dumps({"weight_map": index}).encode()
        hub.add(
            name, {"config.json": config, "model.safetensors.index.json": listed, next(iter(index.values())): body}
        )
        return name

    index = dict.fromkeys(names, shard)
    alike = [add(f"org/tune{number}", body[:-1] + bytes([number]), index) for number in range(3)]
    others = [
        add("org/config", body, index, model_type="other"),
        add("org/larger", larger, {**index, "layers.2.fc0.weight": shard}),
        add("org/named", body, dict.fromkeys(names, shard.replace("of-00001", "of-00002"))),
    ]
    # Without a configuration, models are like no other.
    bare = ["org/bare0", "org/bare1"]
    for name in bare:
        hub.add(name, {"model.safetensors": body})
    program = f"import wqscore.planning.plan as planning; planning._CONCURRENT_MODELS = 1\n{PROGRAM}"
    done = run_python(program, [*alike, *others, *bare], hub.environment(tmp_path), tmp_path)
    assert done.stdout, done.stderr
    asked = [
        sum(f"/{ref}/resolve" in r.path and r.path.endswith("safetensors") for r in hub.requests) for ref in alike
    ]
    assert asked == [2, 0, 0], "the length of the header, and the header"
    for ref in [*others, *bare]:
        assert sum(f"/{ref}/resolve" in r.path and r.path.endswith("safetensors") for r in hub.requests) == 2
    rows = json.loads(done.stdout)[2]
    assert [row[2] for row in rows] == [len(larger) if row[0] == "org/larger" else len(body) for row in rows]
    figures = [[row[3][key] for key in ("parameters", "matrices", "to_read")] for row in rows]
    of_two = [300 * 200 + 128 * 64, 2, 4 * (300 * 200 + 128 * 64)]
    assert figures == [of_two] * 4 + [[of_two[0] + 64**2, 3, of_two[2] + 4 * 64**2]] + [of_two] * 3


def test_what_the_cache_has_needs_no_fetching(hub: HubServer, tmp_path: Path) -> None:
    body = weights(0, (300, 200))
    hub.add("org/one", {"config.json": b"{}", "model.safetensors": body})
    code = "import huggingface_hub as hub; hub.hf_hub_download('org/one', 'model.safetensors')"
    run_python(code, [], hub.environment(tmp_path)).check_returncode()
    rows, to_fetch, _ = planned(hub, tmp_path, "org/one", "org/one@main")
    assert ([row[2] for row in rows], to_fetch) == ([0, 0], 0)
    assert rows[0][3]["to_read"] == 300 * 200 * 4


def test_one_commit_under_two_names_is_fetched_once(hub: HubServer, tmp_path: Path) -> None:
    body = weights(0, (300, 200))
    hub.add("org/one", {"model.safetensors": body}, {"main": "a" * 40, "v1": "a" * 40})
    rows, to_fetch, total = planned(hub, tmp_path, "org/one", "org/one@v1")
    assert [row[2] for row in rows] == [len(body), len(body)]
    assert (to_fetch, total["matrices"]) == (len(body), 2)


def test_what_can_not_be_planned_is_a_row_and_stops_nothing(hub: HubServer, tmp_path: Path) -> None:
    pickled, body = b"never fetched", weights(0, (300, 200))
    hub.add("org/pickled", {"config.json": b"{}", "pytorch_model.bin": pickled})
    hub.add("org/broken", {"model.safetensors": b"\xff" * 64})
    hub.add("org/gated", {"model.safetensors": body}, gated=True)
    hub.add("org/good", {"model.safetensors": body})
    hub.add("org/adapter", {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x" * 77})
    refs = ("org/pickled", "org/none", "org/broken", "org/gated", "org/good", "org/good+org/adapter")
    rows, to_fetch, total = planned(hub, tmp_path, *refs)
    reasons = {row[0]: row[4] for row in rows}
    assert "headers of .bin files can't be read without downloading them" in reasons["org/pickled"]
    assert "no such model on the Hub" in reasons["org/none"]
    assert "org/broken" in reasons["org/broken"]
    assert "access is gated" in reasons["org/gated"]
    assert "a base and an adapter" in reasons["org/good+org/adapter"]
    assert reasons["org/good"] == ""
    fetch = {row[0]: row[2] for row in rows}
    assert fetch["org/pickled"] == len(pickled)
    assert fetch["org/good+org/adapter"] == len(body) + 77
    assert fetch["org/none"] is fetch["org/gated"] is None
    assert [row[0] for row in rows if row[3]] == ["org/good"]
    assert total == rows[4][3]
    assert to_fetch == sum(filter(None, fetch.values()))
    assert not any("pytorch_model.bin" in name or "adapter_model" in name for name in hub.fetched())


def test_several_models_at_a_time_but_not_all(hub: HubServer, tmp_path: Path) -> None:
    SlowContent.most = 0
    refs = [f"org/m{number}" for number in range(24)]
    for number, ref in enumerate(refs):
        hub.add(ref, {"model.safetensors": SlowContent(weights(number, (32, 32)))})
    rows, _, total = planned(hub, tmp_path, *refs)
    assert not any(row[4] for row in rows)
    assert total["matrices"] == 24
    assert 1 < SlowContent.most <= 8


def test_ctrl_c_keeps_what_was_planned(hub: HubServer, tmp_path: Path) -> None:
    """A model that never answers holds up none before it; what is not done says so."""
    refs = [f"org/m{number}" for number in range(4)]
    for number, ref in enumerate(refs):
        hub.add(ref, {"model.safetensors": weights(number, (32, 32))})
    hub.fault("org/m2", stall=60)
    process = start(hub, tmp_path, *refs)
    assert process.stderr is not None
    assert [process.stderr.readline().strip() for _ in range(2)] == refs[:2]
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert stdout, stderr
    interrupted, _, rows, _, total = json.loads(stdout)
    assert interrupted
    assert [row[0] for row in rows] == refs
    assert [bool(row[3]) for row in rows[:3]] == [True, True, False]
    assert rows[2][4] == "interrupted before its headers were read"
    assert total["matrices"] == sum(bool(row[3]) for row in rows)

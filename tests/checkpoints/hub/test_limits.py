"""Servers that never come to an end cost their own model one line, and nobody waits. Only the clock is false."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tests.hub_server import FOREVER, HubServer
from wqscore.checkpoints.hub import limits
from wqscore.checkpoints.hub.fetch import fetch, stream
from wqscore.checkpoints.hub.files import list_files
from wqscore.errors import CheckpointError
from wqscore.refs.reference import ModelRef

REF = ModelRef("org/m", "hub", "org/m")
WEIGHTS = safetensors.numpy.save({"w": np.random.default_rng(0).standard_normal((400, 100)).astype("f4")})
PIECE = b"10000\r\n" + b" " * 65536 + b"\r\n"
Raw = Callable[[Any], None]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        server.serve_here(tmp_path / "home", monkeypatch)
        monkeypatch.setattr(limits, "now", server.now)
        monkeypatch.setattr(limits, "_TICK", 0.01)
        monkeypatch.setattr("time.sleep", server.skip)
        server.add("org/m", {"config.json": b"{}", "model.safetensors": WEIGHTS})
        yield server


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def dripping(hub: HubServer, before: bytes, drop: bytes = b" ", times: int = 10**5) -> Raw:
    """Something every second, for a day."""

    def write(connection: Any) -> None:
        connection.write(before)
        for _ in range(times):
            hub.skipped += 1
            connection.write(drop)

    return write


def endless(before: bytes) -> Raw:
    def write(connection: Any) -> None:
        connection.write(before)
        while True:
            connection.write(PIECE)

    return write


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(CheckpointError) as refused:
        call()
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("org/m: ")
    return str(refused.value)


def listed() -> object:
    return list_files(REF)


def fetched() -> object:
    return fetch(REF)


def streamed() -> object:
    return [tensor.read() for tensor in stream(REF).tensors]


#: What is asked for, and the path of the request that goes wrong.
CALLS = {"listing": (listed, "/api/models"), "download": (fetched, "/lfs/"), "ranges": (streamed, "/lfs/")}
LONG = f"Content-Length: {10**9}"
CHUNKED = "Transfer-Encoding: chunked"
RANGE = f"Content-Range: bytes 0-7/{len(WEIGHTS)}"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("how", ["body", "chunks", "range", "headers", "informational", "refusal", "redirect"])
def test_what_drips_is_given_up(call: str, how: str, hub: HubServer) -> None:
    action, path = CALLS[call]
    raw = {
        "body": dripping(hub, head(LONG)),
        "chunks": dripping(hub, head(CHUNKED), b"1\r\n \r\n"),
        "range": dripping(hub, head(LONG, RANGE, status="206 Partial Content")),
        "headers": dripping(hub, b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        "informational": dripping(hub, b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        "refusal": dripping(hub, head(LONG, status="403 Forbidden")),
        "redirect": dripping(hub, head(LONG, "Location: /elsewhere", status="302 Found")),
    }[how]
    hub.fault(path, raw=raw, times=FOREVER, methods=("GET",))
    assert "comes too slowly, with less than 50 kB/s" in refusal(action)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", ["200 OK", "206 Partial Content", "403 Forbidden", "302 Found", "500 Failed"])
def test_what_has_no_end_is_refused(call: str, status: str, hub: HubServer, tmp_path: Path) -> None:
    action, path = CALLS[call]
    raw = endless(head(CHUNKED, "Location: /elsewhere", RANGE, status=status))
    hub.fault(path, raw=raw, times=FOREVER, methods=("GET",))
    most = 2**20 if status[0] in "345" else 2**26 if call == "listing" else len(WEIGHTS)
    assert f"the server sends more than the {most:,} bytes that it may: check HF_ENDPOINT" in refusal(action)
    left = [file for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in left) < 10_000, "nothing of it stays on the disk"


def test_a_pause_of_years_is_not_waited_for(hub: HubServer) -> None:
    def refuse(connection: Any) -> None:
        hub.skipped += 10**4
        connection.write(head("Retry-After: 999999999", "Content-Length: 0", status="429 Too Many Requests"))

    hub.fault("/lfs/", raw=refuse, times=FOREVER, methods=("GET",))
    assert "comes too slowly" in refusal(fetched)


def test_a_pause_that_the_hub_may_ask_for_is_waited_for(hub: HubServer) -> None:
    """Five minutes, the window of the Hub's rate limit, twice: more than a call has otherwise."""
    hub.fault("/lfs/", status=429, times=2, headers={"ratelimit": '"resolvers";r=0;t=290'})
    streamed()
    assert hub.skipped > 580


def test_a_slow_download_that_keeps_the_speed_is_waited_for(hub: HubServer) -> None:
    """Over a minute, at six times the lowest speed: what is sent ahead must not look slow."""
    body = safetensors.numpy.save({"w": np.zeros((5000, 1000), "f4")})
    hub.add("org/m", {"model.safetensors": body})

    def write(connection: Any) -> None:
        connection.write(head(f"Content-Length: {len(body)}"))
        for start in range(0, len(body), 100_000):
            hub.skipped += 0.33
            connection.write(body[start : start + 100_000])

    hub.fault("/lfs/", raw=write, times=FOREVER, methods=("GET",))
    assert (fetch(REF).folder / "model.safetensors").read_bytes() == body
    assert hub.skipped > 60


@pytest.mark.parametrize("wrong", [1, len(WEIGHTS) - 1, len(WEIGHTS) + 1, 10**6])
@pytest.mark.parametrize("lists_sha256", [True, False])
def test_a_file_has_the_size_that_is_listed(wrong: int, lists_sha256: bool, hub: HubServer, tmp_path: Path) -> None:
    hub.lists_sha256 = lists_sha256
    hub.repos["org/m"].sizes["model.safetensors"] = wrong
    said = refusal(fetched)
    if wrong < len(WEIGHTS):
        assert f"the server sends more than the {wrong:,} bytes that it may" in said
    else:
        assert f"has {len(WEIGHTS):,} bytes, and the repository lists {wrong:,}" in said
    assert not list((tmp_path / "home").rglob("model.safetensors"))
    assert refusal(streamed)


def test_a_file_without_a_listed_size_is_fetched(hub: HubServer) -> None:
    hub.repos["org/m"].sizes |= {"model.safetensors": None, "config.json": None}
    assert (fetch(REF).folder / "model.safetensors").read_bytes() == WEIGHTS
    assert streamed()


@pytest.mark.parametrize("size", ["7", -1, 1.5, [1], True, 1e300, {"a": 1}])
def test_a_size_that_is_none_is_refused(size: object, hub: HubServer) -> None:
    hub.repos["org/m"].sizes["config.json"] = size
    assert "the Hub lists 'config.json' with" in refusal(listed)


def answer(hub: HubServer, body: bytes, *headers: str) -> None:
    """Let the listing be a body of one's own."""
    raw = head(*headers, f"Content-Length: {len(body)}") + body
    hub.fault("/api/models", raw=lambda connection: connection.write(raw), times=FOREVER)


SIBLINGS: list[Any] = [7, "x", [3], [None], [{}], [{"rfilename": 3}], [{"rfilename": None}]]
SIBLINGS += [[{"rfilename": "a", "lfs": 3}], [{"rfilename": "a", "lfs": {"size": 1, "sha256": []}}], {"a": 1}]
LISTINGS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"<html>",
    "nested": b"[" * 10**5,
    "a list": b"[]",
    "a number": b"1e999",
    "a surrogate": b'{"sha": "\\ud800"}',
    "no commit": b'{"id": "org/m", "siblings": []}',
    "a number as commit": b'{"id": "org/m", "sha": 7, "siblings": []}',
    **{
        f"siblings {i}": json.dumps({"id": "org/m", "sha": "a" * 40, "siblings": siblings}).encode()
        for i, siblings in enumerate(SIBLINGS)
    },
}


@pytest.mark.parametrize("how", LISTINGS)
def test_a_listing_that_is_none_is_refused(how: str, hub: HubServer) -> None:
    answer(hub, LISTINGS[how], "Content-Type: application/json")
    refusal(fetched)


def test_a_listing_that_unfolds_is_refused_before_it_is_large(hub: HubServer) -> None:
    """A megabyte that holds a gigabyte, though no compression was asked for."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(128)) + packer.flush()
    answer(hub, bomb, "Content-Encoding: gzip")
    assert "sends more than the 67,108,864 bytes" in refusal(listed)


@pytest.mark.parametrize("encoding", ["br", "zstd", "x" * 100])
def test_what_is_compressed_in_other_ways_is_refused(encoding: str, hub: HubServer) -> None:
    answer(hub, b"{}", f"Content-Encoding: {encoding}")
    assert "the server compresses it with" in refusal(listed)


def test_a_server_that_compresses_all_the_same_is_understood(hub: HubServer) -> None:
    """As some proxies do."""
    expected = list_files(REF)
    siblings = [{"rfilename": name, "size": size} for name, size in expected.sizes.items()]
    shown = json.dumps({"id": "org/m", "sha": expected.revision, "siblings": siblings}).encode()
    answer(hub, gzip.compress(shown), "Content-Encoding: gzip", "Content-Type: application/json")
    assert list_files(REF).sizes == expected.sizes
    hub.faults.clear()
    packed = zlib.compress(WEIGHTS)
    raw = head("Content-Encoding: deflate", f"Content-Length: {len(packed)}") + packed
    hub.fault("/lfs/", raw=lambda connection: connection.write(raw), times=FOREVER, methods=("GET",))
    assert (fetch(REF).folder / "model.safetensors").read_bytes() == WEIGHTS


def test_an_interrupt_leaves_no_temporary_file(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def write(connection: Any) -> None:
        connection.write(head(f"Content-Length: {len(WEIGHTS)}") + WEIGHTS[:100])
        begun.wait()
        for start in range(100, len(WEIGHTS) - 1):
            connection.write(WEIGHTS[start : start + 1])

    def interrupt() -> float:
        if threading.current_thread() is threading.main_thread() and list((tmp_path / "home").rglob("*.incomplete")):
            begun.set()
            raise KeyboardInterrupt
        return hub.now()

    hub.fault("/lfs/", raw=write, times=FOREVER, methods=("GET",))
    monkeypatch.setattr(limits, "now", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetched()
    assert begun.is_set()
    assert not list((tmp_path / "home").rglob("*.incomplete"))


def test_others_calls_of_the_client_are_left_alone(hub: HubServer) -> None:
    """What the program does that uses wqscore is its own."""
    import huggingface_hub

    list_files(REF)
    body = b"x" * 10
    hub.add("org/m", {"note.txt": body})
    packed = gzip.compress(body)
    raw = head("Content-Encoding: gzip", f"Content-Length: {len(packed)}") + packed
    hub.fault("/note.txt", raw=lambda connection: connection.write(raw), methods=("GET",))
    assert Path(huggingface_hub.hf_hub_download("org/m", "note.txt")).read_bytes() == body

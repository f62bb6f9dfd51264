"""A Hub with random answers: the same number as on disk or one clear line, and never another model's failure."""

from __future__ import annotations

import functools
import gzip
import hashlib
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import wqscore
from tests.examples import examples
from tests.hub_server import HubServer
from wqscore.checkpoints.hub import limits

GOOD = 99
SEEDS = st.integers(0, 3)
#: Parts of paths that the other repository has none of: of the listing, a configuration, weights on the Hub, and in
#: the store that it sends them from.
PATHS = st.sampled_from(
    ["/api/models/org/m", "org/m/resolve", "/config.json", "/model.safetensors", "filename=model.safetensors"]
)
TIMES = st.integers(1, 8)
STATUSES = st.sampled_from([200, 204, 206, 301, 401, 403, 404, 408, 416, 418, 429, 500, 503])
HEADERS: list[dict[str, str]] = [
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "br"},
    {"Content-Type": "text/html"},
    {"Content-Range": "bytes 0-7/99999"},
    {"Content-Range": ""},
    {"Content-Length": "7"},
    {"Content-Length": "x"},
    {"ETag": '"../../../x"'},
    {"ETag": ""},
    {"X-Linked-ETag": '"' + "c" * 64 + '"'},
    {"X-Linked-ETag": '"..\\\\..\\\\x"'},
    {"X-Linked-Size": "99"},
    {"X-Linked-Size": "-1"},
    {"X-Repo-Commit": "c" * 40},
    {"X-Repo-Commit": "../../x"},
    {"X-Error-Code": "GatedRepo"},
    {"Location": "https://127.0.0.1:1/x"},
    {"Location": "file:///etc/passwd"},
    {"Location": "?again"},
    {"Retry-After": "999999999"},
    {"ratelimit": '"api";r=0;t=999999999'},
]


def content(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return safetensors.numpy.save({"h.0.q.weight": rng.standard_t(3, (40, 30)).astype("f4")})


def alphas(score: wqscore.ModelScore) -> list[float]:
    return [row.metrics["alpha"] for row in score.layers]


@functools.cache
def expected(seed: int) -> list[float]:
    """Of the same bytes on disk, without a store."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.safetensors").write_bytes(content(seed))
        return alphas(wqscore.score(folder, store=None, bootstrap=0, gof=0))


def packed(connection: Any) -> None:
    body = gzip.compress(bytes(10**6))
    connection.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def endless(connection: Any) -> None:
    connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.write(b"10000\r\n" + bytes(65536) + b"\r\n")


def noise(connection: Any) -> None:
    connection.write(np.random.default_rng(0).bytes(5000))


def nothing(connection: Any) -> None:
    """Only the end of the connection."""


class AnyAnswers(RuleBasedStateMachine):
    """One repository of a Hub answers anything; another is as it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.folder = tempfile.TemporaryDirectory()
        self.hub = HubServer()
        self.hub.__enter__()
        self.hub.serve_here(Path(self.folder.name), self.patch)
        self.patch.setattr(limits, "now", self.hub.now)
        self.patch.setattr("time.sleep", self.hub.skip)
        self.seeds: dict[str, int] = {}
        self.has_lied = False
        self.has_skipped = False

    def teardown(self) -> None:
        self.hub.stop()
        self.patch.undo()
        self.folder.cleanup()

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        self.hub.add("org/good", {"weights.safetensors": content(GOOD)})
        self.commit(seed)

    @rule(seed=SEEDS)
    def commit(self, seed: int) -> None:
        """Push other weights, or go back to earlier ones."""
        sha = self.hub.add("org/m", {"config.json": b"{}", "model.safetensors": content(seed)})
        self.seeds[sha] = seed

    @rule(
        size=st.sampled_from([None, 0, 1, 5039, 10**6, 10**15, -1, "7", 1.5]),
        name=st.sampled_from(["config.json", "model.safetensors"]),
    )
    def list_another_size(self, size: object, name: str) -> None:
        self.hub.repos["org/m"].sizes[name] = size

    @rule(claim=st.sampled_from(["c" * 64, "", "../x", "C" * 64]), seed=SEEDS, of_another=st.booleans())
    def list_another_digest(self, claim: str, seed: int, of_another: bool) -> None:
        digest = hashlib.sha256(content(seed)).hexdigest() if of_another else claim
        self.has_lied = True
        self.hub.repos["org/m"].claims["model.safetensors"] = digest

    @rule(listed=st.booleans())
    def list_digests(self, listed: bool) -> None:
        self.hub.lists_sha256 = listed

    @rule(path=PATHS, times=TIMES, status=STATUSES)
    def answer_with_a_status(self, path: str, times: int, status: int) -> None:
        self.hub.fault(path, times=times, status=status)

    @rule(path=PATHS, times=TIMES, headers=st.sampled_from(HEADERS), status=st.sampled_from([None, 302, 429]))
    def answer_with_headers(self, path: str, times: int, headers: dict[str, str], status: int | None) -> None:
        self.has_skipped = self.has_skipped or status == 429
        self.hub.fault(path, times=times, headers=headers, status=status)

    @rule(path=PATHS, times=TIMES, after=st.integers(0, 5000))
    def break_off(self, path: str, times: int, after: int) -> None:
        self.hub.fault(path, times=times, drop_after=after)

    @rule(path=PATHS, times=TIMES, more=st.integers(1, 10**5), whole=st.booleans())
    def send_more(self, path: str, times: int, more: int, whole: bool) -> None:
        self.hub.fault(path, times=times, more=more, whole=whole)

    @rule(path=PATHS, times=TIMES, raw=st.sampled_from([packed, endless, noise, nothing]), every=st.booleans())
    def send_anything(self, path: str, times: int, raw: Callable[[Any], None], every: bool) -> None:
        methods = ("GET", "HEAD") if every else ("GET",)
        self.hub.fault(path, times=times, raw=raw, methods=methods)

    @rule(
        path=PATHS,
        times=TIMES,
        head=st.sampled_from([b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"]),
    )
    def drip(self, path: str, times: int, head: bytes) -> None:
        def write(connection: Any) -> None:
            connection.write(head)
            for _ in range(300):
                self.hub.skip(1)
                connection.write(b"x")

        self.has_skipped = True
        self.hub.fault(path, times=times, raw=write)

    @rule()
    def be_honest(self) -> None:
        self.hub.faults.clear()
        self.hub.repos["org/m"].sizes.clear()
        self.hub.repos["org/m"].claims.clear()
        self.hub.lists_sha256 = True

    @rule(stored=st.booleans(), verify=st.booleans(), warm=st.booleans())
    def rank_downloaded(self, stored: bool, verify: bool, warm: bool) -> None:
        self.rank(False, stored, verify, warm)

    @rule(stored=st.booleans(), verify=st.booleans(), warm=st.booleans())
    def rank_streamed(self, stored: bool, verify: bool, warm: bool) -> None:
        self.rank(True, stored, verify, warm)

    def rank(self, stream: bool, stored: bool, verify: bool, warm: bool) -> None:
        home = Path(self.folder.name, "warm" if warm else f"cold{len(list(Path(self.folder.name).iterdir()))}")
        # The digests that a repository lists of its own streamed weights are believed: it fools itself alone.
        store = Path(self.folder.name, "store") if stored and not (stream and self.has_lied) else None
        self.hub.serve_here(home, self.patch)
        # Time that one answer skips would be missing for the next one: only in these tests is it the same clock.
        models = ["org/good", "org/m"] if self.has_skipped else ["org/m", "org/good"]
        ranking = wqscore.rank(models, stream=stream, store=store, verify=verify, bootstrap=0, gof=0, jobs=1)
        for thread in threading.enumerate():
            if thread.name == "wqscore-hub":
                thread.join(5)
        found = {ranked.ref.label: ranked for ranked in ranking.models}
        for label, ranked in found.items():
            if ranked.score is None:
                assert label == "org/m", ranked.reason
                assert ranked.reason.startswith(("org/m: ", f"{home}/hub/models--org--m/"))
                assert "\n" not in ranked.reason
                assert "a fault in wqscore" not in ranked.reason
            else:
                seed = GOOD if label == "org/good" else self.seeds[ranked.score.revision]
                assert alphas(ranked.score) == expected(seed)


AnyAnswers.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=15)
TestAnyAnswers = AnyAnswers.TestCase

"""A Hub on the loopback interface: repositories from dictionaries, served over the Hub's own HTTP API.

The real `huggingface_hub` client talks to it unpatched. The client reads its environment when it is
imported, so code under test runs in a process of its own, with `environment()`, or in this one after `serve_here()`:

    with HubServer() as hub:
        hub.add("org/name", {"config.json": b"{}", "model.safetensors": weights})
        subprocess.run([sys.executable, "-c", code], env=hub.environment(tmp_path))
        assert hub.fetched() == {"config.json", "model.safetensors"}

Weights are answered with a redirect to another host name, as the Hub sends them to its CDN. The content of a file is
its bytes, or any object that has `len()` and gives bytes for a slice, such as one that generates them on access.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import quote, unquote

import pytest

FOREVER = 1_000_000
WEIGHT_SUFFIXES = (".safetensors", ".bin")


class Content(Protocol):
    """What a file holds."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


@dataclass(frozen=True)
class Request:
    """A request that was answered; `sent` counts the bytes of the body."""

    method: str
    path: str
    headers: dict[str, str]
    status: int
    sent: int


@dataclass
class Repo:
    commits: dict[str, dict[str, Content]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False
    #: SHA-256 listed in place of the true one, by file.
    claims: dict[str, str] = field(default_factory=dict)
    #: What is listed as the size in place of the true one, by file.
    sizes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose path and query hold `path`.

    They are answered with `status`, with changed headers (and the Content-Range that is true, unless it is changed),
    with a body cut after `drop_after` bytes, one that has `more` bytes than announced, the whole file though a range
    of it was asked for, or only after `stall` seconds; or with what `raw` writes to the connection, which then ends.
    """

    path: str
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop_after: int | None = None
    more: int = 0
    whole: bool = False
    stall: float = 0
    raw: Callable[[Any], object] | None = None
    #: The requests it befalls; others are answered as usual.
    methods: tuple[str, ...] = ("GET", "HEAD")


class _Server(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """Nothing on stderr: a client that gives up breaks its connection."""


class HubServer:
    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.repos: dict[str, Repo] = {}
        self.faults: list[Fault] = []
        #: Seconds by which `now()` is ahead of the clock: how long a slow server takes that waits for nobody.
        self.skipped = 0.0
        #: Whether listings give the SHA-256 of weights; a mirror's may not.
        self.lists_sha256 = True
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.hub = self  # type: ignore[attr-defined]
        self.port = self._http.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening: from now on connections are refused."""
        self._http.shutdown()
        self._http.server_close()

    def add(
        self,
        name: str,
        files: Mapping[str, Content],
        revisions: Mapping[str, str] | None = None,
        token: str | None = None,
        gated: bool = False,
    ) -> str:
        """Add a commit with these files to a repository and point the revisions at it; returns its hash."""
        commit = hashlib.sha1(repr((name, sorted(files.items()))).encode()).hexdigest()
        revisions = {"main": commit} if revisions is None else revisions
        repo = self.repos.setdefault(name, Repo())
        repo.token, repo.gated = token, gated
        for revision, sha in revisions.items():
            repo.commits[sha] = dict(files)
            repo.refs[revision] = sha
        return next(iter(revisions.values()))

    def fault(self, path: str, **how: Any) -> None:
        """From now on let something go wrong: see `Fault`."""
        self.faults.append(Fault(path, **how))

    def now(self) -> float:
        """The clock for those who wait for this server."""
        return time.monotonic() + self.skipped

    def skip(self, seconds: float) -> None:
        """Stands for `time.sleep`, and costs no time."""
        self.skipped += seconds

    def serve_here(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the client in this process take this server for the Hub, and `home` for HF_HOME."""
        from huggingface_hub import constants

        wanted = {
            "ENDPOINT": self.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_OFFLINE": False,
        }
        for name, value in wanted.items():
            monkeypatch.setattr(constants, name, value)

    def fetched(self) -> set[str]:
        """Names of the files whose bodies were sent (a redirect sends none)."""
        names = (re.search(r"/resolve/[^/]+/(.+)|[?]filename=(.+)", r.path) for r in self.requests if r.sent)
        return {unquote(match[1] or match[2]) for match in names if match}

    def environment(self, home: Path, **variables: str) -> dict[str, str]:
        """The environment of a process that takes this server for the Hub and `home` for HF_HOME."""
        foreign = re.compile("HF_|HUGGING|TRANSFORMERS_|.*_proxy$", re.IGNORECASE)
        inherited = {key: value for key, value in os.environ.items() if not foreign.match(key)}
        ours = {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        return inherited | ours | variables


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub: HubServer = self.server.hub  # type: ignore[attr-defined]
        status, headers, body = self._answer(hub)
        befalling = (f for f in hub.faults if f.times > 0 and f.path in self.path and self.command in f.methods)
        fault = next(befalling, None)
        if fault is None:
            fault = Fault("")
        else:
            fault.times -= 1
            time.sleep(fault.stall)
        if fault.raw is not None:
            self.close_connection = True
            with suppress(OSError):  # the client gave up
                fault.raw(self.wfile)
            return
        if fault.status is not None:
            status, headers, body = fault.status, {}, b"fault"
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and status == 200 and fault.status is None and not fault.whole:
            first, last = int(asked[1]), min(int(asked[2] or len(body)), len(body) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            status, body = (206, body[first : last + 1]) if first <= last else (416, b"")
        headers |= fault.headers
        length = len(body)
        sent = b"" if self.command == "HEAD" else body[: fault.drop_after] + b"?" * fault.more
        length = len(sent) if fault.more else length
        lower = {key.lower(): value for key, value in self.headers.items()}
        hub.requests.append(Request(self.command, self.path, lower, status, len(sent) if status < 300 else 0))
        self.send_response(status)
        for key, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(key, value)
        # Of a body that is shorter than announced, the end of the connection is the end.
        self.close_connection = fault.drop_after is not None or "Content-Length" in fault.headers
        with suppress(ConnectionError):  # the client may have given up
            self.end_headers()
            self.wfile.write(sent)

    def _answer(self, hub: HubServer) -> tuple[int, dict[str, str], Content]:
        path = self.path.split("?")[0]
        if match := re.fullmatch(r"/lfs/(\w{64})", path):
            return 200, {}, self._blob(hub, match[1])
        if match := re.fullmatch(r"/api/models/(.+?)/refs", path):
            return _refs(hub.repos.get(unquote(match[1])))
        match = re.fullmatch(r"/api/models/(.+?)(?:/revision/([^/]+))?", path) or re.fullmatch(
            r"/(.+?)/resolve/([^/]+)/(.+)", path
        )
        if match is None:
            return 404, {}, b""
        name, revision, *file = (unquote(part) if part else "main" for part in match.groups())
        repo, authorization = hub.repos.get(name), self.headers.get("Authorization")
        if repo is None:
            return _refusal(404, "RepoNotFound", "Repository not found")
        if repo.token is not None and authorization != f"Bearer {repo.token}":
            if authorization is None:
                return _refusal(401, "RepoNotFound", "Repository not found")
            return _refusal(401, None, "Invalid credentials in Authorization header")
        commit = repo.refs.get(revision, revision)
        if commit not in repo.commits:
            return _refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if not file:
            info = _model_info(name, commit, repo.commits[commit], hub.lists_sha256, repo)
            return 200, {"Content-Type": "application/json"}, info
        if repo.gated:
            return _refusal(403 if authorization else 401, "GatedRepo", f"Access to {name} is restricted")
        body = repo.commits[commit].get(file[0])
        if body is None:
            code, headers, text = _refusal(404, "EntryNotFound", "Entry not found")
            return code, {**headers, "X-Repo-Commit": commit}, text
        return self._file(hub, commit, file[0], body)

    def _file(self, hub: HubServer, commit: str, name: str, body: Content) -> tuple[int, dict[str, str], Content]:
        if not name.endswith(WEIGHT_SUFFIXES):
            return 200, {"X-Repo-Commit": commit, "ETag": f'"{_git_sha1(body)}"'}, body
        sha256 = _sha256(body)
        location = f"http://localhost:{hub.port}/lfs/{sha256}?filename={quote(name)}"
        linked = {"X-Linked-Size": str(len(body)), "X-Linked-ETag": f'"{sha256}"'}
        return 302, {"X-Repo-Commit": commit, "Location": location, **linked}, b""

    def _blob(self, hub: HubServer, sha256: str) -> Content:
        commits = [files for repo in hub.repos.values() for files in repo.commits.values()]
        bodies = (body for files in commits for body in files.values())
        return next(body for body in bodies if _sha256(body) == sha256)


def _refusal(status: int, code: str | None, message: str) -> tuple[int, dict[str, str], bytes]:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return status, headers, json.dumps({"error": message}).encode()


def _refs(repo: Repo | None) -> tuple[int, dict[str, str], bytes]:
    """A repository's branches; its pull requests are told only to who asks for them."""
    if repo is None:
        return _refusal(404, "RepoNotFound", "Repository not found")
    branches = [
        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit}
        for name, commit in repo.refs.items()
        if not name.startswith("refs/")
    ]
    body = json.dumps({"branches": branches, "converts": [], "tags": []}).encode()
    return 200, {"Content-Type": "application/json"}, body


def _model_info(name: str, commit: str, files: Mapping[str, Content], lists_sha256: bool, repo: Repo) -> bytes:
    siblings: list[dict[str, Any]] = [
        {"rfilename": file, "size": repo.sizes.get(file, len(body))} for file, body in files.items()
    ]
    for sibling, (file, body) in zip(siblings, files.items(), strict=True):
        if lists_sha256 and file.endswith(WEIGHT_SUFFIXES):
            sibling["lfs"] = {"sha256": repo.claims.get(file) or _sha256(body), "size": len(body), "pointerSize": 134}
    return json.dumps({"id": name, "modelId": name, "sha": commit, "siblings": siblings}).encode()


def _sha256(body: Content) -> str:
    """The content's digest; for content generated on access, the digest of its `repr`."""
    return hashlib.sha256(body if isinstance(body, bytes) else repr(body).encode()).hexdigest()


def _git_sha1(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()

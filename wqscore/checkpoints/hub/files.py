"""List the files of a Hub repository at one commit, and download them into the local cache.

A branch, tag, pull request or commit is resolved once; everything read afterwards is from that commit.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wqscore.checkpoints.hub.errors import cause_of, hub_errors
from wqscore.errors import CheckpointError, reading
from wqscore.refs.reference import ModelRef
from wqscore.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: Seconds between attempts unless the Hub requests a pause; the client uses the same for files.
PAUSES = (1.0, 2.0, 4.0, 8.0)
#: The longest pause the Hub may request, in seconds: the window of its rate limit.
MAX_PAUSE = 300.0

_COMMIT = re.compile("[0-9a-f]{40}")
#: Names that Windows keeps for devices, with any suffix.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)

#: Called with the name and size in bytes (0 if unknown) of a file before it is downloaded.
OnFile = Callable[[str, int], None]


@dataclass(frozen=True)
class HubFiles:
    """The files of a repository at one commit.

    Attributes:
        repo: `org/name`.
        label: the model's name in messages.
        revision: the commit, 40 hexadecimal digits.
        sizes: bytes by file name, 0 if the Hub lists none.
        cached: whether the Hub can't be reached, and these are only the files in the local cache.
        sha256: hex digests by file name, for the large files whose digest the Hub lists.
    """

    repo: str
    label: str
    revision: str
    sizes: Mapping[str, int] = field(hash=False)
    cached: bool
    sha256: Mapping[str, str] = field(default_factory=dict, hash=False)


def list_files(ref: ModelRef) -> HubFiles:
    """Resolve the revision to a commit and list its files; fall back to the cache if the Hub can't be reached.

    Raises:
        CheckpointError: no such model or revision, no access, or neither the Hub nor the cache has it.
    """
    if ref.repo is None:
        raise CheckpointError(f"{ref.label}: is not a model on the Hub: name it as org/name")
    with hub_errors(ref.repo, ref.label):
        for pause in PAUSES:
            try:
                return _list_once(ref.repo, ref)
            except Exception as error:
                # The client retries requests for files, but not those for a repository.
                response = getattr(cause_of(error), "response", None)
                if response is None or not (response.status_code == 429 or response.status_code >= 500):
                    raise
                time.sleep(min(requested_pause(response.headers, pause), MAX_PAUSE))
        return _list_once(ref.repo, ref)


def download(files: HubFiles, name: str, on_file: OnFile | None = None) -> Path:
    """Download one file into the Hub's cache, unless it is cached, and return its path in the commit's folder.

    Raises:
        CheckpointError: the file is not available, or is another than the repository lists; it is not kept then.
    """
    if (path := cached_file(files, name)) is not None:
        return path
    if on_file is not None:
        on_file(name, files.sizes[name])
    with hub_errors(files.repo, f"{files.label}: {name}"):
        bar = _silent_bar()
        path = Path(_api().hf_hub_download(files.repo, name, revision=files.revision, tqdm_class=bar))
    _check_digest(files, name, path)
    return path


def cached_file(files: HubFiles, name: str) -> Path | None:
    """The path of a file in the Hub's cache, or `None` if it is not cached."""
    from huggingface_hub import try_to_load_from_cache

    _check_name(files, name)
    path = try_to_load_from_cache(files.repo, name, revision=files.revision)
    return Path(path) if isinstance(path, str) else None


def _check_digest(files: HubFiles, name: str, path: Path) -> None:
    """Compare a file that has just been downloaded with the SHA-256 that the repository lists, if it lists one.

    The client checks the size alone.

    Raises:
        CheckpointError: they differ; the file is removed from the cache.
    """
    listed = files.sha256.get(name)
    if listed is None:
        return
    with reading(path), path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != listed:
        blob = path.resolve()
        path.unlink(missing_ok=True)
        blob.unlink(missing_ok=True)
        raise CheckpointError(
            f"{files.label}: {name}: its SHA-256 is {found[:12]}…, and the repository lists {listed[:12]}…: "
            "try again, or check HF_ENDPOINT"
        )


def _check_name(files: HubFiles, name: str) -> None:
    """Refuse a name that some operating system reads as a path elsewhere, or as a device.

    Raises:
        CheckpointError: it is one.
    """
    parts = name.split("/")
    is_path = "\\" in name or ":" in name or "\0" in name or any(part in ("", ".", "..") for part in parts)
    if is_path or any(_DEVICE.fullmatch(part) for part in parts):
        raise CheckpointError(
            f"{files.label}: {name!a:.200} is a path or a device on some systems: the repository has to rename it"
        )


def _list_once(repo: str, ref: ModelRef) -> HubFiles:
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    timeout = constants.HF_HUB_ETAG_TIMEOUT
    try:
        info = _api().model_info(repo, revision=ref.revision, files_metadata=True, timeout=timeout)
    except Exception as error:
        refused = isinstance(error, HfHubHTTPError) and error.response.status_code < 500
        if refused or (cached := _list_cached(repo, ref)) is None:
            raise
        return cached
    if info.sha is None or not _COMMIT.fullmatch(info.sha):
        raise CheckpointError(f"{ref.label}: the Hub resolves it to {info.sha!r}, which is not a commit")
    if ref.revision and _COMMIT.fullmatch(ref.revision) and info.sha != ref.revision:
        raise CheckpointError(f"{ref.label}: the Hub answers with commit {info.sha} instead: check HF_ENDPOINT")
    # Records the branch's commit in the cache's refs/, which is read when there is no connection.
    _api().resolve_revision(repo, revision=ref.revision)
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
    large = {sibling.rfilename: sibling.lfs.sha256 for sibling in info.siblings or [] if sibling.lfs}
    # A mirror may list anything, so check that it is a digest.
    sha256 = {name: str(digest) for name, digest in large.items() if re.fullmatch("[0-9a-f]{64}", str(digest))}
    return HubFiles(repo, ref.label, info.sha, sizes, cached=False, sha256=sha256)


def _list_cached(repo: str, ref: ModelRef) -> HubFiles | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RevisionResolutionError

    try:
        revision = _api().resolve_revision(repo, revision=ref.revision, local_files_only=True).resolved
        # With no patterns allowed, this only finds the commit's folder in the cache.
        found = snapshot_download(repo, revision=revision, local_files_only=True, allow_patterns=[])
    except (RevisionResolutionError, LocalEntryNotFoundError):
        return None
    folder = Path(found)
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    return HubFiles(repo, ref.label, revision, sizes, cached=True)


def requested_pause(headers: Mapping[str, str], default: float) -> float:
    """Seconds the Hub requests to wait, plus one against rounding; `default` if it requests none."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds + 1.0
    seconds = headers.get("Retry-After", "")
    return int(seconds) + 1.0 if seconds.isdigit() else default


def _silent_bar() -> type[Any]:
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    class SilentBar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **(options | {"disable": True}))  # type: ignore[no-untyped-call]

    return SilentBar


def _api() -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(library_name="wqscore", library_version=__version__)

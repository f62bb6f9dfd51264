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
from shutil import disk_usage
from typing import TYPE_CHECKING, Any, TypeVar

from wqscore.checkpoints.hub.errors import cause_of, hub_errors
from wqscore.checkpoints.hub.limits import MAX_SMALL, Limit, within
from wqscore.checkpoints.hub.pauses import PAUSES, requested_pause
from wqscore.errors import CheckpointError, reading
from wqscore.refs.file_names import is_plain
from wqscore.refs.reference import ModelRef
from wqscore.refs.weight_names import WEIGHT_SUFFIXES
from wqscore.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

T = TypeVar("T")

_COMMIT = re.compile("[0-9a-f]{40}")

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
    repo = ref.repo
    with hub_errors(repo, ref.label):
        return within(Limit(ref.label, MAX_SMALL), lambda: _patiently(lambda: _list_once(repo, ref)))


def list_revisions(ref: ModelRef) -> list[str]:
    """The names of a repository's branches and tags; those in the local cache if the Hub can't be reached.

    Raises:
        CheckpointError: no such model, no access, or neither the Hub nor the cache has it.
    """
    if ref.repo is None:
        raise CheckpointError(f"{ref.label}: is not a model on the Hub: name it as org/name")
    repo = ref.repo
    with hub_errors(repo, ref.label):
        return within(Limit(ref.label, MAX_SMALL), lambda: _patiently(lambda: _revisions_once(repo)))


def download(files: HubFiles, name: str, on_file: OnFile | None = None) -> Path:
    """Download one file into the Hub's cache, unless it is cached, and return its path in the commit's folder.

    Raises:
        CheckpointError: the file is not available, or is another than the repository lists; it is not kept then.
    """
    if (path := cached_file(files, name)) is not None:
        return path
    listed = files.sizes[name]
    if on_file is not None:
        on_file(name, listed)
    where = f"{files.label}: {name}"
    with hub_errors(files.repo, where):
        limit = Limit(where, listed or _most(name), listed)
        path = within(limit, lambda: _download(files, name))
    _check_content(files, name, path)
    return path


def cached_file(files: HubFiles, name: str) -> Path | None:
    """The path of a file in the Hub's cache, or `None` if it is not cached."""
    from huggingface_hub import try_to_load_from_cache

    _check_name(files, name)
    path = try_to_load_from_cache(files.repo, name, revision=files.revision)
    return Path(path) if isinstance(path, str) else None


def _download(files: HubFiles, name: str) -> Path:
    bar = _silent_bar()
    return Path(_api().hf_hub_download(files.repo, name, revision=files.revision, tqdm_class=bar))


def _most(name: str) -> int:
    """Bytes that a file of no listed size may have: the disk's room for weights."""
    from huggingface_hub import constants

    if not name.endswith(WEIGHT_SUFFIXES):
        return MAX_SMALL
    cache = Path(constants.HF_HUB_CACHE).absolute()
    return disk_usage(next(path for path in (cache, *cache.parents) if path.exists())).free


def _check_content(files: HubFiles, name: str, path: Path) -> None:
    """Compare a file that has just been downloaded with the size and the SHA-256 that the repository lists, if any.

    The client compares its size with what the file's own answer says.

    Raises:
        CheckpointError: they differ; the file is removed from the cache.
    """
    size, sha256 = files.sizes[name], files.sha256.get(name)
    with reading(path), path.open("rb") as stream:
        found = path.stat().st_size
        differs = f"has {found:,} bytes, and the repository lists {size:,}" if size and found != size else ""
        if sha256 and not differs and (digest := hashlib.file_digest(stream, "sha256").hexdigest()) != sha256:
            differs = f"its SHA-256 is {digest[:12]}…, and the repository lists {sha256[:12]}…"
    if differs:
        blob = path.resolve()
        path.unlink(missing_ok=True)
        blob.unlink(missing_ok=True)
        raise CheckpointError(f"{files.label}: {name}: {differs}: try again, or check HF_ENDPOINT")


def _check_name(files: HubFiles, name: str) -> None:
    """Refuse a name that some operating system reads as a path elsewhere, or as a device.

    Raises:
        CheckpointError: it is one.
    """
    if not is_plain(name):
        raise CheckpointError(
            f"{files.label}: {name!a:.200} is a path or a device, or is too long, on some systems: the repository "
            "has to rename it"
        )


def _patiently(ask: Callable[[], T]) -> T:
    """Ask again, after a pause, where the Hub is busy or fails."""
    for pause in PAUSES:
        try:
            return ask()
        except Exception as error:
            # The client retries requests for files, but not those for a repository.
            response = getattr(cause_of(error), "response", None)
            if response is None or not (response.status_code == 429 or response.status_code >= 500):
                raise
            time.sleep(requested_pause(response.headers, pause))
    return ask()


def _revisions_once(repo: str) -> list[str]:
    from huggingface_hub.errors import HfHubHTTPError

    try:
        refs = _api().list_repo_refs(repo)
    except Exception as error:
        refused = isinstance(error, HfHubHTTPError) and error.response.status_code < 500
        if refused or not (cached := _cached_revisions(repo)):
            raise
        return cached
    return list(dict.fromkeys(each.name for each in (*refs.branches, *refs.tags)))


def _cached_revisions(repo: str) -> list[str]:
    """The branches and tags that were resolved before."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model") / "refs"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _list_once(repo: str, ref: ModelRef) -> HubFiles:
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    timeout = constants.HF_HUB_ETAG_TIMEOUT

    def ask() -> ModelInfo:
        return _api().model_info(repo, revision=ref.revision, files_metadata=True, timeout=timeout)

    try:
        try:
            info = ask()
        except Exception as error:
            # On a connection that an earlier answer left in disorder, or that the server closed meanwhile.
            if type(error).__name__ != "RemoteProtocolError":
                raise
            info = ask()
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
    for name, size in sizes.items():
        if not isinstance(name, str) or type(size) is not int or size < 0:
            raise CheckpointError(
                f"{ref.label}: the Hub lists {name!a:.200} with {size!a:.40} bytes: check HF_ENDPOINT"
            )
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


def _silent_bar() -> type[Any]:
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    class SilentBar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **(options | {"disable": True}))  # type: ignore[no-untyped-call]

    return SilentBar


def _api() -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(library_name="wqscore", library_version=__version__)

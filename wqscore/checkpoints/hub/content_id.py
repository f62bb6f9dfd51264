"""Name the content of a file of the Hub by its SHA-256 and by who vouches for it.

A repository lists the SHA-256 of its large files, and the Hub's cache names them by it. Neither is computed from the
bytes here, so such a name holds for that repository alone, at that address of the Hub: whoever lists another's
SHA-256 gains nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

_SHA256 = re.compile("[0-9a-f]{64}")
_REPOSITORY = re.compile(r"models--(\S{1,200})")
#: A link in a snapshot: the repository's folder, `snapshots`, the commit, then the file's own path.
_COMMIT = re.compile("[0-9a-f]{40}")


def content_id(sha256: str, repo: str) -> str:
    """Name a file's content.

    Args:
        sha256: its digest as the Hub lists it, in hex.
        repo: the repository that lists it, `org/name`.

    Example:
        >>> content_id("ab" * 32, "org/name")[60:]
        'abab@org/name'
    """
    from huggingface_hub import constants

    elsewhere = "" if constants.ENDPOINT == "https://huggingface.co" else f"@{quote(constants.ENDPOINT, safe='')}"
    return f"{sha256}@{repo}{elsewhere}"


def cached_content_id(file: Path) -> str:
    """Name the content of a file in the Hub's own cache, as `content_id` does; empty for any other file.

    This user's cache, which HF_HUB_CACHE or HF_HOME may move, links each file of a snapshot to a blob of the same
    repository, named by its SHA-256. A link of that kind anywhere else says nothing.
    """
    if not file.is_symlink():
        return ""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE).resolve()
    blob = file.resolve()
    repository = blob.parent.parent
    within = file.parent.resolve()
    is_blob = blob.parent.name == "blobs" and repository.parent == cache and _SHA256.fullmatch(blob.name) is not None
    found = _REPOSITORY.fullmatch(repository.name)
    if not is_blob or found is None or not within.is_relative_to(repository / "snapshots"):
        return ""
    commit = within.relative_to(repository / "snapshots").parts[:1]
    return content_id(blob.name, found[1].replace("--", "/", 1)) if commit and _COMMIT.fullmatch(commit[0]) else ""

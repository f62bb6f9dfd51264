"""Parse a model reference as typed: a Hub id or address, an alias, a path, or `base+adapter`.

The first of these that fits wins:

1. `hf://…` or a Hub address: that repository.
2. Text that starts with `.`, `/` or `~`, or ends like a weight file: a path. A file of any other name must begin like
   a weight file.
3. The name of a folder that exists, even one written `org/name`: that folder, as in transformers.
4. An alias of the shipped model lists, `bert-base` or `bert-base@revision`.
5. `org/name` or `org/name@revision`: a repository on the Hub, unless there is a folder `org`: then a path that is
   missing. The revision is all that follows the first `@`.
6. `org/name/path/file.gguf`: one weight file of a repository, also with `@revision`.

A path that is missing, or a name that is neither a folder nor an alias, gives a reference too: opening it fails, and
says why, so that it stops no other model.

Any other text with a `+` is a base and an adapter, `base+adapter`, each written as above.
"""

from __future__ import annotations

import difflib
import errno
import re
import stat
import unicodedata
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from wqscore.errors import UsageError, nearest
from wqscore.refs.model_list import aliases
from wqscore.refs.reference import ModelRef
from wqscore.refs.weight_names import HEAD_BYTES, TORCH_SUFFIXES, WEIGHT_SUFFIXES, container_of

_INDEX_SUFFIX = ".index.json"
_PATH_STARTS = (".", "/", "~")
_ADDRESS_STARTS = ("hf://", "https://", "http://", "huggingface.co/", "hf.co/")
# The Hub's rules, as in huggingface_hub.utils.validate_repo_id, which is slow to import.
_REPO_PART = r"(?=\w)[\w.-]{1,96}(?<=\w)"
_REPO_ID = re.compile(rf"(?!.*(--|\.\.|\.git$)){_REPO_PART}/{_REPO_PART}", re.ASCII)
# What git forbids in the name of a branch or tag (git check-ref-format).
_BAD_REVISION = re.compile(r"[\s\x00-\x1f\x7f-\x9f~^:?*\[\\]|\.\.|@\{|//|^/|/$|\.$")
# Control characters, halves of surrogate pairs, and line and paragraph separators.
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}


def parse_ref(text: str) -> ModelRef:
    """Parse a model reference; checks the disk, fetches nothing.

    Args:
        text: a Hub id or address, an alias, or the path of a folder or weight file; the module docstring says
            which wins when several fit.

    Raises:
        UsageError: the text can't be a model's name; the message says why and what to write instead.
    """
    if not text.strip():
        raise UsageError("an empty model name: give org/name, a folder or a weight file")
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise UsageError(f"{_shown(ascii(text))}: a model name can't hold control characters: type it again")
    if text.lower().startswith(_ADDRESS_STARTS):
        return _from_address(text)
    name, at, revision = text.partition("@")
    if _is_file_of_repo(name) and not _exists(text):
        owner, repository, file = name.split("/", 2)
        return _on_hub(text, f"{owner}/{repository}", revision if at else None, file)
    is_path = text.startswith(_PATH_STARTS) and "+" not in text
    if is_path or _ends_as_file(text) or _is_folder(text):
        return _from_disk(text)
    # No alias has a slash, and reading the lists is the slowest step here.
    repo = None if "/" in name else aliases().get(name.lower())
    if repo is None and _exists(text):
        return _from_disk(text)
    if repo is None and "+" in text:
        return _with_adapter(text)
    if repo is None and "/" not in name:
        return _missing(text, _no_such_alias(text, name))
    first = name.partition("/")[0]
    if repo is None and first not in {"", ".", ".."} and _is_folder(first):
        return _missing(text, _no_such_folder(text, name))
    return _on_hub(text, repo or name, revision if at else None)


def is_repo_id(text: str) -> bool:
    """Whether the Hub allows a model repository of this name, `org/name`."""
    return _REPO_ID.fullmatch(text) is not None


def _from_address(text: str) -> ModelRef:
    from huggingface_hub import parse_hf_uri

    try:
        address = parse_hf_uri(text)
    except ValueError:
        raise UsageError(
            f"{_shown(text)}: not the address of a Hub model: write org/name, hf://org/name@revision or "
            "https://huggingface.co/org/name/tree/revision"
        ) from None
    if address.type != "model":
        raise UsageError(f"{_shown(text)}: names a {address.type}, not a model")
    file = address.path_in_repo or None
    if file is not None and not file.endswith(WEIGHT_SUFFIXES):
        where = f"{_shown(text)}: names a file inside {address.id}"
        raise UsageError(f"{where} that holds no weights: name the repository")
    return _on_hub(text, address.id, address.revision, file)


def _missing(text: str, reason: str) -> ModelRef:
    return ModelRef(text, "folder", path=Path(text), missing=reason)


def _from_disk(text: str) -> ModelRef:
    nowhere = f"no such folder or file: {_shown(text)}"
    try:
        path = Path(text).expanduser()
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            near = ("./" if text.startswith("./") else "") + found if (found := _nearest_path(path)) else ""
            return _missing(text, f"{nowhere}; did you mean {near}?" if near else f"{nowhere}: check the path")
        return _missing(text, f"{_shown(text)}: can't be read: {error.strerror or error}")
    except (ValueError, RuntimeError):
        return _missing(text, f"{nowhere}: check the path")
    if stat.S_ISDIR(mode):
        return ModelRef(text, "folder", path=path)
    if text.endswith(_INDEX_SUFFIX):
        raise UsageError(f"{_shown(text)}: an index of shards: name its folder, {_shown(str(path.parent))}")
    if stat.S_ISREG(mode) and (text.endswith(WEIGHT_SUFFIXES) or _starts_as_weights(path)):
        return ModelRef(text, "file", path=path)
    raise UsageError(f"{_shown(text)}: not a weight file: a folder or a {', '.join(WEIGHT_SUFFIXES)} file is read")


def _ends_as_file(text: str) -> bool:
    """Whether a text ends like a weight file or an index, and can't rather be a repository such as `org/model.th`."""
    if "+" in text or not text.endswith((*WEIGHT_SUFFIXES, _INDEX_SUFFIX)):
        return False
    if not text.endswith(TORCH_SUFFIXES[1:]) or not is_repo_id(text):
        return True
    return _exists(text) or _is_folder(text.partition("/")[0])


def _starts_as_weights(path: Path) -> bool:
    """Whether a file begins like one of weights, whatever its name."""
    try:
        with path.open("rb") as stream:
            return bool(container_of(stream.read(HEAD_BYTES)))
    except OSError:
        return False


def _is_file_of_repo(name: str) -> bool:
    """Whether a name reads as `org/name/path/file`, with a weight file's suffix."""
    parts = name.split("/")
    plain = all(part not in {"", ".", ".."} for part in parts) and not name.startswith(_PATH_STARTS)
    named = plain and len(parts) > 2 and name.endswith(WEIGHT_SUFFIXES) and is_repo_id("/".join(parts[:2]))
    # If the first part is a folder on disk, the text is a mistyped path, not a repository.
    return named and not _is_folder(parts[0])


def _with_adapter(text: str) -> ModelRef:
    """Split a base and an adapter at the first `+` that works: a path on either side may contain a `+` too."""
    indices = [index for index, character in enumerate(text) if character == "+"]
    for index in indices:
        base, adapter = text[:index], text[index + 1 :]
        with suppress(UsageError):
            parts = parse_ref(base), parse_ref(adapter)
            if not any(part.missing for part in parts):
                return replace(parts[0], text=text, adapter=parts[1])
    base, _, adapter = text.partition("+")
    for part, role in ((base, "base"), (adapter, "adapter")):
        try:
            found = parse_ref(part)
        except UsageError as error:
            raise UsageError(f"{_shown(text)}: its {role}: {error}") from None
        if found.missing:
            return _missing(text, f"{_shown(text)}: its {role}: {found.missing}")
    raise UsageError(f"{_shown(text)}: not a base and an adapter: write base+adapter")


def _on_hub(text: str, repo: str, revision: str | None, file: str | None = None) -> ModelRef:
    if not is_repo_id(repo):
        raise UsageError(
            f"{_shown(text)}: no such folder, and not a Hub model: those are written org/name or "
            "org/name@revision, each part up to 96 letters, digits, '.', '_' or '-'"
        )
    if revision == "":
        raise UsageError(f"{_shown(text)}: nothing after the @: name a branch, tag or commit, or drop the @")
    if revision is not None and _BAD_REVISION.search(revision):
        raise UsageError(
            f"{_shown(text)}: {_shown(ascii(revision))} can't be a revision: name a branch, tag, commit or refs/pr/N"
        )
    return ModelRef(text, "hub", repo=repo, revision=revision, file=file)


def _no_such_alias(text: str, name: str) -> str:
    hint = nearest(name.lower(), aliases(), "`wqscore models` lists the short names.")
    return f"no model called '{_shown(text)}': {hint} Hub models are written org/name"


def _no_such_folder(text: str, name: str) -> str:
    """The reason for a relative path whose first part is a folder, with the nearest name in the path's folder."""
    if near := _nearest_path(Path(name)):
        return f"no folder {_shown(text)}; did you mean {near}?"
    folder = name.partition("/")[0]
    return f"no folder {_shown(text)}; {_shown(folder)} is a folder here: for the Hub's write hf://{_shown(name)}"


def _nearest_path(path: Path) -> str:
    """The path that a mistyped one is meant to be: its first part that is missing is replaced by the nearest name.

    Returns:
        An existing path, empty where no name is near. Hidden files and folders are never meant.
    """
    with suppress(OSError, ValueError):
        missing = next((part for part in (*reversed(path.parents), path) if not part.exists()), path)
        beside = {each.stem: each.name for each in sorted(missing.parent.iterdir()) if not each.name.startswith(".")}
        for near in difflib.get_close_matches(missing.stem[:100], beside, n=3):
            meant = missing.parent / beside[near] / path.relative_to(missing)
            if meant.exists():
                return _shown(meant.as_posix())
    return ""


def _is_folder(text: str) -> bool:
    # The file system rejects some texts (too long, no permission): they name no folder.
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):
        return False


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _shown(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:119]}…"

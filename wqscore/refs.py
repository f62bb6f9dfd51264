"""Parse a model reference as typed: a Hub id or address, an alias, a path, or `base+adapter`.

The first of these that fits wins:

1. `hf://…` or a Hub address: that repository.
2. Text that starts with `.`, `/` or `~`, or ends like a weight file: a path, which must exist.
3. The name of a folder that exists, even one written `org/name`: that folder, as in transformers.
4. An alias of the shipped model lists, `bert-base` or `bert-base@revision`.
5. `org/name` or `org/name@revision`: a repository on the Hub. The revision is all that follows the first `@`.
6. `org/name/path/file.gguf`: one weight file of a repository, also with `@revision`.

Any other text with a `+` is a base and an adapter, `base+adapter`, each written as above.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from wqscore.errors import UsageError, nearest
from wqscore.model_list import aliases

_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".gguf", ".onnx", ".npz", ".npy")
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


@dataclass(frozen=True)
class InMemory:
    """A model that is not on disk.

    Attributes:
        weights: an object with `state_dict()`, or a mapping of names to arrays.
        config: its configuration, a mapping or an object with `to_dict()`; the weights' own `config` if `None`.
    """

    weights: Any
    config: Any = None


@dataclass(frozen=True)
class ModelRef:
    """One requested model.

    Attributes:
        text: the reference as typed; reports and CSVs name the model by `label`.
        source: `hub` (a repository), `folder` (on disk), `file` (a single weight file on disk) or `memory`.
        repo: `org/name` for `hub`, else `None`.
        revision: the requested branch, tag, commit or `refs/pr/N`, or `None` for the default branch.
        path: the path on disk for `folder` and `file`, `None` for `hub`.
        file: one weight file of the repository, or `None` for the repository's checkpoint.
        adapter: the adapter to merge into the model, or `None`.
        family: the family that a model list declares for the model, or `None`.
        memory: the model itself for `memory`, else `None`.
        name: what tables call it instead, or `None`.
    """

    text: str
    source: Literal["hub", "folder", "file", "memory"]
    repo: str | None = None
    revision: str | None = None
    path: Path | None = None
    family: str | None = None
    file: str | None = None
    adapter: ModelRef | None = None
    memory: InMemory | None = field(default=None, repr=False, compare=False)
    name: str | None = None

    @property
    def label(self) -> str:
        """The name used in tables: `org/name`, `org/name@revision`, or the path as typed; `base+adapter`."""
        if self.name is not None:
            return self.name
        if self.adapter is not None:
            return f"{self.base.label}+{self.adapter.label}"
        if self.repo is not None:
            name = self.repo if self.file is None else f"{self.repo}/{self.file}"
            return name if self.revision is None else f"{name}@{self.revision}"
        return self.text

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two references to one model, however they were typed."""
        adapter = self.adapter.identity if self.adapter else None
        weights = id(self.memory.weights) if self.memory else None
        return (self.repo, self.revision, self.path, self.file, adapter, weights)

    @property
    def base(self) -> ModelRef:
        """The model without its adapter."""
        if self.adapter is None:
            return self
        return replace(self, text=self.text.removesuffix(f"+{self.adapter.text}"), adapter=None)


#: What the public functions take as a model: a name or path, a reference, or a model in memory.
Model = str | os.PathLike[str] | ModelRef | Any
#: Several of them, or names and models.
Models = Model | Iterable[Model] | Mapping[str, Model]


def parse_ref(text: str) -> ModelRef:
    """Parse a model reference; checks the disk, fetches nothing.

    Args:
        text: a Hub id or address, an alias, or the path of a folder or weight file; the module docstring says
            which wins when several fit.

    Raises:
        UsageError: the text names no model; the message says why and what to write instead.
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
    if is_path or (text.endswith((*_WEIGHT_SUFFIXES, _INDEX_SUFFIX)) and "+" not in text) or _is_folder(text):
        return _from_disk(text)
    # No alias has a slash, and reading the lists is the slowest step here.
    repo = None if "/" in name else aliases().get(name.lower())
    if repo is None and _exists(text):
        return _from_disk(text)
    if repo is None and "+" in text:
        return _with_adapter(text)
    if repo is None and "/" not in name:
        raise UsageError(_no_such_alias(text, name))
    return _on_hub(text, repo or name, revision if at else None)


def as_ref(model: Model, config: Any = None, name: str | None = None) -> ModelRef:
    """Make a reference to what a caller names a model by; return a reference unchanged.

    Args:
        model: a text as for `parse_ref`, a path, a torch module, a state dict, or a dict of names and arrays.
        config: the configuration of a model in memory.
        name: what to call a model in memory; its class if `None`.

    Raises:
        UsageError: as for `parse_ref`; a configuration or name for a model that is not in memory.
        TypeError: it is none of these.
    """
    in_memory = hasattr(model, "state_dict") or isinstance(model, Mapping)
    if not in_memory and (config is not None or name is not None):
        raise UsageError("config and name are for models in memory: leave them out")
    if isinstance(model, ModelRef):
        return model
    if isinstance(model, str | os.PathLike):
        return parse_ref(os.fspath(model))
    if not in_memory or isinstance(model, type):
        raise TypeError(
            f"{type(model).__name__} is no model: pass a path, a Hub id, a torch module, a state dict, or a dict of "
            "names and arrays"
        )
    label = name or (type(model).__name__ if hasattr(model, "state_dict") else "weights")
    return ModelRef(label, "memory", memory=InMemory(model, config))


def refs_of(models: Models) -> list[ModelRef]:
    """Make references to several models: one, several, or a mapping of names to models.

    Raises:
        UsageError: as for `as_ref`.
        TypeError: something else.
    """
    if isinstance(models, str | os.PathLike | ModelRef):
        return [as_ref(models)]
    if isinstance(models, bytes) or not isinstance(models, Iterable):
        raise TypeError(f"rank takes a list of models, or a dict of names and models, not {type(models).__name__}")
    if isinstance(models, Mapping):
        return [replace(as_ref(model), name=str(name)) for name, model in models.items()]
    return _told_apart(unique_refs(models))


def _told_apart(refs: Sequence[ModelRef]) -> list[ModelRef]:
    """Number models in memory that have one name: `BertModel`, `BertModel (2)`."""
    seen: Counter[str] = Counter()
    told = []
    for ref in refs:
        seen[ref.label] += 1
        is_again = ref.memory is not None and seen[ref.label] > 1
        told.append(replace(ref, name=f"{ref.label} ({seen[ref.label]})") if is_again else ref)
    return told


def unique_refs(refs: Iterable[Model]) -> list[ModelRef]:
    """Parse the references, in order, without duplicates.

    Raises:
        UsageError: as for `parse_ref`.
    """
    models: dict[object, ModelRef] = {}
    for model in map(as_ref, refs):
        models.setdefault(model.identity, model)
    return list(models.values())


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
    if file is not None and not file.endswith(_WEIGHT_SUFFIXES):
        where = f"{_shown(text)}: names a file inside {address.id}"
        raise UsageError(f"{where} that holds no weights: name the repository")
    return _on_hub(text, address.id, address.revision, file)


def _from_disk(text: str) -> ModelRef:
    try:
        path = Path(text).expanduser()
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise UsageError(f"no such folder or file: {_shown(text)}: check the path") from None
        raise UsageError(f"{_shown(text)}: can't be read: {error.strerror or error}") from None
    except (ValueError, RuntimeError):
        raise UsageError(f"no such folder or file: {_shown(text)}: check the path") from None
    if stat.S_ISDIR(mode):
        return ModelRef(text, "folder", path=path)
    if text.endswith(_INDEX_SUFFIX):
        raise UsageError(f"{_shown(text)}: an index of shards: name its folder, {_shown(str(path.parent))}")
    if stat.S_ISREG(mode) and text.endswith(_WEIGHT_SUFFIXES):
        return ModelRef(text, "file", path=path)
    raise UsageError(f"{_shown(text)}: not a weight file: a folder or a {', '.join(_WEIGHT_SUFFIXES)} file is read")


def _is_file_of_repo(name: str) -> bool:
    """Whether a name reads as `org/name/path/file`, with a weight file's suffix."""
    parts = name.split("/")
    plain = all(part not in {"", ".", ".."} for part in parts) and not name.startswith(_PATH_STARTS)
    named = plain and len(parts) > 2 and name.endswith(_WEIGHT_SUFFIXES) and is_repo_id("/".join(parts[:2]))
    # If the first part is a folder on disk, the text is a mistyped path, not a repository.
    return named and not _is_folder(parts[0])


def _with_adapter(text: str) -> ModelRef:
    """Split a base and an adapter at the first `+` that works: a path on either side may contain a `+` too."""
    indices = [index for index, character in enumerate(text) if character == "+"]
    for index in indices:
        base, adapter = text[:index], text[index + 1 :]
        with suppress(UsageError):
            return replace(parse_ref(base), text=text, adapter=parse_ref(adapter))
    base, _, adapter = text.partition("+")
    for part, role in ((base, "base"), (adapter, "adapter")):
        try:
            parse_ref(part)
        except UsageError as error:
            raise UsageError(f"{_shown(text)}: its {role}: {error}") from None
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

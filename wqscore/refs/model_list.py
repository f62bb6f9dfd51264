"""Model lists: named sets of models, with published facts about each.

A list is a TOML file. The shipped ones, one file a family, are in the repository's folder `model_lists/`, which the
wheel carries as `wqscore/data/model_lists/`; anyone can write one:

    [list]                      # optional, and so is each of its keys
    name = "nightly"            # default: the file's name without .toml
    title = "Nightly candidates"
    family = "bert"             # for models that name none
    source = "https://…"

    [[models]]
    id = "google-bert/bert-base-uncased"   # the only required key
    revision = "main"
    aliases = ["bert-base"]
    parameters = 110_000_000
    licence = "apache-2.0"
    year = 2018
    family = "bert"

`id` is anything `parse_ref` accepts; one that starts with `.` is a path relative to the list's folder. In the
shipped lists, `parameters` is the count the authors give, rounded as they round it; `licence` is the Hub's
identifier, omitted where the repository states none; `year` is the year the weights were released.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from wqscore.errors import UsageError, WqscoreError, nearest, read_small

_SUFFIX = ".toml"
_FILE_KEYS: dict[str, type] = {"list": dict, "models": list}
_LIST_KEYS: dict[str, type] = {"name": str, "title": str, "family": str, "source": str}
_MODEL_KEYS: dict[str, type] = {
    "id": str,
    "revision": str,
    "aliases": list,
    "parameters": int,
    "licence": str,
    "year": int,
    "family": str,
}
# A report's folder is named after its list, so a list's name must be a plain file name.
_NAME = re.compile(r"\w[\w .+-]*")
#: Room for ten thousand models. tomllib's time grows with the square of the dots in a key, which has one line.
_MAX_BYTES = 2**20
_MAX_DOTS = 200
_KINDS = {dict: "a table", list: "an array", str: "a non-empty string", int: "a whole number above 0"}


@dataclass(frozen=True)
class ListedModel:
    """One model of a list.

    Attributes:
        id: `org/name` on the Hub, or a path on disk.
        aliases: short names; `parse_ref` accepts those of the shipped lists.
        parameters: number of parameters as published, or `None`.
        licence: the Hub's licence identifier, or `None`.
        year: year of release, or `None`.
        family: the model's family, or `None`.
        revision: branch, tag or commit, or `None` for the default branch.
    """

    id: str
    aliases: tuple[str, ...] = ()
    parameters: int | None = None
    licence: str | None = None
    year: int | None = None
    family: str | None = None
    revision: str | None = None

    @property
    def ref(self) -> str:
        """The text to hand to `parse_ref`."""
        return self.id if self.revision is None else f"{self.id}@{self.revision}"


@dataclass(frozen=True)
class ModelList:
    """A list of models, in the file's order.

    Attributes:
        name: short name; a shipped list's file has the same.
        title: name for headings.
        family: the family of models that name none, or `None`.
        models: at least one model, no two with the same id and revision.
        source: where the models are described, such as a web address, or `None`.
    """

    name: str
    title: str
    family: str | None
    models: tuple[ListedModel, ...]
    source: str | None = None


def list_names() -> tuple[str, ...]:
    """Names of the shipped lists, sorted."""
    names = (entry.name for entry in _shipped_folder().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_list(name_or_path: str) -> ModelList:
    """Load a shipped list by name, or any other list by path.

    Args:
        name_or_path: a name from `list_names()`, or a path: text that ends in `.toml` or contains a `/`.

    Raises:
        UsageError: no such list or file, or the file is not a model list; the message says what is wrong and where.
    """
    if name_or_path.endswith(_SUFFIX) or "/" in name_or_path:
        return _load_file(name_or_path)
    names = list_names()
    if name_or_path in names:
        return _load_shipped(name_or_path)
    raise UsageError(
        f"no model list called {name_or_path[:100]!r}: {nearest(name_or_path.lower(), names)} "
        f"(your own list needs a path that ends in {_SUFFIX})"
    )


def aliases() -> dict[str, str]:
    """Map each alias of the shipped lists to its Hub id."""
    return {alias: model.id for models in _shipped() for model in models.models for alias in model.aliases}


def find_listed(repo: str) -> ListedModel | None:
    """Find a Hub id in the shipped lists, ignoring case; `None` if it is not listed."""
    return _by_id().get(repo.lower())


@functools.cache
def _shipped_folder() -> Traversable:
    """Find the folder of shipped lists: inside an installed package, next to the package in a checkout.

    Raises:
        WqscoreError: neither folder exists.
    """
    installed = resources.files("wqscore") / "data" / "model_lists"
    checkout = Path(__file__).parents[2] / "model_lists"
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise WqscoreError(f"no model lists in {installed} or {checkout}: install wqscore again")


@functools.cache
def _shipped() -> tuple[ModelList, ...]:
    return tuple(_load_shipped(name) for name in list_names())


@functools.cache
def _by_id() -> dict[str, ListedModel]:
    return {model.id.lower(): model for models in _shipped() for model in models.models}


def _load_shipped(name: str) -> ModelList:
    file = _shipped_folder() / f"{name}{_SUFFIX}"
    return _parse(file.read_bytes(), file.name, name, Path())


def _load_file(text: str) -> ModelList:
    try:
        file = Path(text).expanduser()
        data = read_small(file, _MAX_BYTES)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{text[:100]!r}: {reason}: a model list is a .toml file") from None
    except (ValueError, RuntimeError):
        raise UsageError(f"{text[:100]!r}: no such file: a model list is a .toml file") from None
    return _parse(data, str(file), file.name.removesuffix(_SUFFIX), file.parent)


def _parse(data: bytes, where: str, name: str, folder: Path) -> ModelList:
    """Parse a list file; `name` is its default name, and its paths are relative to `folder`."""
    content = _checked(parse_toml(data, where), _FILE_KEYS, where)
    header = _checked(content.get("list", {}), _LIST_KEYS, f"{where}: [list]")
    tables = content.get("models", [])
    if not tables:
        raise UsageError(f"{where}: names no models: add a [[models]] table with an id")
    name = header.get("name", name)
    if "name" in header and not _NAME.fullmatch(name):
        raise UsageError(f"{where}: [list]: name takes letters, digits, spaces, . _ + -, not {name[:100]!r}")
    family = header.get("family")
    models = tuple(
        _model(table, f"{where}: model {number}", family, folder) for number, table in enumerate(tables, 1)
    )
    _refuse_duplicates(models, where)
    return ModelList(name, header.get("title", name), family, models, header.get("source"))


def _refuse_duplicates(models: tuple[ListedModel, ...], where: str) -> None:
    seen: set[str] = set()
    for number, model in enumerate(models, 1):
        if model.ref in seen:
            raise UsageError(f"{where}: model {number}: {model.ref[:100]!r} is listed twice: remove one")
        seen.add(model.ref)


def parse_toml(data: bytes, where: str, kind: str = "model list") -> dict[str, Any]:
    """Parse untrusted TOML in bounded time.

    Args:
        data: the file's bytes.
        where: the file, for messages.
        kind: what the file should be, for messages.

    Raises:
        UsageError: the file is too large, not UTF-8 text or not TOML.
    """
    if len(data) > _MAX_BYTES or any(line.count(b".") > _MAX_DOTS for line in data.splitlines()):
        raise UsageError(
            f"{where}: has more than {_MAX_BYTES:,} bytes, or more than {_MAX_DOTS} dots in a line: not a {kind}"
        )
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UsageError(f"{where}: is not UTF-8 text: save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: is not valid TOML: {error}") from None


def _model(table: Any, where: str, family: str | None, folder: Path) -> ListedModel:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a [[models]] table")
    entry = _checked(table, _MODEL_KEYS, where)
    if "id" not in entry:
        raise UsageError(f'{where}: has no id: write id = "org/name" or the path of a folder')
    short = entry.get("aliases", [])
    if not all(isinstance(alias, str) and alias for alias in short):
        raise UsageError(f"{where}: aliases must be non-empty strings")
    entry["aliases"] = tuple(short)
    is_path = entry["id"].startswith((".", "/", "~"))
    if is_path and "revision" in entry:
        raise UsageError(f"{where}: a folder has no revision: leave the key out")
    if not is_path and "@" in entry["id"]:
        raise UsageError(f'{where}: id holds a revision: write revision = "…" as its own key')
    if entry["id"].startswith("."):
        entry["id"] = _relative_to(folder, entry["id"])
    return ListedModel(**{"family": family, **entry})


def _relative_to(folder: Path, text: str) -> str:
    """A path below the list's folder, written so that it can't be mistaken for `org/name`."""
    path = folder / text
    return str(path) if path.is_absolute() else f"./{path}"


def _checked(table: dict[str, Any], keys: Mapping[str, type], where: str) -> dict[str, Any]:
    """Check a table's keys and the types of its values; return a copy."""
    for key, value in table.items():
        if key not in keys:
            raise UsageError(f"{where}: unknown key {key[:100]!r}: {nearest(key.lower(), sorted(keys))}")
        if not _is_kind(value, keys[key]):
            raise UsageError(f"{where}: {key} must be {_KINDS[keys[key]]}")
    return dict(table)


def _is_kind(value: object, kind: type) -> bool:
    # isinstance would accept True as a whole number.
    if type(value) is not kind:
        return False
    if isinstance(value, str):
        return bool(value.strip())
    return not isinstance(value, int) or value > 0

"""What a site is built from: model lists, and references to models, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wqscore.errors import UsageError
from wqscore.refs.model_list import ListedModel, ModelList, list_names, load_list
from wqscore.refs.parsing import parse_ref
from wqscore.refs.reference import ModelRef

#: The heading of a site of which no list gives a title.
TITLE = "Leaderboard"
_SUFFIX = ".toml"


def read_sources(texts: Sequence[str]) -> list[ModelList]:
    """Load the lists, and put the references into one list of their own, after them.

    A text is a list if it ends in `.toml` or is the name of a list that ships; any other is a reference.

    Args:
        texts: what the user typed.

    Raises:
        UsageError: no such list, an invalid list or reference, or a name that is neither.
    """
    shipped = set(list_names())
    lists = [load_list(text) for text in texts if _is_list(text, shipped)]
    refs = [parse_ref(text) for text in texts if not _is_list(text, shipped)]
    if not refs:
        return lists
    if not lists and all(ref.missing and "/" not in ref.text for ref in refs):
        raise UsageError(f"no model list called {refs[0].text!r} (wqscore models), and {refs[0].missing}")
    models = tuple(dict.fromkeys(_listed(ref) for ref in refs))
    return [*lists, ModelList("models", lists[0].title if lists else TITLE, None, models)]


def _is_list(text: str, shipped: set[str]) -> bool:
    return text.endswith(_SUFFIX) or (text in shipped and not Path(text).is_dir())


def _listed(ref: ModelRef) -> ListedModel:
    """A model as in a list; one on disk is named by its path without what describes the machine."""
    if ref.path is None or ref.repo is not None:
        return ListedModel(ref.text)
    typed = Path(ref.text)
    below = [part for part in typed.parts if part not in (".", "..")]
    is_elsewhere = typed.is_absolute() or ref.text.startswith("~") or ".." in typed.parts
    name = (ref.path.absolute().name if is_elsewhere or not below else "/".join(below)) or ref.path.absolute().name
    return ListedModel(ref.text, (name,))

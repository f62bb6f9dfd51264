"""The models that a local model card says a model was made from."""

from __future__ import annotations

import re
from typing import Any

from wqscore.checkpoints.card_yaml import load_yaml
from wqscore.errors import CheckpointError
from wqscore.refs.reference import ModelRef

_CARD = "README.md"
#: More of a card is not read; the metadata stand at its start.
_MOST_BYTES = 1 << 16
_METADATA = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---", re.DOTALL)


def card_bases(ref: ModelRef) -> tuple[str, ...]:
    """The repositories under `base_model` in the card beside a model's files.

    There are none for a model on the Hub, where a card takes a request. A card that can't be read names none.

    Source: https://huggingface.co/docs/hub/model-cards#specifying-a-base-model
    """
    if ref.path is None:
        return ()
    folder = ref.path if ref.path.is_dir() else ref.path.parent
    try:
        with (folder / _CARD).open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ()
    found = _METADATA.search(text)
    if found is None or "base_model" not in found[1]:
        return ()
    try:
        metadata = load_yaml(found[1], _CARD)
    except CheckpointError:
        return ()
    return _names(metadata.get("base_model")) if isinstance(metadata, dict) else ()


def _names(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(each for each in values if isinstance(each, str) and each))

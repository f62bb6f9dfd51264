"""The model that a configuration says a checkpoint comes from."""

from __future__ import annotations

import re

from wqscore.checkpoints.checkpoint import Checkpoint

#: A repository on the Hub, with or without its owner; no path.
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")


def declared_base(checkpoint: Checkpoint) -> str:
    """The repository that transformers wrote as `_name_or_path` when it saved the model; empty if there is none.

    The path of a folder may look like one.
    """
    name = checkpoint.config.get("_name_or_path")
    return name if isinstance(name, str) and _REPOSITORY.fullmatch(name) else ""

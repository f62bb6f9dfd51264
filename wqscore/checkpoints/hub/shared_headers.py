"""Headers of repositories that are alike, read once: fine-tunes of one model, when many are planned."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

from wqscore.checkpoints.hub.files import cached_file
from wqscore.checkpoints.hub.headers import read_header
from wqscore.checkpoints.hub.ranges import HubRanges
from wqscore.checkpoints.hub.weights import HubWeights
from wqscore.checkpoints.remarks import Say
from wqscore.checkpoints.tensor import TensorRef

#: What a configuration says of where it was saved.
_OF_THE_COPY = frozenset({"_name_or_path"})


class SharedHeaders:
    """The headers of the repositories of one run.

    For estimates alone: that two shards of the same name and size, of models with the same configuration and the same
    index, have the same tensors is as good as certain, and is not checked.
    """

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[Hashable, list[TensorRef]] = {}

    def read(self, source: HubRanges, name: str, likeness: Hashable, say: Say) -> list[TensorRef]:
        """The tensors of a file of a repository, as `read_header` lists them.

        Args:
            source: the repository.
            name: the file.
            likeness: of its model, `None` if that is like no other.
            say: called with a line for everything that is left out of a cached file.
        """
        if likeness is None or cached_file(source.files, name) is not None:
            return read_header(source, name, say=say)
        if (known := self._known.get((likeness, name))) is None:
            known = self._known[likeness, name] = read_header(source, name, say=say)
        return [replace(tensor, source=source) for tensor in known]


def likeness(source: HubRanges, weights: HubWeights, config: Mapping[str, Any]) -> Hashable:
    """Equal for models alike in all that is known before a header is read; `None` without a configuration."""
    if not config:
        return None
    sizes = tuple((name, source.files.sizes[name]) for name in weights.files)
    return json.dumps(of_the_model(config), sort_keys=True), tuple(sorted(weights.holders.items())), sizes


def of_the_model(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without what it says of where it was saved, which decides on nothing that is planned."""
    return {name: value for name, value in config.items() if name not in _OF_THE_COPY}

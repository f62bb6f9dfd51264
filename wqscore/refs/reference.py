"""The reference to a model: where its weights are, and what to call it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal


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
        missing: for a path that does not exist, why the model can't be opened; empty for any other.
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
    missing: str = ""

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

"""Make references of what callers pass: texts, paths, models in memory, and several of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from wqscore.errors import UsageError
from wqscore.refs.parsing import parse_ref
from wqscore.refs.reference import InMemory, Model, ModelRef, Models


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
    if config is not None and not (hasattr(config, "to_dict") or isinstance(config, Mapping)):
        raise TypeError(f"config is a dict or a configuration of transformers, not {type(config).__name__}")
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

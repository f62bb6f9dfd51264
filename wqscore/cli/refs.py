"""The models that a command line names: its arguments, and those of --list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wqscore.errors import UsageError
from wqscore.refs.callers import unique_refs
from wqscore.refs.parsing import parse_ref
from wqscore.refs.reference import ModelRef

if TYPE_CHECKING:
    from wqscore.model_list import ModelList


def load_list_option(model_list: str | None) -> ModelList | None:
    """Load the list of --list, if given."""
    if model_list is None:
        return None
    from wqscore.model_list import load_list

    return load_list(model_list)


def resolve_refs(refs: Sequence[str] | None, listed: ModelList | None) -> list[ModelRef]:
    """The models named, then those of the list, without duplicates.

    Raises:
        UsageError: an invalid name, no model at all, or none of them exists.
    """
    refs_of_list = [replace(parse_ref(model.ref), family=model.family) for model in listed.models] if listed else []
    models = unique_refs([*(refs or []), *refs_of_list])
    if not models:
        raise UsageError("no model given: name one or more, or a list with --list (see wqscore models)")
    if all(model.missing for model in models):
        raise UsageError(models[0].missing)
    return models

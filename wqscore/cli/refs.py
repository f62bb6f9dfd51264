"""The models that a command line names: its arguments, and those of --list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wqscore.cli.exits import print_error
from wqscore.errors import UsageError
from wqscore.refs.callers import unique_refs
from wqscore.refs.parsing import parse_ref
from wqscore.refs.reference import ModelRef

if TYPE_CHECKING:
    from wqscore.refs.model_list import ModelList


def load_list_option(model_list: str | None) -> ModelList | None:
    """Load the list of --list, if given."""
    if model_list is None:
        return None
    from wqscore.refs.model_list import load_list

    return load_list(model_list)


def resolve_refs(refs: Sequence[str] | None, listed: ModelList | None, quiet: bool = False) -> list[ModelRef]:
    """The models named, then those of the list, without duplicates; a line says which was named twice.

    Raises:
        UsageError: an invalid name, no model at all, or none of them exists.
    """
    refs_of_list = [replace(parse_ref(model.ref), family=model.family) for model in listed.models] if listed else []
    named = [parse_ref(ref) for ref in refs or []]
    models = unique_refs([*named, *refs_of_list])
    if not quiet:
        tell_duplicates(named)
    if not models:
        raise UsageError("no model given: name one or more, or a list with --list (see wqscore models)")
    if all(model.missing for model in models):
        raise UsageError(models[0].missing)
    return models


def tell_duplicates(refs: Sequence[ModelRef]) -> None:
    """Print a line for each model that was named more than once."""
    for identity, count in Counter(ref.identity for ref in refs).items():
        if count > 1:
            label = next(ref.label for ref in refs if ref.identity == identity)
            print_error(f"{label} was named {'twice' if count == 2 else f'{count} times'}: it counts once")

"""The models of a leaderboard: those of its lists, each with what its list says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wqscore.errors import UsageError
from wqscore.model_list import ListedModel, ModelList
from wqscore.refs import ModelRef, parse_ref


@dataclass(frozen=True)
class Candidate:
    """A model that is to be scored tonight.

    Attributes:
        ref: the model; its label is the name that the site knows it by.
        licence: the Hub's licence identifier, empty where the list has none.
        year: year of release, or `None`.
    """

    ref: ModelRef
    licence: str
    year: int | None

    @property
    def name(self) -> str:
        """The name on the site, the same each night."""
        return self.ref.label


def read_candidates(lists: Sequence[ModelList]) -> tuple[Candidate, ...]:
    """The models of one list or more, in their order; one that is named twice counts once.

    A model on disk goes by its first alias, if its list gives it one: paths say more of a machine than of a model.

    Raises:
        UsageError: a name that means nothing, or two models of one name.
    """
    found: dict[object, Candidate] = {}
    for listed in (model for each in lists for model in each.models):
        candidate = _candidate(listed)
        found.setdefault(candidate.ref.identity, candidate)
    named: dict[str, Candidate] = {}
    for candidate in found.values():
        other = named.setdefault(candidate.name, candidate)
        if other is not candidate:
            raise UsageError(f"two models are called {candidate.name!r}: give one of them another first alias")
    return tuple(found.values())


def _candidate(model: ListedModel) -> Candidate:
    ref = replace(parse_ref(model.ref), family=model.family)
    if ref.source != "hub" and model.aliases:
        ref = replace(ref, text=model.aliases[0])
    return Candidate(ref, model.licence or "", model.year)

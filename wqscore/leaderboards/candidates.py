"""The models to score for a leaderboard, with the licence and year that their lists give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wqscore.checkpoints.runs import expand_runs
from wqscore.errors import UsageError
from wqscore.refs.model_list import ListedModel, ModelList
from wqscore.refs.parsing import parse_ref
from wqscore.refs.reference import ModelRef


@dataclass(frozen=True)
class Candidate:
    """A model to score tonight.

    Attributes:
        ref: the model; its label is its name on the site.
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


def read_candidates(lists: Sequence[ModelList], family: str | None = None) -> tuple[Candidate, ...]:
    """Return the models of one list or more, in their order, each once.

    A model on disk is named by its first alias, if its list gives one, since a path describes the machine.

    Args:
        lists: the lists.
        family: the family of all models, in place of those that the lists name.

    Raises:
        UsageError: an invalid reference, or two models of one name.
    """
    found: dict[object, Candidate] = {}
    for listed in (model for each in lists for model in each.models):
        for candidate in _candidates(listed, family):
            found.setdefault(candidate.ref.identity, candidate)
    named: dict[str, Candidate] = {}
    for candidate in found.values():
        other = named.setdefault(candidate.name, candidate)
        if other is not candidate:
            raise UsageError(
                f"two models are called {candidate.name!r}: give one of them another first alias in a list"
            )
    return tuple(found.values())


def _candidates(model: ListedModel, family: str | None) -> Iterator[Candidate]:
    ref = replace(parse_ref(model.ref), family=family or model.family)
    if ref.source != "hub" and model.aliases:
        # The site is public: its reasons don't show the machine's folders.
        ref = replace(ref, text=model.aliases[0], missing="no such folder or file" if ref.missing else "")
    # A folder of a training run stands for the checkpoints in it.
    for each in expand_runs([ref]).refs:
        yield Candidate(each, model.licence or "", model.year)

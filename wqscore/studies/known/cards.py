"""`wqscore.known`: the benchmark results in the cards of several models."""

from __future__ import annotations

from wqscore.errors import CheckpointError
from wqscore.refs.callers import refs_of
from wqscore.refs.reference import Models
from wqscore.scoring.model_score import Failure
from wqscore.studies.known.benchmarks import BenchmarkTable, tabulate
from wqscore.studies.known.model_card import CardResults, read_card


def known(models: Models) -> BenchmarkTable:
    """Read the benchmark results that models' cards give, as `wqscore known` does.

    Reads the card alone: README.md and .eval_results/*.yaml, from the Hub or from the model's folder. The figures are
    the authors'.

    Args:
        models: Hub ids and folders, as for `wqscore.rank`.

    Returns:
        A row for each model, a column for each benchmark. A model that can't be found has no results, and is listed
        in `unread`.

    Raises:
        UsageError: an invalid reference.

    Example:
        `wqscore.known(["org/one", "org/two"]).to_frame()`
    """
    cards: dict[str, CardResults] = {}
    unread = []
    for ref in refs_of(models):
        try:
            if ref.missing:
                raise CheckpointError(ref.missing)
            cards[ref.label] = read_card(ref)
        except CheckpointError as error:
            cards[ref.label] = CardResults()
            unread.append(Failure(ref, str(error)))
    return tabulate(cards, unread)

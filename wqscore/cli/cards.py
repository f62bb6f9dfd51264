"""Read the cards of several models, and print a line for each that can't be found or used in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wqscore.cli.exits import print_error
from wqscore.errors import CheckpointError
from wqscore.refs.reference import ModelRef

if TYPE_CHECKING:
    from wqscore.studies.known.benchmarks import BenchmarkTable


def read_cards(refs: Sequence[ModelRef]) -> tuple[BenchmarkTable, bool]:
    """Read the benchmark results in the models' cards.

    Returns:
        The results, and whether every model was found; one that wasn't has no results.
    """
    from wqscore.studies.known.benchmarks import tabulate
    from wqscore.studies.known.model_card import CardResults, read_card

    cards: dict[str, CardResults] = {}
    unread = 0
    for ref in refs:
        try:
            cards[ref.label] = read_card(ref)
        except CheckpointError as error:
            print_error(str(error))
            cards[ref.label] = CardResults()
            unread += 1
    table = tabulate(cards)
    for model in table.models:
        if model.left_out:
            more = f", and {len(model.left_out) - 1} more" if len(model.left_out) > 1 else ""
            print_error(f"{model.model}: left out: {model.left_out[0]}{more}")
    return table, not unread

"""Read the cards of several models, and print a line for each that can't be found or used in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wqscore.cli.exits import print_error
from wqscore.refs.reference import ModelRef

if TYPE_CHECKING:
    from wqscore.studies.known.benchmarks import BenchmarkTable


def read_cards(refs: Sequence[ModelRef]) -> tuple[BenchmarkTable, bool]:
    """Read the benchmark results in the models' cards.

    Returns:
        The results, and whether every model was found; one that wasn't has no results.
    """
    from wqscore.studies.known.cards import known

    table = known(refs)
    for failure in table.unread:
        print_error(failure.reason)
    for model in table.models:
        if model.left_out:
            more = f", and {len(model.left_out) - 1} more" if len(model.left_out) > 1 else ""
            print_error(f"{model.model}: left out: {model.left_out[0]}{more}")
    return table, not table.unread

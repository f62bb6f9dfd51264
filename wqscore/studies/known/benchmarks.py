"""The benchmark results in the cards of several models as one table, a column per benchmark."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wqscore.results import Result
from wqscore.scoring.model_score import Failure
from wqscore.studies.known.model_card import BenchmarkResult, CardResults
from wqscore.studies.known.score_table import ScoreTable


@dataclass(frozen=True)
class ModelBenchmarks:
    """One model's row.

    Attributes:
        model: its name, as in a ranking.csv.
        results: by column.
        left_out: entries of its card that can't be used, with reasons.
    """

    model: str
    results: Mapping[str, BenchmarkResult]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class BenchmarkTable(Result):
    """A table of benchmark results.

    Attributes:
        columns: the benchmarks, sorted by how many models have them, most first.
        models: a row for each.
        unread: the models whose cards could not be read, with reasons.
    """

    columns: tuple[str, ...]
    models: tuple[ModelBenchmarks, ...]
    unread: tuple[Failure, ...] = ()

    @property
    def counts(self) -> Counter[str]:
        """Return how many models have each benchmark."""
        return Counter(column for model in self.models for column in model.results)

    def doubt(self, column: str) -> str:
        """Return a warning if a column seems to mix fractions and percentages; otherwise empty."""
        values = [model.results[column].value for model in self.models if column in model.results]
        if not min(values) <= 1 < max(values) / 10:
            return ""
        return f"{column}: from {min(values):g} to {max(values):g}: some may be fractions and some percentages"

    def as_table(self) -> ScoreTable:
        """Return the table that `wqscore known --format csv` prints."""
        rows = tuple(
            (
                model.model,
                *(repr(model.results[name].value) if name in model.results else "" for name in self.columns),
            )
            for model in self.models
        )
        return ScoreTable("the model cards", ("model", *self.columns), rows)


def tabulate(cards: Mapping[str, CardResults], unread: Sequence[Failure] = ()) -> BenchmarkTable:
    """Combine the cards of models in one table.

    A column is named after data set and metric. Different configurations, splits or arguments can't be compared, so
    each gets a separate column that is named after them too; where one card still has two figures, their titles are
    added. A figure that a card gives twice with different values is left out.

    Args:
        cards: by the model's name.
        unread: the models whose cards could not be read.

    Example:
        >>> glue = BenchmarkResult("nli", "glue", "accuracy", 0.9, ("mrpc",))
        >>> tabulate({"a": CardResults((glue,))}).columns
        ('glue accuracy',)
    """
    results = [(model, result) for model, card in cards.items() for result in card.results]
    names = [f"{result.dataset} {result.metric}" for _, result in results]
    names = _qualified(names, [result.setting for _, result in results], [""] * len(results))
    names = _qualified(names, [result.title for _, result in results], [model for model, _ in results])
    given: dict[str, dict[str, list[BenchmarkResult]]] = {model: defaultdict(list) for model in cards}
    for (model, result), name in zip(results, names, strict=True):
        given[model][name].append(result)
    models = tuple(_row(model, found, cards[model].left_out) for model, found in given.items())
    counts = BenchmarkTable((), models).counts
    columns = tuple(sorted(counts, key=lambda name: (-counts[name], name)))
    return BenchmarkTable(columns, models, tuple(unread))


def _qualified(names: list[str], details: list[tuple[str, ...]], within: list[str]) -> list[str]:
    """Add the details to names that occur with several details within one of the sets."""
    several: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for name, detail, part in zip(names, details, within, strict=True):
        several[name, part].add(detail)
    ambiguous = {name for (name, _), found in several.items() if len(found) > 1}
    return [
        f"{name} ({', '.join(detail)})" if name in ambiguous and detail else name
        for name, detail in zip(names, details, strict=True)
    ]


def _row(model: str, found: Mapping[str, list[BenchmarkResult]], left_out: tuple[str, ...]) -> ModelBenchmarks:
    clear = {name: results[0] for name, results in found.items() if len({each.value for each in results}) == 1}
    unclear = [
        f"{name}: given {len(results)} times, from {min(each.value for each in results):g} to "
        f"{max(each.value for each in results):g}"
        for name, results in found.items()
        if name not in clear
    ]
    return ModelBenchmarks(model, clear, (*left_out, *unclear))

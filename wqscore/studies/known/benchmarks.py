"""What the cards of several models give, as one table: a column per benchmark."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from wqscore.results import Result
from wqscore.studies.known.model_card import BenchmarkResult, CardResults
from wqscore.studies.known.score_table import ScoreTable


@dataclass(frozen=True)
class ModelBenchmarks:
    """One model's row.

    Attributes:
        model: its name, as in a ranking.csv.
        results: by column.
        left_out: what its card gives and can't be used, and why.
    """

    model: str
    results: Mapping[str, BenchmarkResult]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class BenchmarkTable(Result):
    """The table.

    Attributes:
        columns: the benchmarks, those that most models have first.
        models: a row for each.
    """

    columns: tuple[str, ...]
    models: tuple[ModelBenchmarks, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many models have each benchmark."""
        return Counter(column for model in self.models for column in model.results)

    def doubt(self, column: str) -> str:
        """Whether a column seems to mix fractions and percentages, in words; empty if not."""
        values = [model.results[column].value for model in self.models if column in model.results]
        if not min(values) <= 1 < max(values) / 10:
            return ""
        return f"{column}: from {min(values):g} to {max(values):g}: some may be fractions and some percentages"

    def as_table(self) -> ScoreTable:
        """The same as the file that `wqscore known --format csv` makes."""
        rows = tuple(
            (
                model.model,
                *(repr(model.results[name].value) if name in model.results else "" for name in self.columns),
            )
            for model in self.models
        )
        return ScoreTable("the model cards", ("model", *self.columns), rows)


def tabulate(cards: Mapping[str, CardResults]) -> BenchmarkTable:
    """Put the cards of models side by side.

    A column is named after data set and metric. Where these stand for several configurations, splits or arguments,
    each is a column of its own and named after them too, for they can't be compared; where one card then still has
    two figures, the names that people read tell them apart. A figure that a card gives twice, and not the same, is
    left out.

    Args:
        cards: by the model's name.

    Example:
        >>> glue = BenchmarkResult("nli", "glue", "accuracy", 0.9, ("mrpc",))
        >>> tabulate({"a": CardResults((glue,))}).columns
        ('glue accuracy',)
    """
    results = [(model, result) for model, card in cards.items() for result in card.results]
    names = [f"{result.dataset} {result.metric}" for _, result in results]
    names = _qualified(names, [result.setting for _, result in results], [""] * len(results))
    names = _qualified(names, [result.title for _, result in results], [model for model, _ in results])
    columns: dict[str, dict[str, list[BenchmarkResult]]] = {model: defaultdict(list) for model in cards}
    for (model, result), name in zip(results, names, strict=True):
        columns[model][name].append(result)
    models = tuple(_row(model, found, cards[model].left_out) for model, found in columns.items())
    counts = BenchmarkTable((), models).counts
    return BenchmarkTable(tuple(sorted(counts, key=lambda name: (-counts[name], name))), models)


def _qualified(names: list[str], details: list[tuple[str, ...]], within: list[str]) -> list[str]:
    """Add the details to the names that stand for several of them within one of the sets."""
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

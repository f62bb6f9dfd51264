"""Explain a word of wqscore's output in plain words: a verdict, flag, metric, column, role, or kind of answer."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wqscore.errors import UsageError
from wqscore.metrics.meanings import MEANINGS
from wqscore.metrics.metric import Metric
from wqscore.metrics.registry import METRICS
from wqscore.presets.registry import PRESETS
from wqscore.reports.glossary_words import ENDINGS, WORDS

#: How many near words a message lists.
_LISTED = 3

_ALL = "wqscore explain lists the words"


@dataclass(frozen=True)
class Explanation:
    """What a word means.

    Attributes:
        word: as it is written in the output.
        kind: `verdict`, `flag`, `metric`, `column`, `role`, `conclusion`, `status` or `term`.
        lines: plain sentences, the most important first.
    """

    word: str
    kind: str
    lines: tuple[str, ...]


def explain(word: str) -> tuple[Explanation, ...]:
    """Explain a word; one that means several things has an explanation for each.

    Args:
        word: as written in any output; case doesn't matter where it is clear.

    Raises:
        UsageError: no output has it; the message names the nearest words.

    Example:
        >>> explain("trap")[0].kind
        'verdict'
    """
    for spelled in (word, word.strip().lower()):
        if found := tuple(_meanings(spelled)):
            return found
    by_lower = {known.lower(): known for known in known_words()}
    if word.strip().lower() in by_lower:
        return tuple(_meanings(by_lower[word.strip().lower()]))
    near = difflib.get_close_matches(word.strip().lower()[:100], by_lower, n=_LISTED, cutoff=0.5)
    hint = (
        f"did you mean {', '.join(by_lower[each] for each in near)}?" if near else "wqscore explain lists the words"
    )
    raise UsageError(f"no output has the word {word[:100]!r}: {hint}")


def known_words() -> dict[str, str]:
    """Every word with an explanation, and its kind."""
    words = {word: kind for kind, table in WORDS.items() for word in table}
    return {**dict.fromkeys(METRICS, "metric"), **words, **dict.fromkeys(_labels(), "metric")}


def _meanings(word: str) -> Iterator[Explanation]:
    if word in METRICS:
        yield _metric(METRICS[word], word)
    for kind, table in WORDS.items():
        if word in table:
            yield Explanation(word, kind, tuple(table[word].split("\n")))
        elif kind == "flag" and word.startswith("scale="):
            yield Explanation(word, kind, tuple(table["scale=…"].split("\n")))
    if word in _labels():
        name, preset = _labels()[word]
        first = f"This is what the preset {preset} calls {name}."
        if name in METRICS:
            yield _metric(METRICS[name], word, first)
        else:
            yield Explanation(word, "column", (first, WORDS["column"][name]))
    for ending, text in ENDINGS.items():
        name = word.removesuffix(ending)
        if word.endswith(ending) and (name in METRICS or name in _labels()) and word not in METRICS:
            yield Explanation(
                word, "column", (text.format(name=name), f"wqscore explain {name} says what {name} is.")
            )
            return


def _labels() -> Mapping[str, tuple[str, str]]:
    """What presets call columns otherwise, with the usual name and the preset."""
    return {
        label: (name, preset.name)
        for preset in PRESETS.values()
        for name, label in preset.columns.items()
        if label not in METRICS and (name in METRICS or name in WORDS["column"])
    }


def _metric(metric: Metric, word: str, first: str = "") -> Explanation:
    meaning = MEANINGS[metric.name]
    lines = [f"{meaning[:1].upper()}{meaning[1:]}."]
    if first:
        lines.insert(0, first)
    if metric.claims:
        lines.append(f"{metric.better.capitalize()} is claimed to be better, with known failures: {metric.caveat}.")
    else:
        lines.append("No direction is claimed to be better: don't choose a model by it.")
    if metric.readable is not None:
        lines.append(
            f"Published work reads {metric.readable.low:g} and more as usual for trained layers; below is read as "
            f"{metric.readable.below}."
            if metric.readable.high == float("inf")
            else f"Published work reads {metric.readable.low:g} to {metric.readable.high:g} as usual for trained "
            f"layers; below is read as {metric.readable.below}, above as {metric.readable.above}."
        )
    lines.append(f"Formula, source and cost: wqscore metrics {metric.name}")
    return Explanation(word, "metric", tuple(lines))

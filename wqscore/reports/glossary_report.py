"""Print explanations of words, and the words that have one."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.metrics.registry import METRICS
from wqscore.rendering.sections import Notes
from wqscore.rendering.terminal import print_sections
from wqscore.reports.glossary import Explanation
from wqscore.reports.glossary_words import WORDS

_PLURALS = {
    "verdict": "verdicts, one for each matrix",
    "flag": "flags of a matrix",
    "role": "roles of a matrix",
    "conclusion": "kinds of conclusions",
    "status": "what became of a model",
    "column": "columns",
    "term": "other words",
}


def print_explanations(found: Sequence[Explanation]) -> None:
    """Print each explanation: the word and its kind, then its sentences."""
    lines: list[str] = []
    for each in found:
        lines += [*([""] if lines else []), f"{each.word} ({each.kind})", *(f"  {line}" for line in each.lines)]
    print_sections([Notes(lines)])


def print_words() -> None:
    """Print every word by its kind."""
    lines = ["wqscore explain WORD says what one of these means", ""]
    for kind, table in WORDS.items():
        lines += [f"{_PLURALS[kind]}:", f"  {', '.join(table)}"]
    lines += ["metrics:", f"  {', '.join(METRICS)}"]
    print_sections([Notes(lines)])

"""A section for a model card: the measurements, their uncertainty, and the command that repeats them."""

from __future__ import annotations

import re
import shlex
from typing import Any

from wqscore.escaping import printable
from wqscore.fits.sampling import USUAL
from wqscore.metrics.registry import MATRIX_METRICS, find_metric
from wqscore.ranking.card import Card
from wqscore.ranking.ranking import Ranking, rank_alone, why_unranked
from wqscore.rendering.markdown import escape, markdown_list, markdown_table
from wqscore.rendering.numbers import Cell, beside, ends, figure, number, size
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.rendering.timestamp import created_at
from wqscore.reports.json import score_document
from wqscore.reports.overview import headline_first, score_notes
from wqscore.reports.trust import trust_notes, warning_notes
from wqscore.reports.worth_checking import LOOK_COLUMNS, worth_checking, worth_checking_rows
from wqscore.scoring.model_score import ModelScore
from wqscore.version import __version__

#: The metrics that a card shows, if they were computed.
_SHOWN = ("alpha", "D", "stable_rank", "log_norm", "log_spectral_norm", "entropy")
_MAX_LOOKS = 5


def card_section(score: ModelScore) -> str:
    """A section of a model card in Markdown; markup in names is escaped."""
    alone, looks = rank_alone(score), worth_checking(score)
    worth = markdown_table(LOOK_COLUMNS, worth_checking_rows(looks[:_MAX_LOOKS])) if looks else ""
    more = f" (the first {_MAX_LOOKS} of {len(looks)})" if len(looks) > _MAX_LOOKS else ""
    return "\n".join(
        [
            f"## The weights of {_heading(score.ref.label)}",
            "",
            *(f"{escape(line)}\n" for line in alone.conclusion.lines),
            f"Measured from the weights alone, without data, by wqscore {__version__} on {created_at():%Y-%m-%d}.",
            "",
            markdown_table(_metric_columns(score), _metric_rows(score)),
            *([f"Matrices worth a look{more}:", "", worth] if looks else []),
            f"What was measured:\n{markdown_list(_measured(score))}",
            f"How far to trust it:\n{markdown_list(_trust(score, alone))}",
            "To measure it again:",
            "",
            _code(_command(score)),
        ]
    )


def card_markdown(card: Card) -> str:
    """The section, as `wqscore card` prints it."""
    return card_section(card.score)


def card_sections(card: Card, _: Medium) -> list[Section]:
    """The card's sentence, table and notes."""
    score, alone = card.score, rank_alone(card.score)
    table = Table(f"the weights of {score.ref.label}", _metric_columns(score), _metric_rows(score))
    return [Answer(alone.conclusion.lines), table, Notes([*_measured(score), *_trust(score, alone)])]


def card_rows(card: Card) -> Rows:
    """A row for each metric of the table, with all digits."""
    rows: list[list[Cell]] = []
    for name in _shown(card.score):
        found = card.score.summary.statistics[name]
        first, second = (number(getattr(found, statistic)) for statistic in headline_first(card.score.preset))
        lo, hi = found.interval or (None, None)
        label = card.score.preset.label(name)
        rows.append([card.score.ref.label, label, first, lo, hi, second, found.count])
    first_name, second_name = headline_first(card.score.preset)
    columns = ["model", "metric", first_name, "lo", "hi", second_name, "count"]
    return Rows(columns, rows, frozenset({"model", "metric"}), counts=frozenset({"count"}))


def card_document(card: Card) -> dict[str, Any]:
    """The score's document, with the card's sentence and text."""
    return {
        **score_document(card.score),
        "conclusion": rank_alone(card.score).conclusion.document(),
        "markdown": card_section(card.score),
    }


def _metric_columns(score: ModelScore) -> list[str]:
    first, second = headline_first(score.preset)
    return ["metric", first, "95 % interval", second, "matrices"]


def _metric_rows(score: ModelScore) -> list[list[str]]:
    """A row per metric; the interval is that of the statistic before it, which the preset ranks by."""
    rows = []
    for metric in _shown(score):
        found = score.summary.statistics[metric]
        label = score.preset.label(metric)
        first, second = (beside(getattr(found, name), found.interval) for name in headline_first(score.preset))
        rows.append([label, first, ends(found.interval, found.count), second, str(found.count)])
    return rows


def _shown(score: ModelScore) -> list[str]:
    """The metrics of the card's table that were computed and are not summed."""
    return [name for name in _SHOWN if name in score.summary.statistics and not MATRIX_METRICS[name].summed]


def _measured(score: ModelScore) -> list[str]:
    verdicts = ", ".join(f"{count} {name}" for name, count in sorted(score.summary.verdicts.items()))
    architecture = score.architecture
    return [
        f"revision: {score.revision or 'files on disk, of no known revision'}",
        f"family: {score.family or 'unknown'}; {size(score.parameters)} parameters, {architecture.depth} layers",
        f"preset {score.preset.name}, seed {score.seed}, engine {score.engine}"
        + (f", distances from {score.base}" if score.base else ""),
        f"verdicts: {verdicts or 'none'}",
        *score_notes(score),
    ]


def _trust(score: ModelScore, alone: Ranking) -> list[str]:
    """Reasons to doubt the table, from this model's own numbers."""
    unranked = why_unranked(score, alone.by, score.preset)
    found = score.summary.statistics.get(alone.by.name)
    bounds = []
    if found is not None and found.count and found.lowest != found.highest:
        bounds.append(
            f"the median {alone.by.name} would be {figure(found.lowest)} to {figure(found.highest)}, whatever the "
            "matrices without a fit were like"
        )
    notes = trust_notes(alone)
    caveat = f"known failures of {score.preset.label(alone.by.name)}: {find_metric(alone.by.name).caveat}"
    return [
        *([f"these numbers are not enough for a rank: {unranked}"] if unranked else []),
        *warning_notes(alone),
        *(note for note in notes if note != caveat),
        *bounds,
        f"the interval is that of the {score.preset.headline} over resampled layers of this model, not over models "
        "or data",
        caveat,
    ]


def _command(score: ModelScore) -> str:
    """The command that repeats the measurement: the scored revision, and every option that is not the default."""
    ref, sampling = score.ref, score.sampling
    name = ref.text
    if ref.repo and score.revision and ref.adapter is None:
        name = f"{ref.repo}{f'/{ref.file}' if ref.file else ''}@{score.revision}"
    options: list[str] = []
    if score.preset.name != "default":
        options += ["--preset", score.preset.name]
    for option, value, usual in (
        ("--seed", sampling.seed, USUAL.seed),
        ("--bootstrap", sampling.bootstrap, USUAL.bootstrap),
        ("--gof", sampling.gof, USUAL.gof),
    ):
        if value != usual:
            options += [option, str(value)]
    # After two dashes, a name that begins with one is not taken for an option.
    dashes = ["--"] if name.startswith("-") else []
    return shlex.join(["wqscore", "card", *options, *dashes, name])


def _code(line: str) -> str:
    """A line as a code block, whose fence is longer than any run of backticks in the line."""
    text = printable(line)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}console\n$ {text}\n{fence}\n"


def _heading(name: str) -> str:
    """A name escaped for a heading, where Markdown drops a # at the end."""
    return escape(name).replace("#", r"\#")

"""The report: one HTML page that needs nothing else, every table and number in it without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from math import isfinite

from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.fits.methods import FitMethods
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.metrics.metric import COSTS
from wqscore.metrics.registry import METRICS
from wqscore.presets.preset import Preset
from wqscore.ranking.differences import APART, Difference
from wqscore.ranking.ranked_model import Pair
from wqscore.ranking.ranking import MIN_COVERAGE, Ranking, rank_alone
from wqscore.ranking.reading import BESIDE
from wqscore.rendering.html import charts
from wqscore.rendering.html.page import asset, environment, policy
from wqscore.rendering.html.palette import VERDICTS
from wqscore.rendering.numbers import TOO_FEW, Cell, beside, ends, figure, size
from wqscore.rendering.timestamp import created_at
from wqscore.reports.csv import layers_csv, pairs_csv
from wqscore.reports.html.changes import Changes, changes_between
from wqscore.reports.html.column_words import COLUMN_WORDS, VERDICT_WORDS, metric_words, words_by_label
from wqscore.reports.html.names import breakable, names_of
from wqscore.reports.html.page_data import page_data
from wqscore.reports.html.parts import report_parts
from wqscore.reports.html.ranking_marks import ranking_marks, usual_band
from wqscore.reports.html.sections import sections
from wqscore.reports.html.steps_chart import steps_sections
from wqscore.reports.html.verdict_shares import present_verdicts, skips_by_reason, verdict_shares
from wqscore.reports.html.worst import MOST, worst_of
from wqscore.reports.intervals import has_intervals
from wqscore.reports.overview import VALUE_COLUMNS, headline, rank_range, shows_beside
from wqscore.reports.tables import layer_columns, of_matrices, summary_metrics
from wqscore.reports.trust import trust_notes, warning_notes
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.summary import belonging_rows
from wqscore.version import __version__

#: What a constant of a preset means that is left empty.
_EMPTY = {
    "fit_floor": "relative to each matrix",
    "max_side": "no limit",
    "metrics": "none replaced",
    "columns": "none renamed",
}

#: How many pairs of models the page lists.
_MAX_PAIRS = 200


#: With more matrices and skipped tensors than this, the page has no table of them and no ranking.json: they would
#: make most of its size. layers.csv is in the page still.
_MAX_ROWS = 5000
#: The statistic that is shown beside the one that ranks.
_OTHER = {"median": "mean", "mean": "median"}
#: The scripts of the page, in the order in which they need each other.
_SCRIPTS = ("report.js", "drawing.js", "explorer.js", "models.js", "pairs.js", "downloads.js")


def report_html(ranking: Ranking, files: Mapping[str, str] | None = None) -> str:
    """Render a ranking as one self-contained HTML page.

    The page fetches nothing and runs no code but its own: its content security policy names each script and
    style by its hash. Names and reasons come from checkpoints and are text wherever they stand.

    Args:
        ranking: the ranking.
        files: the texts of `data_files` by name, where they have been made.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    drawable = any(score.layers for score in ranking.scores)
    whole = sum(len(score.rows) for score in ranking.scores) <= _MAX_ROWS
    pairs = ranking.pairs[:_MAX_PAIRS]
    style = asset("page.css") + asset("report.css", __package__)
    # Without a matrix there is nothing to unpack or to draw.
    scripts = (
        ["\n".join(asset(name, __package__) for name in _SCRIPTS), charts.scripts()]
        if drawable
        else [asset("report.js", __package__)]
    )
    downloads = data_files(ranking) if files is None else files
    if not whole:
        downloads = {name: text for name, text in downloads.items() if name != "ranking.json"}
    found = names_of(ranking)
    return (
        environment(
            __package__,
            figure=figure,
            ends=ends,
            beside=beside,
            size=size,
            percent=_percent,
            cell=_cell,
            rank_range=rank_range,
            breakable=breakable,
            answer=found.answer,
            shift=_shift,
            printable=printable,
            id=id,
        )
        .get_template("report.html.j2")
        .render(
            ranking=ranking,
            metric=ranking.by,
            label=ranking.preset.label(ranking.by.name),
            preset=ranking.preset,
            metrics={name: METRICS[name] for name in ranking.metrics},
            costs=COSTS,
            bases=sorted({score.base for score in ranking.scores} - {""}),
            engines=sorted({score.engine for score in ranking.scores} - {"wqscore"}),
            columns=_layer_columns(ranking),
            column_words=words_by_label(ranking.preset),
            verdict_words=VERDICT_WORDS,
            metric_words=metric_words,
            value_columns=VALUE_COLUMNS,
            statistic=headline(ranking.by, ranking.preset),
            other=_OTHER.get(headline(ranking.by, ranking.preset), ""),
            constants=preset_constants(ranking.preset),
            min_coverage=MIN_COVERAGE,
            families=ranking.families,
            parts=report_parts(ranking),
            trust=[*trust_notes(ranking), *(each.text for each in ranking.unrelated)],
            warnings=warning_notes(ranking),
            beside=BESIDE if shows_beside(ranking) else "",
            beside_label=ranking.preset.label(BESIDE),
            summarised=summary_metrics(ranking),
            pairs=[(pair, _changes(pair, ranking)) for pair in pairs],
            apart=APART,
            ranked=[model for model in ranking.models if model.status == "ranked"],
            others=[model for model in ranking.models if model.status != "ranked"],
            sections=sections(ranking, whole),
            steps=steps_sections(ranking),
            anchors={id(model.ref): f"model-{place}" for place, model in enumerate(ranking.models, 1)},
            shown_names=found.shown,
            model_marks=found.marks,
            verdict_marks=VERDICTS,
            sound={id(score.ref): _sound(score) for score in ranking.scores},
            whole=whole,
            marks=ranking_marks(ranking),
            resampled=has_intervals(ranking),
            usual=usual_band(ranking),
            verdicts=present_verdicts(ranking.scores),
            verdict_shares=verdict_shares,
            worst_of=worst_of,
            most_worst=MOST,
            skips_by_reason=skips_by_reason,
            data=page_data(ranking, pairs, downloads) if drawable else None,
            created=created_at(),
            version=__version__,
            policy=policy(style, scripts),
            style=Markup(style),
            scripts=[Markup(script) for script in reversed(scripts)],
        )
    )


def score_html(score: ModelScore) -> str:
    """One model as a page."""
    return report_html(rank_alone(score))


def data_files(ranking: Ranking) -> dict[str, str]:
    """The files of a report but for its page, as text by name."""
    return {
        "ranking.csv": ranking.to_csv(),
        "pairs.csv": pairs_csv(ranking),
        "layers.csv": layers_csv(ranking.scores, layer_columns(ranking.preset, ranking.metrics, ranking.gauge)),
        "ranking.json": ranking.to_json(),
    }


def preset_constants(preset: Preset) -> list[tuple[str, str]]:
    """Name and value of everything a preset decides, for people."""
    constants: list[tuple[str, str]] = []
    for field in fields(preset):
        value = getattr(preset, field.name)
        if isinstance(value, MatrixRules):
            constants += [(inner.name, _constant(inner.name, getattr(value, inner.name))) for inner in fields(value)]
        elif field.name not in {"name", "description"}:
            constants.append((field.name, _constant(field.name, value)))
    return constants


def _constant(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == {}:
        return _EMPTY.get(name, "none")
    if isinstance(value, FitMethods):
        return value.name
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} → {new}" if isinstance(new, str) else key for key, new in value.items())
    return str(value)


def _changes(pair: Pair, ranking: Ranking) -> Changes:
    layers = {id(score.ref): score.layers for score in ranking.scores}
    return changes_between(layers[id(pair.ahead)], layers[id(pair.behind)], ranking.by.name)


def _layer_columns(ranking: Ranking) -> list[tuple[str, str]]:
    """The columns of a table of matrices, each with what it means."""
    metrics = of_matrices(ranking.metrics)
    gauge = () if ranking.gauge == "none" else ("gauge",)
    words = [COLUMN_WORDS[name] for name in ("name", "role", "rows", "columns", *gauge)]
    words += [metric_words(METRICS[name]) for name in metrics]
    words += [COLUMN_WORDS[name] for name in ("verdict", "flags", "reason")]
    return list(zip(layer_columns(ranking.preset, ranking.metrics, ranking.gauge)[1:], words, strict=True))


def _sound(score: ModelScore) -> str:
    """How many of a model's fits are sound."""
    fitted = [row for row in belonging_rows(score.layers, score.preset) if row.fit]
    return f"{sum(row.verdict == 'ok' for row in fitted)}/{len(fitted)}"


def _shift(found: Difference) -> str:
    """The interval of a difference, or why there is none."""
    return f"{figure(found.lo)} to {figure(found.hi)}" if isfinite(found.hi - found.lo) else TOO_FEW


def _percent(share: float) -> str:
    return f"{share:.1%}" if isfinite(share) else figure(share)


def _cell(value: Cell) -> str:
    """A cell of a table of matrices: text as it is, a number to four digits."""
    return value if isinstance(value, str) else figure(value)

"""A study of symmetries in each format: a row for each transformation and metric; a person sees a few metrics."""

from __future__ import annotations

from math import isfinite
from typing import Any

from wqscore.metrics.registry import METRICS
from wqscore.rendering.numbers import MISSING, Cell, counted, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.studies.heads import document_head, model_names
from wqscore.studies.symmetry.invariance import OF_EIGENVALUES
from wqscore.studies.symmetry.symmetry import DRAWS, MetricSpread, Symmetry, TransformationResult
from wqscore.symmetries.transformations import SPREAD

#: Metrics that a person is shown, as far as they were computed; else the first ones.
_SHOWN = ("alpha", "alpha_hill", "stable_rank", "log_norm", "log_spectral_norm")
_COLUMNS = ("name", "applies", "sites", "logit_change", "metric", "invariance", "spread", "reason")
#: Said where no outputs were compared.
NOT_COMPARED = "outputs were not compared: that needs torch and transformers, and a model they can build"
_WORDS = frozenset({"name", "applies", "metric", "invariance", "reason"})


def symmetry_rows(found: Symmetry) -> Rows:
    """A row for each metric under each transformation, and one for each transformation that doesn't apply."""
    rows: list[list[Cell]] = []
    for each in found.transformations:
        head: list[Cell] = [each.name, "yes" if each.applies else "no", each.sites, _change(each)]
        for metric, moved in each.metrics.items():
            rows.append([*head, metric, moved.invariance, number(moved.spread), each.reason or None])
        if not each.metrics:
            rows.append([*head, None, None, None, each.reason or None])
    return Rows(list(_COLUMNS), rows, _WORDS, counts=frozenset({"sites"}))


def symmetry_document(found: Symmetry) -> dict[str, Any]:
    """The JSON document; undefined values are `null`."""
    return {
        **document_head(found.score.seed),
        **model_names(found.score),
        "preset": found.score.preset.name,
        "headline": found.score.preset.headline,
        "draws": DRAWS,
        "log_scale": SPREAD,
        "transformations": [
            {
                "name": each.name,
                "applies": each.applies,
                "reason": each.reason or None,
                "sites": each.sites,
                "logit_change": _change(each),
                "metrics": {
                    metric: {"invariance": moved.invariance, "spread": number(moved.spread)}
                    for metric, moved in each.metrics.items()
                },
            }
            for each in found.transformations
        ],
    }


def symmetry_sections(found: Symmetry, _: Medium) -> list[Section]:
    """The transformations that apply, with what they move; the others with the reason; and what it comes to."""
    applying = [each for each in found.transformations if each.applies]
    tables: list[Section] = [_table(found, applying)] if applying else []
    return [*tables, Notes(_notes(found)), Answer(answer(found))]


def answer(found: Symmetry) -> list[str]:
    """What it comes to, in sentences."""
    label, score = found.score.ref.label, found.score
    applying = sum(each.applies for each in found.transformations)
    if not applying:
        return [f"{label}: no transformation applies: {found.transformations[0].reason}."]
    by = score.preset.by if score.preset.by in score.metrics else score.metrics[0]
    spread = found.spread(by)
    told = f"Under the {counted(applying, 'transformation')} that keep the function of {label}"
    if not isfinite(spread):
        return [f"{told}, {by} is not defined in every draw."]
    value = score.summary.headline(by, score.preset)
    return [
        f"{told}, its {score.preset.headline} {by}, {figure(value)} as stored, moves by up to {figure(spread)}: a "
        f"smaller difference of two models says nothing of their functions."
    ]


def _shown_metrics(found: Symmetry) -> list[str]:
    """The metrics that a person is shown."""
    computed = found.score.metrics
    return [name for name in _SHOWN if name in computed] or list(computed[: len(_SHOWN)])


def cell(moved: MetricSpread) -> str:
    """A spread as a person reads it: 0 where a metric stays, but for rounding; marked where nothing is claimed."""
    if not isfinite(moved.spread):
        return MISSING
    if moved.invariance == "exact" and moved.spread < 1e-6:
        return "0"
    return figure(moved.spread)


def _table(found: Symmetry, applying: list[TransformationResult]) -> Table:
    metrics = _shown_metrics(found)
    with_outputs = any(each.logit_change is not None for each in applying)
    columns = ["transformation", "sites", *(["outputs change"] if with_outputs else []), *metrics]
    rows = [
        [
            each.name,
            str(each.sites),
            *([outputs_cell(each)] if with_outputs else []),
            *(cell(each.metrics[metric]) for metric in metrics),
        ]
        for each in applying
    ]
    statistic = found.score.preset.headline
    return Table(
        f"{found.score.ref.label}: how far the {statistic} of each metric moves, over {DRAWS} draws",
        columns,
        rows,
        right=columns[1:],
        markdown_title="above",
    )


def not_applied(found: Symmetry) -> dict[str, list[str]]:
    """The transformations that don't apply, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for each in found.transformations:
        if not each.applies:
            by_reason.setdefault(each.reason, []).append(each.name)
    return by_reason


def _notes(found: Symmetry) -> list[str]:
    notes = [f"{', '.join(names)}: not applied: {reason}" for reason, names in not_applied(found).items()]
    notes += [f"{each.name}: {each.reason}" for each in found.transformations if each.applies and each.reason]
    if any(each.applies for each in found.transformations):
        if all(each.logit_change is None for each in found.transformations):
            notes.append(NOT_COMPARED)
        shown = [name for name in found.score.metrics if METRICS[name].cost not in OF_EIGENVALUES]
        if shown:
            notes.append(f"no invariance is claimed for {', '.join(shown)}: not of eigenvalues alone")
    return notes


def _change(each: TransformationResult) -> float | None:
    return None if each.logit_change is None else number(each.logit_change)


def outputs_cell(each: TransformationResult) -> str:
    """The largest change of outputs as a person reads it."""
    return MISSING if each.logit_change is None else f"{each.logit_change:.1e}"

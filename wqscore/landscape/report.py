"""A landscape in every format: a row for each model, and one for each number between two."""

from __future__ import annotations

from math import isfinite
from typing import Any

from wqscore.escaping import listed
from wqscore.landscape.landscape import Landscape, Measured, MeasuredModel, reasons_of
from wqscore.rendering.numbers import Cell, counted, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.studies.heads import document_head

_ENDS = ("low", "high")
_PAIR_COLUMNS = ("a", "b", "measure", "value", "low", "high", "estimator", "n_used", "seconds", "reason")
#: Data-free metrics that a person sees in the table; files have all.
_SHOWN = ("alpha", "stable_rank", "log_norm")
#: What every table says under it.
CAVEAT = "of the examples given; whether flat or connected minima are better here, this table can't tell"


def landscape_rows(found: Landscape) -> Rows:
    """A row for each model; the ends of a number are in columns beside it."""
    names = _names(found)
    with_ends = {name for name in names for model in found.models if _has_ends(_of(model, name))}
    columns = ["model", "revision", "n_params"]
    for name in names:
        columns += [name, *(f"{name}_{end}" for end in _ENDS if name in with_ends)]
    rows: list[list[Cell]] = []
    for model in found.models:
        row: list[Cell] = [model.model, None, model.n_params or None]
        for name in names:
            measured = _of(model, name)
            row.append(number(measured.estimate.value) if measured else None)
            if name in with_ends:
                row += [number(getattr(measured.estimate, end)) if measured else None for end in _ENDS]
        rows.append([*row, _reason(model) or None])
    return Rows(
        [*columns, "reason"], rows, frozenset({"model", "revision", "reason"}), counts=frozenset({"n_params"})
    )


def landscape_pairs(found: Landscape) -> Rows:
    """A row for each number between two models."""
    rows = [list(each.values()) for each in _pairs(found)]
    words = frozenset({"a", "b", "measure", "estimator", "reason"})
    return Rows(_PAIR_COLUMNS, rows, words, frozenset({"measure"}), frozenset({"n_used"}))


def landscape_document(found: Landscape) -> dict[str, Any]:
    """The JSON document; undefined values are `null`."""
    choices = found.choices
    return {
        **document_head(choices.seed),
        "complete": found.is_whole,
        "probes": choices.probes,
        "epochs": choices.epochs,
        "cka": choices.cka,
        "models": [
            {
                "model": model.model,
                "revision": None,
                "n_params": model.n_params or None,
                "reason": model.reason or None,
                "measures": [_measured(each) for each in model.measures],
            }
            for model in found.models
        ],
        "pairs": _pairs(found),
        "caveat": CAVEAT,
    }


def landscape_sections(found: Landscape, _: Medium) -> list[Section]:
    """The models, what is between them, and what is missing."""
    tables: list[Section] = [_model_table(found)]
    if found.pairs:
        tables.append(_pair_table(found))
    n_used = max((each.n_used for model in found.models for each in model.measures), default=0)
    answer = [Answer([f"{counted(n_used, 'example')}: numbers are {CAVEAT}."])] if n_used else []
    how = dict.fromkeys(
        f"{each.estimate.measure}: {each.estimate.estimator}"
        for model in found.models
        for each in model.measures
        if each.n_used and each.estimate.estimator and _has_ends(each)
    )
    return [*tables, Notes([*how, *_without_metrics(found), *found.reasons]), *answer]


def _without_metrics(found: Landscape) -> list[str]:
    """Which models have no data-free metric at all, though the weights could be read."""
    without = []
    for model in found.models:
        of_weights = [each for each in model.measures if not each.n_used and not each.reason]
        if of_weights and not any(isfinite(each.estimate.value) for each in of_weights):
            without.append(model.model)
    return [f"{listed(without, 3)}: no matrix is large enough for a data-free metric"] if without else []


def _model_table(found: Landscape) -> Table:
    names = [name for name in _names(found) if name in _SHOWN or any(_uses(found, name))]
    columns = ["model", *names]
    rows = [[model.model, *(_shown(_of(model, name)) for name in names)] for model in found.models]
    return Table(
        "the loss around each model",
        columns,
        rows,
        folding=["model"],
        optional=[name for name in (*_SHOWN, "weight_norm") if name in names],
        right=names,
        markdown_title="above",
    )


def _pair_table(found: Landscape) -> Table:
    names = list(dict.fromkeys(each.measured.estimate.measure for each in found.pairs))
    between = dict.fromkeys((each.a, each.b) for each in found.pairs)
    values = {(each.a, each.b, each.measured.estimate.measure): each.measured for each in found.pairs}
    rows = [[a, b, *(_shown(values.get((a, b, name))) for name in names)] for a, b in between]
    title = "between each two; below 0, mc is a barrier"
    return Table(title, ["a", "b", *names], rows, folding=["a", "b"], right=names, markdown_title="above")


def _names(found: Landscape) -> list[str]:
    return list(dict.fromkeys(each.estimate.measure for model in found.models for each in model.measures))


def _uses(found: Landscape, name: str) -> list[bool]:
    measured = [_of(model, name) for model in found.models]
    return [each is not None and each.n_used > 0 for each in measured]


def _of(model: MeasuredModel, name: str) -> Measured | None:
    return next((each for each in model.measures if each.estimate.measure == name), None)


def _has_ends(measured: Measured | None) -> bool:
    return measured is not None and isfinite(measured.estimate.low)


def _reason(model: MeasuredModel) -> str:
    return model.reason or "; ".join(reasons_of(model.measures))


def _shown(measured: Measured | None) -> str:
    if measured is None:
        return figure(None)
    estimate = measured.estimate
    shown = figure(estimate.value)
    # A residual is far below what is shown.
    if not isfinite(estimate.low) or figure(estimate.low) == figure(estimate.high) or not measured.n_used:
        return shown
    return f"{shown} ({figure(estimate.low)} to {figure(estimate.high)})"


def _measured(measured: Measured) -> dict[str, Cell]:
    estimate = measured.estimate
    return {
        "measure": estimate.measure,
        "value": number(estimate.value),
        "low": number(estimate.low),
        "high": number(estimate.high),
        "estimator": estimate.estimator or None,
        "n_used": measured.n_used,
        "seconds": round(measured.seconds, 3),
        "reason": measured.reason or None,
    }


def _pairs(found: Landscape) -> list[dict[str, Cell]]:
    return [{"a": each.a, "b": each.b, **_measured(each.measured)} for each in found.pairs]

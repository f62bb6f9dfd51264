"""A baseline: the numbers of one model in a file that `wqscore score --format json` or `wqscore rank` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as with_default
from pathlib import Path
from typing import Any, NoReturn

from wqscore.errors import UsageError, read_small
from wqscore.evidence.kinship import Traits
from wqscore.fits.sampling import USUAL
from wqscore.gating.baseline_rows import measured_rows, traits_of_rows
from wqscore.gating.fields import DamagedError, field, finite
from wqscore.gating.rules import AGAINST_BASELINE, OddsOver, Quantity, Rule, Worse
from wqscore.metrics.registry import MATRIX_METRICS, find_metric
from wqscore.presets.preset import Preset
from wqscore.ranking.differences import Measured
from wqscore.ranking.ranking import MAX_RANDOM, MIN_COVERAGE
from wqscore.refs.reference import ModelRef
from wqscore.scoring.model_score import ModelScore

#: Schema versions in which every field that is read here has the same meaning.
_READABLE = (4, 5, 6)
_HOW = "write one with wqscore score REF --format json > FILE"


@dataclass(frozen=True)
class Baseline:
    """One model's numbers.

    Attributes:
        model: its name.
        base: the checkpoint that its distances were measured from; empty without one.
        doubt: why its numbers can't be trusted, which is why it would have no rank; empty if they can.
        values: by quantity; NaN where one is not defined.
        doubt_without_fit: why its numbers that need no fit can't be trusted; empty if they can.
        traits: for rules on odds, what is compared of it to tell what makes the two differ.
        matrices: for rules on `worse`, by metric: its value of each matrix, or why that is not known.
    """

    model: str
    base: str
    doubt: str
    values: Mapping[Quantity, float]
    doubt_without_fit: str = ""
    matrices: Mapping[str, Measured | str] = with_default(default_factory=dict)
    traits: Traits | None = None


def load_baseline(
    file: Path | ModelScore, ref: ModelRef, preset: Preset, seed: int, rules: Iterable[Rule], selection: str = ""
) -> Baseline:
    """Read the baseline's values for rules on changes.

    Args:
        file: a score; or the file of one, or of a ranking that has only one model or has this one.
        ref: the model to judge.
        preset: the preset that it is scored with.
        seed: the seed that it is scored with.
        rules: the gate's rules.
        selection: which matrices are scored, as on the command line; empty for all.

    Raises:
        UsageError: the file does not exist, has another format or version, was made with another preset, seed or
            engine, or lacks this model or a metric that a rule names.
    """
    document = json.loads(file.to_json()) if isinstance(file, ModelScore) else _document(file)
    name = f"the score of {file.ref.label}" if isinstance(file, ModelScore) else str(file)
    try:
        return _baseline(document, ref, preset, seed, rules, selection)
    except DamagedError as error:
        raise UsageError(f"{name}: {error} is damaged: {_HOW}") from error
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error


def _baseline(
    document: Mapping[str, Any], ref: ModelRef, preset: Preset, seed: int, rules: Iterable[Rule], selection: str
) -> Baseline:
    made_with = field(field(document, "preset", dict), "name", str)
    if made_with != preset.name:
        raise UsageError(f"was made with the preset {made_with}, this gate with {preset.name}: score both alike")
    if field(document, "seed", int) != seed:
        raise UsageError(f"was made with the seed {document['seed']}, this gate with {seed}: score both alike")
    model = _one_model(document, ref)
    if model.get("status") == "failed":
        raise UsageError(f"{model.get('model')} could not be scored there: {model.get('reason')}")
    if field(model, "engine", str) != "wqscore":
        raise UsageError(f"holds the numbers of {model['engine']}, not wqscore's: {_HOW}")
    if (gauge := model.get("gauge", "none")) != "none":
        raise UsageError(f"was made with the gauge {gauge}, and a gate is of the stored weights: {_HOW}")
    if (chosen := str(model.get("selection", ""))) != selection:
        alike = f"was made with {chosen or 'all matrices'}, this gate with {selection or 'all'}"
        raise UsageError(f"{alike}: score both alike")
    metrics = field(document, "metrics", list)
    values = {}
    matrices = {}
    for rule in rules:
        if isinstance(rule.value, AGAINST_BASELINE):
            quantity = rule.value.quantity
            if quantity.metric not in metrics:
                raise UsageError(f"has no {quantity.metric}: write it with --metrics core,{quantity.metric}")
            if find_metric(quantity.metric).cost == "resampling":
                _check_sampling(model)
            values[quantity] = _value(model, quantity, preset)
            if isinstance(rule.value, Worse):
                matrices[quantity.metric] = measured_rows(model, quantity.metric, values[quantity], preset)
    base = "" if model.get("base") is None else field(model, "base", str)
    name, doubts = field(model, "model", str), (_doubt(model), _doubt_without_fit(model, values))
    with_odds = any(isinstance(rule.value, OddsOver) for rule in rules)
    traits = traits_of_rows(model) if with_odds else None
    return Baseline(name, base, doubts[0], values, doubts[1], matrices, traits)


def _check_sampling(model: Mapping[str, Any]) -> None:
    """Refuse a baseline whose numbers of resamples and draws differ from the defaults, which a gate uses."""
    for name, usual in (("bootstrap", USUAL.bootstrap), ("gof", USUAL.gof)):
        if field(model, name, int) != usual:
            raise UsageError(f"was made with --{name} {model[name]}, this gate with {usual}: score both alike")


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_small(file).decode("utf-8-sig"), parse_constant=_refuse_constant)
    except OSError as error:
        raise UsageError(f"{file}: can't be read: {error.strerror or error}: {_HOW}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: is not valid JSON: {error}: {_HOW}") from error
    if not isinstance(document, dict) or "schema_version" not in document:
        raise UsageError(f"{file}: is not a score or a ranking: {_HOW}")
    version = document["schema_version"]
    if version not in _READABLE:
        raise UsageError(f"{file}: has schema_version {version}, not {_READABLE[0]} to {_READABLE[-1]}: {_HOW}")
    return document


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _one_model(document: Mapping[str, Any], ref: ModelRef) -> Mapping[str, Any]:
    """The model of a score; of a ranking its only model, or the one of this name or repository."""
    if "models" not in document:
        return document
    models = [model for model in field(document, "models", list) if isinstance(model, dict)]
    if len(models) == 1:
        return models[0]
    named = [model for model in models if model.get("model") == ref.label]
    found = named or [model for model in models if ref.repo is not None and model.get("repo") == ref.repo]
    if len(found) == 1:
        return found[0]
    count = f"{len(found)} of its {len(models)} models are" if found else f"none of its {len(models)} models is"
    raise UsageError(f"{count} {ref.label}: {_HOW}")


def _doubt(model: Mapping[str, Any]) -> str:
    coverage = finite(model.get("coverage"), "coverage")
    if not coverage >= MIN_COVERAGE:
        return f"less than {MIN_COVERAGE:.0%} of its weights have a fit"
    return _mostly_noise(model)


def _doubt_without_fit(model: Mapping[str, Any], quantities: Iterable[Quantity]) -> str:
    n_matrices = finite(field(model, "n_matrices", int), "n_matrices")
    for quantity in quantities:
        metric = find_metric(quantity.metric)
        if not metric.needs_fit and metric.name in MATRIX_METRICS and not metric.summed:
            entry = field(field(model, "summary", dict), metric.name, dict)
            if finite(field(entry, "count", int), "count") < n_matrices * MIN_COVERAGE:
                return f"less than {MIN_COVERAGE:.0%} of its matrices have {metric.name}"
    return _mostly_noise(model)


def _mostly_noise(model: Mapping[str, Any]) -> str:
    n_random, n_matrices = (finite(field(model, name, int), name) for name in ("n_random", "n_matrices"))
    if n_random > n_matrices * MAX_RANDOM:
        return "most of its matrices can't be told from noise"
    return ""


def _value(model: Mapping[str, Any], quantity: Quantity, preset: Preset) -> float:
    name = quantity.metric
    if name not in MATRIX_METRICS:
        entry = field(field(model, "model_metrics", dict), name, dict)
        return finite(entry.get("value"), name)
    ranked_by = "total" if MATRIX_METRICS[name].summed else preset.headline
    entry = field(field(model, "summary", dict), name, dict)
    return finite(entry.get(quantity.statistic or ranked_by), name)

"""The output of `wqscore store`: a store's counts, what was pruned or merged, and all results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from wqscore.rendering.csv import csv_text
from wqscore.rendering.json import json_text
from wqscore.rendering.numbers import Cell, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.rendering.terminal import print_sections
from wqscore.stores.merging import Merged
from wqscore.stores.overview import StoreOverview
from wqscore.stores.pruning import Pruned
from wqscore.stores.records import ResultKey, SeenModel, Value
from wqscore.stores.store import Store
from wqscore.version import __version__

_RESULT_COLUMNS = ["model", "revision", "content", "part", "recipe", "method", "parameters", "version", "value"]


def overview_sections(found: StoreOverview, medium: Medium) -> list[Section]:
    """Counts of what the store holds, then tables of spectra by recipe and of results by method."""
    facts = {
        "size": data_size(found.size),
        "tables": f"version {found.schema}",
        "models": f"{len(found.models):,}",
        "spectra": f"{sum(found.spectra.values()):,}",
        "results": f"{sum(found.results.values()):,}",
        "files": f"{found.files:,}",
        "headers": f"{found.headers:,}",
        "merged": f"from {_counted(len(found.origins), 'store')}" if found.origins else "nothing",
        "oldest": _moment(found.oldest) or "–",
        "newest": _moment(found.newest) or "–",
        "damaged": damage(found.damaged) or "nothing",
    }
    width = max(map(len, facts))
    lines = [str(found.path), *(f"  {label.ljust(width)}  {text}" for label, text in facts.items())]
    spectra = [[f"{count:,}", name] for name, count in found.spectra.items()]
    results = [[f"{count:,}", str(version), name] for (name, version), count in found.results.items()]
    merged = [[f"{count:,}", _moment(o.time) or "", o.host, o.source] for o, count in found.origins.items()]
    tables = [
        Table("by recipe", ["spectra", "recipe"], spectra, right=["recipe"]),
        Table("by method", ["results", "version", "method"], results, right=["method"]),
        Table("merged from other stores, whose word it is", ["matrices", "when", "on", "from"], merged),
    ]
    gap: list[Section] = [Notes([""])] if medium == "table" else []
    sections: list[Section] = [Notes(lines)]
    for table in tables:
        sections += [*gap, table] if table.rows else []
    return sections


def overview_rows(found: StoreOverview) -> Rows:
    """A row for each model, last scored first."""
    rows: list[list[Cell]] = [[each.label, each.revision or None, _moment(each.seen)] for each in found.models]
    return Rows(["model", "revision", "seen"], rows, frozenset({"model", "revision", "seen"}))


def overview_document(found: StoreOverview) -> dict[str, Any]:
    """The JSON document: the same counts, and every model."""
    return {
        "wqscore": __version__,
        "path": str(found.path),
        "size": found.size,
        "schema": found.schema,
        "models": [_model(model) for model in found.models],
        "spectra": [{"recipe": name, "count": count} for name, count in found.spectra.items()],
        "results": [
            {"method": name, "version": version, "count": count} for (name, version), count in found.results.items()
        ],
        "files": found.files,
        "headers": found.headers,
        "merged": [
            {"source": origin.source, "host": origin.host, "time": _moment(origin.time), "matrices": count}
            for origin, count in found.origins.items()
        ],
        "oldest": _moment(found.oldest),
        "newest": _moment(found.newest),
        "damaged": dict(found.damaged),
    }


def print_pruned(pruned: Pruned) -> None:
    """Print what pruning deleted."""
    lines = [
        *(f"forgot {named(model)}, last scored {_moment(model.seen)}" for model in pruned.models),
        f"deleted: all of {_counted(pruned.contents, 'tensor')}, {_counted(pruned.files, 'file')}, "
        f"{_counted(pruned.headers, 'header')}",
        f"size: {data_size(pruned.before)}, now {data_size(pruned.after)}",
    ]
    print_sections([Notes(lines)])


def print_merged(path: Path, merged: Merged) -> None:
    """Print what was merged from one store."""
    added = (
        f"{path}: added {_counted(merged.spectra, 'spectrum', 'spectra')}, {_counted(merged.results, 'result')}, "
        f"{_counted(merged.headers, 'header')}, {_counted(merged.models, 'model')}"
    )
    remarks = [
        f"{merged.present:,} were here" if merged.present else "",
        f"{merged.conflicts:,} are here with another value, which was kept" if merged.conflicts else "",
        f"{_counted(merged.damaged, 'damaged row')} left out" if merged.damaged else "",
    ]
    print_sections([Notes(["; ".join(filter(None, [added, *remarks]))])])


def results_csv(store: Store) -> str:
    """A row per result and model that has it; numbers and text as they are, other values as JSON."""
    owners = _owners(store.models())
    rows: Iterator[list[Cell]] = (
        [model.label if model else None, (model.revision if model else "") or None, *_fields(key), _cell(value)]
        for key, value in store.all_results()
        for model in owners.get(key.spectrum.content, [None])
    )
    return csv_text(_RESULT_COLUMNS, rows)


def results_json(store: Store) -> str:
    """The models with the hashes of their contents, and the results with the hash each belongs to."""
    models = [{**_model(model), "contents": sorted(model.contents)} for model in store.models()]
    names = _RESULT_COLUMNS[2:]
    results = [dict(zip(names, [*_fields(key), _defined(value)], strict=True)) for key, value in store.all_results()]
    return json_text({"wqscore": __version__, "models": models, "results": results})


def damage(damaged: Mapping[str, int]) -> str:
    """How many rows of which tables failed their checksums; empty if none."""
    rows = ", ".join(f"{count:,} of {table}" for table, count in damaged.items())
    return f"rows that fail their checksums: {rows}" if rows else ""


def data_size(count: int) -> str:
    """A number of bytes to three digits, in the largest decimal unit not above it.

    Example:
        >>> data_size(22713216)
        '22.7 MB'
    """
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} bytes"


def named(model: SeenModel) -> str:
    """A model's label, with the start of its revision if it has one."""
    return f"{model.label}@{model.revision[:12]}" if model.revision else model.label


def _counted(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _model(model: SeenModel) -> dict[str, Any]:
    return {"model": model.label, "revision": model.revision or None, "seen": _moment(model.seen)}


def _owners(models: Sequence[SeenModel]) -> dict[str, list[SeenModel | None]]:
    owners: dict[str, list[SeenModel | None]] = {}
    for model in models:
        for content in model.contents:
            owners.setdefault(content, []).append(model)
    return owners


def _fields(key: ResultKey) -> list[Cell]:
    spectrum, method = key.spectrum, key.method
    return [spectrum.content, spectrum.part, spectrum.recipe, method.name, method.parameters, method.version]


def _cell(value: Value) -> Cell:
    plain = _defined(value)
    return json.dumps(plain) if isinstance(plain, bool | list | dict) else plain


def _defined(value: Value) -> Value:
    """The value, with `None` for NaN and infinities."""
    if isinstance(value, list):
        return [_defined(item) for item in value]
    if isinstance(value, dict):
        return {name: _defined(item) for name, item in value.items()}
    return number(value) if isinstance(value, float) else value

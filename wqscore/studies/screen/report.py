"""A screening in each format: a row for each module; a person sees each adapter, and the modules that stand out."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from wqscore.rendering.numbers import MISSING, Cell, counted, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.studies.heads import document_head
from wqscore.studies.screen.screen import ScreenedAdapter, ScreenedModule, Screening
from wqscore.studies.screen.statistics import STATISTICS
from wqscore.studies.screen.zscores import MIN_OTHERS

#: What a module that stands out is no proof of.
CAVEAT = (
    "A module that stands out is no proof of anything wrong, and one that doesn't no proof of anything right: depth, "
    "data and rank move these numbers too, and an attacker who knows of them can keep them usual."
)
#: As many outlying modules are shown of an adapter.
_SHOWN = 10
_HEAD = ("model", "name", "role", "rows", "columns", "rank")
_WORDS = frozenset({"model", "name", "role", "outlying", "bank_outlying", "reason"})
_COUNTS = frozenset({"rows", "columns", "rank"})


def screening_rows(found: Screening) -> Rows:
    """A row for each module, and for each adapter or tensor that could not be read, with the reason."""
    z, bank_z = ([f"{head}{name}" for name in STATISTICS] for head in ("z_", "bank_z_"))
    columns = [*_HEAD, *STATISTICS, *z, *(bank_z if found.bank else []), "outlying", "bank_outlying", "reason"]
    rows: list[list[Cell]] = []
    for adapter in found.adapters:
        for each in adapter.modules:
            matrix = each.module.matrix
            row: list[Cell] = [adapter.ref.label, matrix.name, matrix.role, matrix.rows, matrix.columns]
            row += [each.module.rank, *_numbers(each.module.statistics), *_numbers(each.z)]
            row += _numbers(each.bank_z) if found.bank else []
            outlying = [" ".join(names) or None for names in (each.outlying, each.bank_outlying)]
            rows.append([*row, *outlying, each.module.reason or None])
        empty: list[Cell] = [None] * (len(columns) - 4)
        rows += [[adapter.ref.label, each.name, each.role, *empty, each.reason] for each in adapter.changes.skipped]
        if adapter.reason:
            rows.append([adapter.ref.label, None, None, *empty, adapter.reason])
    return Rows(columns, rows, _WORDS, counts=_COUNTS)


def screening_document(found: Screening) -> dict[str, Any]:
    """The JSON document, which is a bank too; undefined values are `null`."""
    return {
        **document_head(found.seed),
        "base": found.base or None,
        "bank": list(found.bank),
        "adapters": [_adapter(each) for each in found.adapters],
        "caveat": CAVEAT,
    }


def screening_sections(found: Screening, _: Medium) -> list[Section]:
    """The roles of each adapter, the modules that stand out, and what it comes to."""
    sections: list[Section] = []
    for adapter in found.adapters:
        if adapter.roles:
            sections.append(_role_table(adapter, bool(found.bank)))
        if adapter.outlying:
            sections.append(_outlying_table(adapter))
    return [*sections, Notes(screening_notes(found)), Answer(answer(found))]


def answer(found: Screening) -> list[str]:
    """What it comes to, a sentence for each adapter, with the caveat if one was screened."""
    caveat = [CAVEAT] if any(each.modules for each in found.adapters) else []
    return [*(_sentence(each, found) for each in found.adapters), *caveat]


def screening_notes(found: Screening) -> list[str]:
    """What was left out or can't be told, a line each."""
    notes = []
    for adapter in found.adapters:
        label = adapter.ref.label
        notes += [f"{label}: {each.name}: {each.reason}" for each in adapter.changes.skipped]
        if whole := adapter.changes.whole:
            verb = "matrix has" if len(whole) == 1 else "matrices have"
            notes.append(
                f"{label}: {len(whole)} {verb} no change to screen (stored whole, or not in the base): {whole[0]}"
            )
        without = [each for each in adapter.modules if each.module.reason]
        if without:
            first = without[0].module
            notes.append(
                f"{label}: {counted(len(without), 'module')} without statistics: {first.matrix.name}: {first.reason}"
            )
        alone = sum(bool(each.module.statistics) and not each.z for each in adapter.modules)
        if alone:
            notes.append(
                f"{label}: {counted(alone, 'module')} with fewer than {MIN_OTHERS} of the role and shape: no z"
            )
        if found.bank and adapter.modules and not any(each.bank_z for each in adapter.modules):
            notes.append(
                f"{label}: fewer than {MIN_OTHERS} of the bank's adapters have its modules at its rank: no z"
            )
    return notes


def _sentence(adapter: ScreenedAdapter, found: Screening) -> str:
    label = adapter.ref.label
    if adapter.reason:
        return f"{label}: {adapter.reason.removeprefix(f'{label}: ')}"
    screened = sum(bool(each.z or each.bank_z) for each in adapter.modules)
    if not screened:
        return f"{label}: no module can be compared."
    parts = []
    for limit, outlying, where in (
        (adapter.limit, [each for each in adapter.modules if each.outlying], "their siblings"),
        (adapter.bank_limit, [each for each in adapter.modules if each.bank_outlying], "the bank"),
    ):
        if isfinite(limit):
            count = f"{len(outlying)} of {counted(len(adapter.modules), 'module')}"
            verb = "stands" if len(outlying) == 1 else "stand"
            parts.append(f"{count} {verb} out from {where} (|z| beyond {limit:.1f})")
    first = f"; most: {_most(adapter.outlying[0])}" if adapter.outlying else ""
    return f"{label}: {', '.join(parts)}{first}."


def _most(each: ScreenedModule) -> str:
    """A module and its farthest statistic."""
    kind, z = max((("", each.z), ("bank ", each.bank_z)), key=lambda pair: max(map(abs, pair[1].values()), default=0))
    name = max(z, key=lambda statistic: abs(z[statistic]))
    return f"{each.module.matrix.name}, {name} {figure(each.module.statistics[name])} ({kind}z {z[name]:+.1f})"


def _role_table(adapter: ScreenedAdapter, with_bank: bool) -> Table:
    """The medians of each role, and the largest |z| in it."""
    columns = ["role", "rank", "modules", *STATISTICS, "largest |z|", *(["bank |z| of role"] if with_bank else [])]
    rows = []
    for role in adapter.roles:
        members = [
            each for each in adapter.modules if (each.module.matrix.role, each.module.rank) == role.key and each.z
        ]
        largest = max((abs(value) for each in members for value in each.z.values()), default=None)
        against = [figure(max(map(abs, role.bank_z.values()), default=None))] if with_bank else []
        rank = MISSING if role.key[1] is None else str(role.key[1])
        medians = [figure(role.medians.get(name)) for name in STATISTICS]
        rows.append([role.key[0], rank, str(role.count), *medians, figure(largest), *against])
    title = f"{adapter.ref.label}: the median of each statistic by role"
    return Table(title, columns, rows, right=columns[1:], markdown_title="above")


def _outlying_table(adapter: ScreenedAdapter) -> Table:
    columns = ["module", "role", *(f"z {name}" for name in STATISTICS), "stands out in"]
    rows = [
        [
            *(each.module.matrix.name, each.module.matrix.role),
            *(signed(each.z.get(name)) for name in STATISTICS),
            ", ".join([*each.outlying, *(f"bank {name}" for name in each.bank_outlying)]),
        ]
        for each in adapter.outlying[:_SHOWN]
    ]
    title = f"{adapter.ref.label}: modules that stand out, {len(rows)} of {len(adapter.outlying)}"
    folding = ["module", "stands out in"]
    return Table(title, columns, rows, folding=folding, right=columns[2:-1], markdown_title="above")


def _adapter(found: ScreenedAdapter) -> dict[str, Any]:
    return {
        "model": found.ref.label,
        "revision": found.revision,
        "reason": found.reason or None,
        "n_modules": len(found.modules),
        "n_outlying": len(found.outlying),
        "limit": number(found.limit),
        "bank_limit": number(found.bank_limit),
        "modules": [_module(each) for each in found.modules],
        "roles": [
            {
                "role": each.key[0],
                "rank": each.key[1],
                "modules": each.count,
                **dict(zip(STATISTICS, _numbers(each.medians), strict=True)),
                "bank_z": dict(zip(STATISTICS, _numbers(each.bank_z), strict=True)),
            }
            for each in found.roles
        ],
        "skipped": [{"name": each.name, "reason": each.reason} for each in found.changes.skipped],
    }


def _module(each: ScreenedModule) -> dict[str, Any]:
    matrix = each.module.matrix
    return {
        "name": matrix.name,
        "key": each.key[0],
        "role": matrix.role,
        "rows": matrix.rows,
        "columns": matrix.columns,
        "rank": each.module.rank,
        **dict(zip(STATISTICS, _numbers(each.module.statistics), strict=True)),
        "z": dict(zip(STATISTICS, _numbers(each.z), strict=True)),
        "bank_z": dict(zip(STATISTICS, _numbers(each.bank_z), strict=True)),
        "outlying": list(each.outlying),
        "bank_outlying": list(each.bank_outlying),
        "reason": each.module.reason or None,
    }


def _numbers(found: Mapping[str, float]) -> list[Cell]:
    return [number(found[name]) if name in found else None for name in STATISTICS]


def signed(value: float | None) -> str:
    """A z-score with its sign and one decimal; a dash if it is missing."""
    return MISSING if value is None else f"{value:+.1f}"

"""The output of `check`: a row per finding, then what was examined."""

from __future__ import annotations

from typing import Any

from rich.filesize import decimal

from wqscore.integrity.checking import Integrity
from wqscore.integrity.checksums import FileCheck
from wqscore.rendering.numbers import Cell
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.version import __version__

_COLUMNS = ["severity", "name", "kind", "detail"]
_CSV_COLUMNS = ["model", "severity", "name", "kind", "count", "detail"]
#: How a note names each kind of checksum.
_CHECKSUMS = {"sha256": "the Hub's SHA-256", "crc32": "its CRC-32"}


def integrity_sections(integrity: Integrity, _: Medium) -> list[Section]:
    """A table of the findings, if there are any, and notes on what was examined."""
    rows = [[finding.severity, finding.name, finding.kind, finding.detail] for finding in integrity.findings]
    table = Table(integrity.ref.label, _COLUMNS, rows, folding=["name", "detail"], optional=["kind"])
    return [*([table] if rows else []), Notes(integrity_notes(integrity))]


def integrity_rows(integrity: Integrity) -> Rows:
    """A CSV row per finding."""
    label = integrity.ref.label
    rows: list[list[Cell]] = [[label, f.severity, f.name, f.kind, f.count, f.detail] for f in integrity.findings]
    return Rows(_CSV_COLUMNS, rows, frozenset(_CSV_COLUMNS) - {"count"})


def integrity_document(integrity: Integrity) -> dict[str, Any]:
    """The JSON document: findings, counts and files."""
    return {
        "wqscore": __version__,
        "model": integrity.ref.label,
        "revision": integrity.revision,
        "errors": len(integrity.errors),
        "remarks": len(integrity.findings) - len(integrity.errors),
        "findings": [
            {"severity": f.severity, "name": f.name, "kind": f.kind, "count": f.count, "detail": f.detail}
            for f in integrity.findings
        ],
        "tensors_examined": integrity.examined,
        "bytes_examined": integrity.size,
        "tensors_not_examined": integrity.unread,
        "files": [
            {"file": each.file, "checksum": each.checksum or None, "verdict": _verdict(each)}
            for each in integrity.files
        ],
    }


def integrity_notes(integrity: Integrity) -> list[str]:
    """A line for the counts, one for what was not examined, one per file, and what was taken as the model."""
    errors = len(integrity.errors)
    found = f"{_counted(errors, 'error')}, {_counted(len(integrity.findings) - errors, 'remark')}"
    lines = [f"{_counted(integrity.examined, 'tensor')} examined, {decimal(integrity.size)}: {found}"]
    if integrity.unread:
        dtypes = ", ".join(f"{count} of {dtype}" for dtype, count in integrity.unread.items())
        lines.append(f"not examined, because they hold no floating-point numbers: {dtypes}")
    return [*lines, *(f"{each.file}: {_comparison(each)}" for each in integrity.files), *integrity.remarks]


def _verdict(check: FileCheck) -> str:
    if not check.checksum:
        return "not known"
    return "differs" if check.detail else "same"


def _comparison(check: FileCheck) -> str:
    if not check.checksum:
        return "no checksum of it is known"
    return f"{'differs from' if check.detail else 'matches'} {_CHECKSUMS[check.checksum]}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

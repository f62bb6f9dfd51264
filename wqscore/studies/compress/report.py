"""What compression costs, in each format: a row for each matrix; a person sees each role, and the worst matrices."""

from __future__ import annotations

from math import isfinite, sqrt
from typing import Any

from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.rendering.numbers import MISSING, Cell, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.studies.compress.compress import CompressedMatrix, Compression
from wqscore.studies.heads import document_head, model_names

#: What stands beside every prediction.
CAVEAT = "not tested for your model; error of weights, not of outputs"
#: As many of the matrices that lose most are shown.
_SHOWN = 10
_RANKS = ("rank_1pct", "rank_5pct", "rank_10pct")
_COLUMNS = ["name", "role", "rows", "columns", "rank", "error", *_RANKS, "stable_rank"]
_WORDS = frozenset({"name", "role", "reason"})
_COUNTS = frozenset({"rows", "columns", "rank", *_RANKS})


def compression_rows(found: Compression) -> Rows:
    """A row for each matrix, and for each tensor that could not be read, with the reason."""
    columns = [*_COLUMNS, *map(_key, found.bits), "reason"]
    rows = [list(each.values()) for each in _matrices(found)]
    return Rows(columns, rows, _WORDS, counts=_COUNTS)


def compression_document(found: Compression) -> dict[str, Any]:
    """The JSON document; undefined values are `null`."""
    return {
        **document_head(found.score.seed),
        **model_names(found.score),
        "preset": found.score.preset.name,
        "ratio": found.ratio,
        "matrices": _matrices(found),
        "summary": {
            "error": number(found.error),
            "outlook": number(found.outlook),
            **{_key(bits): number(error) for bits, error in zip(found.bits, found.rounded, strict=True)},
        },
        "caveat": CAVEAT,
    }


def compression_sections(found: Compression, _: Medium) -> list[Section]:
    """The roles, the matrices that lose most, and what it comes to."""
    scored = [each for each in found.matrices if not each.reason]
    tables: list[Section] = [_role_table(found, scored), _worst_table(found, scored)] if scored else []
    return [*tables, Notes(_notes(found)), Answer(answer(found))]


def answer(found: Compression) -> list[str]:
    """What it comes to, in sentences, with the caveat."""
    label = found.score.ref.label
    if not any(not each.reason for each in found.matrices):
        return [f"{label}: no matrix has a spectrum to compress by."]
    lines = [
        f"{label}: as two factors with {_share(found.ratio)} of its weights, a matrix loses at least "
        f"{_share(found.error)} of its norm (root mean square, weighted by size)."
    ]
    if found.bits:
        shares = ", ".join(
            f"{_share(error)} at {bits}" for bits, error in zip(found.bits, found.rounded, strict=True)
        )
        lines.append(f"Rounded to nearest, each row with a scale of its own, it loses {shares} bits.")
    if isfinite(found.outlook):
        lines.append(f"Outlook {figure(found.outlook)}: γ × mean stable rank, the literature's predictor.")
    return [*lines, f"{CAVEAT[0].upper()}{CAVEAT[1:]}."]


def _role_table(found: Compression, scored: list[CompressedMatrix]) -> Table:
    """The errors of each role, weighted by parameters."""
    roles: dict[str, list[CompressedMatrix]] = {}
    for each in scored:
        roles.setdefault(each.row.matrix.role, []).append(each)
    columns = ["role", "matrices", "error", *(f"{bits} bits" for bits in found.bits)]
    rows = [
        [
            role,
            str(len(members)),
            _share(_together(members, [each.error for each in members])),
            *(_share(_together(members, [each.rounded[at] for each in members])) for at in range(len(found.bits))),
        ]
        for role, members in roles.items()
    ]
    title = (
        f"{found.score.ref.label}: the least that is lost of each role's norm at {_share(found.ratio)} of its weights"
    )
    return Table(title, columns, rows, right=columns[1:], markdown_title="above")


def _worst_table(found: Compression, scored: list[CompressedMatrix]) -> Table:
    shown = sorted(scored, key=lambda each: -each.error)[:_SHOWN]
    columns = ["matrix", "role", "error", "rank", "for 1 %", "for 5 %", "for 10 %", "stable rank"]
    rows = [
        [
            each.row.matrix.name,
            each.row.matrix.role,
            _share(each.error),
            f"{each.rank} of {each.row.spectrum.eigenvalues.size}",
            *map(str, each.ranks),
            figure(each.stable_rank),
        ]
        for each in shown
    ]
    which = f"the {len(shown)} of {len(scored)} matrices that lose most" if len(scored) > 1 else "the matrix"
    title = f"{which}, and the ranks that lose 1, 5 and 10 %"
    return Table(
        title,
        columns,
        rows,
        folding=["matrix"],
        optional=["role", "stable rank", "for 1 %"],
        right=columns[2:],
        markdown_title="above",
    )


def _notes(found: Compression) -> list[str]:
    notes = ["error: ‖W − W_r‖ / ‖W‖ of the truncated SVD, the least that any matrix of that rank loses"]
    lacking = [(each.row.matrix.name, each.reason) for each in found.matrices if each.reason]
    lacking += [(skip.name, skip.reason) for skip in found.skipped]
    if lacking:
        name, reason = lacking[0]
        notes.append(f"{len(lacking)} without numbers: {name}: {reason}")
    return notes


def _matrices(found: Compression) -> list[dict[str, Cell]]:
    return [*(_matrix(found, each) for each in found.matrices), *(_skip(found, skip) for skip in found.skipped)]


def _matrix(found: Compression, each: CompressedMatrix) -> dict[str, Cell]:
    matrix = each.row.matrix
    ranks = each.ranks or (None, None, None)
    return {
        **{"name": matrix.name, "role": matrix.role, "rows": matrix.rows, "columns": matrix.columns},
        **{"rank": each.rank or None, "error": number(each.error)},
        **dict(zip(_RANKS, ranks, strict=True)),
        "stable_rank": number(each.stable_rank),
        **{_key(bits): number(error) for bits, error in zip(found.bits, each.rounded, strict=True)},
        "reason": each.reason or None,
    }


def _skip(found: Compression, skip: SkippedTensor) -> dict[str, Cell]:
    blank: dict[str, Cell] = dict.fromkeys([*_COLUMNS, *map(_key, found.bits)])
    return {**blank, "name": skip.name, "role": skip.role, "reason": skip.reason}


def _key(bits: int) -> str:
    return f"error_{bits}bit"


def _together(members: list[CompressedMatrix], errors: list[float]) -> float:
    sizes = [each.row.matrix.parameters for each in members]
    return sqrt(sum(n * e**2 for n, e in zip(sizes, errors, strict=True)) / sum(sizes))


def _share(value: float) -> str:
    """A share in per cent, to three digits.

    Example:
        >>> _share(0.5), _share(0.00314)
        ('50 %', '0.314 %')
    """
    return f"{100 * value:.3g} %" if number(value) is not None else MISSING

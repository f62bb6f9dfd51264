"""Turn a tensor's contents into findings, each an error or a remark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from wqscore.integrity.contents import Contents, Lines
from wqscore.matrices import roles

Kind = Literal[
    "nan", "infinite", "all-zero", "constant", "zero-rows", "constant-rows", "repeated-rows", "zero-columns",
    "constant-columns", "repeated-columns", "same-as", "missing", "sha256", "crc32",
]  # fmt: skip
Severity = Literal["error", "remark"]
Noun = Literal["rows", "columns"]

_KINDS: dict[Noun, tuple[Kind, Kind, Kind]] = {
    "rows": ("zero-rows", "constant-rows", "repeated-rows"),
    "columns": ("zero-columns", "constant-columns", "repeated-columns"),
}

#: Kinds that make the weights unusable or show that they are not those that were trained.
_ERRORS = frozenset({"nan", "infinite", "missing", "sha256", "crc32"})
#: Names of shifts, which start at 0 and stay there where they are not trained.
_SHIFT = re.compile(r"(bias\w*|beta|shift|running_mean)$")
#: At most this many indices are named.
_NAMED = 5


@dataclass(frozen=True)
class Finding:
    """A finding about a tensor, a part of one, or a file.

    Attributes:
        name: the tensor's name, with the part in brackets where it holds several matrices; a file's for checksums.
        kind: what was found.
        count: how many entries, rows or columns it concerns; 1 for a whole matrix or file.
        detail: the finding in words.
    """

    name: str
    kind: Kind
    count: int
    detail: str

    @property
    def severity(self) -> Severity:
        """`error` where the weights can't be used or aren't those that were published, otherwise `remark`."""
        return "error" if self.kind in _ERRORS else "remark"


def matrix_findings(name: str, role: str, shape: tuple[int, int], contents: Contents) -> list[Finding]:
    """Return the findings of a weight matrix.

    Args:
        name: the matrix's name.
        role: its role (see `roles`), which decides what zero rows mean.
        shape: rows and columns.
        contents: its special values, rows and columns.
    """
    rows, columns = shape
    of_rows = _lines(name, "rows", rows, contents.rows, role if rows > columns else "")
    of_columns = _lines(name, "columns", columns, contents.columns, role if columns > rows else "")
    return [*_not_finite(name, contents), *_one_value(name, contents), *of_rows, *of_columns]


def tensor_findings(name: str, contents: Contents) -> list[Finding]:
    """Return the findings of a tensor that is no matrix: a gain, a bias, a buffer, or one of unknown kind.

    Gains of 1, biases of 0, a single number, and −∞ in a mask are normal and not reported.
    """
    normal = 0.0 if _SHIFT.search(name) else 1.0
    return [*_not_finite(name, contents), *(() if contents.value == normal else _one_value(name, contents))]


def _not_finite(name: str, contents: Contents) -> Iterator[Finding]:
    if contents.nan:
        yield Finding(name, "nan", contents.nan, f"{_share(contents.nan, contents.size)} NaN")
    negative = 0 if "mask" in name.rpartition(".")[2] else contents.negative
    if infinite := contents.positive + negative:
        signs = " and ".join(f"{n:,} {sign}" for n, sign in ((contents.positive, "+∞"), (negative, "−∞")) if n)
        yield Finding(name, "infinite", infinite, f"{_share(infinite, contents.size)} infinite: {signs}")


def _share(count: int, size: int) -> str:
    return f"{count:,} of {size:,} numbers {'is' if count == 1 else 'are'}"


def _one_value(name: str, contents: Contents) -> Iterator[Finding]:
    if contents.value is not None and contents.size > 1:
        kind: Kind = "all-zero" if contents.value == 0 else "constant"
        yield Finding(name, kind, 1, f"all {contents.size:,} numbers are {contents.value:.6g}")


def _lines(name: str, noun: Noun, of: int, lines: Lines, role: str) -> Iterator[Finding]:
    """Findings on rows or columns; `role` is the matrix's for the longer side, and empty for the shorter.

    An embedding's tokens and an MLP's neurons lie along the longer side, whichever way the matrix is stored.
    """
    zero, constant, repeated = _KINDS[noun]
    unused = ": usual for padding and unused tokens" if role == roles.EMBEDDING else ""
    dead = ": dead neurons" if role in {"mlp.in", "mlp.gate"} else unused
    for kind, indices, text, meaning in (
        (zero, lines.zero, "all zero", dead),
        (constant, lines.constant, "all one number", unused),
        (repeated, lines.repeated, "equal to an earlier one", unused),
    ):
        if indices:
            named = ", ".join(map(str, indices[:_NAMED])) + (", …" if len(indices) > _NAMED else "")
            detail = f"{len(indices):,} of {of:,} {noun} {text} ({named}){meaning}"
            yield Finding(name, kind, len(indices), detail)

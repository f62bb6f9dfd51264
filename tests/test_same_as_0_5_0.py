"""The numbers of every matrix are those of version 0.5.0, which wrote tests/data/wqscore-0.5.0.

Verdicts near a limit are `undecided` since 0.6.0, and reasons say so in other words; kernels in the order of Flax are
read as the matrices that they are. Nothing else of a matrix that 0.5.0 scored has changed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from math import isclose

import pytest

from tests.golden.kept import KEPT, OUTPUTS, RANKS, kept_outputs, kept_texts

#: What a verdict says, and what of a matrix depends on which side is called its rows.
CHANGED = {"verdict", "reason"}
TURNED = ("model.npz", ".kernel")
OF_SIDES = ("rows", "columns", "_vec_entropy", "_loc_ratio", "_part_ratio")


def rows(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of a `layers.csv`, by model and name."""
    return {(row["model"], row["name"]): row for row in csv.DictReader(StringIO(text, newline=""))}


def unlike(name: str) -> Iterator[str]:
    """Where this version's numbers, as they are kept, differ from those of 0.5.0 on the same kernel."""
    kept, _ = kept_outputs()
    before, after = (rows(kept_texts(root / kept.name / name)["layers.csv"]) for root in (KEPT, OUTPUTS))
    if before.keys() != after.keys():
        yield f"other rows: {before.keys() ^ after.keys()}"
    for key, row in before.items():
        is_turned = key[0] == TURNED[0] and key[1].endswith(TURNED[1])
        for column, cell in row.items():
            if column in CHANGED or (is_turned and column.endswith(OF_SIDES)):
                continue
            found = after[key][column]
            if found != cell and not (is_turned and isclose(float(found), float(cell), rel_tol=1e-9, abs_tol=1e-12)):
                yield f"{key} {column}: {found}, not {cell}"


@pytest.mark.parametrize("name", RANKS)
def test_the_numbers_are_those_of_0_5_0(name: str) -> None:
    assert list(unlike(name)) == []


def test_verdicts_changed_near_their_limits_only() -> None:
    """Of 743 rows of the demo a few are `undecided` now; no verdict has become another."""
    kept, _ = kept_outputs()
    before, after = (rows(kept_texts(root / kept.name / "demo")["layers.csv"]) for root in (KEPT, OUTPUTS))
    changed = [after[key]["verdict"] for key in before if before[key]["verdict"] != after[key]["verdict"]]
    assert set(changed) <= {"undecided"}
    assert len(changed) < 20

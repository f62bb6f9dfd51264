"""The known case of `track`: norms that rise as a network gets better, in the committed table and measured again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.digits_run import REPORTED, SEEDS

TABLE = (Path(__file__).parents[2] / "benchmarks" / "digits_run.md").read_text(encoding="utf-8")
_NORMS = {"log_norm", "log_spectral_norm"}


def sign(value: float) -> bool:
    return value > 0


def test_the_committed_table_has_the_reported_signs_in_every_seed() -> None:
    rows = {
        row[1].replace("\\", ""): row[2:]
        for row in (line.split("|")[0:] for line in TABLE.splitlines())
        if len(row) > 6
    }
    rows = {name.strip(): [cell.strip() for cell in cells] for name, cells in rows.items()}
    for name, reported in REPORTED.items():
        middle, least, most, told, warned = rows[name][:5]
        assert float(told) == pytest.approx(reported, abs=0.005)
        if name != "alpha_weighted":
            assert {sign(float(each)) for each in (middle, least, most)} == {sign(reported)}
            assert min(abs(float(least)), abs(float(most))) > 0.5
            assert warned == (f"{len(SEEDS)} of {len(SEEDS)}" if name in _NORMS else f"0 of {len(SEEDS)}")
    assert re.search(r"0\.078 to 0\.989", TABLE)


@pytest.mark.slow
@pytest.mark.oracle("sklearn")
def test_a_network_trained_again_has_them_too() -> None:
    from benchmarks.digits_run import measured

    accuracies, rhos, warned = measured(0)
    assert accuracies[0] < 0.2 and accuracies[-1] > 0.97
    assert all(sign(rhos[name]) == sign(reported) for name, reported in REPORTED.items() if name != "alpha_weighted")
    assert warned >= _NORMS

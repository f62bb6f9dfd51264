"""Amounts of work, counted independently; no test compares the estimated times with real runs."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.sampling import Sampling
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.planning import describe as describing
from wqscore.planning.work import Speed, Work, measure_speed, work_of
from wqscore.presets.registry import DEFAULT, find_preset
from wqscore.spectra import spectrum
from wqscore.spectra.windows import window_spectrum

NONE = Sampling(bootstrap=0, gof=0)
SIDES = st.integers(1, 5000)


def matrix(rows: int, columns: int, slices: int = 1) -> WeightMatrix:
    shape = (slices, rows, columns)
    tensor = TensorRef("w", shape, StoredDtype("F32", 32, np.dtype("f4"), "float"), Path("w"), 0)
    return WeightMatrix("w", tensor, Cut(shape), "other", rows, columns, slices)


def test_as_many_eigensolves_as_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a dense matrix one, of a convolution one for each position of its kernel, of parts one each."""
    rng = np.random.default_rng(0)
    # Mixed columns: correlated entries without a large one, of which no shuffle is drawn.
    mixed = (rng.standard_normal((13, 96, 64)) @ rng.standard_normal((64, 64))).astype("f4")
    tensors = {
        "layers.0.fc.weight": mixed[0],
        "layers.1.conv.weight": np.ascontiguousarray(np.moveaxis(mixed[1:10], 0, -1)).reshape(96, 64, 3, 3),
        "layers.2.mlp.experts.down_proj": mixed[10:],
        "layers.0.fc.bias": mixed[0, 0],
    }
    save_file(tensors, tmp_path / "model.safetensors")
    done = []
    solve = spectrum.gram_eigenvalues
    monkeypatch.setattr(spectrum, "gram_eigenvalues", lambda product: done.append(product.shape) or solve(product))
    wqscore.score(str(tmp_path), jobs=1)
    assert len(done) == 1 + 9 + 3
    assert wqscore.describe(str(tmp_path)).eigensolves == 1 + 9 + 3


@pytest.mark.parametrize(("rows", "columns", "slices"), [(7, 40, 1), (12, 5, 4), (30, 30, 1), (9, 18, 1), (9, 19, 1)])
def test_as_many_windows_as_there_are(rows: int, columns: int, slices: int) -> None:
    found = work_of([matrix(rows, columns, slices)], find_preset("farms"))
    windows = window_spectrum(np.ones((slices, rows, columns)), 0.0)
    assert found.solves == slices + windows.slices


def test_windows_have_a_largest_side() -> None:
    """Five positions beside 2,000 rows of 2,004, and one of 2,000 columns."""
    found = work_of([matrix(2004, 2000)], find_preset("farms"), NONE)
    assert (found.solves, found.gram) == (1 + 5, 2004 * 2000**2 + 5 * 2000**3)


def test_the_operations_are_those_of_the_textbook() -> None:
    """Golub & Van Loan, section 8.3: 4N³/3 for the reduction; a Gram matrix's N²M pairs."""
    found = work_of([matrix(30_000, 1000), matrix(1000, 30_000), matrix(400, 400, 9)], DEFAULT, NONE)
    assert found.gram == 2 * 1000**2 * 30_000 + 9 * 400**3
    assert found.solves == 11
    large = work_of([matrix(20_000, 20_000)], DEFAULT, NONE)
    assert (large.gram, large.solving) == (20_000**3, 0)
    assert large.uncached == pytest.approx(4 / 3 * 20_000**3, rel=0.02)


@given(rows=SIDES, columns=SIDES, more=st.integers(1, 1000), slices=st.integers(1, 9))
def test_more_weights_are_more_work(rows: int, columns: int, more: int, slices: int) -> None:
    speed = Speed(gram=4e10, solving=2e10, memory=1.6e10, entries=1.5e8)

    def seconds(*matrices: WeightMatrix, sampling: Sampling = NONE) -> float:
        return speed.seconds(work_of(matrices, DEFAULT, sampling))

    one, turned = matrix(rows, columns, slices), matrix(columns, rows, slices)
    assert seconds(one) == seconds(turned)
    assert 0 < seconds(one) < seconds(matrix(rows + more, columns, slices))
    assert seconds(one) < seconds(one, sampling=Sampling(bootstrap=1)) < seconds(one, sampling=Sampling())
    assert seconds(one, turned) == pytest.approx(2 * seconds(one))


def test_no_work_takes_no_time_and_speeds_are_those_of_a_computer() -> None:
    speed = measure_speed()
    assert speed.seconds(Work()) == 0
    # From a tenth of a slow processor to a hundred times a fast one.
    assert all(1e8 < rate < 1e13 for rate in (speed.gram, speed.solving, speed.memory))
    assert 1e6 < speed.entries < 1e11


@pytest.mark.parametrize(("side", "waits"), [(64, False), (1500, True)])
def test_memory_is_tried_only_where_work_waits_for_it(
    side: int, waits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing the 64 MB that no cache holds takes longer than the rest."""
    save_file({"layers.0.fc1.weight": np.zeros((side, side), "f4")}, tmp_path / "model.safetensors")
    asked: list[bool] = []

    def measured(uncached: bool) -> Speed:
        asked.append(uncached)
        return Speed(1e9, 1e9, 1e9 if uncached else inf, 1e9)

    monkeypatch.setattr(describing, "measure_speed", measured)
    assert 0 < wqscore.describe(str(tmp_path)).seconds < inf
    assert asked == [waits]
    assert measure_speed(uncached=False).memory == inf

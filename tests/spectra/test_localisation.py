"""Localisation against closed forms, plain definitions and WeightWatcher 0.7.7 itself."""

from __future__ import annotations

import contextlib
import io
import logging
import math
from dataclasses import asdict, astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers import Answers
from tests.examples import examples
from tests.oracles import Oracle, imported
from wqscore.spectra.localisation import (
    VectorLocalisation,
    localisation_ratio,
    localise,
    participation_ratio,
    vector_entropy,
)

torch = Oracle("torch")


def columns_of(found: VectorLocalisation) -> dict[str, float]:
    return {f"{part}_{name}": value for part in ("bulk", "tail") for name, value in asdict(found)[part].items()}


def is_nan_throughout(values: tuple[float, ...]) -> bool:
    return all(math.isnan(value) for value in values)


@pytest.mark.parametrize("n", [1, 2, 16, 100, 4096])
def test_one_entry_and_all_entries_alike(n: int) -> None:
    signs = np.where(np.arange(n) % 3, 1.0, -1.0)
    vectors = np.stack([np.eye(n)[n // 2], signs / n**0.5], axis=1)
    assert localisation_ratio(vectors) == pytest.approx([1, n])
    assert participation_ratio(vectors) == pytest.approx([1, n**0.25])


@pytest.mark.parametrize("n", [100, 20_000])
def test_gaussian_entries(n: int) -> None:
    vectors = np.random.default_rng(0).standard_normal((n, 200))
    vectors /= np.linalg.norm(vectors, axis=0)
    # E x⁴ = 3 (E x²)²
    assert participation_ratio(vectors).mean() == pytest.approx((n / 3) ** 0.25, rel=0.02)


@pytest.mark.parametrize("levels", [1, 2, 5, 10])
def test_entropy_of_sizes_at_equal_distances(levels: int) -> None:
    sizes = np.repeat(np.arange(1.0, levels + 1), 30) * np.where(np.arange(30 * levels) % 2, 1, -1)
    # The offset in WeightWatcher's densities adds under 1e-8.
    assert vector_entropy((sizes / np.linalg.norm(sizes))[:, np.newaxis])[0] == pytest.approx(
        math.log(levels), abs=1e-8
    )


def test_entropy_has_a_hundred_bins() -> None:
    sizes = np.arange(10_000) + 0.5
    entropy = vector_entropy((sizes / np.linalg.norm(sizes))[:, np.newaxis])[0]
    assert entropy == pytest.approx(math.log(100), abs=1e-5)


def test_entries_alike_but_for_rounding_fill_one_bin() -> None:
    n = 300
    exact = np.full((n, 1), n**-0.5)
    noise = np.random.default_rng(0).integers(-4, 5, (n, 1)) * 2.0**-55
    assert vector_entropy(exact + noise)[0] == vector_entropy(exact)[0] == pytest.approx(0, abs=1e-8)


@settings(max_examples=examples(60))
@given(st.integers(2, 200), st.integers(1, 150), st.sampled_from([1.2, 3.0, 50.0]), st.integers(0, 2**32))
def test_each_column_is_measured_by_its_plain_definition(n: int, k: int, freedom: float, seed: int) -> None:
    vectors = np.random.default_rng(seed).standard_t(freedom, (n, k))
    vectors /= np.linalg.norm(vectors, axis=0)
    for j, v in enumerate(vectors.T):
        density = np.histogram(np.abs(v) - np.abs(v).mean(), bins=100, density=True)[0] + 1e-10
        p = density / density.sum()
        if j == 0 or j == k - 1:
            assert localisation_ratio(vectors)[j] == pytest.approx(np.linalg.norm(v, 1) / np.linalg.norm(v, np.inf))
            assert participation_ratio(vectors)[j] == pytest.approx(np.linalg.norm(v) / np.linalg.norm(v, 4))
            assert vector_entropy(vectors)[j] == pytest.approx(-(p * np.log(p)).sum(), rel=1e-9)


def test_signs_do_not_matter() -> None:
    vectors = np.linalg.qr(np.random.default_rng(3).standard_normal((40, 40)))[0]
    flipped = vectors * np.where(np.arange(40) % 2, 1.0, -1.0)
    for measure in (vector_entropy, localisation_ratio, participation_ratio):
        np.testing.assert_array_equal(measure(vectors), measure(flipped))


@pytest.mark.filterwarnings("error")
def test_bulk_and_tail_by_hand() -> None:
    # Left singular vectors: three single outputs (1, 2, 4), and a pair that shares 9 and 1.
    pair = np.array([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5
    matrix = np.zeros((5, 8))
    matrix[:3, :3] = np.diag([1.0, 2.0, 4.0])
    matrix[3:, 3:5] = pair @ np.diag([9.0, 1.5]) @ np.eye(2)
    found = localise([matrix], n_tail=2)  # 9 and 4; below them 2, 1.5 and 1
    assert found.tail.mean_loc_ratio == pytest.approx(1.5)
    assert found.tail.var_loc_ratio == pytest.approx(0.25)
    assert found.bulk.mean_loc_ratio == pytest.approx(4 / 3)
    assert found.bulk.var_loc_ratio == pytest.approx(2 / 9)
    assert found.tail.mean_part_ratio == pytest.approx((1 + 2**0.25) / 2)
    assert found.bulk.mean_part_ratio == pytest.approx((2 + 2**0.25) / 3)
    two_bins = {n: -(1 / n * math.log(1 / n) + (1 - 1 / n) * math.log(1 - 1 / n)) for n in (5, 2.5)}
    assert found.tail.mean_vec_entropy == pytest.approx((two_bins[5] + two_bins[2.5]) / 2, abs=1e-8)
    assert found.bulk.mean_vec_entropy == pytest.approx((2 * two_bins[5] + two_bins[2.5]) / 3, abs=1e-8)


@pytest.mark.filterwarnings("error")
def test_slices_are_pooled() -> None:
    shared = 2 * np.ones((4, 4)) / 4 + np.diag([1e-3, 2e-3, 3e-3, 4e-3])  # its largest lies on all four entries
    found = localise([np.diag([5.0, 0.4, 0.3, 0.2]), shared], n_tail=2)
    assert found.tail.mean_loc_ratio == pytest.approx((1 + 4) / 2, rel=0.01)
    only_first = localise([np.diag([5.0, 0.4, 0.3, 0.2]), shared], n_tail=1)
    assert only_first.tail.mean_loc_ratio == 1
    assert only_first.tail.var_loc_ratio == 0


@pytest.mark.filterwarnings("error")
def test_what_is_not_defined_is_nan() -> None:
    matrix = np.random.default_rng(0).standard_normal((12, 30))
    for found in (
        localise([matrix], n_tail=None),
        localise([np.full((3, 3), np.nan)], n_tail=2),
        localise([matrix, np.full((12, 30), np.inf)], n_tail=2),
        localise([], n_tail=2),
    ):
        assert is_nan_throughout(astuple(found.bulk) + astuple(found.tail))
    everything = localise([matrix], n_tail=12)
    assert is_nan_throughout(astuple(everything.bulk))
    assert all(math.isfinite(value) for value in astuple(everything.tail))
    nothing = localise([matrix], n_tail=0)
    assert is_nan_throughout(astuple(nothing.tail))
    assert astuple(nothing.bulk) == astuple(everything.tail)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "matrix",
    [
        np.ones((1, 1)),
        np.ones((1, 10_000)),
        np.zeros((5, 7)),
        np.full((6, 6), 5e-324),
        np.eye(4) * np.array([1e12, 1, 1, 1]),
        np.random.default_rng(0).standard_normal((50, 10)) @ np.random.default_rng(1).standard_normal((10, 40)),
    ],
)
def test_odd_matrices_give_numbers_in_range(matrix: np.ndarray) -> None:
    n = min(matrix.shape)
    found = localise([matrix], n_tail=1)
    parts = [found.tail] if n == 1 else [found.bulk, found.tail]
    for part in parts:
        assert -1e-9 <= part.mean_vec_entropy <= math.log(100) + 1e-9
        assert 1 - 1e-9 <= part.mean_loc_ratio <= n * (1 + 1e-9)
        assert 1 - 1e-9 <= part.mean_part_ratio <= n**0.25 * (1 + 1e-9)


def test_neither_scale_nor_transposition_change_them() -> None:
    matrix = np.random.default_rng(5).standard_t(2.5, (60, 90))
    expected = columns_of(localise([matrix], n_tail=15))
    assert columns_of(localise([matrix.T], n_tail=15)) == expected
    assert columns_of(localise([matrix * 1024], n_tail=15)) == pytest.approx(expected, rel=1e-9)


def of_weightwatcher(matrices: list[np.ndarray]) -> list[dict[str, float]]:
    """WeightWatcher's row of each matrix: the size of its tail, and its figures of the vectors."""
    model = torch.nn.ModuleList(torch.nn.Linear(*matrix.shape[::-1], bias=False) for matrix in matrices)
    for layer, matrix in zip(model, matrices, strict=True):
        layer.weight.data = torch.from_numpy(matrix)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        weightwatcher = imported(Oracle("weightwatcher"))
        logging.getLogger().setLevel(logging.ERROR)
        table = weightwatcher.WeightWatcher(model=model).analyze(vectors=True, plot=False)
    names = ["num_pl_spikes", *columns_of(localise(matrices[:1], 9))]
    return [{name: float(row[name]) for name in names} for _, row in table.iterrows()]


@pytest.mark.filterwarnings("ignore")
def test_weightwatcher_finds_the_same(answers: Answers) -> None:
    rng = np.random.default_rng(0)
    shapes = [(60, 90), (90, 60), (64, 64), (80, 80), (50, 300), (60, 90), (90, 60), (64, 64)]
    matrices = [rng.standard_t(2.5, shape).astype(np.float32) * np.float32(0.2) for shape in shapes]
    # The last bits decide which vectors it counts to the tail, as said below.
    table = answers("table", lambda: of_weightwatcher(matrices), steady=False)
    assert len(table) == len(matrices)
    whole_tails = 0
    for row, matrix in zip(table, matrices, strict=True):
        n_tail = int(row["num_pl_spikes"])
        # It compares another solver's eigenvalues with xmin, and so loses the vector of xmin itself half the time.
        same = [
            all(row[name] == pytest.approx(value, rel=1e-6) for name, value in columns_of(found).items())
            for found in (localise([matrix], n_tail), localise([matrix], n_tail - 1))
        ]
        assert any(same)
        whole_tails += same[0]
    assert whole_tails >= 2

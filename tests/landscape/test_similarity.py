"""CKA: its closed forms, both ways of computing it, and what is compared."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.landscape.made import landscape, network, task_of, torch
from tests.oracles import Oracle, imported
from wqscore.errors import UsageError

similarity = Oracle("wqscore.landscape.similarity")
pytestmark = pytest.mark.oracle("torch")


def by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """With the centring matrix, on the examples' side: Kornblith et al., equations 3 and 4."""
    n = len(x)
    h = np.eye(n) - 1 / n
    k, m = h @ x @ x.T @ h, h @ y @ y.T @ h
    return float(np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m)))


@settings(max_examples=examples(100))
@given(st.integers(2, 30), st.integers(1, 30), st.integers(1, 30), st.integers(0, 999))
def test_tall_and_wide_matrices_are_as_by_definition(n: int, one: int, other: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, one)) + 5, rng.standard_normal((n, other)) * 100
    assert landscape.cka(x, y) == pytest.approx(by_definition(x, y), rel=1e-9)


@pytest.mark.parametrize("shape", [(40, 7), (7, 40)])
def test_a_rotation_a_scale_and_a_shift_change_nothing(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    q = np.linalg.qr(rng.standard_normal((shape[1], shape[1])))[0]
    assert landscape.cka(x, x @ q) == pytest.approx(1, abs=1e-12)
    assert landscape.cka(torch.from_numpy(x), -3 * x + 10) == pytest.approx(1, abs=1e-12)


def test_orthogonal_answers_are_unlike() -> None:
    basis = np.linalg.qr(np.column_stack([np.ones(20), np.random.default_rng(1).standard_normal((20, 8))]))[0]
    assert landscape.cka(basis[:, 1:4], basis[:, 4:9]) < 1e-12


def test_what_is_constant_or_not_finite_has_none() -> None:
    x = np.random.default_rng(0).standard_normal((10, 3))
    assert np.isnan(landscape.cka(x, np.full((10, 2), 0.1)))
    assert np.isnan(landscape.cka(x, x * np.nan))
    with pytest.raises(UsageError, match="give two matrices with a row for each example"):
        landscape.cka(x, x[:9])


def test_long_outputs_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    imported(Oracle("wqscore.landscape.similarity"))
    monkeypatch.setattr(sys.modules["wqscore.landscape.similarity"], "_MAX_NUMBERS", 2 * 3 * 7)
    one, other = task_of(network(8, 6, 3, seed=1)), task_of(network(8, 6, 3, seed=2))
    kept = [np.linspace(0, size - 1, 7).astype(int) for size in (25, 35)]

    def rows(task: Any) -> np.ndarray:
        plain = [task.model(x).softmax(1).detach().numpy()[at] for (x, _), at in zip(task.batches, kept, strict=True)]
        return np.concatenate(plain)

    monkeypatch.setattr(sys.modules["wqscore.landscape.similarity"], "_mixed", lambda inputs, _: inputs)
    task = landscape.Task(other.model, one.batches, other.loss)
    assert landscape.answers_alike(one, task) == pytest.approx(by_definition(rows(one), rows(task)), rel=1e-9)


def test_networks_are_compared_on_softmax_outputs_of_mixed_inputs() -> None:
    one, other = task_of(network(8, 6, 3, seed=1)), task_of(network(8, 6, 3, seed=2))
    rng = np.random.default_rng(7)
    rows: list[list[np.ndarray]] = [[], []]
    for inputs, _ in one.batches:
        share, order = rng.beta(16, 16), rng.permutation(len(inputs))
        mixed = share * inputs + (1 - share) * inputs[order]
        for task, found in zip((one, other), rows, strict=True):
            found.append(task.model(mixed).softmax(1).detach().numpy())
    expected = by_definition(*map(np.concatenate, rows))
    assert landscape.answers_alike(one, other, seed=7) == pytest.approx(expected, rel=1e-9)
    assert landscape.answers_alike(one, other, "outputs", seed=7) != pytest.approx(expected, rel=1e-6)
    assert landscape.answers_alike(one, one) == pytest.approx(1, abs=1e-12)


def test_the_check_of_a_pair_moves_no_statistics_of_a_model_in_training() -> None:
    one, other = (task_of(network(8, 5, 3, seed=seed)) for seed in (0, 1))
    norm = torch.nn.BatchNorm1d(5).double()
    model = torch.nn.Sequential(other.model[0], norm, *other.model[1:]).train()
    similarity.MEASURE.check(one, landscape.Task(model, other.batches, other.loss))
    assert norm.running_mean.abs().max() == 0
    assert norm.num_batches_tracked == 0
    assert all(each.training for each in model.modules())

"""The embedding principle: functions, gradients and Hessians of narrow networks inside wide ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.landscape import losses
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


def _gradients(model: Any, task: Any) -> list[Any]:
    inputs, targets = task.batches[0]
    return list(torch.autograd.grad(task.loss(model(inputs), targets), list(model.parameters())))


def _shares(width: int, copies: int, seed: int) -> Any:
    drawn = torch.randn(width, copies, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cat([drawn[:, 1:], 1 - drawn[:, 1:].sum(dim=1, keepdim=True)], dim=1)


@settings(max_examples=examples(10), deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(0, 1), st.sampled_from(["Tanh", "ReLU", "GELU"]))
def test_a_copys_gradient_is_its_share_of_the_neurons(seed: int, copies: int, layer: int, activation: str) -> None:
    from wqscore.landscape.equivalent.embedding import embed

    task = losses.network([3, 4, 5, 2], activation, seed)
    width = (4, 5)[layer]
    delta = _shares(width, copies, seed)
    signs = torch.ones_like(delta)
    if activation == "Tanh":
        signs = torch.randint(0, 2, delta.shape, generator=torch.Generator().manual_seed(seed)) * 2.0 - 1
    wide = embed(task.model, layer, copies, delta, signs)
    inputs = task.batches[0][0]
    scale = float(task.model(inputs).abs().max()) * float(delta.abs().max() + 1)
    torch.testing.assert_close(wide(inputs), task.model(inputs), rtol=0, atol=1e-13 * scale)
    narrow, found = _gradients(task.model, task), _gradients(wide, task)
    size = max(float(each.abs().max()) for each in narrow) * float(delta.abs().max() + 1)
    for copy in range(copies):
        rows = slice(copy * width, (copy + 1) * width)
        share, sign = delta[:, copy], signs[:, copy].double()
        into, bias, out = found[2 * layer][rows], found[2 * layer + 1][rows], found[2 * layer + 2][:, rows]
        for got, expected in (
            (into, (sign * share)[:, None] * narrow[2 * layer]),
            (bias, sign * share * narrow[2 * layer + 1]),
            (out, sign * narrow[2 * layer + 2]),
        ):
            torch.testing.assert_close(got, expected, rtol=0, atol=1e-12 * size)


#: Starts from which training ends at a minimum that Newton's method can polish.
_START = {1: 1, 2: 5}


def _critical(width: int) -> Any:
    """A task of one input and its network at a critical point of that width, to the last bit that counts."""
    from wqscore.landscape.task import Task

    x = torch.linspace(-1, 1, 40, dtype=torch.float64)[:, None]
    y = torch.tanh(4 * x - 1) - 0.8 * torch.tanh(3 * x + 1.5) + 0.6 * torch.tanh(6 * x)
    model = losses.network([1, width, 1], "Tanh", seed=_START[width]).model
    task = Task(model, [(x, y)], torch.nn.functional.mse_loss)
    descent = torch.optim.LBFGS(model.parameters(), max_iter=5000, tolerance_grad=1e-12, tolerance_change=0)
    descent.step(lambda: _backward(task, descent))
    from wqscore.landscape.flat import FlatLoss

    loss = FlatLoss(task)
    at = loss.weights
    for _ in range(20):
        at = at - torch.linalg.solve(_hessian(loss, at), loss.gradient(at))
    torch.nn.utils.vector_to_parameters(at, model.parameters())
    assert float(FlatLoss(task).gradient(at).norm()) < 1e-12
    return task


def _backward(task: Any, descent: Any) -> Any:
    descent.zero_grad()
    loss = task.loss(task.model(task.batches[0][0]), task.batches[0][1])
    loss.backward()
    return loss


def _hessian(loss: Any, at: Any) -> Any:
    return torch.stack([loss.product(at, unit) for unit in torch.eye(len(at), dtype=at.dtype)])


@pytest.mark.parametrize("width", [1, 2])
def test_a_minimum_stays_critical_with_flat_directions_and_no_lost_ones(width: int) -> None:
    from dataclasses import replace

    from wqscore.landscape.equivalent.embedding import embed
    from wqscore.landscape.flat import FlatLoss

    task = _critical(width)
    narrow = np.linalg.eigvalsh(_hessian(FlatLoss(task), FlatLoss(task).weights))
    assert (narrow > 1e-6).all(), "the narrow point is a minimum"
    became_saddle = False
    for copies in (2, 3, 4):
        for seed in range(3):
            wide = replace(task, model=embed(task.model, 0, copies, _shares(width, copies, seed)))
            loss = FlatLoss(wide)
            assert float(loss.gradient(loss.weights).norm()) < 1e-12
            values = np.linalg.eigvalsh(_hessian(loss, loss.weights))
            flat = abs(values) < 1e-9 * abs(values).max()
            assert flat.sum() == width * (copies - 1)
            assert (values[~flat] > 0).sum() >= len(narrow)
            became_saddle |= bool((values[~flat] < 0).any())
    assert became_saddle


def test_neurons_without_outgoing_weights() -> None:
    from wqscore.landscape.equivalent.embedding import null_embed

    task = losses.network([3, 4, 2], "Tanh")
    inputs = task.batches[0][0]
    wide = null_embed(task.model, 0, 3)
    assert torch.equal(wide(inputs), task.model(inputs)) and len(wide[0].weight) == 7 == wide[2].in_features
    narrow, found = _gradients(task.model, task), _gradients(wide, task)
    assert float(found[0][4:].abs().max()) == float(found[2][:, 4:].abs().max()) == 0
    torch.testing.assert_close(found[0][:4], narrow[0], rtol=1e-12, atol=1e-14)
    free = null_embed(task.model, 0, 3, torch.ones(3, 3, dtype=torch.float64))
    assert torch.equal(free(inputs), task.model(inputs))
    assert float(_gradients(free, task)[2][:, 4:].norm()) > 1e-3


def test_what_does_not_fit_is_refused() -> None:
    from wqscore.landscape.equivalent.embedding import embed, null_embed

    model = losses.network([3, 4, 2]).model
    for delta, message in ((torch.ones(4, 2), "rows of delta sum to 1"), (torch.ones(3, 2), "delta has shape")):
        with pytest.raises(ValueError, match=message):
            embed(model, 0, 2, delta)
    with pytest.raises(ValueError, match="odd activation, not ReLU"):
        embed(model, 0, 1, torch.ones(4, 1), -torch.ones(4, 1))
    with pytest.raises(ValueError, match="1 hidden layers"):
        embed(model, 1, 1, torch.ones(2, 1))
    with pytest.raises(ValueError, match=r"Sigmoid\(0\) is not 0"):
        null_embed(losses.network([3, 4, 2], "Sigmoid").model, 0, 1)

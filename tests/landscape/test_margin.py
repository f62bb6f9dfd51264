"""All-layer margins against the closed form of one layer, and against random moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.landscape import losses
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


def test_one_linear_layer() -> None:
    """The shortest move turns the difference of two logits: (z_y − max z_j)/(√2‖x‖)."""
    from wqscore.landscape.margin import all_layer_margin

    task = losses.network([6, 4])
    found = all_layer_margin(task)
    inputs, targets = (torch.cat(parts) for parts in zip(*task.batches, strict=True))
    logits = task.model(inputs).detach().numpy()
    rows = np.arange(len(targets))
    right = logits[rows, targets]
    others = logits.copy()
    others[rows, targets] = -np.inf
    closed = np.maximum(right - others.max(axis=1), 0) / (np.sqrt(2) * np.linalg.norm(inputs, axis=1))
    np.testing.assert_allclose(found.margins, closed, rtol=1e-4)
    assert found.n_wrong == (closed == 0).sum() > 0
    assert found.median == pytest.approx(float(torch.tensor(closed).median()), rel=1e-4)
    assert found.mean_inverse_square == pytest.approx(np.mean(closed[closed > 0] ** -2), rel=1e-3)


def test_no_random_move_is_shorter_and_the_class_changes_there() -> None:
    from wqscore.landscape.margin import all_layer_margin

    task = losses.network([5, 8, 6, 3], "Tanh", examples=24)
    found = all_layer_margin(task).margins
    inputs, targets = (torch.cat(parts) for parts in zip(*task.batches, strict=True))
    assert found.isfinite().all() and (found > 0).any()
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        moves = [torch.randn(len(inputs), width, generator=generator, dtype=torch.float64) for width in (8, 6, 3)]
        length = torch.cat(moves, dim=1).norm(dim=1)
        moved = _moved(task.model, inputs, [0.999 * (found / length)[:, None] * move for move in moves])
        assert (moved.argmax(dim=1)[found > 0] == targets[found > 0]).all()


def _moved(model: Any, inputs: Any, moves: list[Any]) -> Any:
    """The network with each layer's output moved by a multiple of its input's norm, written out."""
    given = inputs
    for place, move in enumerate(moves):
        given = model[2 * place : 2 * place + 2](given) + move * given.norm(dim=1, keepdim=True)
    return given


def test_an_amo_step_is_the_loss_at_layers_moved_along_its_gradient() -> None:
    from wqscore.landscape.margin import amo_step

    task = losses.network([5, 7, 3])
    inputs, targets = task.batches[0]
    loss = torch.nn.functional.cross_entropy
    moves = [torch.zeros(len(inputs), width, dtype=torch.float64, requires_grad=True) for width in (7, 3)]
    per_example = loss(_moved(task.model, inputs, moves), targets, reduction="sum")
    gradients = torch.autograd.grad(per_example, moves)
    expected = loss(_moved(task.model, inputs, [0.05 * each for each in gradients]), targets)
    found = amo_step(task.model, inputs, targets, loss, 0.05)
    assert float(found) == pytest.approx(float(expected), rel=1e-12)
    assert float(found) > float(loss(task.model(inputs), targets))
    found.backward()
    assert all(each.grad is not None for each in task.model.parameters())
    plain = float(loss(task.model(inputs), targets))
    one, two = (
        float(amo_step(task.model, x, y, loss, 1e-3, repo=True)) - plain
        for x, y in ((inputs, targets), (inputs.repeat(2, 1), targets.repeat(2)))
    )
    assert one == pytest.approx(2 * two, rel=0.02)

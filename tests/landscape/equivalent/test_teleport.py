"""Teleports: what stays on which rows, and that the gradient grows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.landscape import losses
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


def _generators(model: Any, size: float, square: bool, seed: int = 0) -> list[Any]:
    generator = torch.Generator().manual_seed(seed)
    widths = [len(layer.weight) for layer in model if hasattr(layer, "weight")][:-1]
    shapes = [(width, width) if square else (width,) for width in widths]
    return [size * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def _rows(count: int, width: int, seed: int = 5) -> Any:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("activation", ["ReLU", "LeakyReLU", "Identity"])
def test_scaling_leaves_every_output(activation: str) -> None:
    from wqscore.landscape.equivalent.teleport import Teleport

    model = losses.network([6, 8, 5, 3], activation).model
    kept = [id(each) for each in model.parameters()]
    before = model[0].weight.detach().clone()
    moved = Teleport(model).apply(_generators(model, 0.5, square=False), _rows(9, 6), _rows(50, 6, 6))
    assert moved.batch_change is not None and moved.held_out_change is not None
    assert max(moved.batch_change, moved.held_out_change) < 1e-12
    assert (moved.grad_before, moved.grad_after) == (None, None)
    assert [id(each) for each in model.parameters()] == kept and not torch.allclose(model[0].weight, before)


@pytest.mark.parametrize(("action", "activation"), [("pinv", "Tanh"), ("inverse", "LeakyReLU"), ("inverse", "Tanh")])
def test_matrices_leave_a_small_batch_and_no_other_rows(action: Any, activation: str) -> None:
    from wqscore.landscape.equivalent.teleport import Teleport

    model = losses.network([9, 8, 6, 3], activation, bias=False).model
    rows = _rows(5, 9)
    moved = Teleport(model, action).apply(_generators(model, 0.02, square=True), rows, _rows(50, 9, 6))
    assert moved.batch_change is not None and moved.held_out_change is not None
    assert moved.batch_change < 1e-12 < 1e-3 < moved.held_out_change


@pytest.mark.parametrize("action", ["pinv", "inverse"])
def test_a_batch_larger_than_the_layer_is_not_left(action: Any) -> None:
    """The published setting: 200 rows, widths of 16 and 10."""
    from wqscore.landscape.equivalent.teleport import Teleport

    model = losses.network([64, 16, 10, 10], "LeakyReLU", bias=False).model
    moved = Teleport(model, action).apply(_generators(model, 0.02, square=True), _rows(200, 64))
    assert moved.batch_change is not None and moved.batch_change > 1e-4


@pytest.mark.parametrize(("action", "lr"), [("scale", None), ("scale", 1e-3), ("pinv", 1e-3), ("inverse", 1e-3)])
def test_ascent_makes_the_gradient_larger(action: Any, lr: float | None) -> None:
    from wqscore.landscape.equivalent.teleport import Teleport

    task = losses.network([9, 8, 6, 3], "LeakyReLU", bias=False)
    inputs, targets = task.batches[0][0][:5], task.batches[0][1][:5]
    moved = Teleport(task.model, action).ascend(inputs, targets, task.loss, lr=lr)
    assert moved.grad_before is not None and moved.grad_after is not None and moved.batch_change is not None
    assert moved.grad_after > moved.grad_before
    assert moved.batch_change < 1e-10
    gradients = torch.autograd.grad(task.loss(task.model(inputs), targets), list(task.model.parameters()))
    assert moved.grad_after == pytest.approx(float(sum(each.square().sum() for each in gradients)) ** 0.5, rel=1e-12)


def test_no_unit_is_scaled_further_than_the_bound_in_all() -> None:
    from wqscore.landscape.equivalent.teleport import Teleport

    task = losses.network([5, 6, 4, 3])
    first = task.model[0].weight.detach().clone()
    teleport = Teleport(task.model, bound=0.3)
    for _ in range(3):
        teleport.ascend(*task.batches[0], task.loss)
    logs = (task.model[0].weight.detach() / first).log()
    assert float(logs.abs().max()) <= 0.3 + 1e-12
    torch.testing.assert_close(logs, logs[:, :1].expand_as(logs), rtol=0, atol=1e-12)
    fresh = losses.network([5, 6, 4, 3]).model
    Teleport(fresh, bound=0.3).randomise(seed=1)
    signs = (fresh[0].weight.detach() / first).log()
    assert float(signs.min()) == pytest.approx(-0.3) and float(signs.max()) == pytest.approx(0.3)


def test_the_optimizers_state_is_kept_or_dropped() -> None:
    from wqscore.landscape.equivalent.teleport import Teleport

    for state, left in (("keep", 4), ("drop", 0)):
        task = losses.network([5, 6, 3])
        optimizer = torch.optim.Adam(task.model.parameters())
        task.loss(task.model(task.batches[0][0]), task.batches[0][1]).backward()
        optimizer.step()
        Teleport(task.model, optimizer=optimizer, state=state).randomise(seed=0)
        assert len(optimizer.state) == left


def test_what_the_group_does_not_act_on_is_refused() -> None:
    from wqscore.landscape.equivalent.teleport import Teleport

    with pytest.raises(ValueError, match="not Tanh"):
        Teleport(losses.network([4, 5, 3], "Tanh").model)
    with pytest.raises(ValueError, match="without biases"):
        Teleport(losses.network([4, 5, 3]).model, "pinv")
    with pytest.raises(ValueError, match="not ReLU"):
        Teleport(losses.network([4, 5, 3], bias=False).model, "inverse")
    with pytest.raises(ValueError, match="needs inputs"):
        model = losses.network([4, 5, 3], bias=False).model
        Teleport(model, "pinv").apply(_generators(model, 0.1, square=True))
    with pytest.raises(ValueError, match="shapes"):
        Teleport(model).apply([torch.zeros(4)])
    with pytest.raises(ValueError, match="no hidden layer"):
        Teleport(losses.network([4, 3]).model)

"""Barriers between two models: a ring whose barrier is known, and the paths by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.landscape.made import landscape, network, point, point_task, task_of, torch, trained
from wqscore.errors import UsageError

pytestmark = pytest.mark.oracle("torch")


def ring(degrees: float) -> tuple[Any, Any, Any]:
    """Loss (‖w‖² − 1)², wrong where ‖w‖² < ½, and two points of its ring of minima."""
    angle = np.deg2rad(degrees)
    a, b = point(1.0, 0.0), point(float(np.cos(angle)), float(np.sin(angle)))
    task = point_task(a, lambda w: (w.square().sum(1) - 1) ** 2, lambda w: 100 * (w.square().sum(1) < 0.5))
    return task, a, b


def test_the_barrier_of_a_ring_is_known() -> None:
    found = landscape.mode_connectivity(*ring(150))
    assert found.linear_mc_loss == pytest.approx(-((0.5 * (1 + np.cos(np.deg2rad(150))) - 1) ** 2), rel=1e-9)
    assert (found.linear_mc_error, found.linear_at, found.mc_error) == (-100, 0.5, 0)
    assert -0.03 <= found.mc_loss <= 0


def test_a_symmetric_midpoint_is_left() -> None:
    found = landscape.mode_connectivity(*ring(180))
    assert found.linear_mc_loss == pytest.approx(-1, rel=1e-9)
    assert found.mc_loss > -0.2


def test_the_line_is_what_evaluation_point_by_point_says() -> None:
    a, b = network(8, 6, 3, seed=1), network(8, 6, 3, seed=2)
    task = task_of(a)
    trained(a, task)
    trained(b, task)
    found = landscape.linear_connectivity(task, a, b.state_dict())
    x, y = torch.cat([x for x, _ in task.batches]), torch.cat([y for _, y in task.batches])
    losses = []
    for t in (0, 0.25, 0.5, 0.75, 1):
        middle = network(8, 6, 3)
        middle.load_state_dict(
            {name: (1 - t) * a.state_dict()[name] + t * b.state_dict()[name] for name in a.state_dict()}
        )
        losses.append(float(torch.nn.functional.cross_entropy(middle(x), y)))
    departures = (losses[0] + losses[-1]) / 2 - np.array(losses)
    most = int(np.abs(departures).argmax())
    assert found.mc_loss == pytest.approx(departures[most], rel=1e-10)
    assert found.at == most / 4
    curve = landscape.mode_connectivity(task, a, b, epochs=5)
    assert curve.linear_mc_loss == pytest.approx(found.mc_loss, rel=1e-12)
    assert curve.mc_loss > curve.linear_mc_loss


def test_a_seed_gives_the_same_curve() -> None:
    one, again, other = (landscape.mode_connectivity(*ring(120), epochs=3, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(one.control["w"], again.control["w"])
    assert not torch.equal(one.control["w"], other.control["w"])


def test_without_an_error_function_there_is_none() -> None:
    task, a, b = ring(90)
    found = landscape.linear_connectivity(landscape.Task(task.model, task.batches, task.loss), a, b)
    assert np.isnan(found.mc_error)


def test_models_that_don_t_match_are_refused() -> None:
    task = task_of(network(8, 6, 3))
    with pytest.raises(UsageError, match=r"don't match: 0.weight has the shapes \(6, 8\) and \(7, 8\)"):
        landscape.linear_connectivity(task, task.model, network(8, 7, 3))
    with pytest.raises(UsageError, match=r"don't match: one has no 2.weight"):
        landscape.linear_connectivity(task, task.model, network(8, 6))
    with pytest.raises(UsageError, match=r"don't match: one has 4.bias and the other hasn't"):
        landscape.linear_connectivity(task, task.model, network(8, 6, 3, 3))


def test_batch_normalisation_is_refused() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3)).double()
    with pytest.raises(UsageError, match="batch normalisation, whose statistics don't hold between two models"):
        landscape.linear_connectivity(task_of(model), model, model)


def test_a_buffer_that_differs_is_refused() -> None:
    a, b = network(8, 3), network(8, 3)
    a.register_buffer("scale", torch.ones(1))
    b.register_buffer("scale", torch.zeros(1))
    with pytest.raises(UsageError, match="scale: the two models differ in it"):
        landscape.linear_connectivity(task_of(a), a, b)


def test_a_loss_that_breaks_between_two_models_is_said() -> None:
    a, b = point(1.0), point(-1.0)
    task = point_task(a, lambda w: 1 / w[:, 0].square())
    with pytest.raises(landscape.LandscapeError, match=r"the loss is inf at 0.5 of the way"):
        landscape.linear_connectivity(task, a, b)


@pytest.mark.parametrize("options", [{"points": 2}, {"epochs": -1}, {"lr": 0}])
def test_numbers_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="give"):
        landscape.mode_connectivity(*ring(90), **options)

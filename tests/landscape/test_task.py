"""A task's checks: what is refused before anything is measured, and that a model is left as it was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.landscape.made import landscape, network, point, point_task, task_of, torch
from wqscore.errors import UsageError

pytestmark = pytest.mark.oracle("torch")


def cross_entropy(reduction: str) -> Any:
    return torch.nn.CrossEntropyLoss(reduction=reduction)


def test_batches_count_by_their_size() -> None:
    from wqscore.landscape.task import level

    whole, cut = task_of(network(8, 5, 3), (60,)), task_of(network(8, 5, 3), (7, 12, 41))
    assert (whole.n, cut.n) == (60, 60)
    assert level(cut).loss == pytest.approx(level(whole).loss, rel=1e-14)
    assert level(cut).error == pytest.approx(level(whole).error, rel=1e-14)


def test_modes_and_gradients_are_as_before() -> None:
    from wqscore.landscape.task import prepared

    model = torch.nn.Sequential(torch.nn.Linear(8, 3).double(), torch.nn.Dropout(0.5), torch.nn.Linear(3, 3).double())
    task = task_of(model)
    model.train()
    model[2].eval()
    model[0].weight.grad = kept = torch.ones(3, 8).double()
    with prepared(task):
        assert not any(module.training for module in model.modules())
        model[2].weight.grad = torch.ones(3, 3).double()
    assert [module.training for module in model.modules()] == [True, True, True, False]
    assert model[0].weight.grad is kept
    assert model[2].weight.grad is None


@pytest.mark.parametrize("measure", ["hessian", "mode_connectivity"])
def test_measures_leave_nothing_behind(measure: str) -> None:
    task = task_of(network(8, 4, 3))
    task.model.train()
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    other = network(8, 4, 3, seed=1)
    chance = torch.get_rng_state()
    if measure == "hessian":
        landscape.hessian(task)
    else:
        landscape.mode_connectivity(task, task.model, other, epochs=2)
    assert task.model.training
    assert all(parameter.grad is None for parameter in (*task.model.parameters(), *other.parameters()))
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("model", lambda x: x, "the task's model is a function: give a torch.nn.Module"),
        ("batches", iter([]), "the task's batches are a list_iterator, and are read more than once"),
        ("batches", [], "the task has no batches"),
        ("batches", [3], "batch 0 is a int: give a pair of inputs and targets"),
        ("batches", [([1.0], [2.0])], "batch 0: give tensors whose first dimension is the examples"),
        ("loss", 3, "the task's loss is a int: give a function"),
        ("error", 3, "the task's error is a int: give a function"),
    ],
)
def test_what_is_no_task_is_refused(part: str, value: Any, message: str) -> None:
    good = task_of(network(8, 3))
    parts = {"model": good.model, "batches": good.batches, "loss": good.loss, "error": None, part: value}
    with pytest.raises(UsageError, match=message):
        landscape.Task(**parts)


def test_inputs_and_targets_have_the_same_examples() -> None:
    with pytest.raises(UsageError, match="batch 0 has 4 and 5 examples"):
        landscape.Task(network(8, 3), [(torch.zeros(4, 8), torch.zeros(5))], cross_entropy("mean"))


def test_a_loss_that_is_a_sum_is_no_mean() -> None:
    task = task_of(network(8, 5, 3))
    summed = landscape.Task(task.model, task.batches, cross_entropy("sum"))
    with pytest.raises(UsageError, match="the loss is no mean: of two halves of a batch it is"):
        landscape.hessian(summed)


def test_a_loss_of_each_example_is_no_number() -> None:
    task = task_of(network(8, 5, 3))
    with pytest.raises(UsageError, match=r"returns a tensor of shape \(25,\): return the mean over the examples"):
        landscape.hessian(landscape.Task(task.model, task.batches, cross_entropy("none")))
    with pytest.raises(UsageError, match="returns float: return the mean"):
        landscape.hessian(landscape.Task(task.model, task.batches, lambda output, targets: 1.0))


def test_a_loss_with_chance_in_it_is_no_mean() -> None:
    task = task_of(network(8, 5, 3))
    noisy = landscape.Task(task.model, task.batches, lambda *a: cross_entropy("mean")(*a) + torch.rand(()))
    with pytest.raises(UsageError, match="without chance"):
        landscape.hessian(noisy)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_said(value: float) -> None:
    task = point_task(point(1.0), lambda w: w[:, 0] * value)
    with pytest.raises(landscape.LandscapeError, match=f"the loss is {value}: nothing can be measured"):
        landscape.hessian(task)


def test_float32_means_pass() -> None:
    task = task_of(network(8, 50, 3))
    batches = [(x.float(), y) for x, y in task.batches]
    landscape.hessian(landscape.Task(task.model.float(), batches, task.loss), probes=2)


def test_frozen_parameters_don_t_count() -> None:
    task = task_of(network(8, 5, 3))
    task.model[0].requires_grad_(False)
    assert landscape.hessian(task).n_params == 5 * 3 + 3
    task.model.requires_grad_(False)
    with pytest.raises(UsageError, match="no parameter of the task's model needs a gradient"):
        landscape.hessian(task)

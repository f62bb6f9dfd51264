"""Weight matching: planted permutations, what it does to a barrier, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.landscape.made import examples_of, landscape, network, task_of, torch, trained
from wqscore.errors import UsageError

pytestmark = pytest.mark.oracle("torch")


def permuted(model: Any, orders: list[Any], *widths: int, **options: Any) -> Any:
    """A copy whose hidden neurons are in another order, by plain indexing."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for place, order in enumerate(orders):
        for name in (f"{2 * place}.weight", f"{2 * place}.bias"):
            if name in state:
                state[name] = state[name][order]
        state[f"{2 * place + 2}.weight"] = state[f"{2 * place + 2}.weight"][:, order]
    made = network(*widths, **options)
    made.load_state_dict(state)
    return made


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", [(8, 16, 3), (8, 32, 24, 3), (8, 12, 12, 12, 3)])
def test_a_planted_permutation_is_recovered(widths: tuple[int, ...], bias: bool) -> None:
    for seed in range(3):
        model = network(*widths, seed=seed, activation="ReLU", bias=bias)
        orders = [np.random.default_rng(seed + place).permutation(width) for place, width in enumerate(widths[1:-1])]
        other = permuted(model, orders, *widths, activation="ReLU", bias=bias)
        found = landscape.align(model, other, seed=seed)
        assert [order.tolist() for order in found.permutations] == [np.argsort(order).tolist() for order in orders]
        assert all(
            torch.equal(one, other) for one, other in zip(model.parameters(), found.model.parameters(), strict=True)
        )


def test_the_function_stays() -> None:
    one, other = network(8, 30, 20, 3, seed=1), network(8, 30, 20, 3, seed=2)
    x, _ = examples_of()
    before = other(x)
    moved = landscape.align(one, other).model
    assert float((moved(x) - before).detach().abs().max()) < 1e-12
    assert torch.equal(other(x), before)
    assert not torch.equal(moved[0].weight, other[0].weight)


def test_layers_inside_another_sequential_are_aligned_too() -> None:
    one, other = network(8, 30, 20, 3, seed=1), network(8, 30, 20, 3, seed=2)
    flat = landscape.align(one, other)
    nested = landscape.align(*(torch.nn.Sequential(model[:3], model[3:]) for model in (one, other)))
    assert [order.tolist() for order in nested.permutations] == [order.tolist() for order in flat.permutations]
    assert all(torch.equal(*pair) for pair in zip(nested.model.parameters(), flat.model.parameters(), strict=True))


def test_it_lowers_the_barrier_of_wide_networks() -> None:
    """The acceptance figure over 10 seeds is benchmarks/alignment.md's; here is one seed of it."""
    one, other = network(8, 64, 3, seed=1, activation="ReLU"), network(8, 64, 3, seed=2, activation="ReLU")
    task = task_of(one, (150, 150))
    trained(one, task)
    trained(other, task)
    before = landscape.linear_connectivity(task, one, other).mc_loss
    after = landscape.linear_connectivity(task, one, landscape.align(one, other).model).mc_loss
    assert before < after
    assert after > 0.5 * before


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: network(8, 5, 3), "the two networks don't match"),
        (lambda: network(8, 6, 3, activation="ReLU"), "the two networks don't match"),
        (lambda: network(8, 6, 3)[0], "Linear is no nn.Sequential"),
        (lambda: torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.LayerNorm(6)), "LayerNorm can't be aligned"),
    ],
)
def test_other_networks_are_refused(other: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        landscape.align(network(8, 6, 3), other())


def test_outputs_that_are_unfolded_between_two_layers_are_refused() -> None:
    models = [torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Flatten(), torch.nn.Linear(12, 3)) for _ in "ab"]
    with pytest.raises(UsageError, match="a layer of 12 inputs after one of 6 outputs"):
        landscape.align(*models)

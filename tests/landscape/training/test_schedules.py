"""Rates and decays by layer: what each group gets, by hand from the published formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.landscape.made import network, torch
from tests.oracles import Oracle
from wqscore.errors import UsageError

pytestmark = pytest.mark.oracle("torch")
schedules = Oracle("wqscore.landscape.training.schedules")


def hill(weight: Any) -> float:
    """PL_Alpha_Hill of TempBalance's code, from numpy's singular values."""
    values = np.sort(np.linalg.svd(weight.detach().numpy(), compute_uv=False) ** 2)
    half = len(values) // 2
    count = len(values) - half
    return 1 + count / (np.log(values[half:]).sum() - count * np.log(values[half]))


@pytest.fixture
def model() -> Any:
    made = network(60, 80, 70, 60, 90, 10)
    with torch.no_grad():
        for place, layer in enumerate(each for each in made if hasattr(each, "weight")):
            layer.weight.copy_(
                torch.from_numpy(np.random.default_rng(place).standard_t(3 + place, layer.weight.shape))
            )
    return made


def test_rates_follow_the_exponents(model: Any) -> None:
    optimiser = torch.optim.SGD(schedules.parameter_groups(model), lr=0.1)
    balance = schedules.TempBalance(optimiser)
    balance.step(0.2)
    inner = ["2.weight", "4.weight", "6.weight"]
    alphas = np.array([hill(model.get_parameter(name)) for name in inner])
    expected = 0.2 * np.interp(alphas, [alphas.min(), alphas.max()], [0.5, 1.5])
    rates = {group["name"]: group["lr"] for group in optimiser.param_groups}
    assert np.allclose([rates[name] for name in inner], expected, rtol=1e-6)
    assert [rates[name] for name in ("0.weight", "8.weight", "")] == [0.2] * 3


def test_the_mean_rate_is_kept_by_the_square_root(model: Any) -> None:
    optimiser = torch.optim.SGD(schedules.parameter_groups(model), lr=0.1)
    schedules.TempBalance(optimiser, form="sqrt").step(0.3)
    assert np.mean([group["lr"] for group in optimiser.param_groups[1:4]]) == pytest.approx(0.3, rel=1e-12)


def test_exponents_are_computed_every_n_steps(model: Any) -> None:
    optimiser = torch.optim.SGD(schedules.parameter_groups(model), lr=0.1)
    balance = schedules.TempBalance(optimiser, every=3)
    balance.step(1.0)
    first = dict(balance.alphas)
    with torch.no_grad():
        model[2].weight.copy_(torch.randn(70, 80))
    balance.step(1.0)
    balance.step(1.0)
    assert balance.alphas == first
    balance.step(1.0)
    assert balance.alphas["2.weight"] != first["2.weight"]


def test_decays_follow_the_exponents_and_vectors_have_none(model: Any) -> None:
    optimiser = torch.optim.AdamW(schedules.parameter_groups(model), lr=0.1)
    schedules.AlphaDecay(optimiser, epsilon=0.2).step(0.1)
    inner = [group for group in optimiser.param_groups if group["name"] in ("2.weight", "4.weight", "6.weight")]
    decays = [group["weight_decay"] for group in inner]
    alphas = np.array([hill(group["params"][0]) for group in inner])
    assert np.allclose(decays, 0.1 * np.interp(alphas, [alphas.min(), alphas.max()], [0.8, 1.2]), rtol=1e-6)
    assert optimiser.param_groups[-1]["weight_decay"] == 0


def test_small_matrices_keep_the_base_rate() -> None:
    optimiser = torch.optim.SGD(schedules.parameter_groups(network(8, 40, 40, 3)), lr=0.1)
    schedules.TempBalance(optimiser).step(0.5)
    assert {group["lr"] for group in optimiser.param_groups} == {0.5}


def test_a_convolution_s_slices_are_pooled() -> None:
    from wqscore.landscape.training.matrices import exponent

    weight = torch.from_numpy(np.random.default_rng(0).standard_normal((40, 30, 3, 3))).float()
    values = np.sort(
        np.concatenate([np.linalg.svd(weight[:, :, i, j], compute_uv=False) ** 2 for i in range(3) for j in range(3)])
    )
    half = len(values) // 2
    expected = 1 + (len(values) - half) / np.log(values[half:] / values[half]).sum()
    assert exponent(weight, 50) == pytest.approx(expected, rel=1e-5)


def test_other_optimisers_are_refused() -> None:
    with pytest.raises(UsageError, match=r"make it of parameter_groups\(model\)"):
        schedules.TempBalance(torch.optim.SGD(network(8, 3).parameters(), lr=0.1))
    groups = schedules.parameter_groups(network(8, 3))
    with pytest.raises(UsageError, match="every is 0 and epsilon"):
        schedules.TempBalance(torch.optim.SGD(groups, lr=0.1), every=0)

"""Penalties: their values by numpy, and their gradients by differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.landscape.made import network, torch
from tests.oracles import Oracle
from wqscore.errors import UsageError

pytestmark = pytest.mark.oracle("torch")
penalty = Oracle("wqscore.landscape.training.penalty")


def by_numpy(model: Any, kind: str) -> float:
    singular = [np.linalg.svd(model[place].weight.detach().numpy(), compute_uv=False) for place in (0, 2)]
    if kind == "frobenius":
        return float(sum((each**2).sum() for each in singular))
    return float(sum(each[0] ** 2 if kind == "spectral" else 2 * np.log(each[0]) for each in singular))


@pytest.mark.parametrize("kind", ["frobenius", "spectral", "alpha_free"])
def test_a_penalty_and_its_gradient(kind: str) -> None:
    model = network(5, 4, 3)
    found = penalty.norm_penalty(model, kind)
    assert float(found.detach()) == pytest.approx(by_numpy(model, kind), rel=1e-12)
    found.backward()
    assert model[0].bias.grad is None
    slope = float(model[2].weight.grad[1, 2])
    with torch.no_grad():
        model[2].weight[1, 2] += 1e-6
    assert (by_numpy(model, kind) - float(found.detach())) / 1e-6 == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_what_is_no_penalty_is_refused() -> None:
    with pytest.raises(UsageError, match="choose from frobenius, spectral, alpha_free"):
        penalty.norm_penalty(network(5, 3), "nuclear")
    with pytest.raises(UsageError, match="no linear or convolutional layer"):
        penalty.norm_penalty(torch.nn.LayerNorm(3))

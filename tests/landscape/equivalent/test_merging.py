"""Merging: the inverse of embedding, and what is near one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.landscape import losses
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


@settings(max_examples=examples(10), deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 4), st.integers(0, 1), st.sampled_from(["Tanh", "ReLU", "GELU", "SiLU"]))
def test_exact_copies_are_merged_again(seed: int, copies: int, layer: int, activation: str) -> None:
    from wqscore.landscape.equivalent.embedding import embed, null_embed
    from wqscore.landscape.equivalent.merging import merge

    task = losses.network([3, 4, 5, 2], activation, seed)
    inputs = task.batches[0][0]
    delta = (
        torch.rand((4, 5)[layer], copies, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.2
    )
    wide = null_embed(embed(task.model, layer, copies, delta / delta.sum(dim=1, keepdim=True)), layer, 3)
    narrow = merge(wide, layer, 1e-9)
    assert narrow[2 * layer].weight.shape == task.model[2 * layer].weight.shape
    assert narrow[2 * layer + 2].in_features == (4, 5)[layer]
    torch.testing.assert_close(narrow(inputs), task.model(inputs), rtol=0, atol=1e-12)


def test_scaled_and_flipped_copies() -> None:
    """ReLU neurons may differ in scale, those of an odd activation in sign."""
    from wqscore.landscape.equivalent.embedding import embed
    from wqscore.landscape.equivalent.merging import merge

    shares = torch.tensor([[0.3, 0.7]] * 4, dtype=torch.float64)
    relu = embed(losses.network([3, 4, 2]).model, 0, 2, shares)
    with torch.no_grad():
        relu[0].weight[4:] *= 3
        relu[0].bias[4:] *= 3
        relu[2].weight[:, 4:] /= 3
    odd = embed(losses.network([3, 4, 2], "Tanh").model, 0, 2, shares, torch.tensor([[1.0, -1.0]] * 4))
    rows = torch.randn(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for wide in (relu, odd):
        narrow = merge(wide, 0, 1e-9)
        assert narrow[0].out_features == 4
        torch.testing.assert_close(narrow(rows), wide(rows), rtol=0, atol=1e-12)


def test_a_near_embedding_is_as_far_from_the_wide_network_as_its_neurons_are_apart() -> None:
    from wqscore.landscape.equivalent.embedding import embed
    from wqscore.landscape.equivalent.merging import near_embedding

    task = losses.network([3, 4, 2], "Tanh")
    inputs, targets = task.batches[0]
    shares = torch.tensor([[0.25, 0.75]] * 4, dtype=torch.float64)
    changes = []
    for size in (0.0, 1e-3, 1e-2):
        wide = embed(task.model, 0, 2, shares)
        shift = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        with torch.no_grad():
            wide[0].weight[:4] += 3 * size * shift
            wide[0].weight[4:] -= size * shift
        found = near_embedding(wide, 0, 0.05, inputs, targets, task.loss)
        assert (found.stored, found.effective) == (8, 4)
        changes.append(found.output_change)
    assert changes[0] < 1e-14 and changes[1] > 0
    # Shifts of shares 1/4 and 3/4 cancel in the weighted mean, so that what is left is of second order.
    assert np.log10(changes[2] / changes[1]) == pytest.approx(2, abs=0.1)
    gradients = torch.autograd.grad(task.loss(task.model(inputs), targets), list(task.model.parameters()))
    narrow = float(sum(each.square().sum() for each in gradients)) ** 0.5
    assert found.gradient_norm == pytest.approx(narrow, rel=0.05)


def test_unknown_activations_are_refused() -> None:
    from wqscore.errors import UsageError
    from wqscore.landscape.equivalent.merging import merge

    with pytest.raises(UsageError, match="CELU"):
        merge(losses.network([3, 4, 2], "CELU").model, 0, 0.1)
    with pytest.raises(ValueError, match="1 hidden layers"):
        merge(losses.network([3, 4, 2]).model, 1, 0.1)

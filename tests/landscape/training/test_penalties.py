"""Penalties against derivatives taken entry by entry, and against what they are made to stand for."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.landscape import losses
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


def _by_hand(model: Any, inputs: Any, targets: Any, threshold: float) -> float:
    """The Jacobian penalty, an example and a layer at a time by torch's own Jacobian."""
    total = 0.0
    modules = list(model)
    for example, target in zip(inputs, targets, strict=True):
        for after in range(2, len(modules), 2):
            hidden = model[:after](example[None])[0].detach()

            def margin(hidden: Any, after: int = after, target: Any = target) -> Any:
                logits = model[after:](hidden[None])[0]
                return logits[target] - max(logit for place, logit in enumerate(logits) if place != target)

            norm = float(torch.autograd.functional.jacobian(margin, hidden).norm())
            total += norm**2 if norm > threshold else 0
    return total / len(inputs)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 100.0])
def test_jacobian_penalty(threshold: float) -> None:
    from wqscore.landscape.training.jacobian import jacobian_penalty

    task = losses.network([4, 6, 5, 3], "Tanh")
    inputs, targets = task.batches[0]
    found = jacobian_penalty(task.model, inputs, targets, threshold)
    assert float(found) == pytest.approx(_by_hand(task.model, inputs, targets, threshold), rel=1e-9)
    found.backward()
    assert threshold == 100 or all(each.grad is not None for each in (task.model[2].weight, task.model[4].weight))


def test_the_penalties_dont_depend_on_the_batch() -> None:
    from wqscore.landscape.training.dropout import dropout_penalty
    from wqscore.landscape.training.jacobian import jacobian_penalty

    task = losses.network([4, 6, 3])
    inputs, targets = task.batches[0]
    for penalty in (
        lambda x, y: jacobian_penalty(task.model, x, y),
        lambda x, _: dropout_penalty(task.model, x, 0.3),
    ):
        halves = [float(penalty(inputs[part], targets[part])) for part in (slice(6), slice(6, 12))]
        assert float(penalty(inputs, targets)) == pytest.approx(np.mean(halves), rel=1e-12)


def _expected_loss(head: Any, hidden: Any, targets: Any, factors: list[tuple[float, float]]) -> float:
    """The mean loss over all combinations of factors of a hidden layer's units, each factor with its share."""
    total = 0.0
    for drawn in product(factors, repeat=hidden.shape[1]):
        given = hidden * torch.tensor([factor for factor, _ in drawn], dtype=hidden.dtype)
        share = np.prod([share for _, share in drawn])
        total += share * float(torch.nn.functional.cross_entropy(head(given), targets).detach())
    return total


def _normal(p: float) -> list[tuple[float, float]]:
    """Gauss–Hermite nodes of a normal factor with the mean and the variance of dropout's."""
    nodes, shares = np.polynomial.hermite_e.hermegauss(7)
    return [
        (1 + node * (p / (1 - p)) ** 0.5, share) for node, share in zip(nodes, shares / shares.sum(), strict=True)
    ]


@pytest.mark.parametrize(
    ("factors", "slope"), [(_normal, 2), (lambda p: [(0.0, p), (1 / (1 - p), 1 - p)], 1)], ids=["noise", "masks"]
)
def test_dropout_penalty_is_the_second_order_term_of_the_layer_below_the_logits(factors: Any, slope: int) -> None:
    """What is left of noise falls with p²; of masks with p, whose third moment is about −p."""
    from wqscore.landscape.training.dropout import dropout_penalty

    task = losses.network([4, 3, 3], "Tanh")
    inputs, targets = task.batches[0]
    with torch.no_grad():
        task.model[2].weight *= 3
        hidden = task.model[:2](inputs)
    plain = float(torch.nn.functional.cross_entropy(task.model[2](hidden), targets))
    rests = []
    for p in (0.02, 0.005):
        penalty = float(dropout_penalty(task.model, inputs, p))
        rests.append(abs(_expected_loss(task.model[2], hidden, targets, factors(p)) - plain - penalty))
        assert rests[-1] < 0.2 * penalty
    assert np.log(rests[0] / rests[1]) / np.log(4) == pytest.approx(slope, abs=0.1)


def test_many_classes_are_sampled_without_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    from wqscore.landscape.training import dropout

    task = losses.network([4, 6, 8])
    inputs = task.batches[0][0].repeat(400, 1)
    exact = float(dropout.dropout_penalty(task.model, inputs, 0.5))
    monkeypatch.setattr(dropout, "MOST_CLASSES", 2)
    drawn = [float(dropout.dropout_penalty(task.model, inputs, 0.5, seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == pytest.approx(exact, rel=0.05) and drawn[2] == pytest.approx(exact, rel=0.05)


def test_path_norm_is_the_sum_over_paths_and_rescaling_leaves_it_alone() -> None:
    from wqscore.landscape.training.path_norm import path_norm

    model = losses.network([3, 4, 2]).model
    a, b, c, d = (each.detach().numpy() for each in model.parameters())
    paths = sum(a[j, i] ** 2 * c[k, j] ** 2 for i, j, k in product(range(3), range(4), range(2)))
    from_biases = sum(b[j] ** 2 * c[k, j] ** 2 for j, k in product(range(4), range(2))) + (d**2).sum()
    before = float(path_norm(model))
    assert before == pytest.approx(np.sqrt(paths + from_biases), rel=1e-12)
    with torch.no_grad():
        model[0].weight[1] *= 5
        model[0].bias[1] *= 5
        model[2].weight[:, 1] /= 5
    assert float(path_norm(model)) == pytest.approx(before, rel=1e-12)


def test_other_models_are_refused_in_one_line() -> None:
    from wqscore.errors import UsageError
    from wqscore.landscape.training.jacobian import jacobian_penalty
    from wqscore.landscape.training.path_norm import path_norm

    with pytest.raises(UsageError, match=r"Transformer is no nn\.Sequential"):
        jacobian_penalty(torch.nn.Transformer(8, 2, 1, 1, 8), torch.zeros(1, 8), torch.zeros(1, dtype=torch.long))
    with pytest.raises(UsageError, match="layer 0 is Linear, BatchNorm1d, ReLU"):
        path_norm(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.ReLU()))
    with pytest.raises(UsageError, match=r"no nn\.Linear"):
        path_norm(torch.nn.Sequential(torch.nn.ReLU()))

"""What is measured of a model on a batch: against a quadratic function, whose derivatives are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.landscape.losses import quadratic
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


def test_the_squared_gradient_and_its_derivative() -> None:
    """L = ½Σ a_i·w_i²: ‖∇L‖² = Σ a_i²w_i², and its derivative is 2a_i²w_i."""
    from wqscore.landscape.equivalent.on_a_batch import squared_gradient

    scales, weights = np.array([1.0, -2.0, 3.0]), np.array([0.5, 1.0, -2.0])
    task = quadratic(scales, weights)
    inputs, targets = task.batches[0]
    with torch.no_grad():
        square, slopes = squared_gradient(task.model, inputs, targets, task.loss, [task.model.weights])
    assert square == pytest.approx(float((scales**2 * weights**2).sum()), rel=1e-14)
    np.testing.assert_allclose(slopes[0].numpy(), 2 * scales**2 * weights, rtol=1e-14)
    assert task.model.weights.grad is None
    # Of a linear loss the gradient is the same everywhere.
    square, slopes = squared_gradient(
        task.model, inputs, targets, lambda output, _: output[0].sum(), [task.model.weights]
    )
    assert square == 3 and not slopes[0].any()


@pytest.mark.parametrize("given", [{"inputs": [1.0, 2.0]}, [1.0, 2.0]])
def test_inputs_are_a_tensor_or_keywords_and_outputs_all_tensors(given: Any) -> None:
    from wqscore.landscape.equivalent.on_a_batch import check_outputs, flat_outputs

    class Model(torch.nn.Module):  # type: ignore[misc]
        def forward(self, inputs: Any) -> Any:
            return 2 * inputs, (inputs,), inputs.sum()

    rows = {"inputs": torch.tensor(given["inputs"])} if isinstance(given, dict) else torch.tensor(given)
    assert flat_outputs(Model(), rows).tolist() == [2.0, 4.0, 3.0]
    check_outputs(Model().train(), rows)
    with pytest.raises(ValueError, match="returns a str without a tensor"):
        flat_outputs(lambda **_: "", {"inputs": 1})  # type: ignore[arg-type]

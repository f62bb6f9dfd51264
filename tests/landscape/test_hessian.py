"""The Hessian against the whole matrix by double backward passes, and against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.landscape.made import landscape, network, point, point_task, task_of, torch, trained
from tests.oracles import Oracle
from wqscore.errors import UsageError

curvlinops = Oracle("curvlinops")
pytestmark = pytest.mark.oracle("torch", "scipy")


def exact(task: Any) -> np.ndarray:
    """The Hessian row by row, from plain double backward passes."""
    parameters = list(task.model.parameters())
    loss = sum(task.loss(task.model(x), y) * len(y) for x, y in task.batches) / task.n
    gradient = torch.cat([each.reshape(-1) for each in torch.autograd.grad(loss, parameters, create_graph=True)])
    rows = [
        torch.cat([each.reshape(-1) for each in torch.autograd.grad(entry, parameters, retain_graph=True)])
        for entry in gradient
    ]
    return torch.stack(rows).numpy()


def multiplied(task: Any, vectors: np.ndarray) -> np.ndarray:
    from wqscore.landscape.hessian import products

    found: np.ndarray = products(task)(vectors)
    return found


@pytest.fixture(scope="module")
def task() -> Any:
    """m = 207, above what is made whole; trained a little, in two batches of unequal size."""
    made = task_of(network(8, 12, 6, 3))
    trained(made.model, made, steps=40)
    return made


@pytest.fixture(scope="module")
def whole(task: Any) -> np.ndarray:
    return exact(task)


def test_the_extreme_eigenvalues_are_the_whole_matrix_s(task: Any, whole: np.ndarray) -> None:
    found = landscape.hessian(task, top=3, probes=2)
    values = np.linalg.eigvalsh(whole)
    assert not found.is_exact
    assert found.n_params == len(whole) == 207
    assert np.allclose(found.top, values[::-1][:3], rtol=1e-8, atol=0)
    assert found.least == pytest.approx(values[0], rel=1e-8)
    assert max(found.top_residuals) < 1e-6 * found.top[0]


@pytest.mark.oracle("curvlinops")
def test_products_are_those_of_curvlinops(task: Any) -> None:
    loss = torch.nn.CrossEntropyLoss()
    operator = curvlinops.HessianLinearOperator(task.model, loss, list(task.model.parameters()), task.batches)
    vectors = np.random.default_rng(0).standard_normal((207, 3))
    assert np.allclose(multiplied(task, vectors), operator.to_scipy() @ vectors, rtol=1e-9, atol=1e-13)


def test_the_weight_of_a_layer_norm_counts_too() -> None:
    """Against differences of gradients: torch.func's second derivatives are wrong there."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(8, 6), torch.nn.LayerNorm(6), torch.nn.Tanh(), torch.nn.Linear(6, 3)]
    task = task_of(torch.nn.Sequential(*layers).double())
    parameters = list(task.model.parameters())
    vector = torch.randn(sum(each.numel() for each in parameters)).double()

    def gradient(step: float) -> Any:
        start = torch.nn.utils.parameters_to_vector(parameters).detach()
        torch.nn.utils.vector_to_parameters(start + step * vector, parameters)
        loss = sum(task.loss(task.model(x), y) * len(y) for x, y in task.batches) / task.n
        found = torch.cat([each.reshape(-1) for each in torch.autograd.grad(loss, parameters)])
        torch.nn.utils.vector_to_parameters(start, parameters)
        return found

    expected = (gradient(1e-5) - gradient(-1e-5)) / 2e-5
    found = multiplied(task, vector.numpy()[:, None])[:, 0]
    assert np.abs(found - expected.numpy()).max() < 1e-6 * np.abs(found).max()


def test_few_parameters_are_exact() -> None:
    task = task_of(network(8, 6, 3))
    found, values = landscape.hessian(task, top=2), np.linalg.eigvalsh(exact(task))
    assert found.is_exact
    assert np.allclose([*found.top, found.least], [values[-1], values[-2], values[0]], rtol=1e-9, atol=1e-14)


def test_the_interval_holds_the_trace_in_93_of_100_seeds(task: Any, whole: np.ndarray, monkeypatch: Any) -> None:
    import sys

    # The products of the whole matrix are those of the operator, and take no time.
    monkeypatch.setattr(sys.modules["wqscore.landscape.hessian"], "products", lambda *_, **__: lambda v: whole @ v)
    monkeypatch.setattr(
        sys.modules["wqscore.landscape.hessian"], "_extremes", lambda *_: ((0.0,), (0.0,), (0.0, 0.0))
    )
    found = [landscape.hessian(task, seed=seed) for seed in range(100)]
    trace = np.trace(whole)
    assert sum(each.trace_low <= trace <= each.trace_high for each in found) >= 93
    errors = np.array([each.trace - trace for each in found])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(np.mean([each.trace_se for each in found]), rel=0.25)


def test_the_interval_of_the_operator_s_products(task: Any, whole: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    rng.standard_normal(len(whole))  # the vector that Lanczos starts from
    signs = rng.choice([-1.0, 1.0], size=(len(whole), 10))
    samples = (signs * (whole @ signs)).sum(0)
    found = landscape.hessian(task, probes=10, seed=5)
    assert found.trace == pytest.approx(samples.mean(), rel=1e-10)
    assert found.trace_se == pytest.approx(samples.std(ddof=1) / 10**0.5, rel=1e-10)
    assert (found.trace_high - found.trace_low) / 2 == pytest.approx(2.262157 * found.trace_se, rel=1e-6)


def test_a_quadratic_is_known() -> None:
    curvatures = torch.linspace(-2, 7, 250).double()
    task = point_task(point(*[0.3] * 250), lambda w: (curvatures * w**2).sum(1) / 2)
    found = landscape.hessian(task, top=2, probes=2)
    assert np.allclose(found.top, curvatures.flip(0)[:2], rtol=1e-8)
    assert found.least == pytest.approx(-2, rel=1e-8)
    # A diagonal has no error but rounding, which the interval allows for.
    assert found.trace_low <= float(curvatures.sum()) <= found.trace_high
    assert found.trace_se < 1e-12


def test_a_flat_loss_has_zeros() -> None:
    task = point_task(point(*[1.0] * 250), lambda w: w.sum(1))
    found = landscape.hessian(task)
    assert (found.top, found.least, found.trace) == ((0.0,), 0.0, 0.0)


def test_a_parameter_that_the_loss_doesn_t_use_has_zeros(task: Any, whole: np.ndarray) -> None:
    model = network(8, 12, 6, 3)
    model.load_state_dict(task.model.state_dict())
    model.register_parameter("unused", torch.nn.Parameter(torch.ones(5).double()))
    vectors = np.random.default_rng(0).standard_normal((212, 2))
    found = multiplied(landscape.Task(model, task.batches, task.loss), vectors)
    assert np.allclose(found[5:], whole @ vectors[5:], rtol=1e-10, atol=1e-14)
    assert not found[:5].any()


def test_a_singular_hessian_has_the_least_eigenvalue_zero() -> None:
    directions = torch.from_numpy(np.random.default_rng(0).standard_normal((250, 3)))
    task = point_task(point(*[0.1] * 250), lambda w: (w @ directions).square().sum(1) / 2)
    found = landscape.hessian(task)
    assert found.top[0] == pytest.approx(float(torch.linalg.matrix_norm(directions, 2)) ** 2, rel=1e-8)
    assert abs(found.least) < 1e-8 * found.top[0]


def test_inputs_may_be_mappings(task: Any, whole: np.ndarray) -> None:
    class Named(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, inputs: Any) -> Any:
            return self.inner(inputs["x"])

    named = landscape.Task(Named(task.model), [({"x": x}, y) for x, y in task.batches], task.loss)
    vectors = np.random.default_rng(0).standard_normal((207, 2))
    assert np.allclose(multiplied(named, vectors), whole @ vectors, rtol=1e-10, atol=1e-14)


def test_a_model_too_large_is_refused_before_work(task: Any, monkeypatch: Any) -> None:
    import sys

    monkeypatch.setattr(sys.modules["wqscore.landscape.memory"], "available_memory", lambda: 10_000)
    with pytest.raises(landscape.LandscapeError, match="too large for derivatives: of 207 parameters they take"):
        landscape.hessian(task)
    for measure in (landscape.pacgen, landscape.sharpness):
        monkeypatch.setattr(sys.modules["wqscore.landscape.memory"], "available_memory", lambda: 1_000)
        with pytest.raises(landscape.LandscapeError, match="too large for derivatives: of 207 parameters"):
            measure(task)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "top is 0: give a number from 1 to the 207 parameters"),
        ({"probes": 1}, "probes is 1: give at least 2"),
    ],
)
def test_numbers_out_of_range_are_refused(task: Any, options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        landscape.hessian(task, **options)

"""The path norm against torch, by running the network with squared parameters, and against exact sums."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.metrics.path_norm import log_path_norm

torch = Oracle("torch")

pytestmark = pytest.mark.filterwarnings("error")

Layers = list[tuple[np.ndarray, np.ndarray | None]]


def exact(layers: Layers) -> Fraction:
    """Fractions through the network, one unit at a time."""
    flow = [Fraction(1)] * layers[0][0].shape[1]
    for weight, bias in layers:
        starts = [0.0] * len(weight) if bias is None else bias.tolist()
        flow = [
            Fraction(start) ** 2 + sum(Fraction(w) ** 2 * h for w, h in zip(row, flow, strict=True))
            for row, start in zip(weight.tolist(), starts, strict=True)
        ]
    return sum(flow, Fraction(0))


def exact_log(value: Fraction) -> float:
    """Logs of whole numbers, which Python takes at any size."""
    return math.log(value.numerator) - math.log(value.denominator)


def random_layers(sizes: list[int], seed: int, spread: float = 1.0) -> Layers:
    rng = np.random.default_rng(seed)
    return [
        (
            rng.standard_normal((outputs, inputs)) * 10 ** rng.uniform(-spread, spread),
            rng.standard_normal(outputs) * 10 ** rng.uniform(-spread, spread) if rng.random() < 0.6 else None,
        )
        for inputs, outputs in pairwise(sizes)
    ]


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(7, 3), (20, 30, 10), (12, 40, 40, 40, 5), (8,) + (16,) * 12 + (1,)])
def test_torch_gives_the_same(sizes: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    modules = []
    for inputs, outputs in pairwise(sizes):
        modules += [torch.nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64), torch.nn.ReLU()]
    network = torch.nn.Sequential(*modules[:-1])
    linear = [m for m in network if isinstance(m, torch.nn.Linear)]
    ours = log_path_norm(
        [(m.weight.detach().numpy().copy(), m.bias.detach().numpy().copy() if bias else None) for m in linear]
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.pow_(2)
        theirs = network(torch.ones(1, sizes[0], dtype=torch.float64)).sum().item()
    assert ours == pytest.approx(math.log(theirs), rel=1e-12)


@settings(max_examples=examples(60))
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=7), st.integers(0, 2**32), st.sampled_from([0.5, 20.0, 120.0])
)
def test_exact_sums(sizes: list[int], seed: int, spread: float) -> None:
    layers = random_layers(sizes, seed, spread)
    assert log_path_norm(layers) == pytest.approx(exact_log(exact(layers)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("size", [1e-30, 1e30, 1e-300, 1e300, 5e-324])
def test_no_depth_leaves_the_range_of_a_float(size: float) -> None:
    layers: Layers = [(np.full((4, 4), size), None)] * 500
    assert log_path_norm(layers) == pytest.approx(math.log(4) + 500 * (math.log(4) + 2 * math.log(size)), rel=1e-12)


def test_a_bias_far_above_or_below_the_rest() -> None:
    small, large = np.full((3, 3), 1e-200), np.full((3, 3), 1e200)
    ones = np.ones(3)
    # Only the last bias counts, 3 · 1; then only the weights, 3 · 3³ · 1e1200
    assert log_path_norm([(small, None)] * 3 + [(small, ones)]) == pytest.approx(math.log(3))
    assert log_path_norm([(large, ones)] * 3) == pytest.approx(math.log(3) + 3 * math.log(3) + 6 * math.log(1e200))


def test_after_weights_of_zero_only_biases_start_paths() -> None:
    zero, one = np.zeros((2, 2)), np.ones((2, 2))
    assert math.isnan(log_path_norm([(zero, None), (one, None)]))
    assert math.isnan(log_path_norm([(one, None), (zero, np.zeros(2))]))
    assert log_path_norm([(zero, np.array([3.0, 0.0])), (one, None)]) == pytest.approx(math.log(18))
    assert log_path_norm([(zero, None), (zero, np.array([1e-200, 0.0])), (one, None)]) == pytest.approx(
        math.log(2) + 2 * math.log(1e-200)
    )
    # The first layer's only unit that is not 0 meets a weight of 0.
    dead: Layers = [(np.diag([1.0, 0.0]), None), (np.array([[0.0, 1.0]]), None)]
    assert math.isnan(log_path_norm(dead))
    assert log_path_norm([*dead, (np.ones((1, 1)), np.array([1e-200]))]) == pytest.approx(2 * math.log(1e-200))


def test_rescaling_a_hidden_unit_changes_nothing() -> None:
    layers = random_layers([5, 6, 4], seed=1)
    (first, bias), (second, last) = layers
    factors = np.geomspace(1e-3, 1e3, 6)
    rescaled = [(first * factors[:, None], None if bias is None else bias * factors), (second / factors, last)]
    assert log_path_norm(rescaled) == pytest.approx(log_path_norm(layers), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16])
def test_data_types(dtype: type) -> None:
    layers = [(w.astype(dtype), None if b is None else b.astype(dtype)) for w, b in random_layers([4, 9, 9, 2], 2)]
    assert log_path_norm(iter(layers)) == pytest.approx(exact_log(exact(layers)), rel=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_nan(bad: float) -> None:
    for layer in range(3):
        for entry in range(2):
            layers = [(np.ones((3, 3)), np.ones(3)) for _ in range(3)]
            layers[layer][entry].flat[1] = bad
            assert math.isnan(log_path_norm(layers))
    assert math.isnan(log_path_norm([(np.full((2, 2), bad), None), (np.zeros((2, 2)), np.ones(2))]))


def test_no_layer_has_no_path() -> None:
    assert math.isnan(log_path_norm([]))

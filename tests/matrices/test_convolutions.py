"""The order of a kernel's axes, from what the file says or from the shapes of all kernels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.matrices.tiny_models import outcome, tensor
from wqscore.matrices.convolutions import axes_named_kernel, kernel_order, reason_unknown
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix


@pytest.mark.parametrize(
    ("kernels", "order"),
    [
        ([(64, 3, 7, 7), (64, 64, 3, 3), (256, 64, 1, 1)], "torch"),
        ([(64, 7, 7, 3), (64, 3, 3, 64), (256, 1, 1, 64)], "mlx"),
        ([(7, 7, 3, 64), (3, 3, 64, 64), (1, 1, 64, 256)], "flax"),
        # A patch embedding alone, of CLIP, of a small vision transformer, of a video model.
        ([(768, 3, 16, 16)], "torch"),
        ([(1024, 14, 14, 3)], "mlx"),
        ([(192, 3, 8, 8)], "torch"),
        ([(1152, 3, 2, 14, 14)], "torch"),
        ([(1152, 2, 14, 14, 3)], "mlx"),
        # Whisper, and an encoder of raw sound.
        ([(384, 80, 3), (384, 384, 3)], "torch"),
        ([(384, 3, 80), (384, 3, 384)], "mlx"),
        ([(258, 1, 256), (128, 129, 3)], "torch"),
        # LeNet: only in torch's order does the second layer read what the first writes.
        ([(6, 1, 5, 5), (16, 6, 5, 5)], "torch"),
        # Mamba, whose convolutions are depthwise.
        ([(384, 1, 4), (384, 1, 4)], "torch"),
        ([(384, 4, 1), (384, 4, 1)], "mlx"),
        # A stack of eight matrices is no kernel of either.
        ([(8, 1024, 512), (384, 1, 4), (384, 1, 4)], "torch"),
        # Both readings fit.
        ([(16, 3, 3, 3)], ""),
        ([(512, 1, 7)], ""),
        # One of either: neither is trusted.
        ([(64, 64, 3, 3), (64, 3, 3, 64)], ""),
        ([], "torch"),
    ],
)
def test_shapes_that_allow_one_order_tell_it(kernels: list[tuple[int, ...]], order: str) -> None:
    assert kernel_order(kernels, [10], lambda: "") == order


@pytest.mark.parametrize(
    ("stated", "order"),
    [("torch", "torch"), ("mlx", "mlx"), ("flax", "flax"), ("", "")],
)
def test_what_the_file_says_decides_where_shapes_do_not(stated: str, order: str) -> None:
    assert kernel_order([(5, 5, 5, 5)], [], lambda: stated) == order


@pytest.mark.parametrize(
    ("kernels", "order"),
    [
        # What is likely decides between the orders that the shapes allow.
        ([(16, 3, 3, 3)], "torch"),
        ([(512, 1, 7)], "torch"),
        ([(5, 5, 5, 5)], "torch"),
        # It decides nothing against the shapes of any kernel, nor where only another order makes a network.
        ([(64, 3, 3, 64), (16, 3, 3, 3)], "mlx"),
        # Square in MLX's order alone.
        ([(64, 7, 7, 3), (16, 3, 3, 3)], ""),
        ([(3, 3, 64, 64)], "flax"),
        ([(64, 64, 3, 3), (64, 3, 3, 64)], ""),
        ([(12, 5, 5, 1), (10, 5, 5, 12), (9, 5, 5, 10)], "mlx"),
        ([(12, 5, 1), (10, 5, 12), (8, 5, 10)], ""),
    ],
)
def test_what_is_likely_decides_last(kernels: list[tuple[int, ...]], order: str) -> None:
    assert kernel_order(kernels, [], lambda: "", "torch") == order
    # What the file says comes first.
    if order == "torch":
        assert kernel_order(kernels, [], lambda: "mlx", "torch") in ("mlx", "")


def test_a_file_that_contradicts_its_shapes_is_not_believed() -> None:
    assert kernel_order([(64, 64, 3, 3), (8, 5, 5, 5)], [], lambda: "mlx") == ""
    # Converters leave some kernels in torch's order.
    assert kernel_order([(64, 3, 7, 7)], [], lambda: "mlx") == ""


def test_a_kernel_whose_order_is_unknown_is_skipped_with_the_reason() -> None:
    (skipped,) = outcome((tensor("conv.weight", 16, 3, 3, 3),))
    assert "can't be told" in skipped.reason and skipped.kind == "unread" and skipped.weights == 16 * 27
    assert "torch (16 × 3, 3 × 3 positions), mlx (16 × 3, 3 × 3 positions)" in reason_unknown((16, 3, 3, 3))
    assert "no known order" in reason_unknown((99, 98, 97, 96))


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize("order", ["torch", "mlx", "flax"])
def test_each_position_is_out_by_in(order: str, pool: bool) -> None:
    kernel = np.random.default_rng(0).standard_normal((32, 16, 3, 3))
    axes = {"torch": (0, 1, 2, 3), "mlx": (0, 2, 3, 1), "flax": (2, 3, 1, 0)}[order]
    stored = kernel.transpose(axes)
    planned = plan_matrices([tensor("conv.weight", *stored.shape)], ModelConfig({}), MatrixRules(pool_slices=pool))
    matrices = [matrix for matrix in planned if isinstance(matrix, WeightMatrix)]
    assert len(matrices) == (1 if pool else 9)
    found = np.concatenate([matrix.values(np.ascontiguousarray(stored)) for matrix in matrices])
    np.testing.assert_array_equal(found, kernel.reshape(32, 16, 9).transpose(2, 0, 1))


def test_what_is_called_kernel() -> None:
    for shape in [(3, 3, 64, 128), (1, 251, 1, 64), (3, 3, 3, 8, 16), (3, 80, 384), (16, 16, 3, 768)]:
        assert axes_named_kernel(shape).out == -1, shape
    assert axes_named_kernel((128, 64, 3, 3)).out == 0

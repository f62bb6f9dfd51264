"""What is told from its numbers to be no weight, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.matrices.content import not_a_weight


def _stft_basis(length: int, window: bool) -> np.ndarray:
    """The real and imaginary rows of a discrete Fourier transform, as audio models store them in a convolution."""
    basis = np.fft.fft(np.eye(length))[: length // 2 + 1]
    rows = np.vstack([basis.real, basis.imag])
    return (rows * np.hanning(length) if window else rows)[:, None].astype("f4")


def _mel_filters(bins: int, filters: int) -> np.ndarray:
    """Triangular filters whose centres are equally far apart in mel (O'Shaughnessy's formula)."""
    hertz = np.linspace(0, 8000, bins)
    mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), filters + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    up = (hertz[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - hertz[None]) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down)).astype("f4")


def _positions(length: int, width: int) -> np.ndarray:
    """Vaswani et al. (2017), section 3.5."""
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(length, width).astype("f4")


CAUSAL = np.tril(np.ones((64, 64), "f4"))
NO_WEIGHTS = {
    "constant": (np.full((64, 64), 0.3, "f4"), "constant"),
    "mask": (CAUSAL, "mask"),
    "mask, 4-D": (CAUSAL[None, None], "mask"),
    "additive mask": (np.where(CAUSAL == 1, 0, -np.inf).astype("f4"), "mask"),
    "distances": (np.tril(np.subtract.outer(np.arange(64.0), np.arange(64.0))), "triangular"),
    "Fourier": (_stft_basis(256, window=False), "Fourier"),
    "Fourier, windowed": (_stft_basis(400, window=True), "Fourier"),
    "positions": (_positions(512, 64), "Fourier"),
    "mel": (_mel_filters(201, 80), "filter bank"),
    "mel, narrow": (_mel_filters(201, 128), "filter bank"),
    "mel, transposed": (_mel_filters(513, 128).T, "filter bank"),
}


@pytest.mark.parametrize("case", NO_WEIGHTS)
def test_no_weights(case: str) -> None:
    values, kind = NO_WEIGHTS[case]
    assert kind in not_a_weight("block.buffer_7", values)
    assert kind in not_a_weight("block.buffer_7", values.astype("f2"))


@pytest.mark.parametrize("case", ["constant", "mask", "distances"])
@pytest.mark.parametrize(
    "name",
    ["fc.weight", "dense/kernel:0", "rnn.weight_hh_l0_reverse", "lstm.Wx", "mlp.W_0", "mlp.w1", "cell.kernel_h"],
)
def test_a_damaged_weight_stays_a_weight(case: str, name: str) -> None:
    values = NO_WEIGHTS[case][0]
    assert not not_a_weight(f"block.{name}", values)
    assert not not_a_weight(name.rpartition(".")[2], values)


@pytest.mark.parametrize("case", ["constant", "mask", "distances"])
@pytest.mark.parametrize(
    "name", ["onnx::MatMul_37", "block.causal", "weightless", "block.weight.window", "view", "h0"]
)
def test_a_graph_says_more_than_a_name(case: str, name: str) -> None:
    values = NO_WEIGHTS[case][0]
    assert not_a_weight(name, values)
    assert not not_a_weight(name, values, is_layers=True)


@pytest.mark.parametrize("size", [40, 64, 300])
@pytest.mark.parametrize("law", ["identity", "diagonal", "positive", "permuted", "two diagonals", "rectangular"])
def test_a_diagonal_weight_is_a_weight(size: int, law: str) -> None:
    """What starts as the identity, and what is pruned to one entry a row, overlaps nothing."""
    rng = np.random.default_rng(size)
    values = np.eye(size)
    if law == "diagonal":
        values = np.diag(rng.standard_normal(size))
    elif law == "positive":
        values = np.diag(np.geomspace(1e-3, 1e3, size))
    elif law == "permuted":
        values = values[rng.permutation(size)]
    elif law == "two diagonals":
        values = values + 0.5 * np.eye(size, k=1)
    elif law == "rectangular":
        values = np.eye(size, 3 * size)
    assert not not_a_weight("layers.0.fc.weight", values)
    assert not not_a_weight("layers.0.fc.weight", values.T.astype("f2"))


@pytest.mark.parametrize("case", ["Fourier", "mel"])
def test_a_basis_is_known_under_any_name(case: str) -> None:
    values, kind = NO_WEIGHTS[case]
    assert kind in not_a_weight("stft.conv.weight", values)


@settings(max_examples=examples(200))
@given(
    shape=st.tuples(st.integers(2, 80), st.integers(2, 80)),
    seed=st.integers(0, 2**32 - 1),
    law=st.sampled_from(["normal", "heavy", "sparse", "positive", "low rank", "smooth", "signs", "ternary", "zeros"]),
)
def test_weights_are_weights(shape: tuple[int, int], seed: int, law: str) -> None:
    """Dense, pruned, quantised, low-rank and smooth weights; an untouched LoRA factor is all zeros."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    if law == "heavy":
        values = rng.standard_t(2, shape)
    elif law == "sparse":
        values *= rng.random(shape) < 0.2
        values[0, 0], values[0, -1], values[-1, 0] = 0.1, 0.2, 0.3
    elif law == "positive":
        values = np.abs(values)
    elif law == "low rank":
        values = np.outer(values[:, 0], values[0]) + np.outer(values[:, 1], values[1])
    elif law == "smooth":
        values = np.cumsum(values, axis=1)
    elif law == "signs":
        values = np.sign(values) * 0.02
        values[0, 0], values[0, 1] = 0.02, -0.02
    elif law == "ternary":
        values = rng.integers(-1, 2, shape) * 0.02
        values[0, :2], values[-1, 0] = (0.02, -0.02), 0.02
    elif law == "zeros":
        values = np.zeros(shape)
    assert not not_a_weight("block.lora_a", values.astype("f4"))

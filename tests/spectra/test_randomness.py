"""Distances and traps against closed forms and WeightWatcher; verdicts against noise and a trained model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits

from tests.oracles import Oracle
from wqscore.spectra import eigenvalues
from wqscore.spectra.randomness import (
    has_traps,
    is_random,
    is_random_scaled,
    num_traps,
    rand_distance,
    without_scales,
    ww_maxdist,
    ww_softrank,
)
from wqscore.spectra.screening import measure
from wqscore.spectra.shuffling import Shuffles
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

F32 = 2.0**-24


@pytest.fixture(autouse=True)
def _one_thread_per_solve() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def shuffles(weights: np.ndarray, count: int = 6, seed: int = 0) -> tuple[Spectrum, ...]:
    return Shuffles(weights, F32, seed).first(count)


def judged(weights: np.ndarray, seed: int = 0) -> tuple[bool | None, bool | None, bool | None]:
    """Whether it is random, random once its scales are divided out, and has traps; `None` where that stays open."""
    spectrum = compute_spectrum(weights, F32)
    if spectrum.state != "finite":
        return False, False, False
    entries, copies = measure(weights, spectrum), Shuffles(weights, F32, seed)
    return (
        is_random(spectrum, entries, copies),
        is_random_scaled(spectrum, entries, weights),
        has_traps(entries, copies),
    )


def judged_random(weights: np.ndarray, seed: int = 0) -> bool:
    return judged(weights, seed)[0] is True


def gaussian(n: int, aspect: int, seed: int) -> np.ndarray:
    return np.random.default_rng((n, aspect, seed)).standard_normal((1, aspect * n, n)).astype(np.float32)


def test_distances_of_one_large_entry_are_zero() -> None:
    weights = np.zeros((1, 30, 20))
    weights[0, 3, 4] = 7  # wherever it goes, λ_max is 49
    spectrum, copies = compute_spectrum(weights, F32), shuffles(weights)
    assert rand_distance(spectrum, copies) == pytest.approx(0, abs=1e-9)
    assert ww_softrank(spectrum, copies) == pytest.approx(1)
    assert ww_maxdist(spectrum, copies) == pytest.approx(0, abs=1e-9)


def test_softrank_and_maxdist_are_means_over_shuffles() -> None:
    left, right = np.random.default_rng(0).standard_normal((2, 100))
    weights = np.outer(left, right)[None]
    copies = shuffles(weights)
    largest = [np.linalg.norm(Shuffles(weights, F32, 0).matrix(k)[0], 2) ** 2 for k in range(6)]
    spectrum = compute_spectrum(weights, F32)
    norm = float((left**2).sum() * (right**2).sum())
    assert ww_softrank(spectrum, copies) == pytest.approx(np.mean(largest) / norm, rel=1e-9)
    assert ww_maxdist(spectrum, copies) == pytest.approx(norm - np.mean(largest), rel=1e-9)
    assert ww_softrank(spectrum, copies) < 0.2


def test_large_entries_are_traps_and_correlations_are_not() -> None:
    noise = gaussian(150, 2, 0)
    assert num_traps(shuffles(noise)) == 0
    signs = np.sign(np.random.default_rng(1).standard_normal(450)).astype(np.float32)
    correlated = noise + np.outer(signs[:300], signs[300:])
    assert compute_spectrum(correlated, F32).largest > 40_000  # against an edge of 875 · 2
    assert num_traps(shuffles(correlated)) == 0
    spiked = noise.copy()
    spiked[0, 3, 7], spiked[0, 200, 8], spiked[0, 50, 100] = 100, -120, 90
    assert num_traps(shuffles(spiked)) == 3


def test_an_even_number_of_shuffles_gives_a_whole_number_of_traps() -> None:
    noise, trap = gaussian(60, 1, 0), gaussian(60, 1, 0)
    trap[0, 0, 0] = 80
    both = (*shuffles(noise, 1), *shuffles(trap, 1))
    assert num_traps(both) == 0  # the lower of the two
    assert num_traps((*both, *shuffles(trap, 1, 1))) == 1


def test_noise_is_random() -> None:
    verdicts = {
        (n, aspect): [judged_random(gaussian(n, aspect, seed), seed) for seed in range(seeds)]
        for n, seeds in ((64, 60), (128, 20))
        for aspect in (1, 2, 3, 4)
    }
    assert np.mean([verdict for each in verdicts.values() for verdict in each]) >= 0.94
    assert min(np.mean(each) for each in verdicts.values()) >= 0.85  # 20 seeds: three standard deviations below 97 %


def test_noise_in_a_convolution_is_random() -> None:
    kernels = [np.random.default_rng(seed).standard_normal((9, 64, 48)).astype(np.float32) for seed in range(10)]
    assert sum(judged_random(kernel, i) for i, kernel in enumerate(kernels)) >= 8
    structured = kernels[0] + np.float32(0.4) * np.outer(np.ones(64), np.sign(kernels[1][0, 0])).astype(np.float32)
    assert not judged_random(structured)


def trained_matrices(checkpoints: Path) -> dict[str, np.ndarray]:
    tensors = load_file(checkpoints / "all-MiniLM-L6-v2" / "model.safetensors")
    return {name: tensor[None] for name, tensor in tensors.items() if tensor.ndim == 2 and "embeddings" not in name}


def test_of_a_trained_model_only_the_untrained_pooler_is_random(checkpoints: Path) -> None:
    matrices = trained_matrices(checkpoints)
    assert len(matrices) == 37
    assert [name for name, weights in matrices.items() if judged_random(weights)] == ["pooler.dense.weight"]
    scaled = [name for name, weights in matrices.items() if judged(weights)[1]]
    assert scaled == ["pooler.dense.weight"]


def test_the_layer_whose_shuffles_have_the_larger_eigenvalue_is_told_by_its_shape(checkpoints: Path) -> None:
    name = "encoder.layer.0.output.dense.weight"
    weights = trained_matrices(checkpoints)[name]
    spectrum, copies = compute_spectrum(weights, F32), shuffles(weights)
    assert ww_softrank(spectrum, copies) > 1
    assert num_traps(copies) >= 1
    assert rand_distance(spectrum, copies) > 0.05
    assert not judged_random(weights)


def test_scaled_noise_is_random_once_its_scales_are_divided_out() -> None:
    plain, scaled = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows, columns = np.exp(rng.standard_normal((1, 120, 1))), np.exp(rng.standard_normal((1, 1, 80)))
        weights = (rows * columns * rng.standard_normal((1, 120, 80))).astype(np.float32)
        plain.append(judged_random(weights, seed))
        scaled.append(judged(weights, seed)[1] is True)
    assert not any(plain)
    assert np.mean(scaled) >= 0.8


def test_without_scales_leaves_rows_and_columns_of_one_size_and_nothing_of_their_scales() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((3, 50, 40))
    rows, columns = np.exp(2 * rng.standard_normal((1, 50, 1))), np.exp(2 * rng.standard_normal((1, 1, 40)))
    even = without_scales(noise * rows * columns)
    np.testing.assert_allclose((even**2).mean(axis=(0, 1)), 1, rtol=1e-9)
    np.testing.assert_allclose((even**2).mean(axis=(0, 2)), 1, rtol=1e-2)
    np.testing.assert_allclose(even, without_scales(noise), rtol=0.02, atol=0.02)


LAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "Gaussian": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.uniform(-0.03, 0.03, shape),
    "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "truncated": lambda rng, shape: rng.standard_normal(shape).clip(-2, 2),
    "Laplace": lambda rng, shape: rng.laplace(size=shape),
    "sparse": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.1),
    "Student-5": lambda rng, shape: rng.standard_t(5, shape),
    "Student-3": lambda rng, shape: rng.standard_t(3, shape),
    "float16": lambda rng, shape: (0.02 * rng.standard_normal(shape)).astype(np.float16),
    "bfloat16": lambda rng, shape: (0.02 * rng.standard_normal(shape)).astype(ml_dtypes.bfloat16),
}
SHAPES = [(1, 64, 64), (1, 300, 60), (1, 200, 256), (9, 64, 48), (9, 96, 96)]


@contextmanager
def eigensolves(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The sides of all matrices that are solved meanwhile, by whichever solver."""
    sides: list[int] = []
    in_place, stacked = eigenvalues.symmetric_eigenvalues, np.linalg.eigvalsh

    def solve(matrix: np.ndarray) -> np.ndarray:
        sides.append(len(matrix))
        return in_place(matrix)

    def solve_stack(matrices: np.ndarray) -> np.ndarray:
        sides.extend([matrices.shape[-1]] * int(np.prod(matrices.shape[:-2])))
        return stacked(matrices)

    with monkeypatch.context() as patch:
        patch.setattr(eigenvalues, "symmetric_eigenvalues", solve)
        patch.setattr(np.linalg, "eigvalsh", solve_stack)
        patch.setattr(np.linalg, "eigh", solve_stack)
        yield sides


@pytest.mark.parametrize("law", LAWS)
def test_noise_of_any_law_and_shape_is_random_and_hardly_a_shuffle_is_drawn(law: str) -> None:
    found, drawn = [], 0
    for shape in SHAPES:
        for seed in range(4):
            weights = LAWS[law](np.random.default_rng((seed, *shape)), shape)
            spectrum, copies = compute_spectrum(weights, F32), Shuffles(weights, F32, seed)
            found.append(is_random(spectrum, measure(weights, spectrum), copies))
            drawn += len(copies.spectra)
    assert drawn <= (6 if law == "sparse" else 0)
    assert found.count(True) >= 19
    assert False not in found


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("init", ["kaiming_uniform_", "xavier_normal_", "trunc_normal_"])
def test_what_torch_initialises_is_random(init: str) -> None:
    torch = Oracle("torch")
    torch.manual_seed(0)
    for shape in ((120, 200), (256, 96)):
        weights = getattr(torch.nn.init, init)(torch.empty(*shape)).numpy()[None]
        # Noise is noise without its scales too.
        assert judged(weights)[::2] == (True, False)


@pytest.mark.oracle("torch")
def test_an_orthogonal_matrix_as_torch_makes_it_is_told_from_noise_without_a_shuffle() -> None:
    torch = Oracle("torch")
    torch.manual_seed(0)
    for shape in ((120, 200), (160, 160)):
        weights = torch.nn.init.orthogonal_(torch.empty(*shape)).numpy()[None]
        assert judged(weights) == (False, False, False)


def matrices_of_all_kinds() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    for shape in ((1, 80, 60), (9, 40, 30), (40, 8, 6), (300, 3, 3)):
        noise = rng.standard_normal(shape)
        scales = np.exp(rng.standard_normal((1, shape[1], 1)))
        large = noise.copy()
        large.reshape(-1)[:5] = 1.6 * (shape[1] * shape[2]) ** 0.25
        yield from (noise, noise * scales, noise + 0.3, np.abs(noise), large, rng.standard_t(2.2, shape))
        yield rng.standard_t(3, shape) * scales**0.3
        yield noise * (rng.random(shape) < 0.03)
        yield noise + np.linspace(0, 1, shape[2])
    yield np.eye(60)[None]


@pytest.mark.parametrize("metrics_first", [False, True])
def test_verdicts_take_at_most_one_more_eigensolve(monkeypatch: pytest.MonkeyPatch, metrics_first: bool) -> None:
    most = 0
    for weights in matrices_of_all_kinds():
        spectrum = compute_spectrum(weights, F32)
        copies = Shuffles(weights, F32, 0)
        if metrics_first:
            copies.first()
        with eigensolves(monkeypatch) as sides:
            entries = measure(weights, spectrum)
            answers = (
                is_random(spectrum, entries, copies),
                has_traps(entries, copies),
                is_random_scaled(spectrum, entries, weights),
            )
        assert len(sides) <= len(weights)
        most = max(most, len(sides) / len(weights))
        again = Shuffles(weights, F32, 0)
        assert answers == (
            is_random(spectrum, entries, again),
            has_traps(entries, again),
            is_random_scaled(spectrum, entries, weights),
        )
    assert most == 1


def test_no_shuffle_is_drawn_for_what_is_correlated() -> None:
    weights = gaussian(100, 2, 0)
    weights[0, 1:] += np.float32(0.6) * weights[0, :-1]
    copies = Shuffles(weights, F32, 0)
    spectrum = compute_spectrum(weights, F32)
    entries = measure(weights, spectrum)
    assert not is_random(spectrum, entries, copies)
    assert not is_random_scaled(spectrum, entries, weights)
    assert not has_traps(entries, copies)
    assert not copies.spectra


def test_traps_are_those_that_are_counted(checkpoints: Path) -> None:
    predicted = undecided = 0
    for name, weights in trained_matrices(checkpoints).items():
        copies = Shuffles(weights, F32, 0)
        entries = measure(weights, compute_spectrum(weights, F32))
        verdict = has_traps(entries, copies)
        predicted += not copies.spectra
        assert verdict in (None, num_traps(copies.first()) > 0), name
        undecided += verdict is None
    assert predicted >= 34
    assert undecided <= 2


def test_the_scale_of_a_convolutions_eigenvalues_changes_no_verdict() -> None:
    weights = np.random.default_rng(1).standard_normal((4, 60, 40)).astype(np.float32)
    for scale in (1.0, 0.5):
        spectrum = compute_spectrum(weights, F32, scale)
        assert is_random(spectrum, measure(weights, spectrum), Shuffles(weights, F32, 0, scale))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "weights",
    [
        np.ones((1, 1, 1)),
        np.ones((1, 40, 30)),
        np.eye(50)[None],
        np.zeros((1, 20, 20)),
        np.full((1, 20, 20), 1e-160),
        np.full((1, 20, 20), np.nan),
        np.full((1, 20, 20), 1e200),
        np.where(np.eye(60) > 0, 1e12, np.random.default_rng(0).standard_normal((60, 60)))[None],
        np.random.default_rng(1).standard_normal((1, 10_000, 1)),
        np.random.default_rng(2).standard_normal((1, 3, 30_000)),
        np.random.default_rng(3).standard_normal((1, 90, 10)) @ np.random.default_rng(4).standard_normal((10, 70)),
    ],
)
def test_strange_matrices_give_numbers_or_nan(weights: np.ndarray) -> None:
    spectrum, copies = compute_spectrum(weights, F32), shuffles(weights)
    numbers = (rand_distance(spectrum, copies), ww_softrank(spectrum, copies), ww_maxdist(spectrum, copies))
    assert all(math.isfinite(number) for number in numbers) is (spectrum.state == "finite")
    traps = num_traps(copies)
    assert not math.isinf(traps)
    random, scaled, trap = judged(weights)
    assert {random, scaled} <= {True, False, None}
    # Where spikes leave nothing of the bulk to count them against, they are traps all the more, or there are none.
    assert trap is (traps > 0) or math.isnan(traps)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_what_has_no_eigenvalues_is_not_random(value: float) -> None:
    weights = np.full((1, 60, 60), value)
    noise = gaussian(60, 1, 0)
    entries = measure(noise, compute_spectrum(noise, F32))
    spectrum, copies = compute_spectrum(weights, F32), Shuffles(weights, F32, 0)
    assert not is_random(spectrum, entries, copies)
    assert not is_random_scaled(spectrum, entries, weights)
    assert not copies.spectra

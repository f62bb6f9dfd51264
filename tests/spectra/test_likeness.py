"""What theory and one shuffle say of a matrix, against many of its shuffles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from wqscore.spectra.jensen_shannon import jensen_shannon_distance
from wqscore.spectra.likeness import by_shuffle, by_theory
from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999, bulk_edge
from wqscore.spectra.screening import measure
from wqscore.spectra.shuffling import Shuffles
from wqscore.spectra.spectrum import compute_spectrum

Draw = Callable[[np.random.Generator, tuple[int, int, int]], np.ndarray]


@pytest.fixture(autouse=True)
def _one_thread_per_solve() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def scaled_rows(share: float, noise: Draw = lambda rng, shape: rng.standard_normal(shape)) -> Draw:
    return lambda rng, shape: noise(rng, shape) * np.exp(share * rng.standard_normal((shape[0], shape[1], 1)))


def correlated(share: float) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
        noise = rng.standard_normal(shape)
        noise[..., 1:] += share * noise[..., :-1].copy()
        return noise

    return draw


KINDS: dict[str, Draw] = {
    "Gaussian": lambda rng, shape: rng.standard_normal(shape),
    "Student-3": lambda rng, shape: rng.standard_t(3, shape),
    "rows of slightly different scales": scaled_rows(0.03),
    "rows of different scales": scaled_rows(0.4),
    "heavy tails and rows of different scales": scaled_rows(0.5, lambda rng, shape: rng.standard_t(3, shape)),
    "weakly correlated": correlated(0.05),
    "correlated": correlated(0.5),
}


def truth(weights: np.ndarray, count: int) -> tuple[float, float]:
    """Deviations of λ_max above its mean over shuffles; distance to shuffles over that between two of them."""
    spectrum = compute_spectrum(weights, 0.0).eigenvalues
    shuffles = [each.eigenvalues for each in Shuffles(weights, 0.0, 1).first(count)]
    largest = np.log([each[-1] for each in shuffles])
    height = (np.log(spectrum[-1]) - largest.mean()) / largest.std(ddof=1)
    to = np.mean([jensen_shannon_distance(spectrum, each) for each in shuffles])
    between = [jensen_shannon_distance(a, b) for k, a in enumerate(shuffles) for b in shuffles[:k]]
    return float(height), float(to / np.mean(between))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 120, 80), (4, 60, 40)])
def test_what_is_said_is_what_many_shuffles_show(kind: str, shape: tuple[int, int, int]) -> None:
    weights = KINDS[kind](np.random.default_rng(3), shape)
    spectrum, copies = compute_spectrum(weights, 0.0), Shuffles(weights, 0.0, 0)
    entries = measure(weights, spectrum)
    height, distance = truth(weights, 12)
    said = {by_theory(spectrum, entries, weights), by_shuffle(spectrum, entries, copies[0], None)}
    assert not {"alike", "unlike"} <= said
    if distance < 1.3 and height < 2:
        assert said <= {"alike", "open", "unknown"}
    if distance > 2.2:
        assert said <= {"unlike", "open", "unknown"}
        assert "unlike" in said or kind.startswith("heavy")


@pytest.mark.parametrize("shape", [(400, 3, 3), (60, 8, 12), (40, 16, 5)])
def test_of_many_small_slices_the_shuffle_says_how_far_apart_shuffles_are(shape: tuple[int, int, int]) -> None:
    answers = []
    for kind in ("Gaussian", "correlated"):
        for seed in range(6):
            weights = KINDS[kind](np.random.default_rng(seed), shape)
            spectrum, copies = compute_spectrum(weights, 0.0), Shuffles(weights, 0.0, seed)
            entries = measure(weights, spectrum)
            assert by_theory(spectrum, entries, weights) in {"unknown", "unlike"}
            answers.append(by_shuffle(spectrum, entries, copies[0], copies.of_slices(0)))
    assert answers[:6].count("alike") >= 5
    assert answers[6:].count("unlike") >= 5


def said(weights: np.ndarray) -> str:
    """What theory says."""
    spectrum = compute_spectrum(weights, 0.0)
    return by_theory(spectrum, measure(weights, spectrum), weights)


def with_spike(shape: tuple[int, int, int], height: float, seed: int) -> np.ndarray:
    """Noise and a planted direction whose eigenvalue is expected so many Tracy–Widom widths beyond the edge."""
    rng = np.random.default_rng(seed)
    _, rows, columns = shape
    side = math.sqrt(rows * columns)
    excess = height * bulk_edge(rows, columns)[1] / side  # t + 1/t − 2
    strength = 1 + excess / 2 + math.sqrt(excess + excess**2 / 4)
    left, right = rng.standard_normal(rows), rng.standard_normal(columns)
    spike = np.outer(left / np.linalg.norm(left), right / np.linalg.norm(right)) * math.sqrt(strength * side)
    return np.asarray(rng.standard_normal(shape) + spike)


@pytest.mark.parametrize("shape", [(1, 256, 256), (1, 400, 100)])
def test_a_spike_well_beyond_the_edge_is_seen_and_one_within_it_is_noise(shape: tuple[int, int, int]) -> None:
    beyond = [said(with_spike(shape, 15, seed)) for seed in range(8)]
    within = [said(with_spike(shape, 0, seed)) for seed in range(8)]
    assert beyond == ["unlike"] * 8
    assert within.count("alike") >= 7


@pytest.mark.parametrize("shape", [(1, 256, 256), (1, 400, 100)])
def test_about_the_edge_the_largest_eigenvalue_decides(shape: tuple[int, int, int]) -> None:
    answers = set()
    for seed in range(20):
        weights = with_spike(shape, 4, seed)
        spectrum = compute_spectrum(weights, 0.0)
        edge, width = bulk_edge(*shape[1:])
        height = (spectrum.largest / spectrum.total * weights.size - edge) / width
        answer = said(weights)
        answers.add(answer)
        if abs(height - TRACY_WIDOM_999) > 1:  # the limit, and how far the edge may be off
            assert answer == ("alike" if height < TRACY_WIDOM_999 else "unlike")
    assert answers >= {"alike", "unlike"}

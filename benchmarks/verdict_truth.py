"""Are the answers to "random?" those of many shuffles? Noise of many laws, and structure near the limits.

The truth is the definition in docs/metrics.md, from 40 shuffles of each matrix: λ_max at most 3.5 standard deviations
above the mean of the shuffles' (of its logarithm), and the mean Jensen–Shannon distance to shuffles at most 1.6 times
that between two of them. A wrong answer counts as near the limit if the truth is within 20 % of it, which is about
what 40 shuffles leave open. Prints Markdown. Usage: python -m benchmarks.verdict_truth
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.machine import machine_line
from wqscore.execution.threads import one_blas_thread
from wqscore.spectra.jensen_shannon import jensen_shannon_distance
from wqscore.spectra.randomness import is_random
from wqscore.spectra.screening import measure
from wqscore.spectra.shuffling import Shuffles
from wqscore.spectra.spectrum import compute_spectrum

SHAPES = ((1, 64, 64), (1, 200, 80), (1, 256, 256), (1, 600, 150), (9, 64, 32), (9, 96, 96))
SEEDS, SHUFFLED = 3, 40
HEIGHT, DISTANCE, NEAR = 3.53, 1.6, 1.2

Shape = tuple[int, int, int]
Draw = Callable[[np.random.Generator, Shape], np.ndarray]


def autoregressive(share: float) -> Draw:
    """Each column has a share of the one before."""

    def draw(rng: np.random.Generator, shape: Shape) -> np.ndarray:
        noise = rng.standard_normal(shape)
        noise[..., 1:] += share * noise[..., :-1].copy()
        return noise

    return draw


def rows_scaled(spread: float, noise: Draw = lambda rng, shape: rng.standard_normal(shape)) -> Draw:
    """Rows of different scales."""
    return lambda rng, shape: noise(rng, shape) * np.exp(spread * rng.standard_normal((shape[0], shape[1], 1)))


def spiked(strength: float, count: int = 1, noise: Draw = lambda rng, shape: rng.standard_normal(shape)) -> Draw:
    """Directions of that strength, in units of where one leaves the bulk."""

    def draw(rng: np.random.Generator, shape: Shape) -> np.ndarray:
        slices, rows, columns = shape
        left, right = rng.standard_normal((slices, rows, count)), rng.standard_normal((slices, count, columns))
        left /= np.linalg.norm(left, axis=1, keepdims=True)
        right /= np.linalg.norm(right, axis=2, keepdims=True)
        return np.asarray(noise(rng, shape) + np.sqrt(strength * np.sqrt(rows * columns)) * left @ right)

    return draw


def large_entries(count: int, size: float) -> Draw:
    """So many large entries, in units of where one leaves the bulk."""

    def draw(rng: np.random.Generator, shape: Shape) -> np.ndarray:
        noise = rng.standard_normal(shape)
        noise.reshape(-1)[rng.choice(noise.size, count, replace=False)] = size * (shape[1] * shape[2]) ** 0.25
        return noise

    return draw


def student(freedom: float) -> Draw:
    """Student's law."""
    return lambda rng, shape: rng.standard_t(freedom, shape)


KINDS: Mapping[str, Draw] = {
    "Gaussian": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape),
    "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "a tenth not 0": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.1),
    "a fiftieth not 0": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.02),
    "positive": lambda rng, shape: np.abs(rng.standard_normal(shape)),
    "mean of σ/20": lambda rng, shape: rng.standard_normal(shape) + 0.05,
    **{f"Student-{freedom}": student(freedom) for freedom in (5, 3, 2.5)},
    **{
        f"{count} large entries, {size}": large_entries(count, size)
        for count, size in ((1, 1.35), (5, 1.5), (30, 1.2))
    },
    **{f"neighbours' share {share}": autoregressive(share) for share in (0.1, 0.2, 0.3, 0.4)},
    **{f"scales of rows {spread}": rows_scaled(spread) for spread in (0.02, 0.05, 0.1, 0.2, 0.5)},
    **{f"Student-3, scales of rows {spread}": rows_scaled(spread, student(3)) for spread in (0.1, 0.3, 0.6)},
    **{f"direction of {strength}": spiked(strength) for strength in (0.5, 1.2, 1.5, 1.7, 2.0, 3.0)},
    **{f"ten directions of {strength}": spiked(strength, 10) for strength in (0.5, 0.8)},
    **{f"Student-3, direction of {strength}": spiked(strength, 1, student(3)) for strength in (6.0, 15.0)},
}


def truth(weights: np.ndarray) -> tuple[bool, bool]:
    """Whether many shuffles call it random, and whether that is near a limit."""
    spectrum = compute_spectrum(weights, 0.0).eigenvalues
    shuffles = [each.eigenvalues for each in Shuffles(weights, 0.0, 1000).first(SHUFFLED)]
    largest = np.log([each[-1] for each in shuffles])
    height = (np.log(spectrum[-1]) - largest.mean()) / largest.std(ddof=1)
    between = [jensen_shannon_distance(one, other) for k, one in enumerate(shuffles) for other in shuffles[:k]]
    distance = np.mean([jensen_shannon_distance(spectrum, each) for each in shuffles]) / np.mean(between)
    most = max(height / HEIGHT, distance / DISTANCE)
    return bool(most <= 1), bool(1 / NEAR < most < NEAR)


def main() -> None:
    """Print a row for each kind."""
    print(machine_line(["wqscore", "numpy"]))
    print("\n| weights | matrices | random by many shuffles | right | `undecided` | wrong near the limit | wrong |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    whole: Counter[str] = Counter()
    with one_blas_thread():
        for number, (kind, draw) in enumerate(KINDS.items()):
            found: Counter[str] = Counter()
            for shape in SHAPES:
                for seed in range(SEEDS):
                    weights = draw(np.random.default_rng((number, seed, *shape)), shape).astype(np.float32)
                    spectrum = compute_spectrum(weights, 0.0)
                    answer = is_random(spectrum, measure(weights, spectrum), Shuffles(weights, 0.0, 0))
                    expected, is_near = truth(weights)
                    found["random"] += expected
                    found["open" if answer is None else "right" if answer is expected else f"wrong {is_near}"] += 1
            whole += found
            print(row(kind, found), flush=True)
    print(row("all", whole))


def row(kind: str, found: Counter[str]) -> str:
    """A row of the table."""
    cells = [found["random"], found["right"], found["open"], found["wrong True"], found["wrong False"]]
    return f"| {kind} | {sum(cells[1:])} | {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()

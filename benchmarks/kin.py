"""Kinship that is known, found by `kin`; and what sketching and comparing cost. Prints Markdown.

Twelve networks are trained from seeds of their own; three fine-tunes, a merge, a pruned and a 4-bit version are made
of each. The training is numpy's alone, so that this runs in a minute.
Usage: python -m benchmarks.kin > benchmarks/kin.md
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

import wqscore
from benchmarks.machine import machine_line
from benchmarks.synthetic_truth import print_table
from benchmarks.timing import in_turn, processor_seconds, ratio
from tests.small_models import bert
from tests.studies.kin.made import averaged, four_bits, pruned, saved
from wqscore.sketches.compare import compare
from wqscore.sketches.portrait import Portrait
from wqscore.sketches.sketch import sketch_of
from wqscore.studies.kin.kin import Kin

BASES = 12
SIDES = (32, 64, 64, 64, 64, 10)
STEPS, TUNING = 800, (100, 200, 400)
BATCH, RATE, DECAY = 64, 0.05, 0.9
CLASSES, SPREAD = 10, 1.2
SIDE = (768, 3072)
HEAD = f"""# Kinship found, and what it costs

`python -m benchmarks.kin`. {BASES} networks {"-".join(map(str, SIDES))}, trained on tasks and from seeds of
their own; of each three fine-tunes on other tasks ({", ".join(map(str, TUNING))} steps after {STEPS}), the average
.6 and .4 of the first two, the base with half of its weights set to 0, and the base in 4 bits.
"""
Network = dict[str, np.ndarray]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print_table(columns[0], columns[1:], [(row[0], row[1:]) for row in rows])
    print()


def task(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of ten classes, each around two centres, and their classes."""
    rng = np.random.default_rng([seed, 7])
    centres = rng.standard_normal((2 * CLASSES, SIDES[0]))
    classes = rng.integers(2 * CLASSES, size=4000)
    return (centres[classes] + SPREAD * rng.standard_normal((4000, SIDES[0]))).astype("f4"), classes % CLASSES


def started(seed: int) -> Network:
    """A network as it is before training."""
    rng = np.random.default_rng(seed)
    return {
        f"layers.{at}.fc1.weight": (rng.standard_normal((rows, columns)) * (2 / columns) ** 0.5).astype("f4")
        for at, (columns, rows) in enumerate(pairwise(SIDES))
    }


def trained(network: Network, seed: int, steps: int) -> Network:
    """The network after some steps of stochastic gradient descent with momentum."""
    points, classes = task(seed)
    rng = np.random.default_rng([seed, steps])
    weights = [value.astype("f8") for value in network.values()]
    speeds = [np.zeros_like(value) for value in weights]
    for _ in range(steps):
        chosen = rng.integers(len(points), size=BATCH)
        gradients = backward(weights, points[chosen], classes[chosen])
        for weight, speed, gradient in zip(weights, speeds, gradients, strict=True):
            np.subtract(DECAY * speed, RATE * gradient, out=speed)
            np.add(weight, speed, out=weight)
    return {name: value.astype("f4") for name, value in zip(network, weights, strict=True)}


def backward(weights: Sequence[np.ndarray], points: np.ndarray, classes: np.ndarray) -> list[np.ndarray]:
    """The gradients of the cross entropy."""
    layers = [points.astype("f8")]
    for weight in weights[:-1]:
        layers.append(np.maximum(layers[-1] @ weight.T, 0))
    scores = layers[-1] @ weights[-1].T
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    error = shares / shares.sum(axis=1, keepdims=True)
    error[np.arange(len(classes)), classes] -= 1
    error /= len(classes)
    gradients = []
    for weight, layer in zip(reversed(weights), reversed(layers), strict=True):
        gradients.append(error.T @ layer)
        error = (error @ weight) * (layer > 0)
    return gradients[::-1]


def accuracy(network: Network, seed: int) -> float:
    """The share of its task's points that a network tells."""
    points, classes = task(seed)
    layer = points
    *hidden, last = network.values()
    for weight in hidden:
        layer = np.maximum(layer @ weight.T, 0)
    return float(((layer @ last.T).argmax(axis=1) == classes).mean())


def families() -> Iterator[tuple[str, Network]]:
    """Every network with its name, `seed/kind`."""
    for seed in range(BASES):
        base = trained(started(seed), seed, STEPS)
        tuned = [trained(base, 100 * (seed + 1) + at, steps) for at, steps in enumerate(TUNING)]
        kinds = {"base": base, **{f"tuned {steps}": each for steps, each in zip(TUNING, tuned, strict=True)}}
        kinds |= {"merge": averaged(tuned[0], tuned[1], 0.4), "pruned": pruned(base, 0.5), "4 bits": four_bits(base)}
        yield from ((f"{seed}/{kind}", network) for kind, network in kinds.items())


def kinship(found: Kin) -> None:
    """Print how often kinship was found, and by what margin."""
    kin, apart = [], []
    counts: Counter[tuple[bool, bool]] = Counter()
    by_kind: dict[str, list[float]] = {}
    for pair in found.pairs:
        (one, kind), (other, its) = (found.label(place).split("/") for place in (pair.a, pair.b))
        counts[one == other, pair.is_kin] += 1
        (kin if one == other else apart).append(pair)
        if one == other and kind == "base":
            by_kind.setdefault(its, []).append(pair.cosine)
    true, wrong, missed = counts[True, True], counts[False, True], counts[True, False]
    print(f"Of {len(found.pairs):,} pairs {len(kin)} are kin: precision {true / (true + wrong):.3f}, ", end="")
    verdicts = Counter(pair.verdict for pair in found.pairs)
    print(f"recall {true / (true + missed):.3f}; {', '.join(f'{n:,} {name}' for name, n in verdicts.items())}.")
    table(
        ["pairs", "cosine", "distance of spectra", "directions", "least confidence"],
        [
            [
                name,
                f"{min(abs(each.cosine) for each in pairs):.3f} to {max(abs(each.cosine) for each in pairs):.3f}",
                f"{min(p.spectrum_distance for p in pairs):.4f} to {max(p.spectrum_distance for p in pairs):.4f}",
                f"{min(p.directions for p in pairs):.2f} to {max(p.directions for p in pairs):.2f}",
                f"{min(each.confidence for each in pairs):.6f}",
            ]
            for name, pairs in ((f"{len(kin)} kin", kin), (f"{len(apart):,} others", apart))
        ],
    )
    print("Unrelated cosines are given by their size. With the base:\n")
    table(
        ["", *by_kind],
        [["least cosine", *(f"{min(cosines):.3f}" for cosines in by_kind.values())]],
    )
    merges = {found.label(merge.model) for merge in found.merges}
    zeros = {each.ref.label for each in found.models if each.traits.is_pruned}
    few = {each.ref.label for each in found.models if each.traits.is_quantised}
    told = {"merge": merges, "pruned": zeros, "4 bits": few}
    hits = {kind: sum(kind in label for label in labels) for kind, labels in told.items()}
    rows = [[kind, str(hits[kind]), str(BASES), str(len(labels) - hits[kind])] for kind, labels in told.items()]
    table(["", "found", "of", "false"], rows)


def synthetic(models: int, matrices: int, rng: np.random.Generator) -> list[Portrait]:
    """Portraits of unrelated models of one architecture, of random numbers; twelve matrices to a role."""
    keys = tuple((f"layers.{at:03d}.weight", 1, 64, 64) for at in range(matrices))
    made = []
    for place in range(models):
        units = rng.standard_normal((matrices, 128)).astype("f4")
        made.append(
            Portrait(
                keys=keys,
                roles=tuple(f"role {at // 12}" for at in range(matrices)),
                depths=tuple(range(matrices)),
                digests=tuple(f"{place}.{at}" for at in range(matrices)),
                units=units / np.linalg.norm(units, axis=1, keepdims=True),
                lengths=np.ones(matrices),
                logs=tuple(rng.standard_normal((matrices, 128))),
                directions=rng.standard_normal((matrices, 2, 4, 16)).astype("f4"),
                zeros=np.zeros(matrices),
                levels=np.zeros(matrices, np.int64),
                coded=np.zeros(matrices, bool),
                sizes=np.ones(matrices, np.int64),
            )
        )
    return made


def comparing() -> None:
    """Print how long it takes to compare sketches."""
    rng = np.random.default_rng(0)
    compare(synthetic(3, 12, rng))
    rows = []
    for models, matrices, spectra in ((100, 76, True), (500, 76, True), (1_000, 76, False), (10_000, 12, False)):
        made = synthetic(models, matrices, rng)
        taken = min(processor_seconds(lambda made=made, all_of=spectra: compare(made, all_of)) for _ in range(2))
        what = "sketches, spectra, directions" if spectra else "sketches"
        rows.append([f"{models:,}", str(matrices), f"{models * (models - 1) // 2:,}", what, f"{taken:.2f} s"])
    table(["models", "matrices each", "pairs", "compared", "processor time"], rows)


def trained_like(rows: int, columns: int) -> np.ndarray:
    """A matrix of noise with a hundred directions that stand apart."""
    rng = np.random.default_rng(rows)
    left, right = (np.linalg.qr(rng.standard_normal((side, 100)))[0] for side in (rows, columns))
    spikes = (left * 3 * np.arange(1, 101) ** -0.6) @ right.T
    return (0.02 * rng.standard_normal((rows, columns)) + spikes).astype("f4")


def sketching() -> None:
    """Print what a sketch adds to scoring a matrix, and to a layer of BERT base."""
    large, square = trained_like(*SIDE), trained_like(SIDE[0], SIDE[0])
    cases = {
        "768 × 3072, float32": [large],
        "768 × 3072, float16": [large.astype("f2")],
        "768 × 768, float32": [square],
        "4 of 768 × 768, 2 of 768 × 3072": [large, large[::-1].copy(), *[square] * 4],
    }
    rows = []
    for name, matrices in cases.items():
        # Other bits each, so that none is a copy.
        scaled = [(each * (1 + at / 64)).astype(each.dtype) for at, each in enumerate(matrices)]
        model = {f"encoder.layer.{at}.fc1.weight": each for at, each in enumerate(scaled)}
        taken = in_turn(
            {
                "sketch": lambda given=scaled: [sketch_of(each[None], 1.0) for each in given],
                "score": lambda model=model: wqscore.score(model, jobs=1),
            },
            15,
            processor_seconds,
        )
        times = {kind: 1e3 * sorted(each)[len(each) // 2] for kind, each in taken.items()}
        share = ratio(taken, "sketch", "score")
        rows.append([name, f"{times['sketch']:.2f} ms", f"{times['score']:.0f} ms", f"{share:.1%}"])
    table(["trained-like", "sketch", "score", "share"], rows)


def from_the_store(networks: Mapping[str, Network]) -> None:
    """Print how long 100 models take that the store has."""
    deep = {f"{seed}": bert(seed, layers=12) for seed in range(4)}
    for name, models in (("networks of 5 matrices", networks), ("BERTs of 12 layers, 74 matrices of 64", deep)):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            every = list(models.values())
            paths = [saved(root / str(at), every[at % len(every)]) for at in range(100)]
            wqscore.kin(paths, store=root / "store.sqlite", jobs=1)
            taken = min(processor_seconds(lambda: wqscore.kin(paths, store=root / "store.sqlite")) for _ in range(3))  # noqa: B023
            print(f"100 {name} from the store, opened and compared: {taken:.2f} s, nothing read.\n")


def demo() -> None:
    """Print the demo's models, if they are here."""
    root = Path("checkpoints")
    names = [
        "rxnfp-bert_pretrained",
        "rxnfp-bert_ft",
        "rxnfp-bert_ft_10k_25s",
        "all-MiniLM-L6-v2",
        "rxnmapper-albert",
    ]
    if not all((root / name).exists() for name in names):
        return
    found = wqscore.kin([str(root / name) for name in names])
    rows = [
        [
            found.label(pair.a).rpartition("/")[2],
            found.label(pair.b).rpartition("/")[2],
            pair.verdict,
            "–" if np.isnan(pair.cosine) else f"{pair.cosine:.4f} ± {pair.cosine_se:.4f}",
            "–" if np.isnan(pair.spectrum_distance) else f"{pair.spectrum_distance:.4f}",
            str(pair.n_matrices),
        ]
        for pair in found.pairs
    ]
    table(["a", "b", "verdict", "cosine", "distance of spectra", "matrices"], rows)


if __name__ == "__main__":
    print(HEAD)
    print(machine_line(["wqscore", "numpy", "numba"]))
    every = dict(families())
    told = [accuracy(every[f"{seed}/base"], seed) for seed in range(BASES)]
    print(f"\nThe bases tell {min(told):.0%} to {max(told):.0%} of their ten classes.\n\n## Kinship\n")
    kinship(wqscore.kin(every, jobs=1))
    print("## The demo\n")
    demo()
    print("## Cost\n")
    sketching()
    comparing()
    from_the_store(every)

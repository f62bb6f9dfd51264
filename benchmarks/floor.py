"""How much more than LAPACK's floor does wqscore take, for signal and for noise?

The floor is NumPy's time for the Gram products and the eigenvalues (`eigvalsh`, a stack in one call) of the same
matrices, in memory as float64. wqscore scores the checkpoint on disk in the same process, after imports and
compilation, on one thread with one BLAS thread: without resampling (`--bootstrap 0 --gof 0`) and with it. The runs
alternate. All times are processor time, which other work on the machine changes least; ratios are medians of pairs.
Usage: python -m benchmarks.floor [--large] [case …]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median

import numpy as np
from safetensors.numpy import save_file

from benchmarks.machine import machine_line
from benchmarks.models import trained_looking
from benchmarks.timing import in_turn, processor_seconds, ratio
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.execution.resources import Resources
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.presets.registry import DEFAULT
from wqscore.refs.parsing import parse_ref
from wqscore.scoring.score_checkpoint import Work, score_checkpoint

RUNS = 5
PLAIN = Sampling(bootstrap=0, gof=0)
#: The most that a run may take, in floors and without resampling: signal, by its side, and noise; and the most that
#: resampling may add.
SIGNAL, SIGNAL_1536, SIGNAL_2048, SIGNAL_SQUARE = 1.05, 0.75, 0.65, 0.6
NOISE, RESAMPLING = 2.0, 0.4
BERT = ((768, 768), (768, 768), (768, 768), (768, 768), (3072, 768), (768, 3072))
LLAMA = ((2048, 2048), (5632, 2048))
LLAMA_7B = ((4096, 4096), (11008, 4096))
CHANNELS = (64, 128, 256, 512)
EXPERTS, SMALL_EXPERTS = (64, 512, 256), (64, 256, 128)

Draw = Callable[[tuple[int, ...], int], np.ndarray]


def gaussian(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Gaussian entries."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32) * np.float32(0.02)


def student(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Entries of Student's law with three degrees of freedom, whose fourth moment is infinite."""
    return (np.random.default_rng(seed).standard_t(3, shape) * 0.02).astype(np.float32)


def scaled(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Gaussian entries, the scales of rows spread by a half: they have to be divided out, and solved again."""
    spread = np.exp(np.random.default_rng((seed, 1)).standard_normal((*shape[:-1], 1)) / 2)
    return (gaussian(shape, seed) * spread).astype(np.float32)


def shifted(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Gaussian entries with a mean, of which a shuffle has to be drawn."""
    return gaussian(shape, seed) + np.float32(0.002)


def orthogonal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """As torch initialises it: orthonormal rows, or columns where they are fewer."""
    tall = np.linalg.qr(np.random.default_rng(seed).standard_normal((max(shape), min(shape))))[0]
    return np.ascontiguousarray(tall if shape[0] >= shape[1] else tall.T, np.float32)


def trained(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Noise and a heavy-tailed part of low rank; a matrix, or a stack of them."""
    *stack, rows, columns = shape
    return np.stack([trained_looking((rows, columns), 1000 * seed + i) for i in range(int(np.prod(stack)))]).reshape(
        shape
    )


def trained_kernel(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A kernel of shape (out, in, height, width)."""
    rows, columns, *window = shape
    return np.ascontiguousarray(np.moveaxis(trained((*window, rows, columns), seed), (0, 1), (2, 3)))


def dense(shapes: tuple[tuple[int, int], ...], draw: Draw) -> dict[str, np.ndarray]:
    """Dense layers."""
    return {f"encoder.layer.{i}.output.dense.weight": draw(shape, i) for i, shape in enumerate(shapes)}


def kernels(draw: Draw) -> dict[str, np.ndarray]:
    """3×3 kernels in torch's order."""
    return {f"layer{i}.conv.weight": draw((size, size, 3, 3), i) for i, size in enumerate(CHANNELS)}


def flax_kernels(draw: Draw) -> dict[str, np.ndarray]:
    """3×3 kernels in Flax's order."""
    return {f"params.Conv_{i}.kernel": draw((3, 3, size, size), i) for i, size in enumerate(CHANNELS)}


def experts(shape: tuple[int, int, int], draw: Draw) -> dict[str, np.ndarray]:
    """A stack of experts."""
    return {"model.layers.0.mlp.experts.down_proj": draw(shape, 0)}


#: What makes the tensors of a case, and the most that it may take.
CASES: Mapping[str, tuple[Callable[[], dict[str, np.ndarray]], float]] = {
    "BERT-base, trained-like": (lambda: dense(BERT, trained), SIGNAL),
    "1,536, trained-like": (lambda: dense(((1536, 1536),), trained), SIGNAL_1536),
    "Llama-like 2,048, trained-like": (lambda: dense(LLAMA, trained), SIGNAL_2048),
    "BERT-base, Gaussian": (lambda: dense(BERT, gaussian), NOISE),
    "BERT-base, Student-3": (lambda: dense(BERT, student), NOISE),
    "BERT-base, rows of different scales": (lambda: dense(BERT, scaled), NOISE),
    "BERT-base, a mean of its own": (lambda: dense(BERT, shifted), NOISE),
    "BERT-base, orthogonal": (lambda: dense(BERT, orthogonal), NOISE),
    "3×3 kernels, trained-like": (lambda: kernels(trained_kernel), NOISE),
    "3×3 kernels, Gaussian": (lambda: kernels(gaussian), NOISE),
    "3×3 kernels, Student-3": (lambda: kernels(student), NOISE),
    "3×3 kernels of Flax, Gaussian": (lambda: flax_kernels(gaussian), NOISE),
    "64 experts, 512×256, trained-like": (lambda: experts(EXPERTS, trained), NOISE),
    "64 experts, 512×256, Gaussian": (lambda: experts(EXPERTS, gaussian), NOISE),
    "64 experts, 256×128, trained-like": (lambda: experts(SMALL_EXPERTS, trained), NOISE),
    "64 experts, 256×128, Gaussian": (lambda: experts(SMALL_EXPERTS, gaussian), NOISE),
}
LARGE_CASES: Mapping[str, tuple[Callable[[], dict[str, np.ndarray]], float]] = {
    "2,048, trained-like": (lambda: dense(LLAMA[:1], trained), SIGNAL_SQUARE),
    "4,096, trained-like": (lambda: dense(LLAMA_7B[:1], trained), SIGNAL_SQUARE),
    "Llama-like 4,096, trained-like": (lambda: dense(LLAMA_7B, trained), SIGNAL_2048),
    "2,048, Gaussian": (lambda: dense(LLAMA[:1], gaussian), NOISE),
}


def written(folder: Path, tensors: dict[str, np.ndarray]) -> Checkpoint:
    """A checkpoint of the tensors."""
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    return open_checkpoint(parse_ref(str(folder)))


def stacks(checkpoint: Checkpoint) -> Iterator[np.ndarray]:
    """The checkpoint's matrices as they are scored: float64, shape (slices, longer side, shorter side)."""
    for outcome in plan_matrices(checkpoint.tensors, ModelConfig(checkpoint.config), DEFAULT.matrices):
        if isinstance(outcome, WeightMatrix):
            values = outcome.values(outcome.tensor.read())
            tall = values if values.shape[1] >= values.shape[2] else values.transpose(0, 2, 1)
            yield np.ascontiguousarray(tall, np.float64)


def solve(matrices: list[np.ndarray]) -> None:
    """The floor."""
    for stack in matrices:
        np.linalg.eigvalsh(stack.transpose(0, 2, 1) @ stack)


def main() -> None:
    """Print the table."""
    chosen = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    cases = {**CASES, **(LARGE_CASES if "--large" in sys.argv[1:] else {})}
    print(machine_line(["wqscore", "numpy", "numba"]), flush=True)
    print("\n| weights | floor, s | without resampling | at most | resampling adds | verdicts |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    with one_blas_thread():
        for name, (tensors, most) in cases.items():
            if not chosen or any(part in name for part in chosen):
                with tempfile.TemporaryDirectory() as folder:
                    print_case(name, written(Path(folder), tensors()), most)


def print_case(name: str, checkpoint: Checkpoint, most: float) -> None:
    """Print a row."""
    matrices = list(stacks(checkpoint))
    alone = Work(Resources(1))
    score = score_checkpoint(checkpoint, sampling=PLAIN, work=alone)
    functions: dict[str, Callable[[], object]] = {
        "floor": lambda: solve(matrices),
        "plain": lambda: score_checkpoint(checkpoint, sampling=PLAIN, work=alone),
        "all": lambda: score_checkpoint(checkpoint, sampling=USUAL, work=alone),
    }
    score_checkpoint(checkpoint, sampling=USUAL, work=alone)
    taken = in_turn(functions, RUNS, processor_seconds)
    plain = ratio(taken, "plain", "floor")
    added = median((a - p) / f for a, p, f in zip(taken["all"], taken["plain"], taken["floor"], strict=True))
    verdicts = ", ".join(f"{n} {v}" for v, n in Counter(row.verdict for row in score.layers).most_common())
    missed = [" misses" if bad else "" for bad in (plain > most, added > RESAMPLING)]
    floor = median(taken["floor"])
    print(
        f"| {name} | {floor:.3f} | {plain:.2f}{missed[0]} | {most:.2f} | {added:.2f}{missed[1]} | {verdicts} |",
        flush=True,
    )


if __name__ == "__main__":
    main()

"""Tasks: inputs and labels, split into training and held-out examples, plain and shifted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from scipy.ndimage import rotate

from benchmarks.zoo import data
from benchmarks.zoo.families import Architecture

#: Held-out examples; of the text, characters.
HELD_OUT = {"digits": 597, "mnist": 1500, "cut": 6000, "clarity": 6000, "text": 20_000}
#: Examples of tables to train on; images use all that are not held out.
_TABLE_EXAMPLES = 12_000
_ROTATION = 25  # degrees
_CARATS = 1.0  # larger stones are the shifted table
_BINS = 12
_UNKNOWN = "\x00"
#: Characters that a network reads: an MLP predicts the next one only, a transformer the next after each.
MLP_CONTEXT, TRANSFORMER_CONTEXT = 8, 32
_PASSAGE = 2_000  # characters held out at a time
_STRIDE = 8  # between the windows a transformer is trained on


@dataclass(frozen=True, eq=False)
class Task:
    """Examples and their classes.

    Attributes:
        name: the task's.
        classes: how many.
        inputs: training examples, float32, or int64 for characters.
        labels: their classes; of windows of text, one for each character.
        held_out_inputs: examples never trained on.
        held_out_labels: their classes.
    """

    name: str
    classes: int
    inputs: np.ndarray
    labels: np.ndarray
    held_out_inputs: np.ndarray
    held_out_labels: np.ndarray

    @property
    def quality_name(self) -> str:
        """What quality is: accuracy, or nats for each character."""
        return f"{self.name} {'nats' if self.better == 'lower' else 'accuracy'}"

    @property
    def better(self) -> str:
        """Whether `higher` or `lower` quality is better."""
        return "lower" if self.name.startswith("text") else "higher"

    def digest(self) -> str:
        """Return the first half of the SHA-256 of all arrays."""
        arrays = (self.inputs, self.labels, self.held_out_inputs, self.held_out_labels)
        return sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:32]


@cache
def load_task(name: str, architecture: Architecture, folder: Path, shifted: bool = False) -> Task:
    """Return a task in the layout that an architecture reads.

    Args:
        name: a key of `HELD_OUT`.
        architecture: MLPs read vectors, CNNs images of one channel, transformers sequences of vectors.
        folder: of the wheels.
        shifted: images turned by 25°, diamonds over one carat, or Python source in place of help texts.
    """
    if name == "text":
        task = _text(architecture, shifted)
    elif name in ("digits", "mnist"):
        task = _images(name, architecture, folder, shifted)
    else:
        task = _table(name, architecture, folder, shifted)
    return replace(task, name=f"{name}-shifted") if shifted else task


def _split(name: str, inputs: np.ndarray, labels: np.ndarray, classes: int, limit: int | None = None) -> Task:
    """Hold out a random part of the examples, the same one for every architecture."""
    order = np.random.default_rng(0).permutation(len(labels))
    held_out = order[: HELD_OUT[name]]
    train = order[HELD_OUT[name] :][:limit]
    stored = inputs.astype(np.float32)
    return Task(name, classes, stored[train], labels[train], stored[held_out], labels[held_out])


def _images(name: str, architecture: Architecture, folder: Path, shifted: bool) -> Task:
    images, labels = data.digits() if name == "digits" else data.mnist(folder)
    images = images / images.max()
    mean, spread = images.mean(), images.std()
    if shifted:
        images = rotate(images, _ROTATION, axes=(2, 1), reshape=False, order=1)
    images = (images - mean) / spread
    if architecture == "mlp":
        inputs = images.reshape(len(images), -1)
    elif architecture == "cnn":
        inputs = images[:, np.newaxis]
    else:
        inputs = images if name == "digits" else _patches(images, 7)
    return _split(name, inputs, labels, 10)


def _patches(images: np.ndarray, side: int) -> np.ndarray:
    """Cut images into squares, each a vector; shape (images, patches, side²)."""
    count, height, width = images.shape
    cut = images.reshape(count, height // side, side, width // side, side)
    return cut.transpose(0, 1, 3, 2, 4).reshape(count, -1, side * side)


def _table(name: str, architecture: Architecture, folder: Path, shifted: bool) -> Task:
    columns = data.diamonds(folder)
    large = columns["carat"] > _CARATS
    tokens = [_quantiles(columns[number], ~large) for number in data.NUMBERS]
    levels = {"cut": data.CUTS, "color": data.COLOURS, "clarity": data.CLARITIES}
    tokens += [np.eye(_BINS)[columns[other]] for other in levels if other != name]
    chosen = large if shifted else ~large
    inputs = np.stack(tokens, axis=1)[chosen]
    if architecture == "mlp":
        inputs = inputs.reshape(len(inputs), -1)
    return _split(name, inputs, columns[name][chosen].astype(np.int64), len(levels[name]), _TABLE_EXAMPLES)


def _quantiles(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Encode numbers by how much of each bin between quantiles lies below them (Gorishniy et al., NeurIPS 2022)."""
    edges = np.quantile(values[reference], np.linspace(0, 1, _BINS + 1))
    widths = np.maximum(np.diff(edges), 1e-9)
    return np.clip((values[:, np.newaxis] - edges[:-1]) / widths, 0, 1)


def _text(architecture: Architecture, shifted: bool) -> Task:
    plain = data.text()
    alphabet = {character: code for code, character in enumerate([_UNKNOWN, *sorted(set(plain))])}
    codes = np.array([alphabet.get(character, 0) for character in (data.source_text() if shifted else plain)])
    is_held_out = _passages(len(codes))
    train, held_out = codes[~is_held_out], codes[is_held_out]
    if architecture == "mlp":
        return Task("text", len(alphabet), *_next_characters(train), *_next_characters(held_out))
    windows = _windows(train, _STRIDE), _windows(held_out, TRANSFORMER_CONTEXT)
    return Task("text", len(alphabet), *windows[0], *windows[1])


def _passages(length: int) -> np.ndarray:
    """Mark the passages of a text that are held out, spread evenly over it."""
    count = HELD_OUT["text"] // _PASSAGE
    marked = np.zeros(length, dtype=bool)
    for start in np.linspace(0, length - _PASSAGE, count).astype(int):
        marked[start : start + _PASSAGE] = True
    return marked


def _next_characters(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every run of characters that an MLP reads, and the one after it."""
    runs = np.lib.stride_tricks.sliding_window_view(codes, MLP_CONTEXT + 1)
    return runs[:, :-1].copy(), runs[:, -1].copy()


def _windows(codes: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of text, and the same windows one character on."""
    runs = np.lib.stride_tricks.sliding_window_view(codes, TRANSFORMER_CONTEXT + 1)[::stride]
    return runs[:, :-1].copy(), runs[:, 1:].copy()

"""A BERT and a chain of linear layers as arrays, without torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

Tensors = dict[str, np.ndarray]

HIDDEN, HEADS, SIZE, INNER, LAYERS = 128, 4, 32, 192, 2
BERT: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "intermediate_size": INNER,
    "vocab_size": 70,
    "max_position_embeddings": 64,
}
SMALL = {**BERT, "num_hidden_layers": 1}
RELU: dict[str, Any] = {"model_type": "mlp", "hidden_act": "relu"}
#: Only eigenvalues count.
QUICK: dict[str, Any] = {"metrics": "core", "bootstrap": 0, "gof": 0, "jobs": 1}


def _heavy(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A matrix with a heavy tail, as trained ones have."""
    return rng.standard_t(4, (rows, columns)) @ np.diag(rng.pareto(2.5, columns) + 0.2) * 0.05


def bert(seed: int = 0, layers: int = LAYERS) -> Tensors:
    """A BERT's body in float64."""
    rng = np.random.default_rng(seed)
    found: Tensors = {}
    for name, rows in (("word", 70), ("position", 64), ("token_type", 2)):
        found[f"embeddings.{name}_embeddings.weight"] = rng.standard_normal((rows, HIDDEN))
    sizes = {f"attention.self.{name}": (HIDDEN, HIDDEN) for name in ("query", "key", "value")}
    sizes |= {"attention.output.dense": (HIDDEN, HIDDEN)}
    sizes |= {"intermediate.dense": (INNER, HIDDEN), "output.dense": (HIDDEN, INNER)}
    for layer in range(layers):
        for name, (rows, columns) in sizes.items():
            found[f"encoder.layer.{layer}.{name}.weight"] = _heavy(rng, rows, columns)
            found[f"encoder.layer.{layer}.{name}.bias"] = rng.standard_normal(rows)
    return found


def chain(widths: tuple[int, ...] = (70, 90, 80, 100, 60), seed: int = 0) -> Tensors:
    """A chain of linear layers in float64."""
    rng = np.random.default_rng(seed)
    found: Tensors = {}
    for layer, (into, out) in enumerate(pairwise(widths)):
        found[f"{2 * layer}.weight"] = _heavy(rng, out, into)
        found[f"{2 * layer}.bias"] = rng.standard_normal(out)
    return found

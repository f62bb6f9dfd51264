"""A model's outputs on random inputs, to check that a transformation leaves them alone.

Random tokens are no data: only the difference of two outputs counts. Needs torch and transformers, except for chains
of linear layers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from math import erf, sqrt
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.matrices.feed_forward import FeedForwardChain, feed_forward_chain
from wqscore.symmetries.finding import model_tensors
from wqscore.symmetries.sites import Layout

#: A model of more parameters is not loaded: in float64 its weights take 1.2 GB, twice.
MOST_PARAMETERS = 150_000_000
_SEQUENCES, _TOKENS, _INPUTS = 2, 16, 64

_ACTIVATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "relu": lambda x: np.maximum(x, 0),
        "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
        "leakyrelu": lambda x: np.where(x > 0, x, 0.01 * x),
        "linear": lambda x: x,
        "identity": lambda x: x,
        "tanh": np.tanh,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "silu": lambda x: x / (1 + np.exp(-x)),
        "gelu": lambda x: x * (1 + np.vectorize(erf, otypes=[np.float64])(x / sqrt(2))) / 2,
    }
)


def can_run(checkpoint: Checkpoint, layout: Layout) -> bool:
    """Whether the model can be run here: small enough, and what runs it is installed."""
    if layout.is_chain:
        return layout.activation in _ACTIVATIONS
    installed = all(map(find_spec, ("torch", "transformers", "safetensors")))
    return installed and checkpoint.parameters <= MOST_PARAMETERS


def log_probabilities(checkpoint: Checkpoint, layout: Layout, seed: int) -> np.ndarray | None:
    """The log-softmax of a model's outputs for random inputs, in float64.

    Args:
        checkpoint: the model, as stored or transformed.
        layout: where its symmetries act.
        seed: of the inputs.

    Returns:
        `None` where the library can't build or run the model.
    """
    rng = np.random.default_rng(seed)
    if layout.is_chain:
        return _log_softmax(_of_chain(checkpoint, layout, rng))
    # Whatever a foreign library has against a model's configuration, the study goes on without its outputs.
    try:
        return _log_softmax(_of_transformers(checkpoint, rng))
    except Exception:
        return None


def largest_change(before: np.ndarray | None, after: np.ndarray | None) -> float | None:
    """The largest difference of two outputs; `None` where one is missing or not finite."""
    if before is None or after is None or before.shape != after.shape:
        return None
    change = float(np.abs(after - before).max(initial=0.0))
    return change if np.isfinite(change) else None


def _log_softmax(outputs: np.ndarray) -> np.ndarray:
    shifted = outputs - outputs.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _of_chain(checkpoint: Checkpoint, layout: Layout, rng: np.random.Generator) -> np.ndarray:
    found = feed_forward_chain(model_tensors(checkpoint))
    assert isinstance(found, FeedForwardChain), "a chain before, and a chain after"
    activation = _ACTIVATIONS[layout.activation]
    values = rng.standard_normal((_INPUTS, found.layers[0].weight.shape[1]))
    for number, layer in enumerate(found.layers):
        values = values if number == 0 else activation(values)
        values = values @ layer.weight.read().astype(np.float64).T
        values = values + (layer.bias.read().astype(np.float64) if layer.bias else 0)
    return values


def _of_transformers(checkpoint: Checkpoint, rng: np.random.Generator) -> np.ndarray:
    import torch
    import transformers
    from safetensors.numpy import save_file

    config: dict[str, Any] = dict(checkpoint.config)
    named = config.get("architectures")
    chosen = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""
    model_class = getattr(transformers, chosen, transformers.AutoModel)
    longest = config.get("max_position_embeddings") or config.get("n_positions")
    length = min(_TOKENS, longest - 2) if isinstance(longest, int) and longest > 3 else _TOKENS
    tokens = torch.as_tensor(rng.integers(0, config["vocab_size"], (_SEQUENCES, length)))
    with tempfile.TemporaryDirectory() as folder, _quiet(transformers):
        values = {each.name: np.array(each.read(), np.float64, order="C") for each in model_tensors(checkpoint)}
        save_file(values, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        del values
        for key in ("quantization_config", "torch_dtype", "dtype", "auto_map"):
            config.pop(key, None)
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        eager = {"attn_implementation": "eager"}
        if config.get("model_type") in ("mixtral", "qwen3_moe"):
            eager["experts_implementation"] = "eager"
        model, info = model_class.from_pretrained(
            folder, dtype=torch.float64, local_files_only=True, output_loading_info=True, **eager
        )
        if info["missing_keys"] or info["mismatched_keys"]:
            raise ValueError("weights that the file lacks would be drawn anew")
        model.eval()
        with torch.no_grad(), _in_float64(model, torch):
            found = model(input_ids=tokens)
    outputs = found.logits if "logits" in found else found.last_hidden_state
    return np.asarray(outputs.numpy())


class _Double:
    """torch with float64 in place of float32, as the code of a model sees it."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self.float = self.float32 = torch.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(self._torch, name)


@contextmanager
def _in_float64(model: Any, torch: Any) -> Iterator[None]:
    """Keep a model's norms and softmax, which convert to float32, in float64."""
    code = sys.modules[type(model).__module__]
    before = getattr(code, "torch", None)
    if before is not torch:
        yield
        return
    code.torch = _Double(torch)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        code.torch = before  # type: ignore[attr-defined]


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep transformers' messages and bars off standard error, and leave its settings as they were."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(log.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()

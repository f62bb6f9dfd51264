"""Read LoRA adapters as peft saves them: which weights of the base they change, and by what ΔW.

An adapted layer X of the base has `base_model.model.X.lora_A.weight` and `….lora_B.weight`, an embedding
`….lora_embedding_A` and `…_B`; files written during training keep the adapter's name after A and B. Anything else
that was trained, such as a new head, is stored whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod, sqrt
from typing import Any

import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank, delta, merged
from wqscore.checkpoints.adapters.settings import LoraSettings, base_changed, first_matches, lora_settings, not_lora
from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.tensor import Tensor, TensorRef

_PREFIX = "base_model.model."
_LORA = re.compile(
    r"(?s)(?P<layer>.+)\.lora_(?P<part>\w+)(\.(?!weight$|bias$)(?P<adapter>[^.]+))?(?P<leaf>\.weight|\.bias)?"
)
_TOKENS = "trainable_tokens_delta"
_COPY = re.compile(r"\.modules_to_save(\.[^.]+(?=\.))?(?=\.)")
_WRAPPED = re.compile(r"\.base_layer(?=\.|$)")
#: More than any model's matrix has. Two forged vectors of a few megabytes could give a ΔW too large for any memory.
_MAX_WEIGHTS = 2**32
_MAX_AXES = 5


@dataclass(frozen=True)
class LoraWeight:
    """One weight of the base that the adapter changes by ΔW = s·B·A.

    Attributes:
        name: the weight's name in the base.
        shape: its shape there: (out, in), (in, out) if `transposed`, (out, in, …) of a convolution.
        a: the stored A: (r, in), (r, in, …) of a convolution; of an embedding (r, tokens).
        b: the stored B: (out, r), (out, r, 1, …); of an embedding (size, r).
        scale: s.
        transposed: whether the base stores the transpose of B·A: embeddings do, and GPT-2's Conv1D.
    """

    name: str
    shape: tuple[int, ...]
    a: TensorRef
    b: TensorRef
    scale: float
    transposed: bool

    @property
    def rank(self) -> int:
        """The rank r."""
        return self.a.shape[0]

    def factors(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The stored arrays as A (r, columns) and B (rows, r) of ΔW as a matrix of `shape[0]` rows."""
        A, B = a.reshape(self.rank, -1), b.reshape(-1, self.rank)
        return (B.T, A.T) if self.transposed else (A, B)

    @property
    def change(self) -> Decoding:
        """ΔW alone, from A and B."""
        decode, factors = partial(_delta, self), partial(_low_rank, self)
        thin = factors if len(self.shape) == 2 else None
        return Decoding(self.name, self.shape, f"LoRA-{self.rank}", (self.a, self.b), decode, thin)

    def merged_with(self, base: Tensor) -> Decoding:
        """W + ΔW, from W, A and B; W has `shape`."""
        dtype = f"{base.dtype.name}+LoRA-{self.rank}"
        return Decoding(base.name, self.shape, dtype, (base, self.a, self.b), partial(_merged, self))


@dataclass(frozen=True)
class Adapter:
    """How an adapter changes its base.

    Attributes:
        weights: the weights it changes by ΔW, in the order of the stored tensors.
        replaced: the tensors it stores whole, by their name in the base: new heads, trained biases, resized
            embeddings. A name that is also in `weights` is peft's copy of the base's embedding, to which ΔW is added.
        refusals: the stored tensors that can't be read.
        base_changed: why W + ΔW is not the trained weight, though ΔW is correct; `None` if it is.
    """

    weights: tuple[LoraWeight, ...]
    replaced: Mapping[str, TensorRef]
    refusals: tuple[Refusal, ...]
    base_changed: str | None


def plan_adapter(tensors: Mapping[str, TensorRef], adapter_config: Mapping[str, Any]) -> Adapter:
    """Find what a LoRA adapter changes, from the headers alone.

    Args:
        tensors: the adapter's stored tensors by name.
        adapter_config: the parsed `adapter_config.json`, of any content.

    Raises:
        CheckpointError: a setting is invalid, or a pattern's syntax is not supported.
    """
    if reason := not_lora(adapter_config):
        return Adapter((), {}, tuple(Refusal(name, reason) for name in tensors), None)
    settings = lora_settings(adapter_config)
    layers: dict[tuple[str, str | None], dict[str, TensorRef]] = {}
    refusals: list[Refusal] = []
    replaced: dict[str, TensorRef] = {}
    for tensor in tensors.values():
        name = tensor.name.removeprefix(_PREFIX)
        found = _LORA.fullmatch(name)
        if name.endswith(_TOKENS):
            refusals.append(Refusal(tensor.name, "single tokens of an embedding trained: not read"))
        elif found is None:
            refusals += _put(replaced, _COPY.sub("", _bare(name)), tensor)
        elif found["leaf"] == ".bias":
            refusals += _put(replaced, name, tensor)
        else:
            parts = layers.setdefault((found["layer"], found["adapter"]), {})
            refusals += _put(parts, found["part"], tensor)
    scales = _Scales.of(settings, list(dict.fromkeys(layer for layer, _ in layers)))
    targets = _parameter_owners(adapter_config)
    outcomes = [_weight(layer, parts, settings, scales, targets) for (layer, _), parts in layers.items()]
    weights: dict[str, LoraWeight] = {}
    for outcome in outcomes:
        if isinstance(outcome, LoraWeight) and outcome.name not in weights:
            weights[outcome.name] = outcome
        elif isinstance(outcome, LoraWeight):
            refusals += [
                Refusal(part.name, f"a second adapter of {outcome.name}: save each by itself")
                for part in (outcome.a, outcome.b)
            ]
        else:
            refusals += outcome
    return Adapter(tuple(weights.values()), replaced, tuple(refusals), base_changed(adapter_config))


@dataclass(frozen=True)
class _Scales:
    """Rank and alpha of the layers that `rank_pattern` or `alpha_pattern` matches."""

    ranks: Mapping[str, int]
    alphas: Mapping[str, float]

    @classmethod
    def of(cls, settings: LoraSettings, layers: list[str]) -> _Scales:
        ranks = first_matches(settings.ranks, layers, "rank_pattern")
        alphas = first_matches(settings.alphas, layers, "alpha_pattern")
        return cls(
            {layer: settings.ranks[pattern] for layer, pattern in ranks.items()},
            {layer: settings.alphas[pattern] for layer, pattern in alphas.items()},
        )


def _bare(name: str) -> str:
    """A name without the `base_layer` of peft's wrappers, as the base has it."""
    return _WRAPPED.sub("", name)


def _put(kept: dict[str, TensorRef], key: str, tensor: TensorRef) -> list[Refusal]:
    """Store a tensor under a key unless the key is taken; then refuse the tensor."""
    if key in kept:
        return [Refusal(tensor.name, f"stored twice, here and as {kept[key].name}")]
    kept[key] = tensor
    return []


def _parameter_owners(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Suffixes of the names of layers whose bare parameters are adapted (`target_parameters`), such as experts."""
    names = config.get("target_parameters")
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return tuple(f".{name.rpartition('.')[0]}" for name in texts)


def _weight(
    layer: str, parts: dict[str, TensorRef], settings: LoraSettings, scales: _Scales, targets: tuple[str, ...]
) -> LoraWeight | list[Refusal]:
    reason = _not_read(layer, parts, targets)
    if reason:
        return [Refusal(tensor.name, reason) for tensor in parts.values()]
    embedding = "embedding_A" in parts
    a, b = (parts["embedding_A"], parts["embedding_B"]) if embedding else (parts["A"], parts["B"])
    rank = scales.ranks.get(layer, settings.rank)
    if reason := _misfit(a, b, rank, embedding):
        return [Refusal(a.name, reason), Refusal(b.name, reason)]
    alpha = scales.alphas.get(layer, settings.alpha)
    scale = alpha / (sqrt(rank) if settings.by_square_root else rank)
    outer, inner = b.shape[0], a.shape[1:]
    transposed = embedding or (settings.fan_in_fan_out and len(inner) == 1)
    shape = (inner[0], outer) if transposed else (outer, *inner)
    return LoraWeight(f"{layer}.weight", shape, a, b, scale, transposed)


def _not_read(layer: str, parts: Mapping[str, TensorRef], targets: tuple[str, ...]) -> str | None:
    if "magnitude_vector" in parts:
        return "DoRA: only plain LoRA is read"
    if f".{_bare(layer)}".endswith(targets):
        return "an adapted bare parameter (target_parameters), such as a stack of experts: not read"
    if _bare(layer) != layer:
        return "inside a layer that peft wraps as a whole, such as torch's MultiheadAttention: peft adds it twice"
    if parts.keys() in ({"A", "B"}, {"embedding_A", "embedding_B"}):
        return None
    if parts.keys() <= {"A", "B", "embedding_A", "embedding_B"}:
        return "LoRA's A without its B, or B without its A"
    return "an adapted layer with more than A and B: only plain LoRA is read"


def _misfit(a: TensorRef, b: TensorRef, rank: int, embedding: bool) -> str | None:
    """Why A and B don't fit together; `None` if they do."""
    if a.dtype.kind != "float" or b.dtype.kind != "float":
        return f"LoRA of {a.dtype.name} and {b.dtype.name}: only floats are read"
    if not 2 <= len(a.shape) == len(b.shape) <= _MAX_AXES or (embedding and len(a.shape) > 2) or 0 in a.shape:
        return f"LoRA's A and B have the shapes {_sizes(a)} and {_sizes(b)}: save the adapter again, gathered"
    if b.shape[1] < a.shape[0] and len(a.shape) > 2:
        return "LoRA of a convolution in groups: not read"
    if b.shape[0] == 0 or b.shape[1:] != (a.shape[0],) + (1,) * (len(b.shape) - 2):
        return f"LoRA's A and B have the shapes {_sizes(a)} and {_sizes(b)}, which don't fit"
    if a.shape[0] != rank:
        return f"rank {rank} by adapter_config.json, and {a.shape[0]} as stored"
    if b.shape[0] * prod(a.shape[1:]) > _MAX_WEIGHTS:
        return f"LoRA of {b.shape[0]} × {prod(a.shape[1:])} weights: more than any model has"
    return None


def _sizes(tensor: TensorRef) -> str:
    return " × ".join(map(str, tensor.shape)) or "()"


def _delta(weight: LoraWeight, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return delta(*weight.factors(a, b), weight.scale).reshape(weight.shape)


def _low_rank(weight: LoraWeight, a: np.ndarray, b: np.ndarray) -> LowRank:
    return LowRank(*weight.factors(a, b), weight.scale)


def _merged(weight: LoraWeight, base: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    flat = base.reshape(weight.shape[0], -1)
    return merged(flat, *weight.factors(a, b), weight.scale).reshape(weight.shape)

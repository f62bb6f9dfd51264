"""One weight that a low-rank update changes: its factors, their orientation and scale, and how they are computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank, merged
from wqscore.checkpoints.decoding import Decoding
from wqscore.checkpoints.tensor import Tensor

#: More than any model's matrix has. Two forged vectors of a few megabytes could give a ΔW too large for any memory.
_MAX_WEIGHTS = 2**32
_MAX_AXES = 5
#: The flag of updates whose alpha is not stored anywhere.
SCALE_ASSUMED = "scale=1"


@dataclass(frozen=True)
class Scale:
    """The factor s of ΔW = s·B·A.

    Attributes:
        value: s; where alpha is a stored tensor, s is that over the rank instead.
        flag: where s comes from, as rows show it; empty for an adapter's own configuration.
    """

    value: float
    flag: str = ""


#: The scale of a layer from its name and rank, or why it is not known.
Scaling = Callable[[str, int], Scale | str]


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
        turned: whether A and whether B is stored transposed: MLX does both, llama.cpp an embedding's A.
        alpha: a stored alpha, of one number; s is that over the rank.
        flags: notes for the reader.
    """

    name: str
    shape: tuple[int, ...]
    a: Tensor
    b: Tensor
    scale: float
    transposed: bool
    turned: tuple[bool, bool] = (False, False)
    alpha: Tensor | None = None
    flags: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """The rank r."""
        return self.a.shape[1 if self.turned[0] else 0]

    def named(self, name: str) -> LoraWeight:
        """The same weight under another name."""
        return replace(self, name=name)

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The stored tensors."""
        return (self.a, self.b) if self.alpha is None else (self.a, self.b, self.alpha)

    def product(self, a: np.ndarray, b: np.ndarray, *alpha: np.ndarray) -> LowRank:
        """ΔW as a matrix of `shape[0]` rows, from the stored arrays."""
        a, b = (array.T if turned else array for array, turned in zip((a, b), self.turned, strict=True))
        A, B = a.reshape(self.rank, -1), b.reshape(-1, self.rank)
        scale = float(alpha[0].reshape(-1)[0]) / self.rank if alpha else self.scale
        return LowRank(B.T, A.T, scale) if self.transposed else LowRank(A, B, scale)

    @property
    def change(self) -> Decoding:
        """ΔW alone, from A and B."""
        thin = self.product if len(self.shape) == 2 else None
        return Decoding(
            *(self.name, self.shape, f"LoRA-{self.rank}", self.parts, partial(_delta, self), thin),
            flags=self.flags,
            is_update=True,
        )

    def merged_with(self, base: Tensor) -> Decoding:
        """W + ΔW, from W, A and B; W has `shape`."""
        dtype = f"{base.dtype.name}+LoRA-{self.rank}"
        parts = (base, *self.parts)
        return Decoding(
            *(base.name, self.shape, dtype, parts, partial(_merged, self)), flags=self.flags, change=self.product
        )


def lora_weight(
    layer: str,
    parts: Mapping[str, Tensor],
    scaling: Scaling,
    fan_in_fan_out: bool = False,
    turned: tuple[bool, bool] = (False, False),
) -> LoraWeight | str:
    """Make the weight of a layer from its A and B, after checking that they fit.

    Args:
        layer: the layer's name.
        parts: the stored tensors: `A` and `B`, or `embedding_A` and `embedding_B`, and maybe `alpha`.
        scaling: gives the scale where no alpha is stored.
        fan_in_fan_out: whether the base stores the weights of linear layers (in, out).
        turned: as for `LoraWeight`.

    Returns:
        The weight, or the reason why there is none.
    """
    embedding = "embedding_A" in parts
    a, b = (parts["embedding_A"], parts["embedding_B"]) if embedding else (parts["A"], parts["B"])
    alpha = parts.get("alpha")
    shapes = tuple(t.shape[::-1] if turn else t.shape for t, turn in zip((a, b), turned, strict=True))
    if reason := _misfit(a, b, shapes, embedding) or (alpha is not None and _not_a_number(alpha)):
        return reason
    rank, inner, outer = shapes[0][0], shapes[0][1:], shapes[1][0]
    scale = Scale(1.0, "scale=alpha/r") if alpha is not None else scaling(layer, rank)
    if isinstance(scale, str):
        return scale
    if outer * prod(inner) > _MAX_WEIGHTS:
        return f"LoRA of {outer} × {prod(inner)} weights: more than any model has"
    transposed = embedding or turned == (True, False) or (fan_in_fan_out and len(inner) == 1)
    shape = (inner[0], outer) if transposed else (outer, *inner)
    flags = (scale.flag,) if scale.flag else ()
    return LoraWeight(f"{layer}.weight", shape, a, b, scale.value, transposed, turned, alpha, flags)


def _misfit(a: Tensor, b: Tensor, shapes: tuple[tuple[int, ...], ...], embedding: bool) -> str | None:
    """Why A and B, of these shapes once turned, don't fit together; `None` if they do."""
    of_a, of_b = shapes
    if reason := a.refusal or b.refusal:
        return reason
    if a.dtype.kind != "float" or b.dtype.kind != "float":
        return f"LoRA of {a.dtype.name} and {b.dtype.name}: only floats are read"
    if not 2 <= len(of_a) == len(of_b) <= _MAX_AXES or (embedding and len(of_a) > 2) or 0 in of_a:
        return f"LoRA's A and B have the shapes {_sizes(a)} and {_sizes(b)}: save the adapter again, gathered"
    if of_b[1] < of_a[0] and len(of_a) > 2:
        return "LoRA of a convolution in groups: not read"
    if of_b[0] == 0 or of_b[1:] != (of_a[0],) + (1,) * (len(of_b) - 2):
        return f"LoRA's A and B have the shapes {_sizes(a)} and {_sizes(b)}, which don't fit"
    return None


def _not_a_number(alpha: Tensor) -> str | None:
    if alpha.parameters == 1 and (alpha.dtype.kind == "float" or alpha.dtype.name[:1] in "IU"):
        return None
    return f"LoRA's alpha is {alpha.dtype.name} of shape {_sizes(alpha)}, not one number"


def _sizes(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "()"


def _delta(weight: LoraWeight, a: np.ndarray, b: np.ndarray, *alpha: np.ndarray) -> np.ndarray:
    return weight.product(a, b, *alpha).product.reshape(weight.shape)


def _merged(weight: LoraWeight, base: np.ndarray, a: np.ndarray, b: np.ndarray, *alpha: np.ndarray) -> np.ndarray:
    change = weight.product(a, b, *alpha)
    flat = base.reshape(weight.shape[0], -1)
    return merged(flat, change.A, change.B, change.scale).reshape(weight.shape)

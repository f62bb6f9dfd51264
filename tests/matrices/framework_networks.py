"""Random small networks, written as torch, Flax, Keras and MLX store them, and what their matrices are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from safetensors.numpy import save_file

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Layer:
    """A layer: its kind, its weights in torch's order, and the number of its heads if it is attention."""

    kind: str
    name: str
    weights: tuple[np.ndarray, ...]
    heads: int = 1


@st.composite
def networks(draw: st.DrawFn) -> list[Layer]:
    """A chain of convolutions, perhaps depthwise ones, then attention and dense layers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    axes = draw(st.integers(1, 3))
    width = draw(st.integers(2, 8))
    layers = []
    for number in range(draw(st.integers(0, 3))):
        kernel = tuple(draw(st.lists(st.integers(1, 8), min_size=axes, max_size=axes)))
        if draw(st.booleans()):
            kernel = (kernel[0],) * axes
        depthwise = draw(st.integers(0, 4)) == 0
        out = width if depthwise else draw(st.integers(2, 40))
        shape = (out, 1 if depthwise else width, *kernel)
        layers.append(Layer("depthwise" if depthwise else "conv", f"conv{number}", (values(rng, shape),)))
        width = out
    heads, size = draw(st.integers(1, 4)), draw(st.integers(2, 12))
    if draw(st.booleans()):
        inner = heads * size
        shapes = [(inner, width)] * 3 + [(width, inner)]
        layers.append(Layer("attention", "attention", tuple(values(rng, shape) for shape in shapes), heads))
    for number in range(draw(st.integers(1, 3))):
        out = draw(st.integers(2, 40))
        layers.append(Layer("dense", f"dense{number}", (values(rng, (out, width)),)))
        width = out
    return layers


def values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def expected(layers: list[Layer]) -> dict[str, list[np.ndarray]]:
    """The out × in matrices of every weight, by the name of its layer."""
    found = {}
    for layer in layers:
        for part, weight in zip("qkvo", layer.weights, strict=False):
            name = f"{layer.name}.{part}" if layer.kind == "attention" else layer.name
            found[name] = list(weight.reshape(*weight.shape[:2], -1).transpose(2, 0, 1))
    return found


def as_torch(layers: list[Layer]) -> Arrays:
    arrays = {}
    for layer in layers:
        for part, weight in zip(("q_proj", "k_proj", "v_proj", "out_proj"), layer.weights, strict=False):
            name = f"self_attn.{part}" if layer.kind == "attention" else layer.name
            arrays[f"{name}.weight"] = weight
            arrays[f"{name}.bias"] = weight[(slice(None), *(0,) * (weight.ndim - 1))]
    return arrays


def as_mlx(layers: list[Layer]) -> Arrays:
    return {
        name: np.moveaxis(weight, 1, -1) if weight.ndim > 1 else weight for name, weight in as_torch(layers).items()
    }


def as_flax(layers: list[Layer], biases: bool) -> Arrays:
    """Flax's module names, and heads as axes of their own."""
    arrays = {}
    for layer in layers:
        for part, weight in zip(("query", "key", "value", "out"), layer.weights, strict=False):
            name = f"params/MultiHeadDotProductAttention_0/{part}" if layer.kind == "attention" else layer.name
            kernel, bias = to_last(weight), weight[(slice(None), *(0,) * (weight.ndim - 1))]
            if layer.kind == "attention" and part == "out":
                kernel = kernel.reshape(layer.heads, -1, kernel.shape[1])
            elif layer.kind == "attention":
                kernel = kernel.reshape(kernel.shape[0], layer.heads, -1)
                bias = bias.reshape(layer.heads, -1)
            arrays[f"{name}/kernel"] = kernel
            if biases:
                arrays[f"{name}/bias"] = bias
    return arrays


def as_keras(layers: list[Layer], biases: bool) -> Arrays:
    """Keras's names, with its kernels of depthwise convolutions."""
    arrays = {}
    for name, array in as_flax(layers, biases).items():
        renamed = name.replace("params/MultiHeadDotProductAttention_0/", "multi_head_attention/")
        arrays[f"{renamed.replace('/out/', '/attention_output/')}:0"] = array
    for layer in layers:
        if layer.kind == "depthwise":
            kernel = np.moveaxis(arrays.pop(f"{layer.name}/kernel:0"), -1, -2)
            arrays[f"{layer.name}/depthwise_kernel:0"] = kernel
    return arrays


def to_last(weight: np.ndarray) -> np.ndarray:
    """(out, in, k…) as (k…, in, out)."""
    return weight.transpose(*range(2, weight.ndim), 1, 0)


def write(folder: Path, arrays: Arrays, container: str, **metadata: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    if container == "npz":
        np.savez(folder / "model.npz", **contiguous)
        return folder / "model.npz"
    save_file(contiguous, folder / "model.safetensors", metadata=metadata or None)
    return folder / "model.safetensors"

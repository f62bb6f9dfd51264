"""Planners of packed formats on arbitrary headers and configurations."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.checkpoints.quantised.decoded import Plan
from tests.examples import examples
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.quantised import awq, compressed_tensors, gptq
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

PLANS: dict[str, Plan] = {
    "gptq": gptq.plan_decoding,
    "awq": awq.plan_decoding,
    "compressed-tensors": compressed_tensors.plan_decoding,
}
#: What fits together, (method, stored tensors): eight or 64 columns to a group, 64 inputs, 32 outputs.
_PACKED = {"weight_packed": ("I32", 32, 8), "weight_scale": ("BF16", 32, 8), "weight_shape": ("I64", 2)}
LAYERS: list[tuple[str, dict[str, tuple[Any, ...]]]] = [
    ("gptq", {"qweight": ("I32", 8, 32), "qzeros": ("I32", 8, 4), "scales": ("F16", 8, 32)}),
    ("gptq", {"qweight": ("I32", 6, 32), "qzeros": ("I32", 2, 3), "scales": ("F32", 2, 32), "g_idx": ("I32", 64)}),
    ("awq", {"qweight": ("I32", 64, 4), "qzeros": ("I32", 8, 4), "scales": ("F16", 8, 32)}),
    ("compressed-tensors", _PACKED | {"weight_zero_point": ("I32", 4, 8)}),
    ("compressed-tensors", _PACKED | {"weight_zero_point": ("I8", 32, 8), "weight_g_idx": ("I32", 64)}),
    ("compressed-tensors", {"weight": ("F8_E4M3", 32, 64), "weight_scale": ("F32", 32)}),
    ("compressed-tensors", {"weight": ("I8", 32, 64), "weight_scale": ("F16", 4, 16)}),
    (
        "compressed-tensors",
        {"weight_packed": ("U8", 32, 32), "weight_scale": ("F8_E4M3", 32, 4), "weight_global_scale": ("F32", 1)},
    ),
    ("compressed-tensors", {"weight_packed": ("U8", 32, 32), "weight_scale": ("U8", 32, 2)}),
]
STRAYS = ["weight", "g_idx", "weight_zero_point", "bitmask", "compressed", "meta"]
SETTINGS = {"group_size": 8, "num_bits": 4, "block_structure": [8, 4]}
DTYPES = st.sampled_from(["U8", "I8", "F8_E4M3", "F8_E5M2", "I16", "I32", "BF16", "F64"])
SIZES = st.sampled_from([0, 1, 2, 3, 4, 6, 8, 16, 24, 32, 64, 96])
KEYS = st.sampled_from(
    [
        "bits",
        "group_size",
        "num_bits",
        "block_structure",
        "version",
        "checkpoint_format",
        "config_groups",
        "weights",
        "a",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 130) | st.floats() | st.sampled_from(["gptq", "gemm", "8x4", "\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
#: One file stands for all bytes: what is read of it at planning is a shape.
_STORED = np.array([32, 64, 32, 63, 96, 64, -1, 2**62, 0], dtype="<i8")


@st.composite
def headers(draw: st.DrawFn, layer: dict[str, tuple[Any, ...]], file: Path) -> dict[str, TensorRef]:
    """A layer, of which a few tensors may be missing, of another shape or type, or too many."""
    parts = dict(layer)
    for part in draw(st.lists(st.sampled_from([*parts, *STRAYS]), max_size=2)):
        dtype, *shape = parts.get(part, (draw(DTYPES), 32, 64))
        change = draw(st.sampled_from(["none", "dtype", "size", "rank"]))
        if change == "none":
            parts.pop(part, None)
        elif change == "dtype":
            parts[part] = (draw(DTYPES), *shape)
        elif change == "size":
            place = draw(st.integers(0, len(shape) - 1)) if shape else 0
            parts[part] = (dtype, *shape[:place], draw(SIZES), *shape[place + 1 :])
        else:
            parts[part] = (dtype, *draw(st.lists(SIZES, max_size=3)))
    offset = 8 * draw(st.sampled_from([0, 0, 0, *range(_STORED.size + 1)]))
    return {
        f"a.{part}": TensorRef(f"a.{part}", tuple(shape), STORED_DTYPES[dtype], file, offset)
        for part, (dtype, *shape) in parts.items()
    }


def garbage(tensor: TensorRef, seed: int) -> np.ndarray:
    """Random bytes in the type that the tensor is read as."""
    dtype = np.dtype(tensor.dtype.numpy or np.uint8)
    words = np.random.default_rng(seed).bytes(tensor.parameters * dtype.itemsize)
    return np.frombuffer(words, dtype).reshape(tensor.shape)


@settings(max_examples=examples(600))
@given(
    data=st.data(),
    planned=st.sampled_from(LAYERS),
    odd=st.just({}) | st.dictionaries(KEYS, VALUES, max_size=3),
    seed=st.integers(0, 9),
)
def test_a_refusal_or_weights_of_the_planned_shape(data: Any, planned: Any, odd: dict[str, Any], seed: int) -> None:
    method, layer = planned
    config = {"quantization_config": {"quant_method": method} | SETTINGS | odd}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        _STORED.tofile(file)
        tensors = data.draw(headers(layer, file))
        decodings, refusals = PLANS[method](tensors, config)
    event(f"{method}: {'decoded' if decodings else 'refused' if refusals else 'nothing'}")
    assert len(decodings) + len(refusals) <= 1
    assert all(refusal.name in tensors and refusal.reason.isprintable() for refusal in refusals)
    for decoding in decodings:
        # 32 codes of a bit each in a word are the most that four bytes can stand for.
        assert np.prod(decoding.shape) <= 8 * sum(part.nbytes for part in decoding.parts)
        try:
            found = decoding.decode(*(garbage(part, seed) for part in decoding.parts))
        except CheckpointError:
            continue
        assert found.shape == decoding.shape
        assert found.dtype == np.float32

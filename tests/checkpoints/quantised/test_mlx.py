"""MLX's words, against a decoder that reads their bits one by one, written from `mlx.core.quantize`'s description."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from tests.checkpoints.quantised.decoded import planned
from tests.examples import examples
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.quantised.mlx import decode_affine, decode_floats, plan_decoding
from wqscore.checkpoints.tensor import TensorRef

LAYER = "model.layers.0.mlp.up_proj"
#: The values of E2M1's codes (OCP Microscaling Formats 1.0, table 5).
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
KEPT = Path(__file__).parents[2] / "data/formats/mlx"


def bits_of(words: np.ndarray, bits: int) -> np.ndarray:
    """The codes of each row: its words are one long number, whose lowest bits come first."""
    rows = []
    for row in words.reshape(-1, words.shape[-1]):
        number = sum(int(word) << (32 * place) for place, word in enumerate(row))
        rows.append([number >> (bits * k) & (2**bits - 1) for k in range(32 * len(row) // bits)])
    return np.array(rows).reshape(*words.shape[:-1], -1)


def e4m3(code: int) -> float:
    """An eight-bit float by its definition: 4 bits of exponent with bias 7, 3 of mantissa."""
    sign, exponent, mantissa = -1 if code >> 7 else 1, code >> 3 & 15, code & 7
    return sign * (mantissa / 8 * 2**-6 if exponent == 0 else (1 + mantissa / 8) * 2.0 ** (exponent - 7))


@settings(max_examples=examples(100))
@given(
    bits=st.sampled_from([1, 2, 3, 4, 5, 6, 8]),
    group=st.sampled_from([32, 64, 128]),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    groups=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_each_weight_is_its_code_times_the_scale_plus_the_bias(
    bits: int, group: int, shape: list[int], groups: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 2**32, (*shape, groups * group * bits // 32), dtype=np.uint32)
    scales, biases = (rng.standard_normal((*shape, groups)).astype(np.float16) for _ in range(2))
    codes = bits_of(words, bits)
    expected = codes * np.repeat(scales.astype(float), group, -1) + np.repeat(biases.astype(float), group, -1)
    np.testing.assert_allclose(decode_affine(words, scales, biases, bits=bits), expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(("mode", "bits", "group"), [("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)])
def test_the_modes_without_biases(mode: str, bits: int, group: int) -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**32, (5, 4 * group * bits // 32), dtype=np.uint32)
    if bits == 8:  # 0x7f and 0xff are NaN.
        words &= np.uint32(0x7E7E7E7E)
    scales = rng.integers(100, 126, (5, 4), dtype=np.uint8)
    codes = bits_of(words, bits)
    values = E2M1[codes] if bits == 4 else np.vectorize(e4m3)(codes)
    factors = np.vectorize(e4m3)(scales) if mode == "nvfp4" else 2.0 ** (scales.astype(int) - 127)
    (decoding,), refusals = plan_decoding(refs(words=words.shape, scales=("U8", 5, 4)), {})
    assert (decoding.dtype, decoding.shape, refusals) == (mode.upper(), (5, 4 * group), [])
    expected = values * np.repeat(factors, group, -1)
    np.testing.assert_allclose(decoding.decode(words, scales), expected, rtol=1e-6)


def test_what_mlx_itself_decodes() -> None:
    decodings, refusals = planned(KEPT, plan_decoding)
    assert not refusals
    stored = load_file(KEPT / "model.safetensors")
    (decoding,) = decodings.values()
    found = decoding.decode(*(stored[part.name] for part in decoding.parts))
    with np.load(KEPT.with_suffix(".npz")) as answer:
        np.testing.assert_allclose(found, answer[decoding.name], rtol=1e-6, atol=1e-7)


def refs(
    words: tuple[int, ...], scales: tuple[Any, ...], biases: tuple[Any, ...] | None = None
) -> dict[str, TensorRef]:
    """A layer's tensors as the lines of a header."""
    parts: dict[str, tuple[Any, ...]] = {"weight": ("U32", *words), "scales": scales}
    parts |= {"biases": biases} if biases else {}
    return {
        f"{LAYER}.{part}": TensorRef(f"{LAYER}.{part}", tuple(shape), STORED_DTYPES[dtype], Path("m"), 0)
        for part, (dtype, *shape) in parts.items()
    }


AFFINE = refs(words=(64, 32), scales=("F16", 64, 4), biases=("F16", 64, 4))


@pytest.mark.parametrize(
    ("settings_", "bits"),
    [
        ({"bits": 4, "group_size": 64}, 4),
        ({"bits": 8, "group_size": 32}, 8),
        ({"bits": 2, "group_size": 128}, 2),
        # The layer's own settings come first, under its name or one with a prefix of other modules.
        ({"bits": 4, "group_size": 64, LAYER: {"bits": 8, "group_size": 32}}, 8),
        ({"bits": 4, "group_size": 64, f"language_model.{LAYER}": {"bits": 8, "group_size": 32}}, 8),
        ({"bits": 4, "group_size": 64, "other": {"bits": 8, "group_size": 32}}, 4),
        ({"bits": 6, "group_size": 64, "other": {"bits": 8, "group_size": 32}}, 8),
    ],
)
def test_the_configuration_gives_the_bits(settings_: Mapping[str, Any], bits: int) -> None:
    (decoding,), refusals = plan_decoding(AFFINE, {"quantization": settings_})
    assert (decoding.dtype, decoding.shape, refusals) == (f"MLX-{bits}", (64, 32 * 32 // bits), [])


@pytest.mark.parametrize(
    ("tensors", "config", "reason"),
    [
        (AFFINE, {}, "config.json names no bits and group size"),
        (AFFINE, {"quantization": {"bits": 6, "group_size": 64}}, "names no bits and group size that fit"),
        (AFFINE, {"quantization": {"bits": "4", "group_size": True}}, "names no bits and group size that fit"),
        (refs((64, 32), ("F16", 32, 4), ("F16", 32, 4)), {}, "don't fit"),
        (refs((64, 32), ("F16", 64, 4), ("F16", 64, 2)), {}, "not floats of one shape"),
        (refs((64, 32), ("F16", 64, 4)), {}, "modes mxfp4, mxfp8 and nvfp4 alone"),
        (refs((0, 32), ("F16", 0, 4)), {}, "empty"),
    ],
)
def test_what_does_not_fit_is_refused(tensors: dict[str, TensorRef], config: dict[str, Any], reason: str) -> None:
    decodings, (refusal,) = plan_decoding(tensors, config)
    assert decodings == []
    assert reason in refusal.reason


def test_an_expert_of_a_stack_is_read_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**32, (3, 8, 16), dtype=np.uint32)
    scales, biases = (rng.standard_normal((3, 8, 2)).astype(np.float32) for _ in range(2))
    stored = {"a.weight": words, "a.scales": scales, "a.biases": biases}
    save_file(stored, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"quantization": {"bits": 4, "group_size": 64}}')
    decoding = planned(tmp_path, plan_decoding)[0]["a.weight"]
    assert decoding.items is not None
    one = decoding.items(1)
    whole = decode_affine(words, scales, biases, bits=4)
    assert np.array_equal(one.decode(*(part.read() for part in one.parts)).reshape(one.shape), whole[1])


def test_a_float_of_eight_bits_is_not_taken_for_an_integer() -> None:
    import ml_dtypes

    words = np.array([[0x40383838] * 8], np.uint32)
    found = decode_floats(
        words,
        np.array([[127]], np.uint8),
        bits=8,
        code=ml_dtypes.float8_e4m3fn,
        scale=ml_dtypes.float8_e8m0fnu,
    )
    assert found[0, :4].tolist() == [1.0, 1.0, 1.0, 2.0]

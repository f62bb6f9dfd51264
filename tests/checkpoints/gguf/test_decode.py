"""Every type the package decodes, against its own decoder on the whole tensor."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.checkpoints.gguf.writing import Type, gguf, random_blocks, write
from wqscore.checkpoints.gguf.decode import decode, is_decodable
from wqscore.checkpoints.gguf.file import read_gguf

PLAIN = {"F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"}
BLOCKS = [kind for kind in Type if kind.name not in PLAIN]
NUMBERS = np.random.default_rng(1).standard_normal((48, 512)).astype(np.float32)


def can_decode(kind: object) -> bool:
    try:
        gguf.quants.dequantize(random_blocks(kind, (1, 256)), kind)
    except NotImplementedError:
        return False
    return True


def can_quantise(kind: object) -> bool:
    try:
        gguf.quants.quantize(NUMBERS[:1], kind)
    except NotImplementedError:
        return False
    return True


DECODED = [kind for kind in BLOCKS if can_decode(kind)]
WRITTEN = [kind for kind in DECODED if can_quantise(kind)]


def test_the_package_still_covers_the_types_in_use() -> None:
    assert {"Q4_0", "Q5_1", "Q8_0", "TQ1_0", "MXFP4"} <= {kind.name for kind in WRITTEN}
    assert {"Q2_K", "Q6_K", "IQ1_S", "IQ4_XS"} <= {kind.name for kind in DECODED}
    assert len(DECODED) >= 20


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.name)
def test_a_file_of_a_type_the_package_writes(kind: object, tmp_path: Path) -> None:
    blocks = gguf.quants.quantize(NUMBERS, kind)
    file = write(tmp_path / "a.gguf", {"blk.0.attn_q.weight": (blocks, kind)})
    _, (tensor,), (decoding,), refusals = read_gguf(file)
    assert (decoding.name, decoding.shape, decoding.dtype) == (tensor.name, NUMBERS.shape, kind.name)
    assert decoding.parts == (tensor,)
    assert not refusals
    decoded = decoding.decode(*(part.read() for part in decoding.parts))
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, gguf.quants.dequantize(blocks, kind))


@pytest.mark.parametrize("kind", DECODED, ids=lambda kind: kind.name)
@pytest.mark.parametrize("shape", [(3, 256), (2, 5, 512), (1100, 512)], ids=str)
def test_random_blocks(kind: object, shape: tuple[int, ...]) -> None:
    blocks = random_blocks(kind, shape)
    with np.errstate(all="ignore"):
        whole = gguf.quants.dequantize(blocks, kind)
    np.testing.assert_array_equal(decode(blocks.ravel(), kind.name, shape), whole)


@pytest.mark.parametrize("kind", [kind for kind in BLOCKS if kind not in DECODED], ids=lambda kind: kind.name)
def test_a_type_that_the_package_does_not_decode_is_refused(kind: object, tmp_path: Path) -> None:
    assert not is_decodable(kind.name)
    numbers = np.ones((2, 3), dtype=np.float32)
    file = write(
        tmp_path / "a.gguf",
        {"blk.0.attn_q.weight": (random_blocks(kind, (2, 256)), kind), "blk.0.attn_k.weight": numbers},
    )
    _, tensors, decodings, (refusal,) = read_gguf(file)
    assert refusal.name == "model.layers.0.self_attn.q_proj.weight"
    assert refusal.reason == f"the gguf package does not decode {kind.name}"
    assert not decodings
    assert {tensor.name for tensor in tensors} == {refusal.name, "model.layers.0.self_attn.k_proj.weight"}


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_plain_numbers_are_read_as_they_lie(dtype: type, tmp_path: Path) -> None:
    numbers = NUMBERS.astype(dtype)
    _, (tensor,), decodings, refusals = read_gguf(write(tmp_path / "a.gguf", {"blk.0.attn_q.weight": numbers}))
    assert not decodings
    assert not refusals
    np.testing.assert_array_equal(tensor.read(), numbers)


def test_bfloat16_is_read_as_it_lies(tmp_path: Path) -> None:
    stored = gguf.quants.quantize(NUMBERS, Type.BF16)
    file = write(tmp_path / "a.gguf", {"blk.0.attn_q.weight": (stored, Type.BF16)})
    _, (tensor,), decodings, _ = read_gguf(file)
    assert (tensor.dtype.name, tensor.shape, decodings) == ("BF16", NUMBERS.shape, [])
    np.testing.assert_array_equal(tensor.read().astype(np.float32), gguf.quants.dequantize(stored, Type.BF16))


def test_scales_that_are_not_finite_pass_through() -> None:
    block = np.zeros(34, dtype=np.uint8)
    block[:2] = np.array([np.inf], dtype=np.float16).view(np.uint8)
    block[2:] = 1
    assert np.isinf(decode(block, "Q8_0", (1, 32))).all()


@pytest.mark.parametrize("name", ["Q4_K", "IQ2_XS", "Q8_0"])
@pytest.mark.parametrize("shape", [(4096, 4096), (2**24,)], ids=["matrix", "one long row"])
def test_memory_beside_the_result_is_bounded(name: str, shape: tuple[int, ...]) -> None:
    blocks = random_blocks(Type[name], shape).ravel()
    decode(blocks[: blocks.size // 4096], name, (2**12,))
    tracemalloc.start()
    try:
        decoded = decode(blocks, name, shape)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - decoded.nbytes < 32 * 2**20

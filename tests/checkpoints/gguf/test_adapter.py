"""LoRA adapters in GGUF, as llama.cpp's converter writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.checkpoints.gguf.writing import gguf
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.refs.parsing import parse_ref


def test_an_adapter_that_llama_cpp_reads(tmp_path: Path) -> None:
    """llama.cpp adds alpha / r · B·A; of the token embedding it stores A as (tokens, r)."""
    rng = np.random.default_rng(0)

    def factor(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    q, tokens, key = (factor(8, 64), factor(48, 8)), (factor(100, 8), factor(64, 8)), (factor(8, 64), factor(48, 8))
    writer = gguf.GGUFWriter(tmp_path / "lora.gguf", "llama")
    writer.add_type("adapter")
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 32.0)
    for name, (a, b) in {"blk.0.attn_q": q, "token_embd": tokens}.items():
        writer.add_tensor(f"{name}.weight.lora_a", a)
        writer.add_tensor(f"{name}.weight.lora_b", b)
    packed = gguf.quants.quantize(key[0], gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_k.weight.lora_a", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_k.weight.lora_b", key[1])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensors = open_checkpoint(parse_ref(str(tmp_path / "lora.gguf"))).tensors
    found = {tensor.name: tensor.read() for tensor in tensors if not tensor.part_of}
    unpacked = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q8_0)
    expected = {
        "model.layers.0.self_attn.q_proj.weight": q[1] @ q[0],
        "model.layers.0.self_attn.k_proj.weight": key[1] @ unpacked,
        "model.embed_tokens.weight": tokens[0] @ tokens[1].T,
    }
    assert found.keys() == expected.keys()
    for name, change in found.items():
        np.testing.assert_allclose(change, 32 / 8 * expected[name], rtol=0, atol=1e-4)

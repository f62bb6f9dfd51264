"""Write the small checkpoints in tests/data/wqscore-0.5.0/models: `python -m tests.golden.models OUT`.

Each is a row or two of docs/formats.md. All weights are whole numbers below 1,024 times a power of two, and come from
integer arithmetic alone: every processor makes the same ones, and F16, and BF16 where they are below 256, hold them
exactly. The packages torch, gguf and onnx write the files of their formats, safetensors and NumPy the others.
"""

from __future__ import annotations

import json
import sys
from math import isqrt, prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

SIDE, INNER, VOCABULARY = 64, 96, 80
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 4}


def integers(seed: int, *shape: int) -> np.ndarray:
    """Whole numbers from -128 to 127, all equally often."""
    drawn = np.random.PCG64(seed).random_raw(prod(shape)) & np.uint64(255)
    return drawn.astype(np.int64).reshape(shape) - 128


def heavy(seed: int, *shape: int, below: int = 1024) -> np.ndarray:
    """Weights of a matrix whose singular values fall by a power law.

    Args:
        seed: of the whole numbers it is made from.
        shape: of the tensor; the matrix has as many rows as that has in front.
        below: no weight has so large a whole number, plus or minus.
    """
    rows, columns = shape[0], prod(shape[1:])
    rank = min(rows, columns)
    # 4096 · k^-0.75
    sizes = np.array([isqrt(isqrt(2**48 // k**3)) for k in range(1, rank + 1)])
    product = (integers(seed, rows, rank) * sizes) @ integers(seed + 10_000, rank, columns)
    whole = product // (int(np.abs(product).max()) // (below - 1) + 1)
    return whole.reshape(shape) / 4096


def write(folder: Path, tensors: dict[str, np.ndarray], config: dict[str, Any], name: str = "model") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / f"{name}.safetensors")
    (folder / "config.json").write_text(json.dumps(config) + "\n")


def shards(folder: Path) -> None:
    """A Llama of one layer in F32, in two files; the head is the embedding once more."""
    layer = "model.layers.0"
    embedding = heavy(0, VOCABULARY, SIDE)
    attention = {
        f"{layer}.self_attn.{part}_proj.weight": heavy(seed, SIDE, SIDE) for seed, part in enumerate("qkvo", start=1)
    }
    feed_forward = {
        f"{layer}.mlp.gate_proj.weight": heavy(5, INNER, SIDE),
        f"{layer}.mlp.up_proj.weight": heavy(6, INNER, SIDE),
        f"{layer}.mlp.down_proj.weight": heavy(7, SIDE, INNER),
        "lm_head.weight": embedding,
    }
    parts = {
        "model-00001-of-00002.safetensors": {"model.embed_tokens.weight": embedding, **attention},
        "model-00002-of-00002.safetensors": {"model.norm.weight": np.ones(SIDE), **feed_forward},
    }
    for file, tensors in parts.items():
        save_file({name: value.astype("f4") for name, value in tensors.items()}, folder / file)
    config = {"model_type": "llama", "hidden_size": SIDE, "num_hidden_layers": 1, **HEADS}
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    index = {"weight_map": {name: file for file, tensors in parts.items() for name in tensors}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index) + "\n")


def adapter(folder: Path) -> None:
    """A LoRA adapter of that Llama: of rank 8, and of rank 64 for one matrix, which has a full one then."""
    tensors = {}
    for seed, (layer, rank, rows, columns) in enumerate(
        [("self_attn.q_proj", 8, SIDE, SIDE), ("mlp.up_proj", SIDE, INNER, SIDE)], start=20
    ):
        name = f"base_model.model.model.layers.0.{layer}"
        tensors[f"{name}.lora_A.weight"] = (integers(seed, rank, columns) / 4096).astype("f4")
        tensors[f"{name}.lora_B.weight"] = heavy(seed + 100, rows, rank).astype("f4")
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "up_proj"]}
    patterns = {"rank_pattern": {"up_proj": SIDE}, "alpha_pattern": {"up_proj": SIDE // 2}}
    (folder / "adapter_config.json").write_text(json.dumps(config | patterns) + "\n")


def gpt2(folder: Path) -> None:
    """A GPT-2 of one layer in F16: weights are stored (in, out), and q, k and v as one."""
    shapes = {
        "wte.weight": (VOCABULARY, SIDE),
        "h.0.attn.c_attn.weight": (SIDE, 3 * SIDE),
        "h.0.attn.c_proj.weight": (SIDE, SIDE),
        "h.0.mlp.c_fc.weight": (SIDE, INNER),
        "h.0.mlp.c_proj.weight": (INNER, SIDE),
    }
    tensors = {name: heavy(seed, *shape).astype("f2") for seed, (name, shape) in enumerate(shapes.items(), start=30)}
    write(folder, tensors, {"model_type": "gpt2", "n_embd": SIDE, "n_layer": 1, "n_head": 4})


def experts(folder: Path) -> None:
    """A gpt-oss of one layer in BF16: stacks of two experts, in which gate and up take turns."""
    layer = "model.layers.0.mlp.experts"
    shapes = {f"{layer}.gate_up_proj": (SIDE, 2 * INNER), f"{layer}.down_proj": (INNER, SIDE)}
    tensors = {
        name: np.stack([heavy(seed + n, *shape, below=256) for n in range(2)]).astype(ml_dtypes.bfloat16)
        for seed, (name, shape) in zip((40, 50), shapes.items(), strict=True)
    }
    config = {"model_type": "gpt_oss", "hidden_size": SIDE, "intermediate_size": INNER, "num_hidden_layers": 1}
    write(folder, tensors, config | HEADS | {"num_local_experts": 2})


def convolutions(folder: Path) -> None:
    """Convolutions over one, two and three dimensions; and matrices that get every verdict there is of bad ones."""
    spike = integers(63, SIDE, INNER) / 4096
    spike[7, 11] = 4
    not_a_number = integers(64, 60, 60) / 4096
    not_a_number[3, 4] = np.nan
    thin = integers(65, SIDE, 4) @ integers(66, 4, SIDE) / 2**20
    tensors = {
        "line.weight": heavy(60, 60, 50, 3).astype("f4"),
        "plane.weight": heavy(61, 56, 52, 2, 1).astype("f4"),
        "space.weight": heavy(62, 54, 52, 1, 2, 1).astype("f4"),
        "noise.weight": (integers(67, SIDE, INNER) / 4096).astype("f4"),
        "spike.weight": spike.astype("f4"),
        "nan.weight": not_a_number.astype("f4"),
        "thin.weight": thin.astype("f4"),
        "zero.weight": np.zeros((SIDE, SIDE), "f4"),
        "small.weight": heavy(68, 10, 12).astype("f8"),
        "bias": np.ones(SIDE, "f4"),
        "positions": np.arange(6).reshape(2, 3),
    }
    write(folder, tensors, {})


def torch_file(folder: Path) -> None:
    """A BERT layer in torch's own file: F32 and BF16, one weight stored transposed and one under two names."""
    import torch

    layer = "encoder.layer.0"
    query, both = (torch.from_numpy(heavy(seed, SIDE, SIDE)) for seed in (70, 71))
    tensors = {
        f"{layer}.attention.self.query.weight": query.float().T,
        f"{layer}.attention.self.key.weight": both.float(),
        f"{layer}.attention.self.value.weight": torch.from_numpy(heavy(72, SIDE, SIDE, below=256)).bfloat16(),
        f"{layer}.intermediate.dense.weight": torch.from_numpy(heavy(73, INNER, SIDE)).half(),
        f"{layer}.output.dense.weight": torch.from_numpy(heavy(74, SIDE, INNER, below=256)).bfloat16(),
    }
    tensors["copy.weight"] = tensors[f"{layer}.attention.self.key.weight"]
    torch.save(tensors, folder / "pytorch_model.bin")
    config = {"model_type": "bert", "hidden_size": SIDE, "num_hidden_layers": 1, "num_attention_heads": 4}
    (folder / "config.json").write_text(json.dumps(config) + "\n")


def gguf(file: Path) -> None:
    """A Llama's layer in five of GGUF's types."""
    import gguf as package

    from tests.checkpoints.gguf.writing import write as write_gguf

    types = package.GGMLQuantizationType
    layer = {
        "attn_q": (types.F16, (SIDE, SIDE)),
        "attn_k": (types.BF16, (SIDE, SIDE)),
        "attn_v": (types.Q8_0, (SIDE, SIDE)),
        "ffn_up": (types.Q4_0, (INNER, SIDE)),
        "ffn_down": (types.F32, (SIDE, INNER)),
    }
    tensors = {
        f"blk.0.{name}.weight": (
            package.quants.quantize(heavy(seed, *shape, below=256).astype("f4"), kind),
            kind,
        )
        for seed, (name, (kind, shape)) in enumerate(layer.items(), start=80)
    }
    write_gguf(file, tensors, block_count=1, embedding_length=SIDE, attention__head_count=4)


def onnx(file: Path) -> None:
    """A plain weight, one that `Gemm` takes transposed, and one as codes with a scale for each row."""
    import onnx as package

    helper = package.helper
    codes = (integers(92, SIDE, INNER) + 128).astype("u1")
    weights = {
        "layer0.weight": heavy(90, INNER, SIDE).astype("f4"),
        "layer1.weight": heavy(91, SIDE, INNER).astype("f2"),
        "layer2.weight_quantized": codes,
        "layer2.weight_scale": (2.0 ** -(8 + np.arange(SIDE) % 3)).astype("f4"),
        "layer2.weight_zero_point": np.full(SIDE, 128, "u1"),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "layer0.weight"], ["y"], transB=1),
        helper.make_node("DequantizeLinear", list(weights)[2:], ["layer2.weight_out"], axis=0),
    ]
    stored = [package.numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", [], [], stored)
    package.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]), file)


def npz(file: Path) -> None:
    """Three floating types, compressed; one matrix is stored column by column."""
    arrays = {
        "layers/0/kernel": heavy(100, SIDE, SIDE).astype("f8"),
        "layers/1/kernel": np.asfortranarray(heavy(101, INNER, SIDE).astype("f4")),
        "layers/2/kernel": heavy(102, SIDE, INNER).astype("f2"),
    }
    np.savez_compressed(file, **arrays)


def write_models(folder: Path) -> None:
    """Write them all."""
    for write_folder in (shards, adapter, gpt2, experts, convolutions):
        own = folder / write_folder.__name__
        own.mkdir(parents=True, exist_ok=True)
        write_folder(own)
    (folder / "torch").mkdir(exist_ok=True)
    torch_file(folder / "torch")
    gguf(folder / "model.gguf")
    onnx(folder / "model.onnx")
    npz(folder / "model.npz")


if __name__ == "__main__":
    write_models(Path(sys.argv[1]))

"""Seeds of files and folders that users name: any container, re-parametrised weights, named adapters, odd graphs."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import onnx
import torch
from safetensors.torch import save
from torch.nn.utils import parametrizations, prune

from tests.fuzz.planning import SEPARATOR

Seeds = Iterator[tuple[str, bytes]]


def _saved(value: Any, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def by_content() -> Seeds:
    weight = torch.arange(6.0).reshape(2, 3)
    yield "ema", _saved({"model": {"a.weight": weight}, "ema": {"a.weight": weight}, "epoch": 3}, legacy=True)
    yield "zip", _saved({"state_dict": {"a.weight": weight}})
    yield "tar", _old_torch()
    yield "safetensors", save({"a.weight": weight})
    for name, write in (("npy", np.save), ("npz", np.savez)):
        stream = io.BytesIO()
        write(stream, weight.numpy())
        yield name, stream.getvalue()
    yield "gguf", _gguf("qwen2moe", {"blk.0.ffn_gate_exps.weight": (2, 2, 32), "blk.0.ssm_a.weight": (2, 32)})


def _old_torch() -> bytes:
    """The container of torch before 0.1.10, which no tool writes any more."""
    head = b"\x80\x02(X\x01\x00\x00\x000X\x03\x00\x00\x00cpuctorch\nFloatStorage\nt."
    storages = pickle.dumps(1, 2) + head + struct.pack("<q", 6) + np.arange(6, dtype="<f4").tobytes() + b"\x80\x02]."
    tensor = b"\x80\x02(X\x01\x00\x00\x001X\x01\x00\x00\x000N t.".replace(b" ", b"")
    tensors = pickle.dumps(1, 2) + tensor + struct.pack("<ii4qq", 2, 0, 2, 3, 3, 1, 0)
    value = b"\x80\x02}X\x08\x00\x00\x00a.weightX\x01\x00\x00\x001Qs."
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in (("storages", storages), ("tensors", tensors), ("pickle", value)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue().rstrip(b"\0") + b"\0" * 1024


def more_ggufs() -> Seeds:
    """Architectures with experts, with mixers and with fused or shared tensors."""
    experts = {"ffn_gate_exps": (2, 2, 32), "ffn_down_exps": (2, 2, 32), "ffn_gate_inp": (2, 32), "attn_q": (2, 32)}
    for name, parts in (
        ("qwen2moe", experts | {"ffn_up_shexp": (2, 32)}),
        ("mamba", {"ssm_in": (4, 32), "ssm_x": (4, 32), "ssm_conv1d": (4, 32), "ssm_a": (4, 32)}),
        ("phi3", {"attn_qkv": (6, 32), "ffn_up": (4, 32)}),
        ("t5", {"attn_rel_b": (2, 32), "cross_attn_q": (2, 32)}),
        ("rwkv6", {"time_mix_w1": (2, 32), "channel_mix_key": (2, 32)}),
        ("deepseek2", {"attn_kv_a_mqa": (4, 32), "attn_kv_b": (4, 32)}),
    ):
        yield name, _gguf(name, {f"blk.0.{part}.weight": shape for part, shape in parts.items()})


def _gguf(architecture: str, shapes: dict[str, tuple[int, ...]]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        writer = gguf.GGUFWriter(Path(folder) / "m.gguf", architecture)
        writer.add_block_count(1)
        writer.add_embedding_length(32)
        writer.add_head_count(2)
        writer.add_head_count_kv(1)
        writer.add_expert_count(2)
        for name, shape in shapes.items():
            writer.add_tensor(name, np.ones(shape, np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return (Path(folder) / "m.gguf").read_bytes()


def more_onnx_models() -> Seeds:
    """Constants, sparse tensors, graphs inside nodes, functions, and operators that say what a tensor is."""
    helper, to_tensor = onnx.helper, onnx.numpy_helper.from_array
    weight = to_tensor(np.arange(6, dtype=np.float32).reshape(2, 3), "w")
    constant = helper.make_node("Constant", [], ["w"], value=weight)
    product = helper.make_node("MatMul", ["x", "w"], ["y"], name="/a/b/MatMul")
    yield "constant", _onnx([constant, product])
    branch = helper.make_graph([constant, product], "g1", [], [helper.make_tensor_value_info("y", 1, None)])
    yield "branches", _onnx([helper.make_node("If", ["c"], ["b"], then_branch=branch, else_branch=branch)])
    domain = helper.make_opsetid("", 21)
    function = helper.make_function("own", "F", ["x"], ["y"], [constant, product], [domain])
    yield "function", _onnx([helper.make_node("F", ["x"], ["d"], domain="own")], functions=[function])
    values, places = to_tensor(np.ones(2, np.float32), "v"), to_tensor(np.array([0, 4]), "i")
    sparse = helper.make_sparse_tensor(values, places, [2, 3])
    yield "sparse", _onnx([helper.make_node("Constant", [], ["w"], sparse_value=sparse), product])
    kernels = [to_tensor(np.ones((2, 2, 1, 3), np.float32), f"w{n}") for n in range(3)]
    steps = [
        helper.make_node("Cast", ["w0"], ["k0"], to=1),
        helper.make_node("Transpose", ["w1"], ["k1"], perm=[1, 0, 2, 3]),
        helper.make_node("Reshape", ["w2", "s"], ["k2"]),
        *(helper.make_node("Conv", ["x", f"k{n}"], [f"o{n}"], group=1) for n in range(2)),
        helper.make_node("ConvTranspose", ["x", "k2"], ["o2"]),
    ]
    yield "convolutions", _onnx(steps, [*kernels, to_tensor(np.array([2, 2, 1, 3]), "s")])
    gates = [to_tensor(np.ones((1, 8, 2), np.float32), name) for name in ("W", "R")]
    recurrent = [
        helper.make_node("LSTM", ["x", "W", "R"], ["h"], hidden_size=2),
        helper.make_node("Einsum", ["x", "W"], ["e"], equation="abc,cde->abe"),
        helper.make_node("Gather", ["W", "n"], ["z"]),
        helper.make_node("Gemm", ["x", "R"], ["g"], transB=1),
    ]
    yield "recurrent", _onnx(recurrent, gates)
    packed = [to_tensor(np.ones((4, 1, 8), np.uint8), "B"), to_tensor(np.ones(4, np.float32), "S")]
    bits = helper.make_node("MatMulNBits", ["x", "B", "S"], ["y"], domain="com.microsoft", K=16, N=4, bits=4)
    bits.attribute.append(helper.make_attribute("block_size", 16))
    yield "packed", _onnx([bits], packed)


def _onnx(nodes: list[Any], initialisers: list[Any] | None = None, **more: Any) -> bytes:
    graph = onnx.helper.make_graph(nodes, "g", [], [], initialisers or [])
    opsets = [onnx.helper.make_opsetid("", 21)]
    content: bytes = onnx.helper.make_model(graph, opset_imports=opsets, **more).SerializeToString()
    return content


def checkpoint_folders() -> Seeds:
    linear = torch.nn.Linear
    for name, module in (
        ("weight-norm", parametrizations.weight_norm(linear(3, 2))),
        ("spectral-norm", parametrizations.spectral_norm(linear(3, 2))),
        ("orthogonal", parametrizations.orthogonal(linear(3, 2))),
        ("old-weight-norm", torch.nn.utils.weight_norm(linear(3, 2))),
        ("pruned", prune.l1_unstructured(linear(3, 2), "weight", 0.5)),
    ):
        state = {f"layers.0.{key}": value.clone().contiguous() for key, value in module.state_dict().items()}
        yield name, _pair({"model_type": "bert"}, state)
    weight = {"a.weight": torch.ones(2, 3), "a.bias": torch.ones(2)}
    copies = {
        f"{prefix}.{key}": value.clone()
        for prefix in ("model", "model_ema", "teacher")
        for key, value in weight.items()
    }
    yield "averages", _pair({}, copies | {"optimizer_state.0.exp_avg": torch.ones(2)})
    wrapped = {f"_orig_mod.module.{key}": value for key, value in weight.items()}
    inside = {"q.lora_A.default.weight": torch.ones(1, 3), "q.lora_B.default.weight": torch.ones(2, 1)}
    yield "updates", _pair({}, wrapped | inside | {"q.base_layer.weight": torch.ones(2, 3)})


def named_adapters() -> Seeds:
    ones = torch.ones
    kohya = {"lora_unet_a.lora_up.weight": ones(2, 1), "lora_unet_a.lora_down.weight": ones(1, 3)}
    yield "kohya", _pair({}, kohya | {"lora_unet_a.alpha": torch.tensor(4.0)})
    peft = {"base_model.model.q.lora_A.weight": ones(1, 3), "base_model.model.q.lora_B.weight": ones(2, 1)}
    settings = {"peft_type": "LORA", "r": 1, "lora_alpha": 2, "alpha_pattern": {"q": 3}}
    yield "peft", _pair(settings, peft | {"q.weight": ones(2, 3)})
    mlx = {"layers.0.q.lora_a": ones(3, 1), "layers.0.q.lora_b": ones(1, 2)}
    yield "mlx", _pair({"fine_tune_type": "lora", "lora_parameters": {"rank": 1, "scale": 2.0}}, mlx)
    hada = {f"lora_unet_b.hada_w{n}_{side}": ones(2, 2) for n in (1, 2) for side in "ab"}
    yield (
        "others",
        _pair(
            {},
            hada | {"q.lora_A.weight": ones(1, 3), "q.lora_B.weight": ones(2, 1), "q.lora_magnitude_vector": ones(2)},
        ),
    )


def _pair(config: dict[str, Any], tensors: dict[str, Any]) -> bytes:
    return json.dumps(config).encode() + SEPARATOR + save(tensors)


def file_names() -> Seeds:
    yield "shards", json.dumps([f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]).encode()
    yield (
        "several",
        b'["model.safetensors", "pytorch_model.bin", "unet/a.safetensors", "adapter_model.bin", "x.gguf"]',
    )


def memory() -> Seeds:
    yield "nested", b'{"a": {"weight": [[2, 3], 0], "bias": [[2], 9]}, "n": 1, "config": {"model_type": "bert"}}'


def checksums() -> Seeds:
    archive = _saved({"a.weight": torch.ones(2)})
    note = b"\n".join([b"a" * 40, b"b" * 64, b"1e12"])
    yield "zip", b"" + SEPARATOR + archive
    yield "note", note + SEPARATOR + archive[:100]

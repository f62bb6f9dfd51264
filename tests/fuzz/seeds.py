"""Writes the corpus: small files made by each format's own tool. Usage: python -m tests.fuzz.seeds

Needs torch, safetensors, gguf, onnx, peft and bitsandbytes; the files are committed, so that fuzzing needs none of
them. torch names a storage of its old container by its address, so that those differ from run to run.
"""

from __future__ import annotations

import io
import json
import logging
import struct
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import huggingface_hub
import numpy as np
import onnx
import torch
from safetensors.torch import save

import wqscore.refs.model_list
from tests.fuzz import folder_seeds, table_seeds
from tests.fuzz.inputs import CORPUS
from tests.fuzz.pair_seeds import adapters, quantised

Seeds = Iterator[tuple[str, bytes]]
LAYER = "model.layers.0"


def main() -> None:
    """Write every seed to its target's folder."""
    logging.disable(logging.CRITICAL)
    torch.manual_seed(0)
    made = {target: seeds() for target, seeds in SEEDS.items()} | table_seeds.site_files()
    for target, seeds in made.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds:
            (folder / name).write_bytes(content)


def safetensors() -> Seeds:
    layer = {
        f"{LAYER}.self_attn.qkv_proj.weight": torch.randn(6, 2),
        f"{LAYER}.mlp.gate_up_proj.weight": torch.randn(4, 2),
        f"{LAYER}.input_layernorm.weight": torch.ones(2),
    }
    yield "llama", save(layer, metadata={"format": "pt"})
    kinds = {"conv.weight": torch.randn(2, 2, 3), "mlp.experts.gate_up_proj": torch.randn(2, 2, 4).bfloat16()}
    kinds |= {"mask": torch.ones(2, 2, dtype=torch.bool), "empty.weight": torch.zeros(0, 3), "n": torch.tensor(1)}
    yield "kinds", save(kinds)
    yield "nothing", save({})


def _state_dict() -> OrderedDict[str, Any]:
    base = torch.randn(3, 2)
    model = torch.nn.Sequential(OrderedDict(q=torch.nn.Linear(2, 2), conv=torch.nn.Conv1d(1, 2, 2))).state_dict()
    model["t.weight"] = base.T
    model["row.weight"] = base[1]
    model["wide.weight"] = torch.ones(1).expand(3, 3)
    model["half.weight"] = torch.nn.Parameter(torch.ones(2, 2).bfloat16())
    return model


def torch_files() -> Seeds:
    for name, value in (("plain", _state_dict()), ("wrapped", {"epoch": 3, "state_dict": {"a": [torch.ones(2, 2)]}})):
        for container in ("zip", "legacy"):
            stream = io.BytesIO()
            torch.save(value, stream, _use_new_zipfile_serialization=container == "zip")
            content = stream.getvalue()
            yield f"{name}-{container}", _without_checksums(content) if container == "zip" else content


def _without_checksums(content: bytes) -> bytes:
    """As torch writes it with checksums off, so that a change of the pickle is not stopped by its checksum."""
    data = bytearray(content)
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        struct.pack_into("<I", data, at + 16, 0)
    return bytes(data)


def pickles() -> Seeds:
    for name, content in torch_files():
        if name.endswith("zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                (entry,) = (entry for entry in archive.namelist() if entry.endswith("data.pkl"))
                start = archive.getinfo(entry).header_offset
            lengths = struct.unpack_from("<HH", content, start + 26)
            begin = start + 30 + sum(lengths)
            yield name.removesuffix("-zip"), content[begin : content.index(b"PK", begin)]


def indices() -> Seeds:
    tensors = {f"{name}.weight": torch.ones(2, 2) * n for n, name in enumerate("abc")}
    with tempfile.TemporaryDirectory() as folder:
        huggingface_hub.save_torch_state_dict(tensors, folder, max_shard_size=20)
        yield "of-three", (Path(folder) / "model.safetensors.index.json").read_bytes()
    shard = "model-00001-of-00001.safetensors"
    yield "fits", json.dumps({"metadata": {"total_size": 4}, "weight_map": {"w": shard}}).encode()


def ggufs() -> Seeds:
    rng = np.random.default_rng(0)
    weights = {"blk.0.attn_q.weight": (4, 32), "blk.0.ffn_up.weight": (2, 64), "token_embd.weight": (3, 32)}
    with tempfile.TemporaryDirectory() as folder:
        for kind in (gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0):
            file = Path(folder) / "m.gguf"
            writer = gguf.GGUFWriter(file, "llama")
            writer.add_head_count(2)
            writer.add_array("llama.attention.head_count_kv", [1, 1])
            writer.add_token_list(["a", "bc"])
            for name, shape in weights.items():
                array = rng.standard_normal(shape, np.float32)
                writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
            writer.add_tensor("output_norm.weight", np.ones(4, np.float32))
            if kind == gguf.GGMLQuantizationType.Q8_0:
                writer.add_uint16("split.count", 1)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            yield kind.name.lower(), file.read_bytes()


def _numpy(function: Any, *arguments: Any, **arrays: Any) -> bytes:
    stream = io.BytesIO()
    function(stream, *arguments, **arrays)
    return stream.getvalue()


def all_ggufs() -> Seeds:
    yield from ggufs()
    yield from folder_seeds.more_ggufs()


def all_onnx_models() -> Seeds:
    yield from onnx_models()
    yield from folder_seeds.more_onnx_models()


def archives() -> Seeds:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrays = {"params/dense/kernel": weight, "v.weight": np.asfortranarray(weight.astype(np.float16))}
    yield "stored", _numpy(np.savez, **arrays)
    yield "deflated", _numpy(np.savez_compressed, **arrays, n=np.arange(3))


def arrays() -> Seeds:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    yield "f4", _numpy(np.save, weight)
    yield "fortran", _numpy(np.save, np.asfortranarray(weight.astype(np.float64)))
    yield "record", _numpy(np.save, np.zeros(2, [("a", "<f4"), ("b", "<i8", (2,))]))
    yield "big-endian", _numpy(np.save, weight.astype(">f8"))


def onnx_models() -> Seeds:
    helper, kinds = onnx.helper, onnx.TensorProto
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    raw = onnx.numpy_helper.from_array(weight, "onnx::MatMul_1")
    floats = helper.make_tensor("b.weight", kinds.FLOAT, (2, 2), [1.0, 2.0, 3.0, 4.0])
    halves = helper.make_tensor("h.weight", kinds.FLOAT16, (2, 2), np.ones((2, 2), np.float16))
    node = helper.make_node("MatMul", ["x", "onnx::MatMul_1"], ["y"], name="/encoder/dense/MatMul")
    yield "plain", _model([raw, floats, halves], [node])
    codes = helper.make_tensor("w_quantized", kinds.INT8, (4, 2), [1, -2, 3, -4, 5, 6, 7, -8])
    scale = helper.make_tensor("s", kinds.FLOAT, (2, 2), [0.5, 1.0, 2.0, 0.25])
    zero = helper.make_tensor("z", kinds.INT8, (2, 2), [0, 1, -1, 2])
    dequantise = helper.make_node("DequantizeLinear", ["w_quantized", "s", "z"], ["d"], axis=0, block_size=2)
    yield "codes", _model([codes, scale, zero], [dequantise])
    outside = onnx.TensorProto(name="e.weight", data_type=kinds.FLOAT, dims=[4, 4], data_location=1)
    for key, value in (("location", "weights.data"), ("offset", "64"), ("length", "64")):
        outside.external_data.add(key=key, value=value)
    yield "external", _model([outside], [])


def _model(initialisers: list[Any], nodes: list[Any]) -> bytes:
    graph = onnx.helper.make_graph(nodes, "g", [], [], initialisers)
    content: bytes = onnx.helper.make_model(graph).SerializeToString()
    return content


def cards() -> Seeds:
    result = huggingface_hub.EvalResult("text-classification", "glue", "GLUE", "accuracy", 0.9, dataset_config="sst2")
    data = huggingface_hub.ModelCardData(model_name="m", eval_results=[result], license="mit", tags=["a"])
    yield "card", f"---\n{data.to_yaml()}\n---\n# A model\n".encode()
    entry = huggingface_hub.EvalResultEntry("cais/hle", "default", 20.9, date="2025-01-15", notes="no tools")
    yield "eval-results", json.dumps(huggingface_hub.eval_result_entries_to_yaml([entry])).encode()
    yield "aliases", b"---\na: &a [1, 2]\nb: {<<: {c: *a}}\nmodel-index: [{results: *a}]\n---\n"


def model_lists() -> Seeds:
    shipped = Path(__file__).parents[2] / "model_lists"
    yield (
        "shipped",
        (shipped / f"{wqscore.refs.model_list.list_names()[0]}.toml").read_bytes()[:1500].rpartition(b"\n\n")[0],
    )
    header = b'[list]\nname = "nightly"\ntitle = "Nightly"\nfamily = "bert"\nsource = "https://example.org"\n'
    yield "mine", header + b'[[models]]\nid = "a/b"\nrevision = "main"\n[[models]]\nid = "./here"\n'


def manifests() -> Seeds:
    yield (
        "pipeline",
        json.dumps({"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"], "vae": [None, None]}).encode(),
    )
    yield "modules", json.dumps([{"idx": 0, "path": ""}, {"idx": 1, "path": "1_Pooling"}]).encode()


SEEDS = {
    "safetensors": safetensors,
    "torch": torch_files,
    "pickle": pickles,
    "index": indices,
    "gguf": all_ggufs,
    "model_list": model_lists,
    "npz": archives,
    "npy": arrays,
    "onnx": all_onnx_models,
    "quantised": quantised,
    "adapter": adapters,
    "card": cards,
    "components": manifests,
    "by_content": folder_seeds.by_content,
    "checkpoint_folder": folder_seeds.checkpoint_folders,
    "named_adapter": folder_seeds.named_adapters,
    "file_names": folder_seeds.file_names,
    "in_memory": folder_seeds.memory,
    "checksums": folder_seeds.checksums,
    "baseline": table_seeds.baselines,
    "policy": table_seeds.policies,
    "rules": table_seeds.rules,
    "table": table_seeds.tables,
    "store": table_seeds.stores,
}

if __name__ == "__main__":
    main()

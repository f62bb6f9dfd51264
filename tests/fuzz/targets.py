"""The fuzz targets: each parser of untrusted files, through the function that the rest of the package calls.

A target may return or raise `WqscoreError` with one short line. Anything else is a finding.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from tests.fuzz import folder_targets, table_targets, tokens
from tests.fuzz.planning import LARGEST_READ, MOST_READ, SEPARATOR, plan, written
from wqscore.checkpoints.adapters.lora import plan_adapter
from wqscore.checkpoints.adapters.merging import plan_merged
from wqscore.checkpoints.components import MODEL_INDEX, MODULES, find_components
from wqscore.checkpoints.decoding import with_decoded
from wqscore.checkpoints.gguf.file import read_gguf
from wqscore.checkpoints.gguf.package import gguf_package
from wqscore.checkpoints.local import read_config, read_folder
from wqscore.checkpoints.npz import read_npy, read_npz
from wqscore.checkpoints.onnx.file import read_onnx
from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.checkpoints.pytorch.unpickler import unpickle
from wqscore.checkpoints.quantised.planning import dequantised
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.model_config import ModelConfig
from wqscore.refs.model_list import load_list
from wqscore.studies.known.model_card import parse_card, parse_eval_results


@dataclass(frozen=True)
class Target:
    """A parser under test.

    Attributes:
        run: feeds it the input; the folder is for what needs files, and starts empty.
        layout: how the input is built, for mutations that keep it whole: `binary`, `json`, `safetensors` (a length
            and JSON first) or `pair` (JSON, the separator, a safetensors file).
        tokens: what the format's own files hold, for mutations to put in.
    """

    run: Callable[[bytes, Path], None]
    layout: str
    tokens: tuple[bytes, ...]


def warm_up() -> None:
    """Import what is imported only when a file asks for it: seconds that no input is to blame for."""
    ModelConfig({"model_type": "no-such-model"}).flag("tie_word_embeddings")  # which the table of architectures lacks
    gguf_package("")
    parse_card("---\nmodel-index: [{results: []}]\n---")
    parse_eval_results("[]", "")


def safetensors(data: bytes, folder: Path) -> None:
    plan(read_safetensors(written(folder, "model.safetensors", data)), {})


def _pair(data: bytes, folder: Path, config: str) -> tuple[dict[str, Any], list[TensorRef]]:
    text, _, weights = data.partition(SEPARATOR)
    parsed = read_config(written(folder, config, text))
    return parsed, read_safetensors(written(folder, "model.safetensors", weights))


def quantised(data: bytes, folder: Path) -> None:
    """`config.json` and codes with their scales: bitsandbytes' quant_state texts among them."""
    config, tensors = _pair(data, folder, "config.json")
    plan(dequantised(tensors, config), config)


def adapter(data: bytes, folder: Path) -> None:
    """`adapter_config.json` with its patterns, and the matrices A and B, alone and merged into a base."""
    config, tensors = _pair(data, folder, "adapter_config.json")
    planned = plan_adapter({tensor.name: tensor for tensor in tensors}, config)
    changes = [weight.change for weight in planned.weights]
    base = {tensor.name: tensor for tensor in tensors}
    decodings = [*changes, *plan_merged(planned, base)[0]]
    for decoding in [d for d in decodings if sum(part.parameters for part in d.parts) <= LARGEST_READ][:MOST_READ]:
        if prod(decoding.shape) <= LARGEST_READ:
            decoding.decode(*(part.read() for part in decoding.parts))


def torch(data: bytes, folder: Path) -> None:
    plan(read_torch_file(written(folder, "pytorch_model.bin", data)), {})


def pickle(data: bytes, folder: Path) -> None:
    """The pickle machine without a container around it, whose checksum would stop most changes."""
    unpickle(io.BytesIO(data), folder / "pytorch_model.bin")


def index(data: bytes, folder: Path) -> None:
    """A shard index beside one shard, which it may or may not name."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}}).encode()
    shard = len(header).to_bytes(8, "little") + header + b"\0" * 4
    written(folder, "model-00001-of-00001.safetensors", shard)
    written(folder, "model.safetensors.index.json", data)
    config, tensors = read_folder(folder)
    plan(tensors, config)


def gguf(data: bytes, folder: Path) -> None:
    config, tensors, decodings, refusals = read_gguf(written(folder, "m-00001-of-00001.gguf", data))
    plan(with_decoded(tensors, decodings, refusals), config)


def npz(data: bytes, folder: Path) -> None:
    plan(with_decoded(*read_npz(written(folder, "model.npz", data))), {})


def npy(data: bytes, folder: Path) -> None:
    plan([read_npy(written(folder, "w.weight.npy", data))], {})


def onnx(data: bytes, folder: Path) -> None:
    written(folder, "weights.data", b"\0" * 256)
    plan(with_decoded(*read_onnx(written(folder, "model.onnx", data))), {})


def model_list(data: bytes, folder: Path) -> None:
    load_list(str(written(folder, "list.toml", data)))


def card(data: bytes, folder: Path) -> None:
    """A card, or where no metadata begin it a file of results; what is no UTF-8 never gets there."""
    text = data.decode("utf-8", "replace")
    if text.startswith("---"):
        parse_card(text)
    else:
        parse_eval_results(text, ".eval_results/a.yaml")


def components(data: bytes, folder: Path) -> None:
    """`model_index.json` and `modules.json` among the files of a folder."""
    folders = ["unet/diffusion_pytorch_model.safetensors", "vae/config.json", "1_Pooling/config.json"]
    manifest = read_config(written(folder, "any.json", b'{"it": ' + data + b"}")).get("it")
    for kind in (MODEL_INDEX, MODULES):
        find_components(["model.safetensors", *folders], {kind: manifest}, "folder")


TARGETS: Mapping[str, Target] = {
    "safetensors": Target(safetensors, "safetensors", tokens.SAFETENSORS),
    "torch": Target(torch, "binary", tokens.TORCH),
    "pickle": Target(pickle, "binary", tokens.PICKLE),
    "index": Target(index, "json", tokens.INDEX),
    "gguf": Target(gguf, "binary", tokens.GGUF),
    "model_list": Target(model_list, "binary", tokens.TOML),
    "npz": Target(npz, "binary", tokens.NUMPY),
    "npy": Target(npy, "binary", tokens.NUMPY),
    "onnx": Target(onnx, "binary", tokens.ONNX),
    "quantised": Target(quantised, "pair", tokens.QUANTISED),
    "adapter": Target(adapter, "pair", tokens.ADAPTER),
    "card": Target(card, "binary", tokens.YAML),
    "components": Target(components, "json", tokens.MANIFEST),
    "by_content": Target(folder_targets.by_content, "binary", tokens.ANY_CONTAINER),
    "checkpoint_folder": Target(folder_targets.checkpoint_folder, "pair", tokens.REPARAMETRISED),
    "named_adapter": Target(folder_targets.named_adapter, "pair", tokens.NAMED_ADAPTER),
    "file_names": Target(folder_targets.file_names, "json", tokens.FILE_NAMES),
    "in_memory": Target(folder_targets.in_memory, "json", tokens.REPARAMETRISED),
    "checksums": Target(folder_targets.checksums, "binary", tokens.TORCH),
    "baseline": Target(table_targets.baseline, "json", tokens.RESULTS),
    "policy": Target(table_targets.policy, "binary", tokens.POLICY),
    "rules": Target(table_targets.rules, "binary", tokens.POLICY),
    "table": Target(table_targets.table, "binary", tokens.CSV),
    "history": Target(table_targets.history, "json", tokens.RESULTS),
    "record": Target(table_targets.record, "json", tokens.RESULTS),
    "manifest": Target(table_targets.manifest, "json", tokens.FILE_NAMES),
    "site_table": Target(table_targets.site_table, "json", tokens.RESULTS),
    "site_csv": Target(table_targets.site_csv, "binary", tokens.CSV),
    "feed": Target(table_targets.feed, "binary", tokens.MARKUP),
    "page": Target(table_targets.page, "binary", tokens.MARKUP),
    "store": Target(table_targets.store, "binary", tokens.STORE),
}

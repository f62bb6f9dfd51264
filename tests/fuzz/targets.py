"""The fuzz targets: each parser of untrusted files, through the function that the rest of the package calls.

A target may return or raise `WqscoreError` with one short line. Anything else is a finding.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from tests.fuzz import tokens
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
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.model_list import load_list
from wqscore.studies.known.model_card import parse_card, parse_eval_results

#: Between the JSON and the safetensors file of an input that is both.
SEPARATOR = b"\n=====\n"
_RULES = (MatrixRules(), MatrixRules(split_fused=False, pool_slices=False))
#: A planned matrix is read where it is small, as scoring it would.
_LARGEST_READ = 2**16
_MOST_READ = 16


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


def _written(folder: Path, name: str, data: bytes) -> Path:
    file = folder / name
    file.write_bytes(data)
    return file


def _plan(tensors: Sequence[Tensor], config: Mapping[str, Any]) -> None:
    """Plan the matrices by both kinds of rules, and read a few small ones."""
    for rules in _RULES:
        outcomes = plan_matrices(tensors, ModelConfig(config), rules)
        matrices = [outcome for outcome in outcomes if isinstance(outcome, WeightMatrix)]
        small = [matrix for matrix in matrices if matrix.tensor.parameters <= _LARGEST_READ]
        for matrix in small[:_MOST_READ]:
            matrix.values(matrix.tensor.read())


def safetensors(data: bytes, folder: Path) -> None:
    _plan(read_safetensors(_written(folder, "model.safetensors", data)), {})


def _pair(data: bytes, folder: Path, config: str) -> tuple[dict[str, Any], list[TensorRef]]:
    text, _, weights = data.partition(SEPARATOR)
    parsed = read_config(_written(folder, config, text))
    return parsed, read_safetensors(_written(folder, "model.safetensors", weights))


def quantised(data: bytes, folder: Path) -> None:
    """`config.json` and codes with their scales: bitsandbytes' quant_state texts among them."""
    config, tensors = _pair(data, folder, "config.json")
    _plan(dequantised(tensors, config), config)


def adapter(data: bytes, folder: Path) -> None:
    """`adapter_config.json` with its patterns, and the matrices A and B, alone and merged into a base."""
    config, tensors = _pair(data, folder, "adapter_config.json")
    planned = plan_adapter({tensor.name: tensor for tensor in tensors}, config)
    changes = [weight.change for weight in planned.weights]
    base = {tensor.name: tensor for tensor in tensors}
    decodings = [*changes, *plan_merged(planned, base)[0]]
    for decoding in [d for d in decodings if sum(part.parameters for part in d.parts) <= _LARGEST_READ][:_MOST_READ]:
        if prod(decoding.shape) <= _LARGEST_READ:
            decoding.decode(*(part.read() for part in decoding.parts))


def torch(data: bytes, folder: Path) -> None:
    _plan(read_torch_file(_written(folder, "pytorch_model.bin", data)), {})


def pickle(data: bytes, folder: Path) -> None:
    """The pickle machine without a container around it, whose checksum would stop most changes."""
    unpickle(io.BytesIO(data), folder / "pytorch_model.bin")


def index(data: bytes, folder: Path) -> None:
    """A shard index beside one shard, which it may or may not name."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}}).encode()
    shard = len(header).to_bytes(8, "little") + header + b"\0" * 4
    _written(folder, "model-00001-of-00001.safetensors", shard)
    _written(folder, "model.safetensors.index.json", data)
    config, tensors = read_folder(folder)
    _plan(tensors, config)


def gguf(data: bytes, folder: Path) -> None:
    config, tensors, decodings, refusals = read_gguf(_written(folder, "m-00001-of-00001.gguf", data))
    _plan(with_decoded(tensors, decodings, refusals), config)


def npz(data: bytes, folder: Path) -> None:
    _plan(with_decoded(*read_npz(_written(folder, "model.npz", data))), {})


def npy(data: bytes, folder: Path) -> None:
    _plan([read_npy(_written(folder, "w.weight.npy", data))], {})


def onnx(data: bytes, folder: Path) -> None:
    _written(folder, "weights.data", b"\0" * 256)
    _plan(with_decoded(*read_onnx(_written(folder, "model.onnx", data))), {})


def model_list(data: bytes, folder: Path) -> None:
    load_list(str(_written(folder, "list.toml", data)))


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
    manifest = read_config(_written(folder, "any.json", b'{"it": ' + data + b"}")).get("it")
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
}

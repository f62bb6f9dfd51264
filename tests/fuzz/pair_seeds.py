"""Seeds of a configuration and its weights: quantised checkpoints and adapters."""

from __future__ import annotations

import json
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bitsandbytes import functional as bitsandbytes
from peft import LoraConfig, get_peft_model
from safetensors.torch import load, save

from tests.fuzz.planning import SEPARATOR

Seeds = Iterator[tuple[str, bytes]]


def _pair(config: dict[str, Any], tensors: dict[str, Any]) -> bytes:
    return json.dumps(config).encode() + SEPARATOR + save(tensors)


def quantised() -> Seeds:
    for nested in (False, True):
        codes, state = bitsandbytes.quantize_4bit(
            torch.randn(8, 16), blocksize=64, compress_statistics=nested, quant_type="nf4"
        )
        tensors = {"l.weight": codes} | {f"l.weight.{k}": v for k, v in state.as_dict(packed=True).items()}
        yield f"nf4-{nested}", _pair({"quantization_config": {"quant_method": "bitsandbytes"}}, tensors)
    rows = {"l.weight": torch.ones(4, 3, dtype=torch.int8), "l.SCB": torch.ones(4)}
    yield "int8", _pair({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, rows)
    ints = {"dtype": torch.int32}
    packed = {"l.qzeros": torch.zeros(2, 1, **ints), "l.scales": torch.ones(2, 8).half()}
    gptq = packed | {"l.qweight": torch.ones(4, 8, **ints), "l.g_idx": torch.arange(32).int() // 16}
    settings = {"bits": 4, "group_size": 16, "desc_act": False}
    yield "gptq", _pair({"quantization_config": {"quant_method": "gptq", **settings}}, gptq)
    awq = packed | {"l.qweight": torch.ones(32, 1, **ints)}
    yield "awq", _pair({"quantization_config": {"quant_method": "awq", **settings, "version": "gemm"}}, awq)
    fp8 = {"l.weight": torch.randn(4, 4).to(torch.float8_e4m3fn), "l.weight_scale_inv": torch.ones(2, 2)}
    yield "fp8", _pair({"quantization_config": {"quant_method": "fp8", "weight_block_size": [2, 2]}}, fp8)
    mxfp4 = {"mlp.experts.gate_up_proj_blocks": torch.ones(2, 4, 2, 16, dtype=torch.uint8)}
    mxfp4 |= {"mlp.experts.gate_up_proj_scales": torch.full((2, 4, 2), 127, dtype=torch.uint8)}
    yield "mxfp4", _pair({"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}, mxfp4)
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 8, "symmetric": True}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    compressed = {"l.weight_packed": torch.ones(4, 2, **ints), "l.weight_scale": torch.ones(4, 2)}
    compressed |= {"l.weight_shape": torch.tensor([4, 16])}
    method = {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups}
    yield "compressed", _pair({"quantization_config": method}, compressed)


def adapters() -> Seeds:
    layers = OrderedDict(q=torch.nn.Linear(4, 6), e=torch.nn.Embedding(5, 4), conv=torch.nn.Conv2d(2, 3, 2))
    patterns = {"rank_pattern": {"q": 3}, "alpha_pattern": {r".*\.?q|layers\.[0-9]+\.v": 5}}
    others = {"target_modules": ["e", "conv"], "use_rslora": True, "modules_to_save": ["q"]}
    for name, settings in (("linear", {"target_modules": ["q"], **patterns}), ("others", others)):
        base = torch.nn.Sequential(OrderedDict((key, layer) for key, layer in layers.items()))
        weights = {f"{key}.weight": layer.weight.detach().clone() for key, layer in layers.items()}
        with tempfile.TemporaryDirectory() as folder:
            get_peft_model(base, LoraConfig(r=2, **settings)).save_pretrained(folder)
            config = json.loads((Path(folder) / "adapter_config.json").read_text())
            content = (Path(folder) / "adapter_model.safetensors").read_bytes()
        yield name, _pair({key: value for key, value in config.items() if value}, load(content) | weights)

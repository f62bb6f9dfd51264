"""Quantised weights written by transformers, bitsandbytes and torch, and their own decoding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.formats.made import (
    Made,
    Make,
    files,
    filled,
    llama,
    state_of,
    stored_in,
    torch,
    transformers,
    write,
)
from tests.oracles import Oracle


def fp8_in_blocks(*block: int) -> Make:
    """Transformers quantises and saves; what it loads again is the answer."""

    def make(folder: Path) -> Iterator[Made]:
        module = Oracle("transformers.integrations.finegrained_fp8")
        settings = transformers.FineGrainedFP8Config(weight_block_size=block or None)
        quantize = module.Fp8Quantize(type("Quantizer", (), {"quantization_config": settings})())
        model = llama(hidden_size=128, intermediate_size=256)
        model.save_pretrained(folder)
        tensors: dict[str, Any] = {}
        for name, weight in state_of(model).items():
            tensors |= quantize.convert({name: weight}) if "proj" in name else {name: weight}
        declare(folder, tensors, settings.to_dict())
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, quantization_config=transformers.FineGrainedFP8Config(dequantize=True)
        )
        yield Made(folder, state_of(loaded), stored_in(folder))

    return make


def declare(folder: Path, tensors: dict[str, Any], settings: dict[str, Any]) -> None:
    """Put tensors in the place of a saved model's, and say how they are quantised."""
    config = json.loads((folder / "config.json").read_text())
    write(folder, tensors, **config | {"quantization_config": settings})


def fp8_by_rows(folder: Path) -> Iterator[Made]:
    """The layout of fbgemm_fp8, whose own kernel needs a GPU: a scale for each row, W = codes · scale."""
    state = state_of(llama())
    tensors, weights = dict(state), dict(state)
    for name, weight in state.items():
        if "proj" in name:
            scale = weight.abs().amax(dim=1, keepdim=True) / 448
            tensors[name] = (weight / scale).to(torch.float8_e4m3fn)
            tensors[f"{name}_scale"] = scale
            weights[name] = tensors[name].float() * scale
    write(folder, tensors, quantization_config={"quant_method": "fbgemm_fp8"})
    yield Made(folder, weights, tensors)


def fp8_without_scales(folder: Path) -> Iterator[Made]:
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        cast = {name: weight.to(dtype) if "proj" in name else weight for name, weight in state_of(llama()).items()}
        own = write(folder / str(dtype), cast)
        yield Made(own, {name: weight.float() for name, weight in cast.items()}, cast)


def mxfp4(folder: Path) -> Iterator[Made]:
    """Random codes in a gpt-oss that transformers saved; what transformers loads is the answer."""
    config = transformers.GptOssConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=16,
        vocab_size=96,
        num_local_experts=2,
    )
    model = filled(transformers.GptOssForCausalLM(config))
    model.save_pretrained(folder)
    tensors = files.load_file(folder / "model.safetensors")
    random = np.random.default_rng(0)
    for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
        experts, inner, rows = tensors.pop(name).shape
        grid = (experts, rows, inner // 32)
        tensors[f"{name}_blocks"] = torch.from_numpy(random.integers(0, 256, (*grid, 16), dtype=np.uint8))
        tensors[f"{name}_scales"] = torch.from_numpy(random.integers(115, 125, grid, dtype=np.uint8))
    declare(folder, tensors, {"quant_method": "mxfp4"})
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=transformers.Mxfp4Config(dequantize=True)
    )
    yield Made(folder, gpt_oss_matrices(state_of(loaded)), tensors)


def gpt_oss_matrices(state: dict[str, Any]) -> dict[str, Any]:
    """Its stacks (experts, in, out) expert by expert, gate and up in turn among the columns."""
    weights: dict[str, Any] = {}
    for name, tensor in state.items():
        if name.endswith("bias"):
            weights[name] = tensor.flatten()
        elif name.endswith("experts.gate_up_proj"):
            for expert, both in enumerate(tensor):
                weights |= {f"{name}[{expert}.gate]": both[:, ::2].T, f"{name}[{expert}.up]": both[:, 1::2].T}
        elif name.endswith("experts.down_proj"):
            weights |= {f"{name}[{expert}]": weight.T for expert, weight in enumerate(tensor)}
        else:
            weights[name] = tensor
    return weights


def bitsandbytes(**options: Any) -> Make:
    def make(folder: Path) -> Iterator[Made]:
        library = Oracle("bitsandbytes")
        llama().save_pretrained(folder / "plain")
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder / "plain",
            quantization_config=transformers.BitsAndBytesConfig(**options),
            device_map="cpu",
            dtype=torch.float32,
        )
        model.save_pretrained(folder / "small")
        weights = {name: tensor for name, tensor in state_of(model).items() if tensor.is_floating_point()}
        weights = {name: tensor for name, tensor in weights.items() if ".weight." not in name and "SCB" not in name}
        for name, module in model.named_modules():
            if isinstance(module, library.nn.Linear4bit):
                weights[f"{name}.weight"] = four_bits(library, module.weight)
            elif isinstance(module, library.nn.Linear8bitLt):
                largest = module.weight.SCB if module.weight.SCB is not None else module.state.SCB
                dequantise = library.functional.int8_vectorwise_dequant
                weights[f"{name}.weight"] = dequantise(module.weight.data, largest)
        yield Made(folder / "small", weights, stored_in(folder / "small"))

    return make


def four_bits(library: Any, weight: Any) -> Any:
    with torch.compiler.set_stance("force_eager"):
        return library.functional.dequantize_4bit(weight.data, weight.quant_state)


def four(kind: str, twice: bool = False) -> Make:
    return bitsandbytes(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=twice)


ROWS: dict[str, Make] = {
    "FP8, a scale for each matrix": fp8_in_blocks(),
    "FP8, a scale for each row": fp8_by_rows,
    "FP8, a scale for each block of 128 × 128": fp8_in_blocks(128, 128),
    "FP8 without scales": fp8_without_scales,
    "MXFP4 (gpt-oss)": mxfp4,
    "bitsandbytes int8": bitsandbytes(load_in_8bit=True),
    "bitsandbytes NF4": four("nf4"),
    "bitsandbytes FP4": four("fp4"),
    "bitsandbytes NF4, double quantisation": four("nf4", twice=True),
}

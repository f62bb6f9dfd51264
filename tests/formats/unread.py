"""Quantised weights of unsupported methods: written by their tools, or as transformers describes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.formats.made import Made, Make, Weights, heavy_tailed, llama, torch, transformers, write
from tests.formats.samples import Reader, Sample, plain_tensors

LAYER = "model.layers.0.mlp.up_proj"
SIDE = 64


def small(side: int) -> Any:
    return llama(
        hidden_size=side, intermediate_size=side, vocab_size=side, num_attention_heads=1, num_key_value_heads=1
    )


def quanto(folder: Path, side: int) -> None:
    from optimum.quanto import QuantizedModelForCausalLM, qint8

    QuantizedModelForCausalLM.quantize(small(side), weights=qint8, exclude="lm_head").save_pretrained(folder)
    keep_needed(folder, "quanto_qmap.json")


def torchao(folder: Path, side: int) -> None:
    from torchao.quantization import Int8WeightOnlyConfig

    small(side).save_pretrained(folder / "plain")
    settings = transformers.TorchAoConfig(Int8WeightOnlyConfig())
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder / "plain", quantization_config=settings, device_map="cpu", dtype=torch.float32
    )
    model.save_pretrained(folder)
    for file in (folder / "plain").iterdir():
        file.unlink()
    (folder / "plain").rmdir()
    keep_needed(folder)


def hqq(folder: Path, side: int) -> None:
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    linear = torch.nn.Linear(side, side, bias=False)
    linear.weight.data = heavy_tailed(side, side)
    layer = HQQLinear(linear, BaseQuantizeConfig(nbits=4, group_size=side), compute_dtype=torch.float32, device="cpu")
    layer.encoded_state_dict = True
    state = {f"{LAYER}.{name}": value for name, value in layer.state_dict().items()}
    write(folder, state, quantization_config={"quant_method": "hqq"})


def keep_needed(folder: Path, *others: str) -> None:
    for file in folder.iterdir():
        if file.name not in {"config.json", "model.safetensors", *others}:
            file.unlink()


def not_read(reason: str) -> Reader:
    """Codes are not read, for that reason; what is not quantised is."""

    def made(folder: Path, _: Weights) -> Made:
        tensors = plain_tensors(folder)
        codes = {name for name, tensor in tensors.items() if tensor.ndim == 2 and not tensor.is_floating_point()}
        codes -= {name for name in codes if name.endswith("zero_point")}
        assert codes
        layers = tuple(f"{name.partition('_proj.')[0]}_proj." for name in codes)
        weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(layers)}
        return Made(folder, weights, tensors, dict.fromkeys(codes, reason))

    return made


def random_codes(tensors: Weights) -> dict[str, Any]:
    """A layer's tensors as they are when it is filled: codes, and scales near 1."""
    generator = torch.Generator().manual_seed(0)
    filled: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            filled[name] = torch.rand(tensor.shape, generator=generator).add(0.5).to(tensor.dtype)
        else:
            filled[name] = torch.randint(0, 100, tensor.shape, generator=generator).to(tensor.dtype)
    return filled


def layers_of_transformers(folder: Path) -> Iterator[Made]:
    """Layers that transformers itself defines, whose kernels need other processors than most."""
    from transformers.integrations import bitnet, eetq, higgs

    layers = {
        "bitnet": bitnet.BitLinear(SIDE, SIDE, bias=False, dtype=torch.float32),
        "eetq": eetq.EetqLinear(SIDE, SIDE),
        "higgs": higgs.HiggsLinear(256, SIDE, num_bits=4, bias=False, dtype=torch.float16),
    }
    for method, layer in layers.items():
        yield one_layer(folder / method, method, "weight", layer.state_dict())


def aqlm(folder: Path) -> Iterator[Made]:
    """The shapes of the published AQLM checkpoints: two codebooks of 256 vectors of eight."""
    parts = {
        "codes": torch.zeros(SIDE, SIDE // 8, 2, dtype=torch.int8),
        "codebooks": torch.zeros(2, 256, 1, 8, dtype=torch.float16),
        "scales": torch.zeros(SIDE, 1, 1, 1, dtype=torch.float16),
    }
    yield one_layer(folder / "aqlm", "aqlm", "codes", parts)


def one_layer(folder: Path, method: str, codes: str, parts: Weights) -> Made:
    tensors = {f"{LAYER}.{name}": tensor for name, tensor in random_codes(parts).items()}
    write(folder, tensors, quantization_config={"quant_method": method})
    return Made(folder, {}, tensors, {f"{LAYER}.{codes}": f"quantised ({method}): "})


ROWS: dict[str, Make] = {
    "quanto": Sample("quanto", quanto, not_read("quantised: I8 codes are not read"), kept_side=16),
    "torchao": Sample("torchao", torchao, not_read("quantised (torchao): I8 codes are not read"), kept_side=16),
    "HQQ": Sample("hqq", hqq, not_read("quantised (hqq): U8 codes are not read")),
    "BitNet, EETQ, HIGGS": layers_of_transformers,
    "AQLM": aqlm,
}

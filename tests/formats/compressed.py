"""Models that compressed-tensors packed and saved, and what it unpacks of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.formats.made import Made, Make, files, llama, state_of, stored_in, torch

FP4_BLOCK, MX_BLOCK, GROUP, TILE = 16, 32, 32, 64


def packed(kind: str, *schemes: dict[str, Any]) -> Make:
    """One checkpoint for each setting of a format."""

    def make(folder: Path) -> Iterator[Made]:
        for number, settings in enumerate(schemes):
            yield packed_model(folder / str(number), kind, settings)

    return make


def packed_model(folder: Path, kind: str, settings: dict[str, Any]) -> Made:
    """Quantise each layer by the package's own scales, pack, save, and unpack again."""
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import (
        QuantizationArgs,
        QuantizationConfig,
        QuantizationScheme,
        apply_quantization_config,
    )

    model = llama()
    settings = {key: getattr(torch, said) if key.endswith("_dtype") else said for key, said in settings.items()}
    scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**settings))
    config = QuantizationConfig(config_groups={"group_0": scheme}, format=kind, ignore=["lm_head"])
    apply_quantization_config(model, config)
    layers = {name: module for name, module in model.named_modules() if hasattr(module, "weight_scale")}
    assert len(layers) == 7
    for module in layers.values():
        set_scales(module, scheme.weights)
    compressor = ModelCompressor.from_pretrained_model(model, quantization_format=kind)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(folder)
    compressor.decompress_model(model)
    names = {f"{name}.weight" for name in layers}
    state = state_of(model)
    weights = {name: tensor.float() for name, tensor in state.items() if name in names or "_proj." not in name}
    if kind.startswith("nvfp4"):
        stored = files.load_file(folder / "model.safetensors")
        weights |= {f"{name}.weight": not_rounded(stored, name, scheme.weights) for name in layers}
    return Made(folder, weights, stored_in(folder))


def not_rounded(stored: dict[str, Any], layer: str, args: Any) -> Any:
    """What the package unpacks, by its own functions, before it rounds to bfloat16."""
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    codes = stored[f"{layer}.weight_packed"]
    values = unpack_fp4_from_uint8(codes, codes.shape[0], 2 * codes.shape[1], dtype=torch.float32)
    scale, whole = stored[f"{layer}.weight_scale"].float(), stored[f"{layer}.weight_global_scale"]
    return dequantize(values, scale, args=args, dtype=torch.float32, global_scale=whole)


def set_scales(module: Any, args: Any) -> None:
    """The scales and zero points that compressed-tensors computes of each block's extremes."""
    from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

    weight = module.weight.data
    least, most = extremes(weight, args)
    whole = None
    if args.strategy == "tensor_group":
        whole = generate_gparam(weight.min(), weight.max())
        module.weight_global_scale.data = whole
    scales, zeros = calculate_qparams(least, most, args, whole)
    module.weight_scale.data = scales.reshape(module.weight_scale.shape).to(module.weight_scale.dtype)
    if hasattr(module, "weight_zero_point"):
        module.weight_zero_point.data = zeros.reshape(module.weight_zero_point.shape)


def extremes(weight: Any, args: Any) -> tuple[Any, Any]:
    rows, columns = weight.shape
    if args.strategy == "tensor":
        return weight.min(), weight.max()
    if args.strategy == "block":
        tall, wide = args.block_structure
        blocks = weight.reshape(rows // tall, tall, columns // wide, wide)
        return blocks.amin(dim=(1, 3)), blocks.amax(dim=(1, 3))
    blocks = weight.reshape(rows, -1, args.group_size or columns)
    return blocks.amin(dim=2), blocks.amax(dim=2)


def integers(bits: int, **settings: Any) -> dict[str, Any]:
    return {"num_bits": bits, "type": "int", "strategy": "group", "group_size": GROUP} | settings


FLOATS = {"num_bits": 8, "type": "float"}
ROWS: dict[str, Make] = {
    "compressed-tensors pack-quantized": packed(
        "pack-quantized",
        integers(4),
        integers(4, symmetric=False),
        integers(8, strategy="channel", group_size=None),
        integers(3),
    ),
    "compressed-tensors int-quantized": packed(
        "int-quantized",
        integers(8, strategy="channel", group_size=None),
        integers(8, strategy="tensor", group_size=None),
        integers(8, strategy="channel", group_size=None, symmetric=False),
    ),
    "compressed-tensors float-quantized": packed(
        "float-quantized",
        FLOATS | {"strategy": "tensor"},
        FLOATS | {"strategy": "channel"},
        FLOATS | {"strategy": "block", "block_structure": [TILE, TILE]},
    ),
    "compressed-tensors nvfp4-pack-quantized": packed(
        "nvfp4-pack-quantized",
        {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": FP4_BLOCK}
        | {"scale_dtype": "float8_e4m3fn", "zp_dtype": "float8_e4m3fn"},
    ),
    "compressed-tensors mxfp4-pack-quantized": packed(
        "mxfp4-pack-quantized",
        {"num_bits": 4, "type": "float", "strategy": "group", "group_size": MX_BLOCK}
        | {"scale_dtype": "uint8", "zp_dtype": "uint8"},
    ),
}

"""Layers packed by auto-round (GPTQ), AutoAWQ and MLX, and the weights they multiply by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.formats.made import Make, Weights, heavy_tailed, torch, write
from tests.formats.samples import Sample, Writer, weights_of

LAYER = "model.layers.0.mlp.up_proj"
GROUP = 32


def grid(weight: Any, bits: int) -> tuple[Any, Any, Any]:
    """Scales, zero points and the nearest weights on their grid, of each row's groups."""
    rows, columns = weight.shape
    groups = weight.reshape(rows, -1, GROUP)
    least, most = groups.amin(dim=2).clamp(max=0), groups.amax(dim=2).clamp(min=0)
    scales = ((most - least) / (2**bits - 1)).half().float()
    zeros = (-least / scales).round().clamp(1, 2**bits - 1)
    codes = (groups / scales[..., None] + zeros[..., None]).round().clamp(0, 2**bits - 1)
    return scales, zeros, ((codes - zeros[..., None]) * scales[..., None]).reshape(rows, columns)


def gptq(bits: int, by_activation: bool = False) -> Writer:
    """auto-round's torch QuantLinear packs a layer; its product with the identity is the answer."""

    def written(folder: Path, side: int) -> Weights:
        from auto_round_extension.torch.qlinear_torch_zp import QuantLinear

        linear = torch.nn.Linear(side, side, bias=False)
        scales, zeros, linear.weight.data = grid(heavy_tailed(side, side, seed=bits), bits)
        layer = QuantLinear(bits, GROUP, side, side, bias=False, g_idx=True)
        layer.device = "cpu"
        layer.pack(linear, scales, zeros, device="cpu")
        if by_activation:
            shuffled = torch.randperm(side, generator=torch.Generator().manual_seed(0))
            layer.g_idx.copy_(layer.g_idx[shuffled])
        state = {f"{LAYER}.{name}": value for name, value in layer.state_dict().items()}
        settings = {"bits": bits, "group_size": GROUP, "desc_act": by_activation, "sym": False}
        write(folder, state, quantization_config={"quant_method": "gptq", **settings})
        # Its scales are of half precision; widened, the product is not rounded to that.
        layer.scales = layer.scales.float()
        return {f"{LAYER}.weight": layer(torch.eye(side)).T.contiguous()}

    return written


def awq(folder: Path, side: int) -> Weights:
    """AutoAWQ's WQLinear_GEMM packs a layer; its own `dequantize_gemm` is the answer."""
    from awq.modules.linear.gemm import WQLinear_GEMM
    from awq.utils.packing_utils import dequantize_gemm

    linear = torch.nn.Linear(side, side, bias=False)
    scales, zeros, linear.weight.data = grid(heavy_tailed(side, side), 4)
    layer = WQLinear_GEMM.from_linear(linear, 4, GROUP, scales=scales.T.contiguous(), zeros=zeros.T.contiguous())
    state = {f"{LAYER}.{name}": value for name, value in layer.state_dict().items()}
    settings = {"bits": 4, "group_size": GROUP, "zero_point": True, "version": "gemm"}
    write(folder, state, quantization_config={"quant_method": "awq", **settings})
    weight = dequantize_gemm(layer.qweight, layer.qzeros, layer.scales.float(), 4, GROUP)
    return {f"{LAYER}.weight": weight.T.contiguous()}


def mlx(folder: Path, side: int) -> Weights:
    """MLX quantises a layer and saves it; its own `dequantize`, with scales in float32, is the answer."""
    import mlx.core as arrays
    from mlx import nn

    linear = nn.Linear(side, side, bias=False)
    linear.weight = arrays.array(heavy_tailed(side, side).numpy())
    settings = {"group_size": 64, "bits": 4}
    layer = nn.QuantizedLinear.from_linear(linear, **settings)
    write(folder, {}, quantization=settings)
    stored = layer.parameters()
    arrays.save_safetensors(
        str(folder / "model.safetensors"), {f"{LAYER}.{name}": value for name, value in stored.items()}
    )
    scales, biases = (stored[name].astype(arrays.float32) for name in ("scales", "biases"))
    weight = arrays.dequantize(stored["weight"], scales, biases, **settings)
    return {f"{LAYER}.weight": torch.tensor(weight.tolist())}


ROWS: dict[str, Make] = {
    **{f"GPTQ, {bits} bits": Sample(f"gptq-{bits}", gptq(bits), weights_of) for bits in (2, 3, 4, 8)},
    "GPTQ by activation order (act-order)": Sample("gptq-act-order", gptq(4, by_activation=True), weights_of),
    "AWQ (GEMM)": Sample("awq", awq, weights_of),
    "MLX": Sample("mlx", mlx, weights_of),
}

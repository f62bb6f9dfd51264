"""compressed-tensors' formats against its own compressors, which write the files and decompress them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tests.checkpoints.quantised.decoded import planned, weights, write
from tests.matrices.tiny_models import build, tensor
from tests.oracles import Oracle
from wqscore.checkpoints.quantised.compressed_tensors import plan_decoding

torch = Oracle("torch")
BaseCompressor = Oracle("compressed_tensors.compressors", "BaseCompressor")
ModelCompressor = Oracle("compressed_tensors.compressors", "ModelCompressor")
pack_to_int32 = Oracle("compressed_tensors.compressors.pack_quantized.helpers", "pack_to_int32")
QuantizationArgs = Oracle("compressed_tensors.quantization", "QuantizationArgs")
QuantizationConfig = Oracle("compressed_tensors.quantization", "QuantizationConfig")
QuantizationScheme = Oracle("compressed_tensors.quantization", "QuantizationScheme")
apply_quantization_config = Oracle("compressed_tensors.quantization", "apply_quantization_config")

LAYER = "model.layers.0.mlp.up_proj"
OUT, IN, GROUP = 96, 192, 64
BLOCK = (64, 128)
#: Formats of integers and of eight-bit floats, and how many numbers a layer of OUT × IN has scales for.
GRIDS = {"tensor": (1,), "channel": (OUT, 1), "group": (OUT, IN // GROUP), "block": (2, 2)}


def arguments(strategy: str, **settings: Any) -> QuantizationArgs:
    if strategy == "group":
        settings.setdefault("group_size", GROUP)
    if strategy == "block":
        settings["block_structure"] = list(BLOCK)
    return QuantizationArgs(strategy=strategy, **settings)


def scheme_of(args: QuantizationArgs) -> QuantizationScheme:
    return QuantizationScheme(targets=["Linear"], weights=args)


def random_state(args: QuantizationArgs, dtype: Any, grid: tuple[int, ...]) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(args.num_bits)
    state = {
        "weight": torch.randn(OUT, IN, generator=generator, dtype=torch.float32).to(dtype),
        "weight_scale": (torch.rand(grid, generator=generator) * 4 / 2**args.num_bits + 0.01).to(dtype),
    }
    if not args.symmetric:
        least = 2 ** (args.num_bits - 1)
        state["weight_zero_point"] = torch.randint(-least, least, grid, generator=generator).to(torch.int8)
    return state


def saved(folder: Path, kind: str, state: dict[str, Any], args: QuantizationArgs) -> tuple[Path, Any]:
    """A layer as the format's compressor stores it, and what it decompresses that to."""
    compressor = BaseCompressor.get_value_from_registry(kind)
    compressed = compressor.compress(state, scheme_of(args))
    config = QuantizationConfig(config_groups={"group_0": scheme_of(args)}, format=kind).model_dump(mode="json")
    write(folder, {f"{LAYER}.{name}": value for name, value in compressed.items()}, **config)
    return folder, compressor.decompress(compressed, scheme_of(args))["weight"]


def only(folder: Path) -> np.ndarray:
    ((name, weight),) = weights(folder, plan_decoding).items()
    assert name == f"{LAYER}.weight"
    return weight


@pytest.mark.oracle("compressed_tensors", "torch", "transformers")
@pytest.mark.parametrize("strategy", GRIDS)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(
    ("kind", "bits"),
    [("int-quantized", 8), ("naive-quantized", 4), *(("pack-quantized", bits) for bits in range(1, 9))],
)
def test_integers(tmp_path: Path, kind: str, bits: int, strategy: str, symmetric: bool) -> None:
    args = arguments(strategy, num_bits=bits, type="int", symmetric=symmetric)
    folder, theirs = saved(tmp_path, kind, random_state(args, torch.float32, GRIDS[strategy]), args)
    np.testing.assert_array_equal(only(folder), theirs.numpy())


@pytest.mark.oracle("compressed_tensors", "torch", "transformers")
@pytest.mark.parametrize("strategy", GRIDS)
def test_eight_bit_floats(tmp_path: Path, strategy: str) -> None:
    args = arguments(strategy, num_bits=8, type="float")
    folder, theirs = saved(tmp_path, "float-quantized", random_state(args, torch.float32, GRIDS[strategy]), args)
    np.testing.assert_array_equal(only(folder), theirs.numpy())


@pytest.mark.oracle("compressed_tensors", "torch", "transformers")
@pytest.mark.parametrize("kind", ["pack-quantized", "float-quantized"])
@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_scales_up_to_the_rounding_of_the_product(tmp_path: Path, kind: str, name: str) -> None:
    dtype = getattr(torch, name)
    args = arguments("channel", num_bits=8, type="int" if kind == "pack-quantized" else "float")
    folder, theirs = saved(tmp_path, kind, random_state(args, dtype, GRIDS["channel"]), args)
    assert theirs.dtype == dtype
    rounded = torch.from_numpy(only(folder)).to(dtype)
    assert torch.equal(rounded, theirs)


@pytest.mark.oracle("compressed_tensors", "torch", "transformers")
def test_nvfp4_up_to_the_rounding_to_bfloat16(tmp_path: Path) -> None:
    args = QuantizationArgs(num_bits=4, type="float", strategy="tensor_group", group_size=16)
    state = random_state(args, torch.float32, (OUT, IN // 16))
    state["weight_global_scale"] = torch.tensor([37.5])
    state["weight_scale"] = (state["weight_scale"] * 37.5).to(torch.float8_e4m3fn).float()
    folder, theirs = saved(tmp_path, "nvfp4-pack-quantized", state, args)
    assert theirs.dtype == torch.bfloat16
    assert theirs.unique().numel() > 100
    assert torch.equal(torch.from_numpy(only(folder)).bfloat16(), theirs)


@pytest.mark.oracle("compressed_tensors", "torch", "transformers")
@pytest.mark.parametrize(("kind", "bits"), [("mxfp4-pack-quantized", 4), ("mxfp8-quantized", 8)])
def test_mx_floats(tmp_path: Path, kind: str, bits: int) -> None:
    args = arguments("group", num_bits=bits, type="float", group_size=32, scale_dtype=torch.uint8)
    state = random_state(args, torch.bfloat16, (OUT, IN // 32))
    state["weight_scale"] = 2.0 ** torch.arange(-9, OUT * IN // 32 - 9).remainder(18).sub(9).reshape(OUT, -1)
    folder, theirs = saved(tmp_path, kind, state, args)
    assert [d.dtype for d in planned(folder, plan_decoding)[0].values()] == [f"MXFP{bits}"]
    np.testing.assert_array_equal(only(folder), theirs.float().numpy())


@pytest.mark.oracle("compressed_tensors", "torch", "transformers")
def test_columns_in_the_order_of_activations(tmp_path: Path) -> None:
    """Newer versions of the package neither write nor read `weight_g_idx`; its meaning is w_oi = q_oi·s_{o, g_i}."""
    generator = torch.Generator().manual_seed(5)
    codes = torch.randint(-8, 8, (OUT, IN), generator=generator, dtype=torch.int8)
    scales = torch.rand(OUT, IN // GROUP, generator=generator)
    order = (torch.arange(IN, dtype=torch.int32) // GROUP)[torch.randperm(IN, generator=generator)]
    state = {
        "weight_packed": pack_to_int32(codes, 4),
        "weight_scale": scales,
        "weight_shape": torch.tensor([OUT, IN]),
        "weight_g_idx": order,
    }
    args = arguments("group", num_bits=4, type="int")
    config = QuantizationConfig(config_groups={"a": scheme_of(args)}, format="pack-quantized").model_dump(mode="json")
    folder = write(tmp_path, {f"{LAYER}.{name}": value for name, value in state.items()}, **config)
    np.testing.assert_array_equal(only(folder), (codes * scales[:, order.long()]).numpy())


@pytest.mark.oracle("compressed_tensors", "torch", "transformers")
@pytest.mark.parametrize("columns", [1, 7, 33, 190])
def test_rows_that_do_not_fill_their_words(tmp_path: Path, columns: int) -> None:
    args = arguments("channel", num_bits=3, type="int", symmetric=False)
    state = random_state(args, torch.float32, GRIDS["channel"])
    state["weight"] = state["weight"][:, :columns]
    folder, theirs = saved(tmp_path, "pack-quantized", state, args)
    np.testing.assert_array_equal(only(folder), theirs.numpy())


SCHEMES: dict[str, dict[str, Any]] = {
    "W4A16": {"strategy": "group", "num_bits": 4, "type": "int", "group_size": 32},
    "W8A8": {"strategy": "channel", "num_bits": 8, "type": "int"},
    "FP8_BLOCK": {"strategy": "block", "num_bits": 8, "type": "float"},
}


@pytest.mark.oracle("compressed_tensors", "torch", "transformers")
@pytest.mark.parametrize("name", SCHEMES)
def test_a_model_that_model_compressor_saved(tmp_path: Path, name: str) -> None:
    model = build(
        "LlamaForCausalLM",
        "llama",
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        vocab_size=128,
    )
    groups = {"group_0": scheme_of(arguments(**SCHEMES[name]))}
    apply_quantization_config(model, QuantizationConfig(config_groups=groups, ignore=["lm_head"]))
    for module in model.modules():
        if hasattr(module, "weight_scale"):
            module.weight_scale.data.uniform_(0.01, 0.3)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(tmp_path)
    compressor.update_config(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["quantization_config"]["ignore"] == ["lm_head"]
    found = weights(tmp_path, plan_decoding)
    compressor.decompress_model(model)
    linear = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"}
    assert len(linear) == 7
    assert found.keys() == {f"{n}.weight" for n in linear}
    for path, module in linear.items():
        np.testing.assert_array_equal(found[f"{path}.weight"], module.weight.detach().float().numpy())


def test_block_sizes_as_they_were_once_written() -> None:
    tensors = tensor("a.weight", 300, 200, dtype="F8_E4M3"), tensor("a.weight_scale", 3, 2)
    ((decoding,), _) = plan_decoding(
        {t.name: t for t in tensors},
        {"quantization_config": {"quant_method": "compressed-tensors", "block_structure": "128x128"}},
    )
    weight = np.full((300, 200), 1.0, ml_dtypes.float8_e4m3fn).view(np.uint8)
    found = decoding.decode(weight, np.arange(6, dtype=np.float32).reshape(3, 2))
    np.testing.assert_array_equal(
        found[[0, 128, 299]][:, [0, 127, 128, 199]], [[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]
    )

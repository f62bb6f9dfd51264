"""GPTQ layers against auto-round's torch `QuantLinear`, which packs them and multiplies by them.

auto-round needs `pip install auto-round` (checked with 0.16.1); without it those tests are skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoints.quantised.decoded import planned, weights, write
from tests.matrices.tiny_models import tensor
from tests.oracles import Oracle
from wqscore.checkpoints.quantised.gptq import decode, plan_decoding
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

torch = Oracle("torch")

LAYER = "model.layers.0.mlp.up_proj"
IN, OUT, GROUP = 192, 96, 64
#: The module whose zero points follow the layout.
MODULES = {"gptq": "qlinear_torch_zp", "gptq_v2": "qlinear_torch"}


def quant_linear(layout: str, bits: int, group_size: int, g_idx: bool) -> Any:
    module = pytest.importorskip(f"auto_round_extension.torch.{MODULES[layout]}", exc_type=ImportError)
    return module.QuantLinear(bits, group_size, IN, OUT, bias=False, g_idx=g_idx)


def random_layer(layout: str, bits: int, group_size: int = GROUP, g_idx: bool = False) -> Any:
    """A layer of random words: every code and every zero point occurs."""
    layer = quant_linear(layout, bits, group_size, g_idx)
    generator = torch.Generator().manual_seed(bits)
    for words in (layer.qweight, layer.qzeros):
        words.copy_(torch.randint(-(2**31), 2**31, words.shape, generator=generator))
    layer.scales.copy_(torch.rand(layer.scales.shape, generator=generator) / 100 + 0.001)
    if g_idx:
        layer.g_idx.copy_(layer.g_idx[torch.randperm(IN, generator=generator)])
    return layer


def seen_by(layer: Any) -> np.ndarray:
    """The weight a layer multiplies by, (out, in): float16, in which the product of code and scale is rounded."""
    return layer(torch.eye(IN, dtype=torch.float32)).numpy().T


def saved(folder: Path, layer: Any, **quantization: Any) -> Path:
    state = {f"{LAYER}.{name}": value for name, value in layer.state_dict().items()}
    return write(folder, state, **{"quant_method": "gptq", "group_size": layer.group_size} | quantization)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("layout", MODULES)
@pytest.mark.parametrize("g_idx", [False, True])
def test_weights_are_those_auto_round_multiplies_by_up_to_its_float16(
    tmp_path: Path, bits: int, layout: str, g_idx: bool
) -> None:
    layer = random_layer(layout, bits, g_idx=g_idx)
    folder = saved(tmp_path, layer, checkpoint_format=layout, bits=bits)
    found = weights(folder, plan_decoding)[f"{LAYER}.weight"]
    np.testing.assert_array_equal(found.astype(np.float16), seen_by(layer).astype(np.float16))
    layer.scales = layer.scales.float()
    np.testing.assert_array_equal(found, seen_by(layer))


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_layer_that_auto_round_packed_is_the_one_it_was_made_from(
    tmp_path: Path, bits: int, symmetric: bool
) -> None:
    generator = torch.Generator().manual_seed(1)
    linear = torch.nn.Linear(IN, OUT, bias=False)
    groups, largest = IN // GROUP, 2**bits - 1
    scales = (torch.rand(OUT, groups, generator=generator) / 64 + 0.01).half().float()
    zeros = torch.randint(1, largest + 1, (OUT, groups), generator=generator)
    zeros = torch.full_like(zeros, 2 ** (bits - 1)) if symmetric else zeros
    codes = torch.randint(0, largest + 1, (OUT, IN), generator=generator)
    wide = [value.repeat_interleave(GROUP, 1) for value in (scales, zeros)]
    linear.weight.data = (codes - wide[1]) * wide[0]
    layer = quant_linear("gptq", bits, GROUP, g_idx=True)
    layer.device = "cpu"
    layer.pack(linear, scales, int(zeros[0, 0]) if symmetric else zeros, device="cpu")
    found = weights(saved(tmp_path, layer, sym=symmetric), plan_decoding)[f"{LAYER}.weight"]
    np.testing.assert_array_equal(found, linear.weight.detach().numpy())


@pytest.mark.oracle("torch")
def test_one_group_of_all_inputs(tmp_path: Path) -> None:
    layer = random_layer("gptq", 4, group_size=-1)
    folder = saved(tmp_path, layer, group_size=-1)
    np.testing.assert_array_equal(
        weights(folder, plan_decoding)[f"{LAYER}.weight"].astype(np.float16), seen_by(layer).astype(np.float16)
    )


@pytest.mark.oracle("torch")
def test_layers_may_differ_in_bits_and_groups(tmp_path: Path) -> None:
    first, second = random_layer("gptq", 4), random_layer("gptq", 8, group_size=32)
    state = {f"a.{name}": value for name, value in first.state_dict().items()}
    state |= {f"b.{name}": value for name, value in second.state_dict().items()}
    dynamic = {"+:b": {"bits": 8, "group_size": 32}}
    folder = write(tmp_path, state, quant_method="gptq", bits=4, group_size=GROUP, dynamic=dynamic)
    assert [d.dtype for d in planned(folder, plan_decoding)[0].values()] == ["GPTQ-4", "GPTQ-8"]
    found = weights(folder, plan_decoding)
    for name, layer in (("a", first), ("b", second)):
        np.testing.assert_array_equal(found[f"{name}.weight"].astype(np.float16), seen_by(layer).astype(np.float16))


def header(bits: int = 4, **changed: TensorRef) -> dict[str, TensorRef]:
    tensors = {
        "qweight": tensor(f"{LAYER}.qweight", IN * bits // 32, OUT, dtype="I32"),
        "qzeros": tensor(f"{LAYER}.qzeros", IN // GROUP, OUT * bits // 32, dtype="I32"),
        "scales": tensor(f"{LAYER}.scales", IN // GROUP, OUT, dtype="F16"),
    } | changed
    return {t.name: t for t in tensors.values()}


def config(**settings: Any) -> dict[str, Any]:
    return {"quantization_config": {"quant_method": "gptq", "group_size": GROUP} | settings}


def refused(tensors: dict[str, TensorRef], **settings: Any) -> str:
    decodings, (refusal,) = plan_decoding(tensors, config(**settings))
    assert not decodings
    assert refusal.name == f"{LAYER}.qweight"
    return refusal.reason


def test_other_checkpoints_are_left_alone() -> None:
    for other in ({}, {"quantization_config": None}, {"quantization_config": {"quant_method": ["gptq"]}}):
        assert plan_decoding(header(), other) == ([], [])
    assert plan_decoding({"a.weight": tensor("a.weight", 3, 3)}, config()) == ([], [])


def test_settings_of_the_text_model_alone() -> None:
    ((decoding,), _) = plan_decoding(
        header(), {"text_config": config(), "vision_config": {"quantization_config": {}}}
    )
    assert decoding.shape == (OUT, IN)


def test_the_plan_names_shape_and_bits() -> None:
    ((decoding,), refusals) = plan_decoding(header(3), config())
    assert (decoding.name, decoding.shape, decoding.dtype) == (f"{LAYER}.weight", (OUT, IN), "GPTQ-3")
    assert not refusals


def test_other_layouts_and_bits_are_refused_by_name() -> None:
    assert refused(header(), checkpoint_format="marlin") == "GPTQ in the marlin layout is not read"
    assert refused(header(), is_marlin_format=True) == "GPTQ in the marlin layout is not read"
    assert refused(header(5)) == "GPTQ with 5 bits is not read"
    assert refused(header(), checkpoint_format="\x1b[31m") == r"GPTQ in the \x1b[31m layout is not read"


@pytest.mark.parametrize(
    "changed",
    [
        {"qweight": tensor(f"{LAYER}.qweight", 25, OUT, dtype="I32")},
        {"qweight": tensor(f"{LAYER}.qweight", 24, OUT - 1, dtype="I32")},
        {"qweight": tensor(f"{LAYER}.qweight", 24, OUT, dtype="I16")},
        {"qweight": tensor(f"{LAYER}.qweight", 0, OUT, dtype="I32")},
        {"qweight": tensor(f"{LAYER}.qweight", 24 * OUT, dtype="I32")},
        {"scales": tensor(f"{LAYER}.scales", 0, OUT, dtype="F16")},
        {"scales": tensor(f"{LAYER}.scales", 3, 0, dtype="F16")},
        {"scales": tensor(f"{LAYER}.scales", 2, OUT, dtype="F16")},
        {"scales": tensor(f"{LAYER}.scales", 3, OUT, dtype="I32")},
        {"scales": tensor("elsewhere.scales", 3, OUT, dtype="F16")},
        {"qzeros": tensor(f"{LAYER}.qzeros", 3, 13, dtype="I32")},
        {"g_idx": tensor(f"{LAYER}.g_idx", IN - 1, dtype="I32")},
        {"g_idx": tensor(f"{LAYER}.g_idx", IN, dtype="F32")},
        {"weight": tensor(f"{LAYER}.weight", OUT, IN)},
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, TensorRef]) -> None:
    assert refused(header(**changed))


@pytest.mark.parametrize("size", [None, 0, -7, True, "64", [64], {"a": 64}, 1e300, 10**400, 100])
def test_a_group_size_that_does_not_give_the_groups_is_refused(size: object) -> None:
    assert refused(header(), group_size=size) == "3 groups of 192 inputs have none of the configured sizes"


@pytest.mark.parametrize("group", [-1, 3, 2**31 - 1])
def test_groups_that_there_are_not(group: int) -> None:
    order = np.zeros(IN, dtype=np.int32)
    order[7] = group
    arrays = np.zeros((24, OUT), np.int32), np.zeros((3, 12), np.int32), np.ones((3, OUT), np.float16)
    with pytest.raises(CheckpointError, match=r"outside 0 … 2: the checkpoint is damaged"):
        decode(*arrays, order, bits=4, zero_offset=1)


def test_scales_that_are_not_finite_give_weights_that_are_not() -> None:
    scales = np.full((1, 32), np.inf, dtype=np.float16)
    scales[0, 1] = np.nan
    found = decode(np.zeros((1, 32), np.int32), np.zeros((1, 4), np.int32), scales, bits=4, zero_offset=1)
    assert not np.isfinite(found[:2]).any()

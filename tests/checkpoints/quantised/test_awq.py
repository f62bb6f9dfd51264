"""AWQ layers against AutoAWQ's own `dequantize_gemm`, and as its `WQLinear_GEMM` packs them.

The function is run where AutoAWQ's files are on the path (`pip install --no-deps autoawq`, checked with 0.2.9): its
file needs nothing but torch. The layer is packed where the package can be imported, which takes `datasets` as well.
Everywhere, what the function answered for one small layer of random words is compared.
"""

from __future__ import annotations

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoints.quantised.decoded import weights, write
from tests.matrices.tiny_models import tensor
from tests.oracles import Oracle
from wqscore.checkpoints.quantised.awq import decode, plan_decoding
from wqscore.checkpoints.tensor import TensorRef

torch = Oracle("torch")

LAYER = "model.layers.0.mlp.up_proj"
IN, OUT, GROUP = 192, 96, 64


@pytest.fixture(scope="module")
def packing_utils() -> Any:
    package = find_spec("awq")
    if package is None or not package.submodule_search_locations:
        pytest.skip("AutoAWQ's files are not on the path")
    file = Path(package.submodule_search_locations[0]) / "utils" / "packing_utils.py"
    spec = spec_from_file_location("awq_packing_utils", file)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_small_layer_is_what_autoawq_made_of_it() -> None:
    """The answer of AutoAWQ 0.2.9's `dequantize_gemm(qweight, qzeros, scales, bits=4, group_size=2)`."""
    found = decode(
        np.array([[398764591], [1478610112], [1537364731], [1491434855]], dtype=np.int32),
        np.array([[530702035], [-496576782]], dtype=np.int32),
        np.array(
            [
                [0.3125, 0.5, 0.4375, 0.5625, 0.5625, 0.8125, 0.6875, 0.125],
                [0.4375, 0.5, 0.5, 0.9375, 0.5625, 0.125, 0.375, 0.625],
            ],
            dtype=np.float16,
        ),
        group_size=2,
    )
    expected = [
        [3.75, 1.5, -4.8125, 1.125, -2.25, -6.5, -2.0625, 0.0],
        [-0.9375, 0.0, -0.4375, -4.5, -1.125, -5.6875, -0.6875, 0.5],
        [3.9375, -2.0, 0.0, 3.75, -2.25, 1.125, -3.0, -5.625],
        [2.1875, -0.5, -4.5, 7.5, 3.9375, 0.75, -2.25, -5.625],
    ]
    np.testing.assert_array_equal(found, np.array(expected).T)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("group_size", [GROUP, 32, -1])
@pytest.mark.parametrize("spelling", [{"version": "GEMM"}, {"format": "gemm"}, {}])
def test_weights_are_autoawqs_up_to_its_float16(
    tmp_path: Path, packing_utils: Any, group_size: int, spelling: dict[str, str]
) -> None:
    size = IN if group_size == -1 else group_size
    generator = torch.Generator().manual_seed(size)
    state = {
        "qweight": torch.randint(-(2**31), 2**31, (IN, OUT // 8), generator=generator).int(),
        "qzeros": torch.randint(-(2**31), 2**31, (IN // size, OUT // 8), generator=generator).int(),
        "scales": (torch.rand(IN // size, OUT, generator=generator) / 100).half(),
    }
    folder = write(
        tmp_path,
        {f"{LAYER}.{name}": value for name, value in state.items()},
        quant_method="awq",
        group_size=group_size,
        **spelling,
    )
    found = weights(folder, plan_decoding)[f"{LAYER}.weight"]
    theirs = packing_utils.dequantize_gemm(*state.values(), 4, size)
    np.testing.assert_array_equal(found.astype(np.float16), theirs.numpy().T)
    state["scales"] = state["scales"].float()
    np.testing.assert_array_equal(found, packing_utils.dequantize_gemm(*state.values(), 4, size).numpy().T)


@pytest.mark.oracle("torch")
def test_a_layer_that_autoawq_packed_is_the_one_it_was_made_from(tmp_path: Path) -> None:
    gemm = pytest.importorskip("awq.modules.linear.gemm", exc_type=ImportError)
    generator = torch.Generator().manual_seed(0)
    scales = (torch.rand(IN // GROUP, OUT, generator=generator) / 64 + 0.01).half().float()
    zeros = torch.randint(0, 16, (IN // GROUP, OUT), generator=generator)
    codes = torch.randint(0, 16, (IN, OUT), generator=generator)
    linear = torch.nn.Linear(IN, OUT, bias=False)
    linear.weight.data = ((codes - zeros.repeat_interleave(GROUP, 0)) * scales.repeat_interleave(GROUP, 0)).T
    layer = gemm.WQLinear_GEMM.from_linear(linear, 4, GROUP, scales=scales, zeros=zeros)
    state = {f"{LAYER}.{name}": value for name, value in layer.state_dict().items()}
    folder = write(tmp_path, state, quant_method="awq", group_size=GROUP)
    np.testing.assert_array_equal(weights(folder, plan_decoding)[f"{LAYER}.weight"], linear.weight.detach().numpy())


def header(**changed: TensorRef) -> dict[str, TensorRef]:
    tensors = {
        "qweight": tensor(f"{LAYER}.qweight", IN, OUT // 8, dtype="I32"),
        "qzeros": tensor(f"{LAYER}.qzeros", IN // GROUP, OUT // 8, dtype="I32"),
        "scales": tensor(f"{LAYER}.scales", IN // GROUP, OUT, dtype="F16"),
    } | changed
    return {t.name: t for t in tensors.values()}


def config(**settings: Any) -> dict[str, Any]:
    return {"quantization_config": {"quant_method": "awq", "group_size": GROUP} | settings}


def refused(tensors: dict[str, TensorRef], **settings: Any) -> str:
    decodings, (refusal,) = plan_decoding(tensors, config(**settings))
    assert not decodings
    assert refusal.name == f"{LAYER}.qweight"
    return refusal.reason


def test_other_checkpoints_are_left_alone() -> None:
    for other in ({}, {"quantization_config": []}, config(quant_method="gptq")):
        assert plan_decoding(header(), other) == ([], [])


@pytest.mark.parametrize("version", ["gemv", "gemv_fast", "marlin", "exllama", "llm-awq", "ipex"])
def test_other_layouts_are_refused_by_name(version: str) -> None:
    assert refused(header(), version=version) == f"AWQ in the {version} layout is not read"


def test_other_bits_are_refused() -> None:
    three = {
        "qweight": tensor(f"{LAYER}.qweight", IN, OUT * 3 // 32, dtype="I32"),
        "qzeros": tensor(f"{LAYER}.qzeros", IN // GROUP, OUT * 3 // 32, dtype="I32"),
    }
    assert refused(header(**three)) == "AWQ with 3 bits is not read"


@pytest.mark.parametrize(
    "changed",
    [
        {"qweight": tensor(f"{LAYER}.qweight", IN, OUT // 4, dtype="I32")},
        {"qweight": tensor(f"{LAYER}.qweight", IN, OUT // 8, dtype="F32")},
        {"qweight": tensor(f"{LAYER}.qweight", 0, OUT // 8, dtype="I32")},
        {"qweight": tensor(f"{LAYER}.qweight", IN * OUT // 8, dtype="I32")},
        {"qzeros": tensor(f"{LAYER}.qzeros", 2, OUT // 8, dtype="I32")},
        {"qzeros": tensor(f"{LAYER}.qzeros", 3, 0, dtype="I32")},
        {"scales": tensor(f"{LAYER}.scales", 2, OUT, dtype="F16")},
        {"scales": tensor(f"{LAYER}.scales", 0, OUT, dtype="F16")},
        {"scales": tensor(f"{LAYER}.scales", 3, 0, dtype="F16")},
        {"scales": tensor("elsewhere.scales", 3, OUT, dtype="F16")},
        {"weight": tensor(f"{LAYER}.weight", OUT, IN)},
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, TensorRef]) -> None:
    assert refused(header(**changed))


@pytest.mark.parametrize("size", [None, 0, -1, False, "64", 128])
def test_a_group_size_that_does_not_give_the_groups_is_refused(size: object) -> None:
    assert refused(header(), group_size=size) == "3 groups of 192 inputs have none of the configured sizes"

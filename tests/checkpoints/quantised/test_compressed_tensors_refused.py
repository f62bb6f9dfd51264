"""What the planner of compressed-tensors' formats leaves alone and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.checkpoints.quantised.decoded import planned, write
from tests.matrices.tiny_models import tensor
from tests.oracles import Oracle
from wqscore.checkpoints.quantised.compressed_tensors import plan_decoding
from wqscore.checkpoints.tensor import TensorRef

torch = Oracle("torch")

LAYER = "model.layers.0.mlp.up_proj"
OUT, IN, GROUP = 96, 192, 64


def config(**settings: Any) -> dict[str, Any]:
    group = {"weights": {"num_bits": 4, "group_size": GROUP, "block_structure": None}}
    return {
        "quantization_config": {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}} | settings
    }


def refused(*tensors: TensorRef, **settings: Any) -> tuple[str, str]:
    decodings, (refusal,) = plan_decoding({t.name: t for t in tensors}, config(**settings))
    assert not decodings
    return refusal.name, refusal.reason


def part(name: str, *shape: int, dtype: str = "F32") -> TensorRef:
    return tensor(f"{LAYER}.{name}", *shape, dtype=dtype)


def test_other_checkpoints_are_left_alone() -> None:
    tensors = {t.name: t for t in (part("weight", OUT, IN, dtype="I8"), part("weight_scale", OUT, 1))}
    for other in ({}, {"quantization_config": 1}, config(quant_method="fp8")):
        assert plan_decoding(tensors, other) == ([], [])
    assert plan_decoding({"a.weight": tensor("a.weight", 3, 3)}, config()) == ([], [])


@pytest.mark.parametrize(
    "tensors",
    [
        (
            part("compressed", 999, dtype="F16"),
            part("bitmask", OUT, IN // 8, dtype="U8"),
            part("shape", 2, dtype="I64"),
        ),
        (part("weight_packed", 6, 384, dtype="I32"), part("meta", 6, 192, dtype="I16"), part("scale_packed", 1, OUT)),
    ],
)
def test_sparse_formats_are_refused(tensors: tuple[TensorRef, ...]) -> None:
    assert refused(*tensors) == (tensors[0].name, "compressed-tensors' sparse formats are not read")


def test_mxfp6_is_refused_by_name() -> None:
    packed = part("weight_packed", OUT, IN * 3 // 4, dtype="U8")
    assert refused(packed, part("weight_scale", OUT, IN // 32, dtype="U8"))[1].endswith("MXFP6 is not read")


PACKED, SHAPE = part("weight_packed", OUT, IN // 8, dtype="I32"), "weight_shape"


@pytest.mark.parametrize(
    "tensors",
    [
        (PACKED,),
        (PACKED, part("weight_scale", OUT, 3)),
        (PACKED, part("weight_scale", OUT, 3), part(SHAPE, 3, dtype="I64")),
        (PACKED, part("weight_scale", OUT, 3), part(SHAPE, 2)),
        (PACKED, part("weight_scale", OUT, 3), part(SHAPE, 2, dtype="I64")),
        (PACKED, part("weight_scale", OUT, 3), part("weight", OUT, IN)),
        (part("weight", OUT, IN, dtype="I8"),),
        (part("weight", OUT, IN, dtype="I8"), part("weight_scale", OUT, 2)),
        (part("weight", OUT, IN, dtype="I8"), part("weight_scale", OUT + 1, 1)),
        (part("weight", OUT, IN, dtype="I8"), part("weight_scale", OUT, 0)),
        (part("weight", OUT, IN, dtype="I8"), part("weight_scale", 1, OUT, 1)),
        (part("weight", OUT, IN, dtype="I8"), part("weight_scale", OUT, dtype="I32")),
        (part("weight", OUT, IN, dtype="I8"), part("weight_scale", OUT), part("weight_zero_point", 3, dtype="I8")),
        (part("weight", 2, OUT, IN, dtype="I8"), part("weight_scale", OUT)),
        (part("weight", 0, IN, dtype="I8"), part("weight_scale", 1)),
        (part("weight", OUT, IN, dtype="F8_E5M2"), part("weight_scale", 1)),
        (part("weight_packed", OUT, IN // 2, dtype="U8"), part("weight_scale", OUT, IN // 16, dtype="F8_E4M3")),
        (part("weight_packed", OUT, IN // 2, dtype="U8"), part("weight_scale", OUT, IN // 16, dtype="U8")),
    ],
)
def test_what_does_not_fit_is_refused(tensors: tuple[TensorRef, ...]) -> None:
    name, reason = refused(*tensors)
    assert name == tensors[0].name
    assert reason


def packed(folder: Path, **changed: Any) -> tuple[list[str], dict[str, str]]:
    """What is decoded and refused of a layer of four-bit codes after a change of what is stored."""
    state = {
        "weight_packed": torch.zeros(OUT, IN // 8, dtype=torch.int32),
        "weight_scale": torch.ones(OUT, IN // GROUP),
        "weight_shape": torch.tensor([OUT, IN]),
    } | changed
    write(folder, {f"{LAYER}.{name}": value for name, value in state.items()}, **config()["quantization_config"])
    decodings, refusals = planned(folder, plan_decoding)
    return list(decodings), refusals


@pytest.mark.oracle("torch", "transformers")
def test_a_layer_that_fits_is_not_refused(tmp_path: Path) -> None:
    assert packed(tmp_path) == ([f"{LAYER}.weight"], {})


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("shape", [(OUT, IN + 1), (OUT, 2**62), (OUT, -1), (OUT + 1, IN), (0, 0)])
def test_a_false_shape_is_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    decoded, refusals = packed(tmp_path, weight_shape=torch.tensor(shape))
    assert not decoded
    assert "weight_shape" in refusals[f"{LAYER}.weight_packed"]


@pytest.mark.oracle("torch", "transformers")
def test_packed_zero_points_of_one_scale_are_refused(tmp_path: Path) -> None:
    zeros = torch.zeros(OUT // 8, 1, dtype=torch.int32)
    assert not packed(tmp_path, weight_scale=torch.tensor(1.0), weight_zero_point=zeros)[0]


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("name", ["weight_zero_point", "weight_g_idx"])
def test_false_companions_are_refused(tmp_path: Path, name: str) -> None:
    decoded, refusals = packed(tmp_path, **{name: torch.zeros(5, 5, dtype=torch.int32)})
    assert not decoded
    assert list(refusals) == [f"{LAYER}.weight_packed"]

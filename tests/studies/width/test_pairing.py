"""Which projections belong together: the nearest in the tree of modules, or none where several are as near."""

from __future__ import annotations

import pytest

from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.studies.width.pairing import paired, place_of, shared_path


def matrix(name: str) -> WeightMatrix:
    tensor = TensorRef(name.partition("[")[0], (4, 4), STORED_DTYPES["F32"], __file__, 0)  # type: ignore[arg-type]
    return WeightMatrix(name, tensor, Cut((4, 4)), "mlp.in", 4, 4)


def found(left: list[str], right: list[str]) -> dict[str, str]:
    pairs = paired([matrix(each) for each in left], [matrix(each) for each in right], lambda one, other: True)
    return {name: each if isinstance(each, str) else each.name for name, each in pairs.items()}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["h.0.mlp.fc1.weight", "h.1.mlp.fc1.weight"], ["h.1.mlp.fc2.weight", "h.0.mlp.fc2.weight"]),
        (["layer.0.intermediate.dense.weight"], ["layer.0.output.dense.weight"]),
        (
            ["layer.0.ffn.0.intermediate.dense.weight", "layer.0.intermediate.dense.weight"],
            ["layer.0.output.dense.weight", "layer.0.ffn.0.output.dense.weight"],
        ),
        (
            ["h.0.experts.10.w1.weight", "h.0.experts.1.w1.weight"],
            ["h.0.experts.1.w2.weight", "h.0.experts.10.w2.weight"],
        ),
        (["h.0.experts.up[0]", "h.0.experts.up[1]"], ["h.0.experts.down[1]", "h.0.experts.down[0]"]),
        (["_orig_mod.module.h.0.fc1.weight"], ["_orig_mod.module.h.0.fc2.weight"]),
    ],
)
def test_each_finds_the_one_of_its_own_module(left: list[str], right: list[str]) -> None:
    expected = {}
    for name in left:
        pairs = {"fc1": "fc2", "intermediate": "output", "w1": "w2", "up": "down"}
        old = next(each for each in pairs if each in name)
        expected[name] = name.replace(old, pairs[old])
    assert found(left, right) == expected


def test_two_that_are_as_near_are_not_guessed() -> None:
    reason = "which projections belong together can't be told"
    assert found(["h.0.fc1.weight"], ["h.0.a.weight", "h.0.b.weight"]) == {"h.0.fc1.weight": reason}
    assert found(["h.0.fc1.weight"], ["h.1.fc2.weight"]) == {"h.0.fc1.weight": ""}


def test_a_place_is_layer_item_and_path() -> None:
    place = place_of(matrix("model.layers.3.mlp.experts.gate_up_proj[7.gate]"))
    assert (place.layer, place.item, place.path) == (
        "model.layers.3",
        "7",
        ("model", "layers", "3", "mlp", "experts"),
    )
    assert shared_path([matrix("h.2.mlp.up[4]"), matrix("h.2.mlp.down[4]")]) == "h.2.mlp[4]"

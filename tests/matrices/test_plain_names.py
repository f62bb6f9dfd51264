"""Names without the components that wrappers and frameworks add."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import Oracle
from wqscore.matrices.matching import canonical_name, why_none_matches
from wqscore.matrices.plain_names import plain_name
from wqscore.matrices.roles import depth_of, role_of

torch = Oracle("torch")

WRAPPERS = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"]
OUTER = [*WRAPPERS, "module", "model", "base_model", "transformer"]
NAMES = [
    "layers.0.self_attn.q_proj.weight",
    "encoder.layer.3.output.dense.weight",
    "fc.weight",
    "h.1.attn.c_attn.weight[q]",
]


@given(st.sampled_from(NAMES), st.lists(st.sampled_from(OUTER), max_size=6), st.data())
def test_wrappers_in_a_row_and_between_components_are_dropped(
    name: str, outer: list[str], data: st.DataObject
) -> None:
    *path, last = name.split(".")
    inner = []
    for component in path:
        inner += [component, *data.draw(st.lists(st.sampled_from(WRAPPERS), max_size=2))]
    wrapped = ".".join([*outer, *inner, last])
    assert canonical_name(wrapped) == canonical_name(name) == name
    assert role_of(wrapped.partition("[")[0]) == role_of(name.partition("[")[0])


def test_a_name_without_wrappers_stays() -> None:
    for name in ("model.layers.0.fc1.weight", "weight", "", "a.module.weight", "x._orig_mod"):
        assert plain_name(name) == name


def test_slashes_and_numbers_of_tensorflow_and_jax() -> None:
    assert plain_name("tf_vit/vit/encoder/layer_._3/attention/query/kernel:0") == (
        "tf_vit.vit.encoder.layer_._3.attention.query.kernel"
    )
    assert role_of("Transformer/encoderblock_3/MultiHeadDotProductAttention_1/query/kernel") == "attention.q"
    assert depth_of("Transformer.encoderblock_13.MlpBlock_3.Dense_0.kernel") == 13


@pytest.mark.oracle("torch")
def test_torchs_own_wrappers() -> None:
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Sequential(torch.nn.Linear(4, 3)))
    names = list(model.state_dict())
    wrapped = [*torch.compile(torch.nn.DataParallel(model)).state_dict()]
    assert wrapped != names
    assert [canonical_name(name) for name in wrapped] == names
    model[1] = torch.compile(checkpoint_wrapper(model[1]))
    assert [canonical_name(name) for name in model.state_dict()] == names


def test_why_nothing_matches() -> None:
    assert why_none_matches([], {}) == "no name matches"

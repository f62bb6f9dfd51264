"""Weights that must be there and are not, and layers that differ on purpose."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.matrices.tiny_models import header, outcome, tensor
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.missing import misfits
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.uncounted import MissingWeight

WIDTH, INNER = 64, 160
ATTENTION = {f"self_attn.{part}_proj": (WIDTH, WIDTH) for part in "qkvo"}
MLP = {"mlp.gate_proj": (INNER, WIDTH), "mlp.up_proj": (INNER, WIDTH), "mlp.down_proj": (WIDTH, INNER)}
LAYER = ATTENTION | MLP
EXPERT = {"mlp.experts.0.w1": (8, 8)}


def model(layers: int = 4, layer: dict[str, tuple[int, ...]] = LAYER) -> dict[str, tuple[int, ...]]:
    """The shapes of a decoder's weights by name."""
    shapes = {f"model.layers.{i}.{part}.weight": shape for i in range(layers) for part, shape in layer.items()}
    norms = {f"model.layers.{i}.input_layernorm.weight": (WIDTH,) for i in range(layers)}
    return {"model.embed_tokens.weight": (500, WIDTH)} | shapes | norms


def found(shapes: dict[str, tuple[int, ...]], dtype: str = "F32", **config: Any) -> dict[str, str]:
    tensors = header(*(tensor(name, *shape, dtype=dtype) for name, shape in shapes.items()))
    return {name: misfit.reason for name, misfit in misfits(tensors, ModelConfig(config)).items()}


Q, OUT, DOWN = (f"model.layers.2.{part}.weight" for part in ("self_attn.q_proj", "self_attn.o_proj", "mlp.down_proj"))


def test_a_whole_model_lacks_nothing() -> None:
    assert found(model(), num_hidden_layers=4) == {}


@settings(max_examples=examples(100))
@given(data=st.data(), layers=st.integers(2, 6), shape=st.sampled_from([(0,), (0, 64), (64, 0), (0, 0)]))
def test_every_empty_weight_is_named_once(data: Any, layers: int, shape: tuple[int, ...]) -> None:
    whole = model(layers)
    empty = data.draw(st.sets(st.sampled_from(sorted(whole)), min_size=1))
    reasons = found(whole | dict.fromkeys(empty, shape))
    assert reasons.keys() == empty
    assert all(reason.startswith("empty") for reason in reasons.values())


@pytest.mark.parametrize("dtype", ["F32", "BF16", "I8", "U32"])
def test_of_any_type(dtype: str) -> None:
    reasons = found({"a.qweight" if dtype == "U32" else "a.weight": (0,)}, dtype)
    assert list(reasons.values()) == ["empty"]


def test_a_model_of_nothing_but_empty_weights() -> None:
    whole = model()
    assert found(dict.fromkeys(whole, (0,))).keys() == whole.keys()


@pytest.mark.parametrize(
    "name", ["attn.position_ids", "h.0.attn.mask", "rotary.inv_freq", "core._extra_state", "dummy"]
)
def test_buffers_may_be_empty(name: str) -> None:
    assert found({name: (0,)}) == {}


@settings(max_examples=examples(60))
@given(part=st.sampled_from(sorted(LAYER)), number=st.integers(0, 3))
def test_a_matrix_that_one_block_lacks(part: str, number: int) -> None:
    whole = model()
    name = f"model.layers.{number}.{part}.weight"
    del whole[name]
    (reason,) = found(whole).values()
    assert reason.startswith("absent; other layers have it")
    assert found(whole).keys() == {name}


def test_half_of_two_layers() -> None:
    whole = model(2)
    del whole["model.layers.1.self_attn.o_proj.weight"]
    assert found(whole).keys() == {"model.layers.1.self_attn.o_proj.weight"}


def test_a_layer_that_is_not_there() -> None:
    whole = {name: shape for name, shape in model(6).items() if ".layers.3." not in name}
    assert found(whole).keys() == {f"model.layers.3.{part}.weight" for part in LAYER}


@pytest.mark.parametrize("key", ["num_hidden_layers", "n_layer"])
def test_fewer_layers_than_the_configuration_has(key: str) -> None:
    assert found(model(3), **{key: 4}).keys() == {f"model.layers.3.{part}.weight" for part in LAYER}
    # One that predicts a further token comes after the last.
    assert found(model(5), **{key: 4}) == {}


def test_parts_of_layers_that_count_as_layers() -> None:
    assert found(model(3), num_hidden_layers=6, layer_types=["full_attention", "mlp"] * 3) == {}


def test_an_expert_that_is_not_there() -> None:
    experts = {f"mlp.experts.{e}.{part}": (32, WIDTH) for e in range(4) for part in ("w1", "w3")}
    experts |= {f"mlp.experts.{e}.w2": (WIDTH, 32) for e in range(4)}
    whole = {n: s for n, s in model(3, ATTENTION | experts).items() if "layers.1.mlp.experts.2" not in n}
    assert found(whole).keys() == {f"model.layers.1.mlp.experts.2.{part}.weight" for part in ("w1", "w2", "w3")}


@pytest.mark.parametrize(
    ("name", "shape", "usual"),
    [
        (Q, (32, WIDTH), "of shape [32, 64]; in other layers it is [64, 64]"),
        (OUT, (WIDTH, 32), "of shape [64, 32]; in other layers it is [64, 64]"),
        (DOWN, (WIDTH, 80), "of shape [64, 80]; in other layers it is [64, 160]"),
        (Q, (2048,), "of shape [2048]; in other layers it is [64, 64]"),
    ],
)
def test_a_matrix_that_its_block_can_not_compute_with(name: str, shape: tuple[int, ...], usual: str) -> None:
    assert found(model() | {name: shape}) == {name: usual}


def layer(number: int, **parts: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {f"model.layers.{number}.{part.replace('__', '.')}.weight": shape for part, shape in parts.items()}


def without(*parts: str) -> dict[str, tuple[int, ...]]:
    lacking = {f"model.layers.2.{part}.weight" for part in parts}
    return {name: shape for name, shape in model().items() if name not in lacking}


@pytest.mark.parametrize(
    "shapes",
    [
        # Heads and widths of each layer's own, as OpenELM and pruned models have them.
        model() | layer(2, self_attn__q_proj=(32, WIDTH), self_attn__o_proj=(WIDTH, 32)),
        model() | layer(1, self_attn__k_proj=(16, WIDTH), self_attn__v_proj=(16, WIDTH)),
        model() | layer(0, mlp__gate_proj=(80, WIDTH), mlp__up_proj=(80, WIDTH), mlp__down_proj=(WIDTH, 80)),
        # Keys and values of an earlier layer; no attention or no MLP at all.
        without("self_attn.k_proj", "self_attn.v_proj"),
        without(*ATTENTION),
        without(*MLP),
        # Attention of two kinds, and a first layer that takes another width.
        model() | {f"model.layers.{i}.self_attn.{p}_proj.weight": (96, 64) for i in (1, 3) for p in "q"}
        | {f"model.layers.{i}.self_attn.kv_proj.weight": (8, 64) for i in (1, 3)},
        model() | {f"model.layers.0.self_attn.{p}_proj.weight": (WIDTH, 80) for p in "qkv"},
        # The first layers without experts.
        model(1) | {n: s for n, s in model(4, ATTENTION | EXPERT).items() if "layers.0" not in n},
        # Stages, sequences with gaps, the last layer of SD3, the first of ResNet.
        {f"features.{i}.weight": (8 * (i + 1), 8, 3, 3) for i in (0, 3, 6, 8)} | {"features.1.weight": (8,)},
        {f"transformer_blocks.{i}.attn.{p}.weight": (8, 8) for i in range(3) for p in ("to_q", "to_k", "to_v")}
        | {f"transformer_blocks.{i}.attn.to_add_out.weight": (8, 8) for i in range(2)},
        {f"layer{i}.{j}.conv{k}.weight": (8, 8, 3, 3) for i in (1, 2) for j in (0, 1) for k in (1, 2)}
        | {"layer2.0.downsample.0.weight": (8, 8, 1, 1)},
        {f"net.{i}.fc{j}.weight": (8, 8) for i in (0, 2, 5) for j in (1, 2)},
    ],
)  # fmt: skip
def test_layers_may_differ_on_purpose(shapes: dict[str, tuple[int, ...]]) -> None:
    assert found(shapes) == {}


def test_values_that_are_the_keys() -> None:
    shapes = without("self_attn.v_proj")
    assert len(found(shapes)) == 1
    assert found(shapes, text_config={"attention_k_eq_v": True}) == {}


def test_a_missing_weight_is_a_row_and_no_tie() -> None:
    refs: tuple[TensorRef, ...] = tuple(
        tensor(name, *((0,) if "layers.1" in name else shape)) for name, shape in model(2).items()
    )
    rows = [o for o in outcome(refs) if isinstance(o, MissingWeight)]
    assert {row.name for row in rows} == {name for name in model(2) if "layers.1" in name}
    matrices = {row.name for row in rows if row.kind == "unread"}
    assert matrices == {f"model.layers.1.{part}.weight" for part in LAYER}


def test_a_piece_of_a_matrix_is_known_by_its_name_alone() -> None:
    assert found({Q: (2048,)}) == {Q: "of shape [2048]: a matrix by its name"}

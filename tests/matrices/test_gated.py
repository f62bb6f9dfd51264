"""Fused gate and up: which half goes through the activation, by each model's own MLP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import wqscore
from tests.examples import examples
from tests.matrices.tiny_models import build, fed_with_identity, matrices, outcome, save, tensor, value
from tests.oracles import Oracle
from wqscore.matrices.weight_matrix import WeightMatrix

torch = Oracle("torch")
transformers = Oracle("transformers")

SIDE = 64
SIZES = {"hidden_size": SIDE, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50}
SIZES |= {"intermediate_size": 96, "pad_token_id": 0}
MOE = {**SIZES, "num_key_value_heads": 2, "num_local_experts": 2, "num_experts_per_tok": 1}
VISION = {
    "hidden_size": SIDE,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "image_size": 32,
    "patch_size": 4,
}
SWIGLU = {**VISION, "use_swiglu_ffn": True}
AUDIO = {"hidden_size": SIDE, "num_blocks": 2, "intermediate_size": 96, "num_attention_heads": 4}
PHI4_AUDIO = "models.phi4_multimodal.modeling_phi4_multimodal.Phi4MultimodalAudioModel"


@dataclass(frozen=True)
class Case:
    model_class: str
    model_type: str
    sizes: dict[str, Any]
    mlp: str
    fused: str
    """The tensor on disk, without `.weight`."""
    into: tuple[str, ...] = ("gate_up_proj",)
    """The layers of the MLP that read its input: two where the model keeps apart what its file joins."""
    down: str = "down_proj"
    activation: str = "silu"


DECODER = "model.layers.1.mlp"
APART = ("gate_proj", "up_proj")
CASES = [
    Case("Phi3ForCausalLM", "phi3", SIZES, DECODER, f"{DECODER}.gate_up_proj"),
    Case("GlmForCausalLM", "glm", SIZES, DECODER, f"{DECODER}.gate_up_proj"),
    Case("ModernBertModel", "modernbert", SIZES, "layers.1.mlp", "layers.1.mlp.Wi", ("Wi",), "Wo", "gelu"),
    Case(
        "GraniteMoeSharedForCausalLM",
        "granitemoeshared",
        {**MOE, "shared_intermediate_size": 40},
        "model.layers.1.shared_mlp",
        "model.layers.1.shared_mlp.input_linear",
        ("input_linear",),
        "output_linear",
    ),
    Case(
        PHI4_AUDIO,
        "phi4_multimodal_audio",
        AUDIO,
        "encoders.1.feed_forward_in",
        "encoders.1.feed_forward_in.gate_up_proj",
    ),
    Case("GteModel", "gte", SIZES, "layers.1.mlp", "encoder.layer.1.mlp.up_gate_proj", APART, activation="gelu"),
    Case("Dinov2Model", "dinov2", SWIGLU, "encoder.layer.1.mlp", "encoder.layer.1.mlp.weights_in", APART),
    Case("Tipsv2VisionModel", "tipsv2_vision_model", SWIGLU, "encoder.layer.1.mlp", "blocks.1.mlp.w12", APART),
]


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.model_type)
def test_the_half_that_the_model_activates_is_the_gate(case: Case, tmp_path: Path) -> None:
    model = build(case.model_class, case.model_type, **case.sizes)
    found = matrices(save(model, tmp_path))
    halves = {label: found[f"{case.fused}.weight[{label}]"] for label in ("gate", "up")}
    gate, up = (torch.from_numpy(value(half)) for half in halves.values())
    mlp = model.get_submodule(case.mlp)
    read: list[Any] = []
    mlp.get_submodule(case.down).register_forward_pre_hook(lambda _, args: read.append(args[0][0]))
    with ExitStack() as stack, torch.no_grad():
        for name in case.into:
            stack.enter_context(fed_with_identity(mlp.get_submodule(name)))
        mlp(torch.zeros(1, SIDE, SIDE))
    expected = transformers.activations.ACT2FN[case.activation](gate.T) * up.T
    torch.testing.assert_close(read[0].double(), expected, rtol=1e-4, atol=1e-4)
    assert [half.role for half in halves.values()] == ["mlp.gate", "mlp.in"]


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("model_class", "model_type", "attention", "fused"),
    [
        ("NomicBertModel", "nomic_bert", "layers.1.self_attn", "encoder.layers.1.attn.Wqkv"),
        ("GteModel", "gte", "layers.1.self_attn", "encoder.layer.1.attention.qkv_proj"),
        ("JinaEmbeddingsV3Model", "jina_embeddings_v3", "layers.1.self_attn", "encoder.layers.1.mixer.Wqkv"),
        ("Tipsv2VisionModel", "tipsv2_vision_model", "encoder.layer.1.attention", "blocks.1.attn.qkv"),
    ],
)
def test_attention_that_transformers_fuses_on_disk_alone(
    model_class: str, model_type: str, attention: str, fused: str, tmp_path: Path
) -> None:
    model = build(model_class, model_type, **(VISION if "vision" in model_type else SIZES))
    found = matrices(save(model, tmp_path))
    for part in "qkv":
        expected = model.get_submodule(f"{attention}.{part}_proj").weight.detach().numpy()
        np.testing.assert_array_equal(value(found[f"{fused}.weight[{part}]"]), expected)


# The product that the code published with the weights computes from the fused layer's output.


def chatglm2(hidden: Any) -> Any:
    first, second = torch.chunk(hidden, 2, dim=-1)
    return torch.nn.functional.silu(first) * second


def olmo(hidden: Any) -> Any:
    values, gate = hidden.chunk(2, dim=-1)
    return torch.nn.functional.silu(gate) * values


def mosaic_bert(hidden: Any) -> Any:
    return torch.nn.functional.gelu(hidden[:, :96]) * hidden[:, 96:]


def of_tensor(name: str, *beside: Any) -> list[WeightMatrix]:
    return [o for o in outcome(beside) if isinstance(o, WeightMatrix) and o.tensor.name == name]


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("fused", "down", "published", "activation"),
    [
        ("encoder.layers.0.mlp.dense_h_to_4h", "encoder.layers.0.mlp.dense_4h_to_h", chatglm2, "silu"),
        ("transformer.blocks.0.ff_proj", "transformer.blocks.0.ff_out", olmo, "silu"),
        ("encoder.layer.0.mlp.gated_layers", "encoder.layer.0.mlp.wo", mosaic_bert, "gelu"),
    ],
)
def test_published_code(fused: str, down: str, published: Callable[[Any], Any], activation: str) -> None:
    weight = torch.randn(192, SIDE)
    halves = of_tensor(f"{fused}.weight", tensor(f"{fused}.weight", 192, SIDE), tensor(f"{down}.weight", SIDE, 96))
    by_role = {half.role: torch.from_numpy(half.values(weight.numpy())[0]) for half in halves}
    product = transformers.activations.ACT2FN[activation](by_role["mlp.gate"].T) * by_role["mlp.in"].T
    torch.testing.assert_close(product, published(torch.nn.functional.linear(torch.eye(SIDE), weight)))


@pytest.mark.parametrize(
    ("fused", "rows", "down", "flags"),
    [
        # A plain MLP under a name that some models fuse.
        ("mlp.dense_h_to_4h", 96, "mlp.dense_4h_to_h", ()),
        ("mlp.fc1", 96, "mlp.fc2", ()),
        ("mlp.up_proj", 96, "mlp.down_proj", ()),
        # Phi-3-small puts gate and up in turn, others might not.
        ("mlp.up_proj", 192, "mlp.down_proj", ("fused",)),
        ("mlp.w13", 192, "mlp.w2", ("fused",)),
        ("mlp.gate_up_proj", 190, "mlp.down_proj", ("fused",)),
    ],
)
def test_whole_where_nothing_is_fused_or_the_order_is_not_known(
    fused: str, rows: int, down: str, flags: tuple[str, ...]
) -> None:
    name = f"{fused}.weight"
    (whole,) = of_tensor(name, tensor(name, rows, SIDE), tensor(f"{down}.weight", SIDE, 96))
    assert (whole.name, whole.rows, whole.flags) == (name, rows, flags)


@pytest.mark.parametrize("biases", [{"fc1.bias": (60,), "fc2.bias": (64,)}, {"fc2.bias": (64,)}, {}])
def test_a_layer_with_twice_as_many_inputs_as_the_network_has_outputs_holds_no_gate(biases: Any) -> None:
    """128 → 60 → 64: read as inputs × outputs, fc1 would hold the gate and up of an MLP of 64."""
    rng = np.random.default_rng(0)
    weights = {"fc1.weight": (60, 128), "fc2.weight": (64, 60), **biases}
    state = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in weights.items()}
    score = wqscore.score(state, metrics="stable_rank", bootstrap=0, gof=0, store=None)
    found = {row.matrix.name: (row.matrix.rows, row.matrix.columns) for row in score.layers}
    assert found == {"fc1.weight": (60, 128), "fc2.weight": (64, 60)}


PAIRS = {"fc1": "fc2", "linear_fc1": "linear_fc2", "Wi": "Wo", "dense_h_to_4h": "dense_4h_to_h", "lin1": "lin2"}
SIZE = st.integers(2, 40)


@settings(max_examples=examples(100))
@given(st.sampled_from([*PAIRS]), SIZE, SIZE, SIZE, st.booleans())
@example("fc1", 128, 128, 64, False)
@example("fc1", 128, 60, 64, False)
def test_the_next_layer_tells_whether_a_gate_is_held(
    first: str, into: int, width: int, out: int, has_bias: bool
) -> None:
    """The next layer of a plain MLP takes all outputs, that of a gated one half of them."""
    assume((width, into) != (out, width))  # The same bytes twice, as far as these headers say.
    bias = [tensor(f"mlp.{first}.bias", width)] if has_bias else []
    name, down = f"mlp.{first}.weight", f"mlp.{PAIRS[first]}.weight"
    (plain,) = of_tensor(name, tensor(name, width, into), tensor(down, out, width), *bias)
    assert (plain.name, plain.rows, plain.columns) == (name, width, into)
    doubled = [tensor(f"mlp.{first}.bias", 2 * width)] if has_bias else []
    halves = of_tensor(name, tensor(name, 2 * width, into), tensor(down, into, width), *doubled)
    expected = {(width, into)} if PAIRS[first] != "lin2" else {(2 * width, into)}
    assert {(half.rows, half.columns) for half in halves} == expected


def test_gate_and_up_that_are_stored_by_their_inputs_are_cut_where_name_or_bias_tells() -> None:
    """64 inputs and 2·96 outputs as (in, out): by shapes alone, layers of 192 → 64 → 96."""
    beside = [tensor("mlp.fc2.weight", 96, SIDE), tensor("mlp.fc1.bias", 192)]
    halves = of_tensor("mlp.fc1.weight", tensor("mlp.fc1.weight", SIDE, 192), *beside)
    named = of_tensor("mlp.w12.weight", tensor("mlp.w12.weight", SIDE, 192), tensor("mlp.w3.weight", 96, SIDE))
    for found in (halves, named):
        assert [(half.rows, half.columns) for half in found] == [(SIDE, 96)] * 2

"""Every tensor has one outcome: matrices that cover it completely, or a skip with its reason."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.matrices.tiny_models import build, header, outcome, plan_folder, rewrite_config, skip_of, tensor
from tests.oracles import Oracle
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

torch = Oracle("torch")
safetensors_torch = Oracle("safetensors.torch")


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("module", "shape"),
    [
        ("Conv1d", (12, 8, 3)),
        ("Conv2d", (12, 8, 3, 5)),
        ("Conv3d", (12, 8, 2, 3, 5)),
        ("ConvTranspose2d", (8, 12, 3, 5)),
    ],
)
def test_a_convolution_is_a_matrix_for_each_position_of_its_kernel(module: str, shape: tuple[int, ...]) -> None:
    transposed = module == "ConvTranspose2d"
    layer = getattr(torch.nn, module)(8, 12, shape[2:], bias=False)
    assert tuple(layer.weight.shape) == shape
    # The counter of a batch normalisation says that the axes are torch's; a shape of so few channels fits several.
    matrix, _ = outcome((tensor("features.0.weight", *shape), tensor("features.1.num_batches_tracked", dtype="I64")))
    assert isinstance(matrix, WeightMatrix)
    assert (matrix.role, matrix.rows, matrix.columns, matrix.slices) == ("conv", *shape[:2], prod(shape[2:]))
    slices = matrix.values(layer.weight.detach().numpy())
    # With as many inputs as channels, each the unit impulse of one, the layer writes its kernel out.
    impulse = torch.zeros(8, 8, *(1 if transposed else 2 * size - 1 for size in shape[2:]))
    centre = tuple(0 if transposed else size - 1 for size in shape[2:])
    impulse[(range(8), range(8), *centre)] = 1
    with torch.no_grad():
        written = layer(impulse).numpy()
    for i, position in enumerate(np.ndindex(*shape[2:])):
        # Cross-correlation writes the kernel backwards.
        there = position if transposed else tuple(size - 1 - at for size, at in zip(shape[2:], position, strict=True))
        expected = written[(slice(None), slice(None), *there)]
        np.testing.assert_allclose(slices[i], expected if transposed else expected.T, atol=1e-6)


def test_learned_positions_with_a_leading_one() -> None:
    (matrix,) = outcome((tensor("vit.embeddings.position_embeddings", 1, 17, 32),))
    assert isinstance(matrix, WeightMatrix)
    assert (matrix.role, matrix.rows, matrix.columns) == ("embedding", 17, 32)


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("letter", ["q", "k", "v", "o", "r"])
def test_xlnet_weights_head_by_head(letter: str) -> None:
    """(d_model, heads, head size) multiplies as the matrix of d_model × all heads: `ibh,hnd->ibnd` in its code."""
    weight = torch.randn(24, 4, 6)
    (matrix,) = outcome((tensor(f"transformer.layer.0.rel_attn.{letter}", 24, 4, 6),), {"model_type": "xlnet"})
    assert isinstance(matrix, WeightMatrix)
    numbers = matrix.values(weight.numpy())[0]
    hidden = torch.randn(24) if letter != "o" else torch.randn(4, 6)
    product = torch.einsum("h,hnd->nd" if letter != "o" else "nd,hnd->h", hidden, weight)
    by_matrix = numbers.T @ hidden.numpy() if letter != "o" else numbers @ hidden.numpy().ravel()
    np.testing.assert_allclose(by_matrix, product.numpy().ravel(), atol=1e-5)
    assert matrix.role == {"r": "attention.k"}.get(letter, f"attention.{letter}")


NOT_MATRICES = [
    (tensor("h.0.attn.bias", 1, 1, 64, 64), "a bias or buffer"),
    (tensor("h.0.attn.bias", 1, 1, 64, 64, dtype="U8"), "a bias or buffer"),
    (tensor("h.0.attn.masked_bias"), "a bias or buffer"),
    (tensor("experts.gate_up_proj_bias", 4, 64), "a bias or buffer"),
    (tensor("transformer.layer.0.rel_attn.r_w_bias", 4, 16), "a bias or buffer"),
    (tensor("encoder.layers.0.self_attn.pos_bias_u", 4, 16), "a bias or buffer"),
    (tensor("text_model.attn_mask", 77, 77), "a bias or buffer"),
    (tensor("rotary_emb.cos_cached", 1, 1, 64, 16), "a bias or buffer"),
    (tensor("mixer.A_log", 128, 16), "a bias or buffer"),
    (tensor("embeddings.position_ids", 1, 512, dtype="I64"), "a bias or buffer"),
    (tensor("layer.0.flags", 4, 4, dtype="BOOL"), "BOOL buffer, not a weight"),
    (tensor("h.0.ln_1.weight", 64), "1-D"),
    (tensor("vit.embeddings.cls_token", 1, 1, 32), "1-D"),
    (tensor("layer_scale", 32, 1, 1), "1-D"),
    (tensor("logit_scale"), "a single number"),
    (tensor("logit_scale", 1), "a single number"),
    (tensor("adapter.weight", 0, 32), "empty"),
    (tensor("pos_conv_embed.conv.weight_g", 1, 1, 16), "1-D"),
    (tensor("fc.parametrizations.weight.original0", 32, 1), "1-D"),
]


@pytest.mark.parametrize(("ref", "reason"), NOT_MATRICES, ids=lambda value: getattr(value, "name", ""))
def test_what_is_not_a_matrix(ref: TensorRef, reason: str) -> None:
    (skip,) = outcome((ref,))
    assert isinstance(skip, SkippedTensor)
    assert (skip.kind, skip.reason, skip.weights, skip.role) == ("not-a-matrix", reason, 0, "-")


@pytest.mark.oracle("torch", "transformers")
def test_weight_normalised_layers_are_left(tmp_path: Path) -> None:
    """What torch stores: a gain and a direction; the weight is their product."""
    old, new = torch.nn.Linear(24, 32), torch.nn.Conv1d(8, 16, 3)
    torch.nn.utils.weight_norm(old)
    torch.nn.utils.parametrizations.weight_norm(new)
    pruned = Oracle("torch.nn.utils.prune").random_unstructured(torch.nn.Linear(24, 32), "weight", 0.5)
    spectral = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(24, 32))
    model = torch.nn.ModuleDict({"old": old, "new": new, "pruned": pruned, "spectral": spectral})
    safetensors_torch.save_file(model.state_dict(), tmp_path / "model.safetensors")
    outcomes = plan_folder(tmp_path)
    unread = {o.name: o.weights for o in outcomes if isinstance(o, SkippedTensor) and o.kind == "unread"}
    assert unread == {
        "old.weight_v": 24 * 32,
        "new.parametrizations.weight.original1": 16 * 8 * 3,
        "pruned.weight_orig": 24 * 32,
        "spectral.parametrizations.weight.original": 24 * 32,
    }
    assert not [o for o in outcomes if isinstance(o, WeightMatrix)]


TIED = [
    (
        "GPT2LMHeadModel",
        "gpt2",
        {"n_embd": 32, "n_layer": 1, "n_head": 4, "vocab_size": 61},
        "lm_head.weight",
    ),
    ("BertForMaskedLM", "bert", {}, "cls.predictions.decoder.weight"),
    ("RobertaForMaskedLM", "roberta", {}, "lm_head.decoder.weight"),
    ("GPTNeoXForCausalLM", "gpt_neox", {}, "embed_out.weight"),
    ("LlamaForCausalLM", "llama", {}, "lm_head.weight"),
    ("Gemma2ForCausalLM", "gemma2", {"head_dim": 8, "num_key_value_heads": 2}, "lm_head.weight"),
    ("OPTForCausalLM", "opt", {"ffn_dim": 48, "word_embed_proj_dim": 32}, "lm_head.weight"),
    ("BloomForCausalLM", "bloom", {"n_layer": 1, "n_head": 4}, "lm_head.weight"),
    (
        "T5ForConditionalGeneration",
        "t5",
        {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_heads": 4},
        "lm_head.weight",
    ),
]
SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 61}
SIZES |= {"intermediate_size": 48, "pad_token_id": 0}


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(("model_class", "model_type", "sizes", "head"), TIED, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("said", [None, True, False])
def test_heads_tied_by_the_configuration(
    model_class: str, model_type: str, sizes: dict[str, Any], head: str, said: bool | None, tmp_path: Path
) -> None:
    flag = {} if said is None else {"tie_word_embeddings": said}
    model = build(model_class, model_type, **(SIZES if "n_embd" not in sizes else {}), **sizes, **flag)
    # T5's class ties whatever its file says, and lets the weights of v1.1, which says not, load as they are.
    tied = said is not False and model.get_output_embeddings().weight is model.get_input_embeddings().weight
    state = {name: value.clone() for name, value in model.state_dict().items()}
    # As earlier versions name it, and with both copies in the file.
    state[head] = state.pop("lm_head.weight") if "embed_out" in head else state[head]
    safetensors_torch.save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    rewrite_config(tmp_path, model_type=model_type, **flag)
    if not tied:
        assert [o.role for o in plan_folder(tmp_path) if isinstance(o, WeightMatrix) and o.name == head] == ["head"]
        return
    skip = skip_of(list(plan_folder(tmp_path)), head)
    source = skip.reason.removeprefix("tied to ")
    assert (skip.kind, skip.weights, skip.role) == ("tied", 0, "head")
    torch.testing.assert_close(state[source], model.get_input_embeddings().weight.detach())


def test_the_same_bytes_count_once() -> None:
    first = tensor("encoder.embed_tokens.weight", 61, 32)
    twin = tensor("decoder.embed_tokens.weight", 61, 32)
    other_view = tensor("transposed.embed_tokens.weight", 61, 32, strides=(1, 61))
    outcomes = outcome((first, twin, other_view))
    assert [o.name for o in outcomes if isinstance(o, WeightMatrix)] == [twin.name, other_view.name]
    assert skip_of(outcomes, first.name).reason == f"tied to {twin.name}"


def test_the_same_codes_count_once() -> None:
    outcomes = outcome((tensor("a.fc1.weight", 64, 64, dtype="I8"), tensor("b.fc1.weight", 64, 64, dtype="I8")))
    assert [o.weights for o in outcomes if isinstance(o, SkippedTensor)] == [4096, 0]


def test_order() -> None:
    names = [
        "lm_head",
        "layers.10.fc1",
        "layers.9.fc2",
        "layers.9.fc1",
        "norm",
        "wte",
        "layers.9.0.fc1",
        "layers.x.fc1",
    ]
    outcomes = outcome(header(*(tensor(f"{name}.weight", 8, 8) for name in names)))
    expected = [
        "wte",
        "layers.9.0.fc1",
        "layers.9.fc1",
        "layers.9.fc2",
        "layers.10.fc1",
        "layers.x.fc1",
        "norm",
        "lm_head",
    ]
    assert sorted(o.name for o in outcomes) == sorted(f"{name}.weight" for name in names)
    assert [o.name for o in outcomes] == [f"{name}.weight" for name in expected]


def test_rules() -> None:
    shapes = {"wte": (90, 32), "layers.0.fc1": (96, 32), "h.0.attn.c_attn": (32, 96)}
    refs = header(*(tensor(f"{name}.weight", *shape) for name, shape in shapes.items()))
    unlimited = plan_matrices(refs, ModelConfig({}), MatrixRules(split_fused=False))
    assert [(o.name, o.flags) for o in unlimited if isinstance(o, WeightMatrix)] == [
        ("wte.weight", ()), ("h.0.attn.c_attn.weight", ()), ("layers.0.fc1.weight", ())
    ]  # fmt: skip
    limited = plan_matrices(refs, ModelConfig({}), MatrixRules(max_side=50, average_all_roles=True))
    skips = [(o.name, o.weights) for o in limited if isinstance(o, SkippedTensor)]
    assert skips == [("wte.weight", 90 * 32), ("layers.0.fc1.weight", 96 * 32)]


def test_an_unknown_kind_counts_against_the_coverage() -> None:
    (skip,) = outcome((tensor("layers.0.mystery", 4, 5, 6),))
    assert isinstance(skip, SkippedTensor)
    assert (skip.kind, skip.weights, skip.reason) == ("unread", 120, "3-D tensor of a kind that is not known")

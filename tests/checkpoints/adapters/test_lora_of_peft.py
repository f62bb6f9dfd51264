"""LoRA adapters saved by peft: names, ΔW, and the merged weights equal peft's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoints.adapters import saved as oracle
from tests.checkpoints.adapters.saved import Saved, save
from tests.oracles import Oracle
from wqscore.checkpoints.adapters.lora import plan_adapter
from wqscore.checkpoints.adapters.merging import plan_merged

peft = Oracle("peft")
torch = Oracle("torch")

pytestmark = [
    pytest.mark.oracle("peft", "torch", "transformers"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
]

ATTENTION = ["q_proj", "v_proj"]


def check(saved: Saved) -> None:
    """ΔW by peft's float32 product has its rounding; the names and shapes are exactly peft's."""
    ours = saved.read_changes()
    assert ours.keys() == saved.changes.keys()
    assert ours.keys() <= saved.base.keys()
    for name, change in ours.items():
        scale = np.abs(saved.changes[name]).max()
        assert change.shape == saved.changes[name].shape
        np.testing.assert_allclose(change, saved.changes[name], rtol=0, atol=1e-6 * scale, err_msg=name)
        assert scale > 0.01
    merged = saved.read_merged()
    assert merged.keys() == ours.keys()
    for name, weight in merged.items():
        scale = np.abs(saved.merged[name]).max()
        atol = 1e-6 * scale
        np.testing.assert_allclose(weight, saved.merged[name], rtol=0, atol=atol, err_msg=name)
        assert not np.allclose(weight, saved.base[name].read().astype(np.float32), atol=10 * atol)


@pytest.mark.parametrize(
    "settings",
    [
        {"r": 4, "lora_alpha": 16, "target_modules": ATTENTION},
        {"r": 4, "lora_alpha": 16, "target_modules": "all-linear", "use_rslora": True},
        {"r": 30, "lora_alpha": 7, "target_modules": ["up_proj", "down_proj", "lm_head"]},
        {"r": 4, "lora_alpha": 3, "target_modules": ["embed_tokens", "q_proj"]},
        {"r": 4, "target_modules": r".*\.1\..*(gate|up)_proj"},
    ],
)
def test_llama(tmp_path: Path, settings: dict[str, Any]) -> None:
    check(save(tmp_path, oracle.llama, **settings))


@pytest.mark.parametrize("rslora", [False, True])
def test_patterns(tmp_path: Path, rslora: bool) -> None:
    # In the order in which peft saves them, which decides.
    ranks = {
        ".*down_proj": 7,
        "^o_proj": 5,
        "_proj": 6,
        "layers.0.self_attn.q_proj": 2,
        r"layers\.[0-9]+\.self_attn\.(q|v)_proj": 3,
    }
    alphas = {"layers.1.mlp.up_proj": 9, r"mlp\.(?:up|down)_proj": 2, "proj": 50, "q_proj": 5}
    saved = save(
        *(tmp_path, oracle.llama),
        **{"r": 4, "target_modules": "all-linear", "rank_pattern": ranks, "alpha_pattern": alphas},
        use_rslora=rslora,
    )
    check(saved)
    by_name = {weight.name.removeprefix("model.layers."): weight.rank for weight in saved.adapter.weights}
    assert by_name["0.self_attn.q_proj.weight"] == 2
    assert by_name["1.self_attn.q_proj.weight"] == 3
    assert by_name["1.self_attn.o_proj.weight"] == 4
    assert by_name["1.mlp.down_proj.weight"] == 7
    # peft's patterns must match from a dot on: `proj` matches none of these.
    scales = {round(weight.scale, 6) for weight in saved.adapter.weights if ".gate_proj" in weight.name}
    assert scales == ({4.0} if rslora else {2.0})


@pytest.mark.parametrize(
    "targets", [["c_attn", "c_proj", "c_fc"], ["c_attn", "c_proj", "lm_head"], ["wte", "c_proj"]]
)
def test_layers_that_store_the_transpose(tmp_path: Path, targets: list[str]) -> None:
    """GPT-2's Conv1D; a Linear beside it makes peft save `fan_in_fan_out` as false, and attention's is square."""
    saved = save(tmp_path, oracle.gpt2, r=4, target_modules=targets)
    assert saved.config["fan_in_fan_out"] is ("lm_head" not in targets)
    if saved.config["fan_in_fan_out"]:
        check(saved)
    merged = saved.read_merged()
    assert merged.keys() == saved.changes.keys()
    for name, weight in merged.items():
        np.testing.assert_allclose(weight, saved.merged[name], rtol=0, atol=1e-5, err_msg=name)
    ours = saved.read_changes()
    for name, change in saved.changes.items():
        spectra = [np.linalg.svd(found, compute_uv=False) for found in (ours[name], change)]
        np.testing.assert_allclose(*spectra, rtol=1e-5, atol=1e-5)


def test_convolutions(tmp_path: Path) -> None:
    saved = save(tmp_path, oracle.convolutions, r=4, lora_alpha=12, target_modules=["wide", "point", "line"])
    check(saved)
    assert {weight.shape for weight in saved.adapter.weights} == {(10, 6, 3, 2), (8, 10, 1, 1), (5, 8, 3)}


def test_grouped_convolutions_are_refused(tmp_path: Path) -> None:
    files = Oracle("safetensors.torch")
    torch.manual_seed(0)
    model = peft.get_peft_model(oracle.convolutions(), peft.LoraConfig(r=4, target_modules=["grouped"]))
    state = {name: value.contiguous() for name, value in peft.get_peft_model_state_dict(model).items()}
    files.save_file(state, tmp_path / "adapter.safetensors")
    adapter = plan_adapter(oracle.tensors_of(tmp_path / "adapter.safetensors"), {"peft_type": "LORA", "r": 4})
    assert not adapter.weights
    assert {refusal.reason for refusal in adapter.refusals} == {"LoRA of a convolution in groups: not read"}


def test_joint_attention_of_torch(tmp_path: Path) -> None:
    """Its joint weight is not called `weight`; peft adds twice what it has for the output, which is refused."""
    saved = save(
        tmp_path, oracle.attention, r=2, lora_alpha=6, target_modules=["mha", "out"], alpha_pattern={"mha": 9}
    )
    merged = saved.read_merged()
    assert merged.keys() == {"mha.in_proj_weight", "out.weight"}
    for name, weight in merged.items():
        np.testing.assert_allclose(weight, saved.merged[name], rtol=0, atol=1e-5, err_msg=name)
    twice = saved.merged["mha.out_proj.weight"] - saved.base["mha.out_proj.weight"].read()
    np.testing.assert_allclose(twice, 2 * saved.changes["mha.out_proj.weight"], rtol=0, atol=1e-5)
    assert len(saved.adapter.refusals) == 2
    assert all("MultiheadAttention" in refusal.reason for refusal in saved.adapter.refusals)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(tmp_path: Path, dtype: str) -> None:
    """peft rounds the merged weight to the base's type; ours is not rounded."""
    saved = save(tmp_path, oracle.llama, dtype, r=4, target_modules=ATTENTION)
    for name, weight in saved.read_merged().items():
        roundoff = {"bfloat16": 2.0**-8, "float16": 2.0**-11}[dtype]
        largest = np.abs(weight).max()
        assert 0 < np.abs(weight - saved.merged[name]).max() < 3 * roundoff * largest


def test_what_is_stored_whole(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"target_modules": ["embed_tokens", "q_proj"], "modules_to_save": ["lm_head"]}
    saved = save(tmp_path, oracle.llama, r=4, **settings)
    assert set(saved.adapter.replaced) == {"lm_head.weight", "model.embed_tokens.weight"}
    head = saved.adapter.replaced["lm_head.weight"].read()
    np.testing.assert_array_equal(head, saved.merged["lm_head.weight"])
    embedding = saved.adapter.replaced["model.embed_tokens.weight"].read()
    np.testing.assert_array_equal(embedding, saved.base["model.embed_tokens.weight"].read())
    assert not saved.adapter.refusals


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_trained_biases(tmp_path: Path, bias: str) -> None:
    saved = save(tmp_path, oracle.gpt2, r=4, target_modules=["c_attn"], bias=bias)
    check(saved)
    assert "transformer.h.0.attn.c_attn.bias" in saved.adapter.replaced
    assert all(len(tensor.shape) == 1 for tensor in saved.adapter.replaced.values())
    assert not saved.adapter.refusals


def test_a_new_adapter_changes_nothing(tmp_path: Path) -> None:
    saved = save(tmp_path, oracle.llama, r=4, target_modules=ATTENTION, init_lora_weights=True)
    assert len(saved.adapter.weights) == 4
    assert all(not change.any() for change in saved.read_changes().values())
    for name, weight in saved.read_merged().items():
        np.testing.assert_array_equal(weight, saved.base[name].read())


@pytest.mark.parametrize(("start", "named"), [("pissa", "PiSSA"), ("olora", "OLoRA")])
def test_starts_that_change_the_base(tmp_path: Path, start: str, named: str) -> None:
    """Adding ΔW to the original base is then not what peft does, and is not done."""
    saved = save(tmp_path, oracle.llama, r=4, target_modules=ATTENTION, init_lora_weights=start)
    ours = saved.read_changes()
    for name, change in saved.changes.items():
        original = saved.base[name].read()
        np.testing.assert_allclose(ours[name], change, rtol=0, atol=1e-5)
        np.testing.assert_allclose(saved.merged[name], original, rtol=0, atol=1e-4)
        assert np.abs(original + change - saved.merged[name]).max() > 1e-3
    assert named in (saved.adapter.base_changed or "")
    decodings, refusals = plan_merged(saved.adapter, saved.base)
    assert not decodings
    assert all(named in refusal.reason for refusal in refusals)
    assert len(refusals) == len(ours)


@pytest.mark.parametrize("start", ["gaussian", "mica", "orthogonal"])
def test_starts_that_leave_the_base(tmp_path: Path, start: str) -> None:
    saved = save(tmp_path, oracle.llama, r=4, target_modules=ATTENTION, init_lora_weights=start)
    assert saved.adapter.base_changed is None
    for name, weight in saved.read_merged().items():
        np.testing.assert_allclose(weight, saved.merged[name], rtol=0, atol=1e-6)


def test_dora(tmp_path: Path) -> None:
    saved = save(tmp_path, oracle.llama, r=4, target_modules=ATTENTION, use_dora=True, init_lora_weights=True)
    assert not saved.adapter.weights
    assert len(saved.adapter.refusals) == 12
    assert {refusal.reason for refusal in saved.adapter.refusals} == {"DoRA: only plain LoRA is read"}


def test_tokens_trained_by_themselves(tmp_path: Path) -> None:
    saved = save(
        *(tmp_path, oracle.llama), r=4, target_modules=ATTENTION, trainable_token_indices={"embed_tokens": [1, 3]}
    )
    assert len(saved.adapter.weights) == 4
    (refusal,) = saved.adapter.refusals
    assert "single tokens" in refusal.reason


@pytest.mark.parametrize("kind", ["IA3", "LoHa", "LoKr", "Vera", "OFT", "AdaLora"])
def test_other_kinds_are_named(tmp_path: Path, kind: str) -> None:
    settings = {"IA3": {"feedforward_modules": []}, "AdaLora": {"total_step": 10}}.get(kind, {})
    config = getattr(peft, f"{kind}Config")(target_modules=["q_proj"], **settings)
    peft.get_peft_model(oracle.llama(), config).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "adapter_config.json").read_text())
    tensors = oracle.tensors_of(tmp_path / "adapter_model.safetensors")
    adapter = plan_adapter(tensors, saved)
    assert not adapter.weights
    assert [refusal.name for refusal in adapter.refusals] == list(tensors)
    assert {refusal.reason for refusal in adapter.refusals} == {f"{kind.upper()}: only LoRA adapters are read"}


def test_stacks_of_experts_are_refused(tmp_path: Path) -> None:
    """Whatever else the adapter changes is read."""
    settings: dict[str, Any] = {"target_modules": ["q_proj"], "target_parameters": ["mlp.experts.gate_up_proj"]}
    model = peft.get_peft_model(oracle.mixture(), peft.LoraConfig(r=4, **settings))
    model.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "adapter_config.json").read_text())
    adapter = plan_adapter(oracle.tensors_of(tmp_path / "adapter_model.safetensors"), saved)
    assert [weight.name for weight in adapter.weights] == ["model.layers.0.self_attn.q_proj.weight"]
    assert len(adapter.refusals) == 2
    assert all("experts" in refusal.name and "target_parameters" in refusal.reason for refusal in adapter.refusals)

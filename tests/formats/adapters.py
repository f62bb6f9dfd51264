"""Adapters saved by peft, alone and on their base."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.formats.made import Made, Make, files, llama, state_of, stored_in, torch
from tests.oracles import Oracle

peft = Oracle("peft")

TARGETS = ["q_proj", "v_proj", "up_proj", "down_proj"]


def adapted(folder: Path, **settings: Any) -> Any:
    """A Llama with a LoRA adapter of random A and B, both saved."""
    torch.manual_seed(0)
    base = llama()
    base.save_pretrained(folder / "base")
    config = {"r": 8, "lora_alpha": 24, "target_modules": TARGETS, "init_lora_weights": False}
    model = peft.get_peft_model(base, peft.LoraConfig(**config | settings))
    model.save_pretrained(folder / "adapter")
    return model


def alone(**settings: Any) -> Make:
    """ΔW as peft gives it."""

    def make(folder: Path) -> Iterator[Made]:
        # Below 50 no tail can be fitted, above it can.
        for rank in (8, 60):
            own = folder / str(rank)
            model = adapted(own, r=rank, **settings)
            weights = {
                f"{name.removeprefix('base_model.model.')}.weight": module.get_delta_weight("default").detach()
                for name, module in model.named_modules()
                if hasattr(module, "get_delta_weight")
            }
            yield Made(own / "adapter", weights, ())

    return make


def merged(**settings: Any) -> Make:
    """W + ΔW as peft merges them."""

    def make(folder: Path) -> Iterator[Made]:
        model = adapted(folder, **settings).merge_and_unload()
        yield Made(f"{folder / 'base'}+{folder / 'adapter'}", state_of(model), stored_in(folder / "base"))

    return make


def by_name(folder: Path) -> Iterator[Made]:
    """Factors in files of their own that have no configuration, with alpha where the spelling has one."""
    torch.manual_seed(0)
    spelled = {
        "peft": ("base_model.model.h.0.q_proj", "lora_A", "lora_B", None),
        "kohya": ("lora_unet_mid_block_to_q", "lora_down", "lora_up", 12.0),
        "diffusers": ("unet.mid_block.to_q", "lora.down", "lora.up", None),
        "torchtune": ("layers.0.q_proj", "lora_a", "lora_b", None),
    }
    for name, (layer, down, up, alpha) in spelled.items():
        for rank in (8, 60):
            own = folder / f"{name}-{rank}"
            own.mkdir()
            a, b = torch.randn(rank, 96), torch.randn(80, rank)
            state = {f"{layer}.{down}.weight": a, f"{layer}.{up}.weight": b}
            state |= {} if alpha is None else {f"{layer}.alpha": torch.tensor(alpha)}
            files.save_file(state, own / "lora.safetensors")
            weight = f"{layer.removeprefix('base_model.model.')}.weight"
            yield Made(
                own, {weight: (b.double() @ a.double()) * (1 if alpha is None else alpha / rank)}, tuple(state)
            )


def not_merged(folder: Path) -> Iterator[Made]:
    """The state of a model with an adapter in it, saved as it is; alpha, which the state lacks, equals the rank."""
    model = adapted(folder, lora_alpha=8)
    state = {name: value.detach().clone() for name, value in model.base_model.model.state_dict().items()}
    files.save_file(state, folder / "model.safetensors")
    merged_state = state_of(model.merge_and_unload())
    yield Made(folder / "model.safetensors", merged_state, tuple(state))


def dora(folder: Path) -> Iterator[Made]:
    adapted(folder, use_dora=True)
    yield unread(folder / "adapter", "DoRA: only plain LoRA is read")


def other_kinds(folder: Path) -> Iterator[Made]:
    layers = {"target_modules": TARGETS}
    kinds = {
        "IA3": peft.IA3Config(target_modules=TARGETS, feedforward_modules=["down_proj"]),
        "LOHA": peft.LoHaConfig(**layers),
        "LOKR": peft.LoKrConfig(**layers),
        "ADALORA": peft.AdaLoraConfig(total_step=10, **layers),
        "VERA": peft.VeraConfig(target_modules=["q_proj", "v_proj"]),
        "OFT": peft.OFTConfig(**layers),
        "PROMPT_TUNING": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
        "PREFIX_TUNING": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    }
    for kind, config in kinds.items():
        peft.get_peft_model(llama(), config).save_pretrained(folder / kind)
        yield unread(folder / kind, f"{kind}: only LoRA adapters are read")


def unread(folder: Path, reason: str) -> Made:
    """An adapter none of whose tensors is read."""
    stored = stored_in(folder)
    assert stored
    return Made(folder, {}, stored, dict.fromkeys(stored, reason))


ROWS: dict[str, Make] = {
    "LoRA adapter": alone(),
    "LoRA adapter, rank-stabilised (rslora)": alone(use_rslora=True),
    "base + LoRA adapter": merged(),
    "low-rank factors without `adapter_config.json`": by_name,
    "model with LoRA that is not merged": not_merged,
    "DoRA adapter": dora,
    "other adapters (IA³, LoHa, LoKr, AdaLoRA, VeRA, OFT, prompts)": other_kinds,
}

"""The spellings in which trainers store the factors of one low-rank update: names, shapes and alpha."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Spelling:
    """How a layer's A (r, in), B (out, r) and alpha are stored; the base's weight where a model keeps it."""

    layer: str
    factors: Callable[[np.ndarray, np.ndarray], Arrays]
    alpha: str = ""
    base: str = ""

    def stored(self, a: np.ndarray, b: np.ndarray, alpha: float | None = None, w: np.ndarray | None = None) -> Arrays:
        more = {self.alpha: np.array(alpha, np.float32)} if self.alpha and alpha is not None else {}
        base = {self.base: w} if self.base and w is not None else {}
        return {**base, **self.factors(a, b), **more}


def _named(start: str, a: str, b: str) -> Callable[[np.ndarray, np.ndarray], Arrays]:
    return lambda A, B: {f"{start}{a}": A, f"{start}{b}": B}


SPELLINGS: Mapping[str, Spelling] = {
    "peft": Spelling("h.0.q_proj", _named("base_model.model.h.0.q_proj.", "lora_A.weight", "lora_B.weight")),
    "peft in a model": Spelling(
        "h.0.q_proj",
        _named("h.0.q_proj.", "lora_A.default.weight", "lora_B.default.weight"),
        base="h.0.q_proj.base_layer.weight",
    ),
    "peft before base_layer": Spelling(
        "h.0.q_proj",
        _named("base_model.model.h.0.q_proj.", "lora_A.default.weight", "lora_B.default.weight"),
        base="base_model.model.h.0.q_proj.weight",
    ),
    "kohya": Spelling(
        "lora_unet_down_blocks_0_to_q",
        _named("lora_unet_down_blocks_0_to_q.", "lora_down.weight", "lora_up.weight"),
        alpha="lora_unet_down_blocks_0_to_q.alpha",
    ),
    "kohya's text encoder": Spelling(
        "lora_te_text_model_encoder_layers_0_mlp_fc1",
        _named("lora_te_text_model_encoder_layers_0_mlp_fc1.", "lora_down.weight", "lora_up.weight"),
        alpha="lora_te_text_model_encoder_layers_0_mlp_fc1.alpha",
    ),
    "diffusers": Spelling("unet.to_q", _named("unet.to_q.", "lora.down.weight", "lora.up.weight")),
    "diffusers' processors": Spelling(
        "unet.attn1.to_out.0",
        _named("unet.attn1.processor.to_out_lora.", "down.weight", "up.weight"),
        base="unet.attn1.to_out.0.weight",
    ),
    "diffusers' text encoder": Spelling(
        "text_encoder.q_proj",
        _named("text_encoder.q_proj.lora_linear_layer.", "down.weight", "up.weight"),
        base="text_encoder.q_proj.weight",
    ),
    "torchtune": Spelling(
        "layers.0.q_proj",
        _named("layers.0.q_proj.", "lora_a.weight", "lora_b.weight"),
        base="layers.0.q_proj.weight",
    ),
    "loralib": Spelling("h.0.fc", _named("h.0.fc.", "lora_A", "lora_B"), base="h.0.fc.weight"),
    "litgpt": Spelling(
        "transformer.h.0.attn.proj",
        _named("transformer.h.0.attn.proj.", "lora_A", "lora_B"),
        base="transformer.h.0.attn.proj.linear.weight",
    ),
    "minLoRA": Spelling(
        "fc",
        _named("fc.parametrizations.weight.0.", "lora_A", "lora_B"),
        base="fc.parametrizations.weight.original",
    ),
    "adapters": Spelling("bert.query", _named("bert.query.loras.mine.", "lora_A", "lora_B")),
    "NeMo": Spelling(
        "decoder.linear_qkv",
        _named("decoder.linear_qkv.adapter.", "linear_in.weight", "linear_out.weight"),
        base="decoder.linear_qkv.to_wrap.weight",
    ),
    "ComfyUI": Spelling(
        "diffusion_model.q",
        _named("diffusion_model.q.", "lora_A.weight", "lora_B.weight"),
        alpha="diffusion_model.q.alpha",
    ),
    "mlx": Spelling("layers.0.q_proj", lambda A, B: {"layers.0.q_proj.lora_a": A.T, "layers.0.q_proj.lora_b": B.T}),
}

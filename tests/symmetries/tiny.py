"""Tiny models of each architecture, with weights, biases and gains far from their usual start, stored in float64."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.oracles import Oracle
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.refs.callers import as_ref

torch, transformers = Oracle("torch"), Oracle("transformers")
save_file = Oracle("safetensors.numpy", "save_file")

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
}
_SHARED = {**SIZES, "num_key_value_heads": 2}
_GPT2 = {"vocab_size": 50, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32, "eos_token_id": 1}
_GPT2 |= {"bos_token_id": 1}
_NEOX = {**SIZES, "rotary_pct": 0.25, "eos_token_id": 1, "bos_token_id": 1}
_OPT = {"vocab_size": 50, "hidden_size": 32, "word_embed_proj_dim": 32, "num_hidden_layers": 2, "ffn_dim": 40}
_OPT |= {"num_attention_heads": 4, "max_position_embeddings": 32}
_DISTILBERT = {"vocab_size": 50, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 40}
_DISTILBERT |= {"max_position_embeddings": 32}
#: The class of each model, and its configuration.
MODELS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertForMaskedLM", SIZES),
    "bert-body": ("BertModel", SIZES),
    "roberta": ("RobertaForMaskedLM", {**SIZES, "max_position_embeddings": 40}),
    "distilbert": ("DistilBertForMaskedLM", _DISTILBERT),
    "albert": ("AlbertForMaskedLM", {**SIZES, "embedding_size": 16}),
    "gpt2": ("GPT2LMHeadModel", _GPT2),
    "gpt2-untied": ("GPT2LMHeadModel", {**_GPT2, "tie_word_embeddings": False}),
    "gpt2-relu": ("GPT2LMHeadModel", {**_GPT2, "activation_function": "relu", "n_inner": 48}),
    "opt": ("OPTForCausalLM", _OPT),
    "neox": ("GPTNeoXForCausalLM", _NEOX),
    "neox-sequential": ("GPTNeoXForCausalLM", {**_NEOX, "use_parallel_residual": False, "rotary_pct": 1.0}),
    "llama": ("LlamaForCausalLM", _SHARED),
    "llama-biased": ("LlamaForCausalLM", {**_SHARED, "attention_bias": True, "mlp_bias": True}),
    "llama-tied": ("LlamaForCausalLM", {**_SHARED, "tie_word_embeddings": True}),
    "mistral": ("MistralForCausalLM", _SHARED),
    "qwen2": ("Qwen2ForCausalLM", _SHARED),
    "qwen3": ("Qwen3ForCausalLM", {**_SHARED, "head_dim": 16}),
    "phi3": ("Phi3ForCausalLM", {**_SHARED, "pad_token_id": 0}),
    "phi3-partial": ("Phi3ForCausalLM", {**_SHARED, "pad_token_id": 0, "partial_rotary_factor": 0.5}),
    "qwen3-moe": (
        "Qwen3MoeForCausalLM",
        {**_SHARED, "head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
    ),
    "mixtral": ("MixtralForCausalLM", {**_SHARED, "num_local_experts": 4}),
}
#: What belongs to a module's class in place of its weights.
_STEPS = 12


def drawn(name: str, seed: int = 0) -> Any:
    """A model of this name in float64, with weights drawn anew."""
    kind, settings = MODELS[name]
    made = getattr(transformers, kind)
    model = made(made.config_class(**settings)).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for label, parameter in model.named_parameters():
            values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            if parameter.dim() > 1:
                parameter.copy_(values * 1.5 / parameter.shape[-1] ** 0.5)
            elif label.endswith("weight"):
                parameter.copy_(torch.exp(0.3 * values))
            else:
                parameter.copy_(0.3 * values)
    return model


def build(name: str, folder: Path, seed: int = 0) -> Path:
    """Store such a model."""
    drawn(name, seed).save_pretrained(folder)
    return folder


def opened(folder: Path) -> Checkpoint:
    """The checkpoint in a folder."""
    return open_checkpoint(as_ref(str(folder)))


def store(checkpoint: Checkpoint, folder: Path) -> Path:
    """Write a checkpoint, transformed or not, in float64."""
    folder.mkdir()
    values = {each.name: np.array(each.read(), dtype=np.float64, order="C") for each in checkpoint.tensors}
    save_file(values, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(checkpoint.config))
    return folder


class _Double:
    """torch with float64 for float32: norms and softmax of the models convert to that."""

    def __init__(self, real: Any) -> None:
        self._real, self.float, self.float32 = real, real.float64, real.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def all_in_float64(kind: Any, patched: Any) -> None:
    """Keep the norms and softmax of a class of models, which convert to float32, in float64 while the patch lasts."""
    code = sys.modules[kind.__module__]
    if hasattr(code, "torch"):
        patched.setattr(code, "torch", _Double(code.torch))


def log_softmax(folder: Path, monkeypatch: Any) -> np.ndarray:
    """The log-softmax of a stored model's outputs for twelve tokens, all of it in float64."""
    config = json.loads((folder / "config.json").read_text())
    made = getattr(transformers, config["architectures"][0])
    eager = {"experts_implementation": "eager"} if config["model_type"] in ("mixtral", "qwen3_moe") else {}
    model = made.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager", **eager).eval()
    tokens = torch.arange(3, 3 + 2 * _STEPS).reshape(2, _STEPS)
    with monkeypatch.context() as patched, torch.no_grad():
        all_in_float64(made, patched)
        found = model(input_ids=tokens)
    outputs = found.logits if "logits" in found else found.last_hidden_state
    probabilities: np.ndarray = torch.log_softmax(outputs, dim=-1).numpy()
    return probabilities

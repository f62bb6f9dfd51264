"""Adapters saved by peft, with the change to their base that peft itself computes."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.oracles import Oracle
from wqscore.checkpoints.adapters.lora import Adapter, plan_adapter
from wqscore.checkpoints.adapters.merging import plan_merged
from wqscore.checkpoints.decoding import Decoding
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.tensor import TensorRef

peft = Oracle("peft")
torch = Oracle("torch")


@dataclass(frozen=True)
class Saved:
    """One adapter: the planned one, its base's tensors, and peft's ΔW and merged weights by the base's names."""

    adapter: Adapter
    base: dict[str, TensorRef]
    changes: dict[str, np.ndarray]
    merged: dict[str, np.ndarray]
    config: dict[str, Any]

    def read_changes(self) -> dict[str, np.ndarray]:
        return {weight.name: read(weight.change) for weight in self.adapter.weights}

    def read_merged(self) -> dict[str, np.ndarray]:
        decodings, refusals = plan_merged(self.adapter, self.base)
        assert not refusals
        return {decoding.name: read(decoding) for decoding in decodings}


def read(decoding: Decoding) -> np.ndarray:
    array = decoding.decode(*(part.read() for part in decoding.parts))
    assert array.dtype == np.float32
    assert array.shape == decoding.shape
    return array


def tensors_of(file: Path) -> dict[str, TensorRef]:
    return {tensor.name: tensor for tensor in read_safetensors(file)}


def save(folder: Path, build: Callable[[], Any], dtype: str = "float32", **settings: Any) -> Saved:
    """Build a model, give it a LoRA adapter of random A and B, save both, load both again and merge
    them, all by peft."""
    files = Oracle("safetensors.torch")
    logging.getLogger("transformers").setLevel(logging.CRITICAL)
    torch.manual_seed(1)
    base = build().to(getattr(torch, dtype))
    state = {name: value.detach().clone() for name, value in base.state_dict().items()}
    files.save_file(state, folder / "base.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(base, peft.LoraConfig(**{"init_lora_weights": False, **settings}))
        model.save_pretrained(folder / "adapter")
        again = build().to(getattr(torch, dtype))
        again.load_state_dict(state)
        model = peft.PeftModel.from_pretrained(again, folder / "adapter")
        changes = {
            _name(name): array(module.get_delta_weight("default"))
            for name, module in model.named_modules()
            if hasattr(module, "get_delta_weight") and type(module).__name__ != "NonDynamicallyQuantizableLinear"
        }
        merged = {name: array(value) for name, value in model.merge_and_unload().state_dict().items()}
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    adapter = plan_adapter(tensors_of(folder / "adapter" / "adapter_model.safetensors"), config)
    return Saved(adapter, tensors_of(folder / "base.safetensors"), changes, merged, config)


def array(tensor: Any) -> np.ndarray:
    result: np.ndarray = tensor.detach().float().numpy()
    return result


def _name(module: str) -> str:
    return module.removeprefix("base_model.model.").replace(".base_layer", "") + ".weight"


def llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=40, num_key_value_heads=2, **sizes))


def mixture() -> Any:
    from transformers import MixtralConfig, MixtralForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4}
    return MixtralForCausalLM(MixtralConfig(vocab_size=40, num_key_value_heads=2, num_local_experts=3, **sizes))


def gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=40, n_positions=8, tie_word_embeddings=False)
    return GPT2LMHeadModel(config)


def convolutions() -> Any:
    from torch import nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Conv2d(6, 10, (3, 2))
            self.point = nn.Conv2d(10, 8, 1)
            self.line = nn.Conv1d(8, 5, 3)
            self.grouped = nn.Conv2d(8, 8, 3, groups=2)

    return Model()


def attention() -> Any:
    from torch import nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mha = nn.MultiheadAttention(8, 2)
            self.out = nn.Linear(8, 6)

    return Model()

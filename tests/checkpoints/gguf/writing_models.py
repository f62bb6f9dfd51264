"""Models of transformers, written to GGUF under the package's names for them.

What llama.cpp's converter changes beside the names is repeated here: the order of rotary rows, GPT-2's transposed
layers, q, k and v one after the other, experts in stacks, the two halves of DeepSeek's kv_b_proj.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.checkpoints.gguf.writing import gguf

HEADS, NARROW, SIDE, LAYERS = 4, 2, 64, 2
#: Sizes of a head's key and value where they differ.
KEY, VALUE = 32, 12
Tensors = dict[str, np.ndarray]
Pairs = Iterator[tuple[str, np.ndarray]]
LLAMA_SIZES = {
    "num_attention_heads": HEADS,
    "num_key_value_heads": NARROW,
    "hidden_size": SIDE,
    "intermediate_size": 96,
    "num_hidden_layers": LAYERS,
    "vocab_size": 80,
}

ONE_HEAD_EACH = {k: v for k, v in LLAMA_SIZES.items() if k != "num_key_value_heads"}

SPECIAL = [f"{token}_token_id" for token in ("pad", "bos", "eos", "cls", "sep")]


def as_is(name: str, weight: np.ndarray) -> Pairs:
    yield name, weight


def rotary(name: str, weight: np.ndarray) -> Pairs:
    heads = {"q_proj": HEADS, "k_proj": NARROW}.get(name.split(".")[-2])
    if heads:
        split = weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1)
        weight = split.swapaxes(1, 2).reshape(weight.shape)
    yield name, weight


def transposed(name: str, weight: np.ndarray) -> Pairs:
    layer = name.split(".")[-2] if "." in name else ""
    yield name, weight.T if layer in {"c_attn", "c_proj", "c_fc"} and weight.ndim == 2 else weight


def bloom(name: str, weight: np.ndarray) -> Pairs:
    yield from head_by_head(name.removeprefix("transformer."), weight)


def head_by_head(name: str, weight: np.ndarray) -> Pairs:
    if "query_key_value" in name:
        split = weight.reshape(HEADS, 3, SIDE // HEADS, *weight.shape[1:])
        weight = np.concatenate([split[:, i].reshape(-1, *weight.shape[1:]) for i in range(3)])
    yield name, weight


def groups(name: str, weight: np.ndarray) -> Pairs:
    if "query_key_value.weight" in name:
        split = weight.reshape(NARROW, HEADS // NARROW + 2, SIDE // HEADS, SIDE)
        parts = (split[:, :-2], split[:, -2], split[:, -1])
        weight = np.concatenate([part.reshape(-1, SIDE) for part in parts])
    yield name, weight


def mixture(name: str, weight: np.ndarray) -> Pairs:
    if name.endswith("experts.gate_up_proj"):
        gate, up = np.split(weight, 2, axis=1)
        yield name.replace("gate_up_proj", "gate_proj.weight"), gate
        yield name.replace("gate_up_proj", "up_proj.weight"), up
    else:
        yield name if name.endswith("weight") or "bias" in name else f"{name}.weight", weight


def llama_mixture(name: str, weight: np.ndarray) -> Pairs:
    for changed, array in rotary(name, weight):
        yield from mixture(changed, array)


def in_turn(name: str, weight: np.ndarray) -> Pairs:
    """Stacks of (experts, in, out), gate and up columns in turn."""
    if "gate_up_proj" in name:
        end = ".bias" if "bias" in name else ".weight"
        turned = weight if "bias" in name else weight.swapaxes(1, 2)
        stem = name.partition("gate_up_proj")[0]
        yield f"{stem}gate_proj{end}", turned[:, ::2]
        yield f"{stem}up_proj{end}", turned[:, 1::2]
    elif "experts.down_proj" in name:
        stem = name.partition("down_proj")[0]
        yield (
            (f"{stem}down_proj.bias", weight)
            if "bias" in name
            else (
                f"{stem}down_proj.weight",
                weight.swapaxes(1, 2),
            )
        )
    else:
        yield name, weight


def squeezed(name: str, weight: np.ndarray) -> Pairs:
    yield name, weight.squeeze()


def latent(name: str, weight: np.ndarray) -> Pairs:
    if name.endswith("kv_b_proj.weight"):
        keys, values = np.split(weight.reshape(HEADS, KEY + VALUE, -1), [KEY], axis=1)
        yield name.replace("kv_b_proj", "k_b_proj"), keys.swapaxes(1, 2)
        yield name.replace("kv_b_proj", "v_b_proj"), values
    else:
        yield from mixture(name, weight)


def gguf_names(model: Any, architecture: str, change: Callable[[str, np.ndarray], Pairs], drop: str) -> Tensors:
    arch = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    table = gguf.get_tensor_name_map(arch, LAYERS)
    tensors: Tensors = {}
    shared = set()
    for name, weight in model.state_dict().items():
        if weight.data_ptr() in shared or (drop and drop in name):
            continue
        shared.add(weight.data_ptr())
        for changed, array in change(name, weight.numpy()):
            found = table.get_name(changed, try_suffixes=(".weight", ".bias"))
            assert found, changed
            tensors[found] = np.ascontiguousarray(array, dtype=np.float32)
    return tensors


MODELS: dict[str, tuple[str, str, dict[str, Any], Callable[[str, np.ndarray], Pairs], dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", "llama", LLAMA_SIZES, rotary, {"attention__head_count_kv": NARROW}),
    "llama, tied": (
        "LlamaForCausalLM",
        "llama",
        {**LLAMA_SIZES, "tie_word_embeddings": True},
        rotary,
        {"attention__head_count_kv": [NARROW, NARROW]},
    ),
    "gpt2": (
        "GPT2LMHeadModel",
        "gpt2",
        {"n_head": HEADS, "n_embd": SIDE, "n_layer": LAYERS, "vocab_size": 80, "n_positions": 32},
        transposed,
        {},
    ),
    "bert": (
        "BertModel",
        "bert",
        ONE_HEAD_EACH | {"max_position_embeddings": 32},
        as_is,
        {},
    ),
    "gptneox": (
        "GPTNeoXForCausalLM",
        "gpt_neox",
        ONE_HEAD_EACH,
        head_by_head,
        {},
    ),
    "bloom": (
        "BloomForCausalLM",
        "bloom",
        {"n_head": HEADS, "hidden_size": SIDE, "n_layer": LAYERS, "vocab_size": 80},
        bloom,
        {},
    ),
    "falcon": (
        "FalconForCausalLM",
        "falcon",
        ONE_HEAD_EACH | {"new_decoder_architecture": True, "num_kv_heads": NARROW},
        groups,
        {"attention__head_count_kv": NARROW},
    ),
    "phi3": (
        "Phi3ForCausalLM",
        "phi3",
        {**LLAMA_SIZES, "pad_token_id": 0, "tie_word_embeddings": False},
        as_is,
        {"attention__head_count_kv": NARROW},
    ),
    "qwen2moe": (
        "Qwen2MoeForCausalLM",
        "qwen2_moe",
        {**LLAMA_SIZES, "num_experts": 3, "moe_intermediate_size": 40, "shared_expert_intermediate_size": 48},
        mixture,
        {"attention__head_count_kv": NARROW, "expert_count": 3},
    ),
    "mixtral": (
        "MixtralForCausalLM",
        "mixtral",
        {**LLAMA_SIZES, "num_local_experts": 3},
        llama_mixture,
        {"attention__head_count_kv": NARROW, "expert_count": 3},
    ),
    "gpt-oss": (
        "GptOssForCausalLM",
        "gpt_oss",
        {**LLAMA_SIZES, "num_local_experts": 3, "head_dim": 16},
        in_turn,
        {"attention__head_count_kv": NARROW, "attention__key_length": 16, "expert_count": 3},
    ),
    "starcoder": (
        "GPTBigCodeForCausalLM",
        "gpt_bigcode",
        {"n_head": HEADS, "n_embd": SIDE, "n_layer": LAYERS, "vocab_size": 80, "n_positions": 32},
        as_is,
        {"attention__head_count_kv": 1},
    ),
    "mpt": (
        "MptForCausalLM",
        "mpt",
        {"n_heads": HEADS, "d_model": SIDE, "n_layers": LAYERS, "vocab_size": 80, "max_seq_len": 32},
        as_is,
        {},
    ),
    "t5": (
        "T5ForConditionalGeneration",
        "t5",
        {"num_heads": HEADS, "d_model": SIDE, "num_layers": LAYERS, "vocab_size": 80, "d_kv": 16, "d_ff": 96}
        | {"feed_forward_proj": "gated-gelu"},
        as_is,
        {},
    ),
    "modern-bert": ("ModernBertModel", "modernbert", ONE_HEAD_EACH | dict.fromkeys(SPECIAL, 0), as_is, {}),
    "mamba": (
        "MambaForCausalLM",
        "mamba",
        {"hidden_size": SIDE, "num_hidden_layers": LAYERS, "vocab_size": 80, "state_size": 8},
        squeezed,
        {},
    ),
}

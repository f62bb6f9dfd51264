"""Translate llama.cpp's tensor names to Hugging Face names with the `gguf` package's tables.

The tables map the names of many implementations to one name of llama.cpp. For the way back, this module keeps the
names whose role is the most common one, so that a tensor has the same role as in the checkpoint it was converted
from; among those it prefers the architecture's own name (`_OWN`), by default Llama's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from types import ModuleType

from wqscore.matrices.roles import role_of

#: The names of an architecture's own implementation, if they differ from Llama's.
_OWN = {
    "gpt2": r"h\.\{bid\}\.(attn\.c_|mlp\.c_|ln_)|wte|wpe|ln_f|lm_head",
    "bert": r"encoder\.layer\.|embeddings\.|pooler|classifier",
    "gptneox": r"gpt_neox\.|embed_out",
    "falcon": r"transformer\.(h\.\{bid\}\.(self_attention|mlp\.dense|input_layernorm)|word|ln_f)|lm_head",
    "bloom": r"h\.\{bid\}\.(self_attention|mlp\.dense|\w*_layernorm)|word_embeddings|ln_f|lm_head",
    "mpt": r"transformer\.(blocks|wte|norm_f)",
    "starcoder": r"transformer\.(h\.\{bid\}\.(attn\.c_|mlp\.c_|ln_)|wte|wpe|ln_f)|lm_head",
    "nomic-bert": r"encoder\.layers\.|embeddings\.|emb_ln",
    "modern-bert": r"layers\.\{bid\}\.(attn\.W|attn_norm|mlp\.W|mlp_norm)|embeddings\.|final_norm|head\.",
    "mamba": r"backbone\.|lm_head",
    "mamba2": r"backbone\.|lm_head",
    "t5": r"shared|(en|de)coder\.|lm_head",
    "t5encoder": r"shared|encoder\.|lm_head",
}
_LLAMA = r"model\.|lm_head"
#: The modules of state spaces and linear attention of architectures that mix them with attention; in names of these
#: tensors they have precedence over the most common role.
_MIXERS = {
    **dict.fromkeys(("qwen3next", "qwen35", "qwen35moe"), "linear_attn"),
    **dict.fromkeys(("lfm2", "lfm2moe"), "conv"),
    **dict.fromkeys(("jamba", "granitehybrid", "falcon-h1"), "mamba"),
    **dict.fromkeys(("nemotron_h", "nemotron_h_moe", "plamo2"), "mixer"),
}
_OF_MIXER = re.compile(r"blk\.\{bid\}\.(ssm_\w+|shortconv\.\w+|attn_qkv|attn_gate)")
#: Architectures whose q, k and v llama.cpp stores one after the other, whatever order the original has.
_QKV_IN_ORDER = frozenset(
    {"gpt2", "gptneox", "falcon", "bloom", "mpt", "dbrx", "starcoder", "qwen", "jais", "codeshell", "phi2", "phi3"}
    | {"chatglm", "glm4", "nomic-bert", "nomic-bert-moe", "jina-bert-v3", "modern-bert", "bailingmoe2"}
)
#: The two halves of kv_b_proj, which llama.cpp stores separately.
_LATENT = {"blk.{bid}.attn_k_b": "k", "blk.{bid}.attn_v_b": "v"}
_ENDS = (".weight", ".bias", ".weight.lora_a", ".weight.lora_b")
_NUMBER = re.compile(r"(?<=\.)([0-9]{1,9})(?=\.|$)")
#: Experts as separate tensors, as in the first GGUF files of mixtures.
_EXPERT = re.compile(r"blk\.([0-9]{1,9})\.ffn_(gate|up|down)\.([0-9]{1,9})")

Shape = tuple[int, ...]


def hugging_face_names(shapes: Mapping[str, Shape], architecture: str, gguf: ModuleType) -> dict[str, str]:
    """Map tensors to their names in the Hugging Face checkpoint.

    Args:
        shapes: the tensors' shapes by llama.cpp's names.
        architecture: llama.cpp's name of the architecture; for an unknown one, only names that all share translate.
        gguf: the `gguf` package.

    Returns:
        The new name by llama.cpp's name, all different; a name that is not in the tables stays unchanged.
    """
    tables = _Tables(architecture, gguf)
    names: dict[str, str] = {}
    taken = set(shapes)
    for name in shapes:
        found = _translated(name, shapes, architecture, tables)
        names[name] = name if found in taken else found
        taken.add(names[name])
    return names


class _Tables:
    """The package's tables, inverted for one architecture."""

    def __init__(self, architecture: str, gguf: ModuleType) -> None:
        known = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
        arch = known.get(architecture)
        own = gguf.MODEL_TENSORS.get(arch, [])
        self._tensors = {gguf.TENSOR_NAMES[t]: t for t in (*gguf.TENSOR_NAMES, *own)}
        maps = gguf.tensor_mapping.TensorNameMap
        self._names = maps.mappings_cfg | maps.block_mappings_cfg | maps.arch_block_mappings_cfg.get(arch, {})
        self._style = re.compile(_OWN.get(architecture, _LLAMA))
        self._mixer = _MIXERS.get(architecture)
        self._found: dict[str, str | None] = {}

    def original(self, pattern: str) -> str | None:
        """The original name for a name of llama.cpp's, both with `{bid}` in place of the block's number."""
        if pattern not in self._tensors:
            return None
        if pattern not in self._found:
            self._found[pattern] = self._look_up(pattern)
        return self._found[pattern]

    def _look_up(self, pattern: str) -> str | None:
        candidates: tuple[str, ...] = self._names.get(self._tensors[pattern], ())
        if not candidates:
            return None
        of_mixer = self._mixer is not None and _OF_MIXER.fullmatch(pattern)
        if of_mixer and (own := [name for name in candidates if f"{{bid}}.{self._mixer}." in name]):
            return own[0]
        roles = {name: role_of(f"{name}.weight") for name in candidates}
        (usual, _), *_ = Counter(roles[name] for name in candidates).most_common(1)
        matching = [name for name in candidates if roles[name] == usual]
        return next(filter(self._style.match, matching), matching[0])


def _translated(name: str, shapes: Mapping[str, Shape], architecture: str, tables: _Tables) -> str:
    end = next((end for end in _ENDS if name.endswith(end)), "")
    stem = name.removesuffix(end)
    if expert := _EXPERT.fullmatch(stem):
        block, projection, number = expert.groups()
        return f"model.layers.{block}.mlp.experts.{number}.{projection}_proj{end}"
    number = _NUMBER.search(stem)
    pattern = _NUMBER.sub("{bid}", stem, count=1)
    original = tables.original(pattern)
    if original is None or (number is None and "{bid}" in original):
        return name
    if pattern == "blk.{bid}.attn_qkv" and architecture in _QKV_IN_ORDER:
        original = f"{original.rpartition('.')[0]}.Wqkv"
    elif pattern == "blk.{bid}.ffn_up" and _holds_gate(stem, shapes):
        original = f"{original.rpartition('.')[0]}.gate_up_proj"
    elif pattern in _LATENT:
        original = f"{original.rpartition('.')[0]}.kv_b_proj.{_LATENT[pattern]}"
    return original.replace("{bid}", number[1] if number else "") + end


def _holds_gate(stem: str, shapes: Mapping[str, Shape]) -> bool:
    """Whether ffn_up holds gate and up: it has twice as many rows as ffn_down has columns."""
    up, down = shapes.get(f"{stem}.weight", ()), shapes.get(f"{stem.removesuffix('up')}down.weight", ())
    return len(up) == len(down) == 2 and up[0] == 2 * down[1]

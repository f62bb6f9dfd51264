"""Recognise the factors of low-rank updates, and the parameters of other adapters, by their tensors' names.

The spellings: peft's in a file of its own (`X.lora_A.weight`) and inside a model (`X.lora_A.default.weight`);
loralib's and LitGPT's (`X.lora_A`); torchtune's (`X.lora_a.weight`); MLX's and GGUF's (`X.lora_a`,
`X.weight.lora_a`); minLoRA's (`X.parametrizations.weight.0.lora_A`); kohya's and LyCORIS's (`X.lora_down.weight`,
`X.alpha`); diffusers' (`X.lora.down.weight`, `X.lora_linear_layer.down.weight`, `processor.to_q_lora.down.weight`);
lora's (`unet:3:down`); NeMo's (`X.adapter.linear_in.weight`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: A quick test that nearly all names of ordinary checkpoints fail.
_HINT = re.compile(
    r"lora|dora_scale|hada_|lokr_|vera_|ia3_|oft_|hra_u|fourierft_|shira_|c3a_|adapter[._].*linear_|:(up|down)$"
)
#: Longer than any model's names.
_MAX_NAME = 500
_KNOWN_PARTS = "[A-Za-z]|down|up|mid|embedding_[AB]|magnitude_vector|ranknum|alpha"
_LORA, _LORA_OF_ANY_PART = (
    re.compile(
        rf"(?s)(?P<layer>.+?)(\.lora)?(\.loras\.(?P<head>[^.]+))?\.lora_(?P<part>{parts})"
        r"(\.(?!weight$|bias$)(?P<adapter>[^.]+))?(?P<leaf>\.weight|\.bias)?"
    )
    for parts in (_KNOWN_PARTS, r"\w+")
)
_DIFFUSERS = re.compile(r"(?s)(?P<layer>.+)\.(lora|lora_layer|lora_linear_layer)\.(?P<part>down|up)(\.weight)?")
_PROCESSOR = re.compile(
    r"(?s)(?P<parent>.+?)(?P<inside>\.processor)?\.(?P<stem>\w+)_lora(?P<number>\d*)(\.lora_linear_layer)?"
    r"\.(?P<part>down|up)\.weight"
)
_NEMO = re.compile(
    r"(?s)(?P<layer>.+)\.(adapter|adapter_layer\.(?P<kind>lora_\w+)_adapter)\.linear_(?P<part>in|out)\.weight"
)
_LISTED = re.compile(r"(?P<layer>[\w.]+:\d+):(?P<part>down|up)")
_PARTS = {"a": "A", "down": "A", "in": "A", "b": "B", "up": "B", "out": "B"}
_PARAMETRISED = re.compile(r"\.parametrizations\.weight\.\d+$")
#: Parameters of adapters whose change to a weight is not B·A, by what their names hold.
_OTHERS = (
    (re.compile(r"\.lokr_(w\d(_[ab])?|t\d)(\.|$)"), "LoKr"),
    (re.compile(r"\.hada_(w\d_[ab]|t\d)(\.|$)"), "LoHa"),
    (re.compile(r"(^|\.)(vera_lambda_[bd]|vera_[AB])(\.|$)"), "VeRA"),
    (re.compile(r"(^|\.)randlora_(lambda|gamma|[AB])(\.|$)"), "RandLoRA"),
    (re.compile(r"(^|\.)vblora_(logits_[AB]|vector_bank)(\.|$)"), "VB-LoRA"),
    (re.compile(r"\.ia3_l(\.|$)"), "IA³"),
    (re.compile(r"\.boft_[Rs](\.|$)"), "BOFT"),
    (re.compile(r"\.oft_(R|r|s|blocks|diag)(\.|$)"), "OFT"),
    (re.compile(r"\.hra_u(\.|$)"), "HRA"),
    (re.compile(r"\.fourierft_spectrum(\.|$)"), "FourierFT"),
    (re.compile(r"\.shira_weight(\.|$)"), "SHiRA"),
    (re.compile(r"\.c3a_kernel(\.|$)"), "C3A"),
    (re.compile(r"\.Plora_[AB](\.|$)"), "partial LoRA, which changes some tokens alone"),
    (re.compile(r"\.poly_lora_[AB](\.|$)"), "Poly"),
)


@dataclass(frozen=True)
class FactorName:
    """What the name of a factor says.

    Attributes:
        layer: the name of the layer whose weight changes.
        part: `A`, `B`, `embedding_A`, `embedding_B`, or another parameter of the update: `mid`, `magnitude_vector`.
        adapter: the adapter's name, `None` where the spelling has none.
        either_way: whether trainers of this spelling disagree on the factors' orientation: MLX stores A as (in, r).
        is_bias: whether it is the bias of a factor, and no factor.
    """

    layer: str
    part: str
    adapter: str | None = None
    either_way: bool = False
    is_bias: bool = False


def factor_name(name: str) -> FactorName | None:
    """Read the name of a low-rank update's parameter; `None` for any other name.

    Example:
        >>> factor_name("unet.attn1.processor.to_out_lora.down.weight")
        FactorName(layer='unet.attn1.to_out.0', part='A', adapter=None, either_way=False, is_bias=False)
    """
    if not _is_hinted(name):
        return None
    if found := _PROCESSOR.fullmatch(name):
        stem = f"{found['stem']}{found['number']}"
        layer = f"{found['parent']}.{stem}{'.0' if found['inside'] and stem == 'to_out' else ''}"
        return FactorName(layer, _PARTS[found["part"]])
    if found := _DIFFUSERS.fullmatch(name) or _LISTED.fullmatch(name):
        return FactorName(found["layer"], _PARTS[found["part"]])
    if found := _NEMO.fullmatch(name):
        kind = f".{found['kind']}" if found["kind"] else ""
        return FactorName(f"{found['layer']}{kind}", _PARTS[found["part"]])
    if found := _LORA.fullmatch(name) or _LORA_OF_ANY_PART.fullmatch(name):
        return _of_lora(found)
    stem, _, last = name.rpartition(".")
    return FactorName(stem, "magnitude_vector") if last == "dora_scale" else None


def _is_hinted(name: str) -> bool:
    # A forged file can have a name of any length, and the patterns take time quadratic in it.
    return len(name) <= _MAX_NAME and _HINT.search(name) is not None


def _of_lora(found: re.Match[str]) -> FactorName:
    layer, part = found["layer"], found["part"]
    bare = part in ("a", "b") and not found["leaf"] and not layer.endswith(".weight")
    layer = _PARAMETRISED.sub("", layer).removesuffix(".weight")
    adapter = found["adapter"] or found["head"]
    return FactorName(layer, _PARTS.get(part, part), adapter, bare, found["leaf"] == ".bias")


def other_adapter(name: str) -> str | None:
    """The kind of adapter that a parameter belongs to, if it is one whose change to a weight is not B·A."""
    if not _is_hinted(name):
        return None
    return next((kind for pattern, kind in _OTHERS if pattern.search(name)), None)


def companions_of(layer: str, is_mlx: bool) -> Iterator[tuple[str, str]]:
    """Names that belong to an update where its layer has factors, and are ordinary elsewhere, each with its part."""
    yield from ((f"{layer}.{name}", "alpha") for name in ("alpha", "lora_alpha", "network_alpha"))
    yield f"{layer}.scalar", "scalar"
    yield f"{layer}.dora_scale", "magnitude_vector"
    if is_mlx:
        yield f"{layer}.m", "magnitude_vector"

"""Read how a checkpoint is quantised from `config.json`, where any key may be missing or of a wrong type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wqscore.escaping import printable

MAX_DEPTH = 5
#: Every layer is compared with every size, so their number is limited.
MAX_SIZES = 100
#: Where settings stand: `quantization` is MLX's key.
_KEYS = ("quantization_config", "compression_config", "quantization")


def quantisation_settings(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the `quantization_config`, in older files `compression_config`, in MLX's `quantization`, if any.

    Multimodal models may store it in the `text_config`.
    """
    for key in _KEYS:
        yield from (settings for settings in found(config, key) if isinstance(settings, dict))


def settings_of(config: Mapping[str, Any], method: str) -> Mapping[str, Any] | None:
    """The settings of a method; `None` if that is not in use."""
    return next((each for each in quantisation_settings(config) if each.get("quant_method") == method), None)


def is_modelopt(config: Mapping[str, Any]) -> bool:
    """Whether NVIDIA's Model Optimizer quantised the weights: as the method, or by its key `quant_algo`."""
    found_settings = list(quantisation_settings(config))
    methods = {named(settings, "quant_method", "quant_library", default="") for settings in found_settings}
    if any(method.startswith("modelopt") for method in methods):
        return True
    return any("quant_algo" in settings and "quant_method" not in settings for settings in found_settings)


def named(settings: Mapping[str, Any], *keys: str, default: str) -> str:
    """The first text among these keys, in lower case and printable; `default` if there is none."""
    texts = (settings.get(key) for key in keys)
    return next((printable(text[:40].lower()) for text in texts if isinstance(text, str)), default)


def found(settings: object, key: str, depth: int = MAX_DEPTH) -> Iterator[Any]:
    """Yield every value of a key, at this level and in nested settings.

    Methods can set values per layer, by name or pattern. These need no matching: the stored shapes show which of the
    values a layer has.

    Example:
        >>> sorted(found({"group_size": 128, "dynamic": {"+:.*down": {"group_size": 32}}}, "group_size"))
        [32, 128]
    """
    if depth and isinstance(settings, dict):
        for name, value in settings.items():
            if name == key:
                yield value
            yield from found(value, key, depth - 1)


def sizes(settings: Mapping[str, Any], *keys: str) -> frozenset[int]:
    """The positive whole numbers under any of these keys; empty if there are implausibly many."""
    values = (value for key in keys for value in found(settings, key))
    numbers = frozenset(value for value in values if type(value) is int and value > 0)
    return numbers if len(numbers) <= MAX_SIZES else frozenset()


def method_name(config: Mapping[str, Any]) -> str:
    """The method that `quantization_config` names, in parentheses for messages; empty if it names none."""
    method = config.get("quantization_config")
    value = method.get("quant_method") if isinstance(method, dict) else None
    return f" ({value})" if isinstance(value, str) and value.isprintable() and len(value) < 40 else ""

"""What `config.json` says of how a checkpoint is quantised; any of it may be missing or of another type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wqscore.escaping import printable

_MAX_DEPTH = 5
#: Each layer is compared with each of them.
_MAX_SIZES = 100


def settings_of(config: Mapping[str, Any], method: str) -> Mapping[str, Any] | None:
    """The `quantization_config` (once `compression_config`) of a method; `None` if it is not the one used.

    Models of several parts may keep it in the `text_config`.
    """
    for key in ("quantization_config", "compression_config"):
        for settings in found(config, key):
            if isinstance(settings, dict) and settings.get("quant_method") == method:
                return settings
    return None


def named(settings: Mapping[str, Any], *keys: str, default: str) -> str:
    """The first of these keys that holds a text, in lower case and fit for a message."""
    texts = (settings.get(key) for key in keys)
    return next((printable(text[:40].lower()) for text in texts if isinstance(text, str)), default)


def found(settings: object, key: str, depth: int = _MAX_DEPTH) -> Iterator[Any]:
    """Every value under a key, here or in the settings nested in these.

    Methods let layers differ, by names and patterns. There is no need to match them: the stored shapes tell which of
    the values a layer has.

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
    """The positive whole numbers under any of these keys; none if they are too many to be meant."""
    values = (value for key in keys for value in found(settings, key))
    numbers = frozenset(value for value in values if type(value) is int and value > 0)
    return numbers if len(numbers) <= _MAX_SIZES else frozenset()


def method_name(config: Mapping[str, Any]) -> str:
    """The method that `quantization_config` names, in brackets for messages; empty without one."""
    method = config.get("quantization_config")
    value = method.get("quant_method") if isinstance(method, dict) else None
    return f" ({value})" if isinstance(value, str) and value.isprintable() and len(value) < 40 else ""

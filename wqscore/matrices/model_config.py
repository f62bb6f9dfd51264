"""A checkpoint's `config.json`, with transformers' defaults for what the file leaves out."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeGuard

#: The names that configurations give to one size, the usual name first.
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
HIDDEN = ("hidden_size", "n_embd", "n_embed", "d_model")
HEAD_SIZE = ("head_dim", "kv_channels")
KEY_VALUE_HEADS = (
    *("num_key_value_heads", "num_kv_heads", "n_head_kv"),
    *("kv_n_heads", "n_kv_heads", "multi_query_group_num"),
)
#: What transformers' classes are told of a file: enough for the defaults that follow from other values, and
#: nothing that could make a class fetch, loop over or print what the file says.
_TOLD = dict.fromkeys((*HEADS, *HIDDEN, *HEAD_SIZE, *KEY_VALUE_HEADS), int) | dict.fromkeys(
    ("multi_query", "new_decoder_architecture", "tie_word_embeddings"), bool
)
_LARGEST_SIZE = 2**31
#: Parts of a composed model's configuration that do not end in `_config`.
_SUB_MODELS = ("encoder", "decoder")
_DEEPEST_PART = 3
_ONE_AT_A_TIME = threading.Lock()


class ModelConfig:
    """Read-only view of a model's configuration.

    A value comes from the file; where the file is silent, from transformers' configuration class of the same
    `model_type`, which is imported only then and never runs code from the checkpoint. Without a `model_type`,
    or with one that transformers does not know, the file alone decides.
    """

    def __init__(self, file: Mapping[str, Any]) -> None:
        """Wrap the parsed `config.json`; `{}` where there is none."""
        self.file = file

    @property
    def model_type(self) -> str | None:
        """The architecture's name in transformers, if the file gives it."""
        value = self.file.get("model_type")
        return value if isinstance(value, str) else None

    @cached_property
    def parts(self) -> tuple[ModelConfig, ...]:
        """This configuration and those nested in it: a vision-language model has one per tower."""
        return tuple(
            ModelConfig(file) if file is not self.file else self for file in _nested(self.file, _DEEPEST_PART)
        )

    @cached_property
    def model_types(self) -> frozenset[str]:
        """The architectures of this configuration and of those nested in it."""
        return frozenset(part.model_type for part in self.parts if part.model_type)

    def integer(self, *names: str) -> int | None:
        """The first of these keys that holds a positive whole number, in the file or else in the defaults."""
        for source in (self.file.get, self._default):
            for name in names:
                value = source(name)
                if _is_size(value):
                    return value
        return None

    def stated(self, *names: str) -> int | None:
        """The first of these keys that holds a positive whole number in the file or a part of it; no defaults."""
        values = (part.file.get(name) for part in self.parts for name in names)
        return next(filter(_is_size, values), None)

    def flag(self, name: str) -> bool:
        """Whether a key is true, in the file or else in the defaults."""
        return (self.file[name] if name in self.file else self._default(name)) is True

    def nested(self, name: str) -> ModelConfig:
        """The settings that the file groups under one key; empty where it has none."""
        value = self.file.get(name)
        return ModelConfig(value if isinstance(value, dict) else {})

    def _default(self, name: str) -> Any:
        try:
            return getattr(self._defaults, name, None)
        # A value that differs from layer to layer has none of its own; transformers raises more than AttributeError.
        except Exception:
            return None

    @cached_property
    def _defaults(self) -> Any:
        if self.model_type is None:
            return None
        told = {name: value for name, value in self.file.items() if _is_told(name, value)}
        return _transformers_config(self.model_type, told)


def _nested(file: Mapping[str, Any], levels: int) -> Iterator[Mapping[str, Any]]:
    yield file
    for key, value in file.items() if levels else ():
        if isinstance(value, dict) and (key.endswith("_config") or key in _SUB_MODELS):
            yield from _nested(value, levels - 1)


def _is_size(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value < _LARGEST_SIZE


def _is_told(name: str, value: object) -> bool:
    return type(value) is _TOLD.get(name) and (isinstance(value, bool) or _is_size(value))


def _transformers_config(model_type: str, told: Mapping[str, Any]) -> Any:
    with _ONE_AT_A_TIME, _quiet():
        try:
            from transformers import AutoConfig

            return AutoConfig.for_model(model_type, **told)
        # Whatever a configuration class makes of a file's odd values, the file itself is still there to read.
        except Exception:
            return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' messages off stderr, and leave its logger as it was.

    Importing transformers sets its logger's level, and without torch says so there: hence a filter as well.
    """
    logger = logging.getLogger("transformers")
    logger.addFilter(_say_nothing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import transformers  # noqa: F401

            level = logger.level
            logger.setLevel(logging.CRITICAL)
            try:
                yield
            finally:
                logger.setLevel(level)
    finally:
        logger.removeFilter(_say_nothing)


def _say_nothing(record: logging.LogRecord) -> bool:
    return False

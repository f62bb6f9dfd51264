"""A checkpoint's `config.json`, with transformers' defaults for what the file leaves out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

#: Parts of a composed model's configuration, in the order they are asked.
_SUB_CONFIGS = ("text_config", "llm_config", "language_config", "vision_config", "audio_config", "encoder", "decoder")


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

    @property
    def parts(self) -> tuple[ModelConfig, ...]:
        """This configuration and those nested in it: a vision-language model has one per tower."""
        nested = [self.file[key] for key in _SUB_CONFIGS if isinstance(self.file.get(key), dict)]
        return (self, *(ModelConfig(part) for part in nested))

    def integer(self, *names: str) -> int | None:
        """The first of these keys that holds a positive whole number, in the file or else in the defaults."""
        for source in (self.file.get, self._default):
            for name in names:
                value = source(name)
                if type(value) is int and value > 0:
                    return value
        return None

    def flag(self, name: str) -> bool:
        """Whether a key is true, in the file or else in the defaults."""
        return (self.file[name] if name in self.file else self._default(name)) is True

    def _default(self, name: str) -> Any:
        return getattr(self._defaults, name, None)

    @cached_property
    def _defaults(self) -> Any:
        if self.model_type is None:
            return None
        return _transformers_config(self.model_type, self.file)


def _transformers_config(model_type: str, file: Mapping[str, Any]) -> Any:
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from transformers import AutoConfig

            return AutoConfig.for_model(**{**file, "model_type": model_type})
    # Whatever a configuration class makes of a file's odd values, the file itself is still there to read.
    except Exception:
        return None
    finally:
        logger.setLevel(level)

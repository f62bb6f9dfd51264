"""A checkpoint's `config.json`, completed by its architecture's defaults."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeGuard

from wqscore.cached_property import cached_property
from wqscore.matrices.architecture_defaults import architecture_defaults
from wqscore.matrices.config_names import DEFAULTED, TOLD

_MAX_SIZE = 2**31
#: Parts of a composed model's configuration that do not end in `_config`.
_SUB_MODELS = ("encoder", "decoder")
_MAX_NESTING = 3
_TRANSFORMERS_LOCK = threading.Lock()


class ModelConfig:
    """Read-only view of a model's configuration.

    A value comes from the file; where the file lacks it, from the table of architectures' defaults; where the table
    lacks the architecture, from transformers' configuration class of that `model_type`, which never runs code from
    the checkpoint. Without a `model_type`, or with one unknown to both, only the file counts.
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
            ModelConfig(file) if file is not self.file else self for file in _nested(self.file, _MAX_NESTING)
        )

    @cached_property
    def model_types(self) -> frozenset[str]:
        """The architectures of this configuration and of those nested in it."""
        return frozenset(part.model_type for part in self.parts if part.model_type)

    def integer(self, *names: str) -> int | None:
        """The first of these keys that holds a positive whole number, in the file, then in the defaults."""
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
        """Whether a key is true, in the file, then in the defaults."""
        return (self.file[name] if name in self.file else self._default(name)) is True

    def text(self, *names: str) -> str:
        """The first of these keys that holds a word, in the file, then in the defaults; empty where none does."""
        for source in (self.file.get, self._default):
            for name in names:
                value = source(name)
                if isinstance(value, str) and value:
                    return value
        return ""

    def nested(self, name: str) -> ModelConfig:
        """The settings that the file groups under one key; empty where it has none."""
        value = self.file.get(name)
        return ModelConfig(value if isinstance(value, dict) else {})

    def _default(self, name: str) -> Any:
        if name in DEFAULTED and self._tabled is not None:
            return self._tabled.get(name)
        try:
            return getattr(self._from_transformers, name, None)
        # transformers raises for a value that differs from layer to layer, and not AttributeError alone.
        except Exception:
            return None

    @cached_property
    def _hints(self) -> Mapping[str, int | bool]:
        """The file's values that defaults may follow from."""
        return {name: value for name, value in self.file.items() if _is_hint(name, value)}

    @cached_property
    def _tabled(self) -> Mapping[str, int | bool] | None:
        return None if self.model_type is None else architecture_defaults(self.model_type, self._hints)

    @cached_property
    def _from_transformers(self) -> Any:
        return None if self.model_type is None else _transformers_config(self.model_type, self._hints)


def _nested(file: Mapping[str, Any], levels: int) -> Iterator[Mapping[str, Any]]:
    yield file
    for key, value in file.items() if levels else ():
        if isinstance(value, dict) and (key.endswith("_config") or key in _SUB_MODELS):
            yield from _nested(value, levels - 1)


def _is_size(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value < _MAX_SIZE


def _is_hint(name: str, value: object) -> bool:
    return type(value) is TOLD.get(name) and (isinstance(value, bool) or _is_size(value))


def _transformers_config(model_type: str, hints: Mapping[str, Any]) -> Any:
    with _TRANSFORMERS_LOCK, _quiet():
        try:
            from transformers import AutoConfig

            return AutoConfig.for_model(model_type, **hints)
        # A configuration class may raise anything for a file's odd values; the file itself can still be read.
        except Exception:
            return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' messages off stderr, and leave its logger as it was.

    A filter as well as a level: importing transformers resets the level, and logs if torch is missing.
    """
    logger = logging.getLogger("transformers")
    logger.addFilter(_drop_record)
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
        logger.removeFilter(_drop_record)


def _drop_record(record: logging.LogRecord) -> bool:
    return False

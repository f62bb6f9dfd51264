"""What a configuration says of a tensor's part of the model: its activation, and the keys of its sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plain_names import plain_name
from wqscore.studies.width.activations import Activation, find_activation

#: Keys under which configurations name the activation of an MLP, those that mean it alone first.
_KEYS = (
    *("hidden_activation", "hidden_act", "activation_function", "activation_fn", "mlp_hidden_act", "ff_activation"),
    *("dense_act_fn", "feed_forward_proj", "ffn_act_fn", "transformer_act_fn", "act_fn", "afn", "activation"),
)
#: Architectures whose code fixes the activation, where the file has no key for it.
_OF_TYPES = {
    **dict.fromkeys(("bloom", "codegen2"), "gelu_tanh"),
    **dict.fromkeys(("mpt", "falcon", "RefinedWeb", "RefinedWebModel"), "gelu"),
    **dict.fromkeys(("qwen", "chatglm", "internlm", "neobert"), "silu"),
}
#: Architectures that do more in a block than the configuration's activation says.
_OTHERWISE = frozenset({"gpt_oss", "gemma3n", "gemma3n_text"})
_MAX_NESTING = 3
_ENCODERS = ("encoder", "decoder")
#: What tensors of a part are called where the configuration calls it otherwise.
_SYNONYMS = {"text": ("text", "language", "lm", "llm"), "vision": ("vision", "visual", "image")}


@dataclass(frozen=True)
class Section:
    """A configuration, or one of those nested in it.

    Attributes:
        path: the keys that lead to it; empty for the outermost.
        file: its values.
    """

    path: tuple[str, ...]
    file: Mapping[str, Any]

    @property
    def words(self) -> tuple[str, ...]:
        """What names of its tensors may contain."""
        stem = self.path[-1].removesuffix("_config") if self.path else ""
        return _SYNONYMS.get(stem, (stem,)) if stem else ()


def sections(file: Mapping[str, Any]) -> tuple[Section, ...]:
    """A configuration and those nested in it."""
    return tuple(_sections(file, ()))


def sections_of(name: str, given: tuple[Section, ...], says: Callable[[Section], object]) -> tuple[Section, ...]:
    """The sections that a tensor's name points to, else the outermost, else all: of those that say something.

    Args:
        name: the tensor's name.
        given: the sections of the configuration.
        says: whether a section says what is looked for.
    """
    components = plain_name(name).lower().replace("_", ".").split(".")
    saying = tuple(each for each in given if says(each))
    fitting = tuple(each for each in saying if any(word in components for word in each.words))
    return fitting or tuple(each for each in saying if not each.path) or saying


def activation_of(name: str, given: tuple[Section, ...]) -> Activation | str:
    """The activation of the block that a tensor is in, or in one line why it is not known.

    Args:
        name: the tensor's name.
        given: the sections of the configuration.
    """
    if any(each.file.get("model_type") in _OTHERWISE for each in given):
        return "its architecture computes more in a block than its activation"
    stated = {_stated(each.file) for each in sections_of(name, given, lambda each: _stated(each.file))}
    stated = stated or {
        _defaulted(each.file) for each in sections_of(name, given, lambda each: _defaulted(each.file))
    }
    if not stated:
        return "the configuration names no activation: name it with --activation"
    kinds = {found.name: found for text in stated if (found := find_activation(text))}
    unknown = sorted(text for text in stated if find_activation(text) is None)
    if unknown:
        return f"of activation {unknown[0]!r} it is not known which neurons can be merged"
    if len(kinds) > 1:
        return f"the configuration names several activations ({', '.join(sorted(kinds))}): --activation names one"
    return next(iter(kinds.values()))


def _sections(file: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Section]:
    yield Section(path, file)
    for key, value in file.items() if len(path) < _MAX_NESTING else ():
        if isinstance(value, dict) and (key.endswith("_config") or key in _ENCODERS):
            yield from _sections(value, (*path, key))


def _stated(file: Mapping[str, Any]) -> str:
    for key in _KEYS:
        value = file.get(key)
        if isinstance(value, dict):
            value = value.get("name")
        if isinstance(value, str) and value:
            return value
    # XLM's flag.
    flag = file.get("gelu_activation")
    return ("gelu" if flag else "relu") if isinstance(flag, bool) else ""


def _defaulted(file: Mapping[str, Any]) -> str:
    """What the architecture's code computes where the file doesn't say."""
    config = ModelConfig(file)
    if config.model_type is None:
        return ""
    return _OF_TYPES.get(config.model_type) or config.text(*_KEYS)

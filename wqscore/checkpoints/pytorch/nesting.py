"""Find the state dict in what a training script saved: under which key it lies, and what lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Keys under which training scripts store the model's state dict.
_MODEL_KEYS = (
    *("state_dict", "model", "model_state_dict", "module", "model_state", "net", "net_state_dict", "network"),
    *("network_state_dict", "params", "weights", "model_weights"),
)
#: Keys of an average over training steps, the copy of the model beside it.
_AVERAGE_KEYS = (
    *("ema", "ema_model", "ema_state_dict", "model_ema", "state_dict_ema", "ema_model_state_dict", "params_ema"),
    *("model_ema_state_dict", "averaged_model", "swa_model"),
)
#: At most so many keys are listed in a remark.
_MAX_LISTED = 4


@dataclass(frozen=True)
class Nested:
    """A state dict and where it was found.

    Attributes:
        state_dict: the dictionary.
        path: the keys that lead to it; empty if it is the whole value.
        beside: the keys next to these that hold tensors too.
    """

    state_dict: dict[Any, Any]
    path: tuple[str, ...]
    beside: tuple[str, ...]

    @property
    def remark(self) -> str:
        """A line that says what was taken and what was not; empty if nothing was chosen."""
        if not self.path:
            return ""
        more = len(self.beside) - _MAX_LISTED
        listed = ", ".join(f"{key:.50}" for key in self.beside[:_MAX_LISTED]) + (
            f" and {more} more" if more > 0 else ""
        )
        return f"the weights under '{'.'.join(self.path)}' are scored" + (f"; left out: {listed}" if listed else "")


def find_state_dict(value: dict[Any, Any], holds_tensors: Callable[[Any], bool]) -> Nested:
    """Find the state dict: under a usual key, of which one alone may hold tensors, or else the value itself.

    An average of the weights counts only where no key of the model itself holds tensors. A second usual key inside
    the first is followed if nothing beside it holds tensors, as in `{"model": {"state_dict": …}}`.

    Args:
        value: what the file holds.
        holds_tensors: whether a value is a dictionary with tensors at any depth.
    """
    key = _model_key(value, holds_tensors)
    if key is None:
        return Nested(value, (), ())
    found: dict[Any, Any] = value[key]
    beside = tuple(str(other) for other in value if other != key and holds_tensors(value[other]))
    inner = _model_key(found, holds_tensors)
    if inner is None or any(other != inner and holds_tensors(found[other]) for other in found):
        return Nested(found, (key,), beside)
    return Nested(found[inner], (key, inner), beside)


def _model_key(value: dict[Any, Any], holds_tensors: Callable[[Any], bool]) -> str | None:
    for keys in (_MODEL_KEYS, _AVERAGE_KEYS):
        if usable := [key for key in keys if holds_tensors(value.get(key))]:
            return usable[0] if len(usable) == 1 else None
    return None

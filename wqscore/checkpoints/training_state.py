"""Find the tensors that belong to a training run and not to the model: optimizer state, averaged copies.

Names and shapes decide; nothing is read. Libraries name these parts alike: the optimizers of torch and optax, the
exponential moving averages of latent diffusion (`model_ema`, whose names have no dots), BasicSR and timm, torch's
`swa_utils`, and the momentum or target networks of MoCo, BYOL, DINO and ALBEF.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from wqscore.checkpoints.tensor import Tensor

_SEPARATOR = re.compile(r"[./]")
#: A first component that holds no part of the model.
_TRAINING = re.compile(
    r"(optim(izers?)?|opt)_states?(_dict)?|optim|optimizers?(_\d+)?|(lr_)?schedulers?|lr_scheduler_state(_dict)?"
    r"|grad_scaler|rng_states?|trainer_state|dataloader_state"
)
#: A component that names a quantity an optimizer keeps of a weight.
_MOMENT = re.compile(
    r"(max_)?exp_avg(_sq|_diff|_row|_col|_factor)?|momentum_buffer|square_avg|grad_avg|acc_delta|grad"
)
#: A component that says that a weight is an average of others.
_AVERAGE = re.compile(
    r"((\w+_)?(ema|swa)|averaged?|avg|shadow|polyak)"
    r"(_(model|module|params?|weights|net(work)?|state_dict|shadow|copy|generator|encoder|unet))?"
)
#: A component of a network that training moves slowly behind another.
_SLOW = re.compile(
    r"(teacher|momentum|slow|lagged)(_(model|module|net(work)?|encoder|backbone|projector|head))?"
    r"|target_(model|net(work)?|encoder|policy|critic|actor|qf?\d?|projector)|encoder_k|key_encoder"
)
#: A component that names a slow network by the other one's name and a word behind it.
_SLOW_TWIN = re.compile(r"(\w+)_(m|target|ema)")
#: A name without its dots, and a shape.
_Key = tuple[str, tuple[int, ...]]
#: An average may lie behind a wrapper or two, and the model behind as many.
_MAX_DEPTH = 3
#: So much of a copy must be found in the model: an average may lack buffers.
_ENOUGH = 0.9


def training_state(tensors: Iterable[Tensor]) -> Mapping[str, str]:
    """Find the tensors that are no part of the model.

    A copy is left out only if the model beside it has at least nine tenths of its tensors, in the same shapes; a file
    of averaged weights alone is a model.

    Args:
        tensors: all tensors of a checkpoint.

    Returns:
        By name, the reason.
    """
    own = [tensor for tensor in tensors if not tensor.part_of]
    reasons = {tensor.name: "state of the optimizer" for tensor in own if _is_of_optimizer(tensor.name)}
    by_copy: dict[tuple[str, ...], list[Tensor]] = {}
    for tensor in own:
        if tensor.name not in reasons and (prefix := _prefix_of_copy(tensor.name)):
            by_copy.setdefault(prefix, []).append(tensor)
    if not by_copy:
        return reasons
    in_copies = {tensor.name for copy in by_copy.values() for tensor in copy}
    model = [tensor for tensor in own if tensor.name not in in_copies and tensor.name not in reasons]
    originals = _by_ending(model)
    for prefix, copy in by_copy.items():
        reasons |= _copies(prefix, copy, originals)
    return reasons


def _is_of_optimizer(name: str) -> bool:
    first, *rest = _SEPARATOR.split(name)
    if not rest:
        return False
    return _TRAINING.fullmatch(first.lower()) is not None or any(_MOMENT.fullmatch(part) for part in rest)


def _prefix_of_copy(name: str) -> tuple[str, ...]:
    """The components up to the one that names a copy; empty if none does."""
    parts = _SEPARATOR.split(name)
    for depth, part in enumerate(parts[:-1][:_MAX_DEPTH], start=1):
        if any(pattern.fullmatch(part.lower()) for pattern in (_AVERAGE, _SLOW, _SLOW_TWIN)):
            return tuple(parts[:depth])
    return ()


def _copies(prefix: Sequence[str], copy: Sequence[Tensor], originals: Mapping[_Key, str]) -> Mapping[str, str]:
    """The tensors of a copy with the reason, if the model has what is copied; otherwise empty."""
    named = {tensor.name: _original(tensor, prefix, originals) for tensor in copy}
    found = sum(1 for original in named.values() if original)
    if found < _ENOUGH * len(copy):
        return {}
    reason = f"a copy, {'.'.join(prefix)}, of the weights beside it: those are taken"
    return dict.fromkeys(named, reason)


def _original(tensor: Tensor, prefix: Sequence[str], originals: Mapping[_Key, str]) -> str:
    """The tensor of the model that one of a copy repeats; empty if there is none."""
    rest = _SEPARATOR.split(tensor.name)[len(prefix) :]
    twin = _SLOW_TWIN.fullmatch(prefix[-1])
    if twin and (original := originals.get(("".join([*prefix[:-1], twin[1], *rest]), tensor.shape))):
        return original
    if not (_AVERAGE.fullmatch(prefix[-1].lower()) or _SLOW.fullmatch(prefix[-1].lower())):
        return ""
    return next((originals[key] for ending in _endings(rest) if (key := (ending, tensor.shape)) in originals), "")


def _by_ending(tensors: Iterable[Tensor]) -> Mapping[_Key, str]:
    """Names by each of their endings and by shape."""
    found: dict[_Key, str] = {}
    for tensor in tensors:
        for ending in _endings(_SEPARATOR.split(tensor.name)):
            found.setdefault((ending, tensor.shape), tensor.name)
    return found


def _endings(parts: Sequence[str]) -> list[str]:
    """The components behind none to three others, joined without dots; at least two, where there are two."""
    return ["".join(parts[start:]) for start in range(min(_MAX_DEPTH, max(len(parts) - 2, 0)) + 1)]

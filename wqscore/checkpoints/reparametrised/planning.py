"""Plan how re-parametrised weights are computed from their stored parts, or say why one can't be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal, with_decoded
from wqscore.checkpoints.reparametrised.names import StoredParts, group_parts
from wqscore.checkpoints.reparametrised.steps import (
    fits_weight_norm,
    masked,
    spectral_axes,
    spectral_norm,
    weight_norm,
)
from wqscore.checkpoints.tensor import Tensor

#: A pruned weight may be weight-normalised too, and so on: each pass undoes one.
_MAX_PASSES = 3
#: Parameters under the old names of weight_norm, which alone also occur elsewhere (`time_mix_g`, `time_mix_v`).
_NORMED = re.compile(r"(^|[._])(weight|bias|kernel)")


@dataclass(frozen=True)
class _Step:
    """One parametrisation: what it computes from the weight so far and its own tensors."""

    compute: Callable[..., np.ndarray]
    parts: tuple[Tensor, ...]


def with_effective_weights(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Insert each re-parametrised weight before its first stored part; the parts stay, marked as its parts.

    Parts from which the weight does not follow stay, marked with the reason.
    """
    found = tuple(tensors)
    for _ in range(_MAX_PASSES):
        named = {tensor.name: tensor for tensor in found}
        decodings: list[Decoding] = []
        refusals: list[Refusal] = []
        beside: dict[str, str] = {}
        for group in group_parts(found):
            plan = _steps(group)
            names = [tensor.name for tensor in group.parts.values()]
            if plan is not None and group.weight in named:
                beside |= dict.fromkeys(names, group.weight)
            elif isinstance(plan, str):
                originals = [name for name in names if re.search(r"\.original\d*$", name)]
                refusals += [Refusal(name, plan) for name in originals]
                beside |= {name: group.weight for name in names if name not in originals}
            elif plan is not None:
                decodings.append(_decoding(group.weight, plan))
        if not (decodings or refusals or beside):
            break
        found = with_decoded(found, decodings, refusals, beside)
    return found


def _decoding(weight: str, steps: Sequence[_Step]) -> Decoding:
    stored = steps[0].parts[0]

    def decode(*arrays: np.ndarray) -> np.ndarray:
        left = list(arrays)
        value = left.pop(0)
        for step in steps:
            count = len(step.parts) - (step is steps[0])
            value = step.compute(value, *left[:count])
            del left[:count]
        return value.astype(np.float32)

    parts = tuple(part for step in steps for part in step.parts)
    return Decoding(weight, stored.shape, stored.dtype.name, parts, decode)


def _steps(group: StoredParts) -> list[_Step] | str | None:
    """The parametrisations of a weight, the first with what is stored; or why they are not known; or `None`."""
    return _new_steps(group) if group.is_new else _old_steps(group)


def _old_steps(group: StoredParts) -> list[_Step] | None:
    match group.parts:
        case {"orig": original, "mask": mask} if _masks(original, mask):
            return [_Step(masked, (original, mask))]
        case {"orig": original, "u": left, "v": right} if _divides(original, left, right):
            return [_Step(spectral_norm, (original, left, right))]
        case {"g": gain, "v": direction} if _NORMED.search(group.weight) and _scales(gain, direction):
            return [_Step(weight_norm, (direction, gain))]
    return None


def _new_steps(group: StoredParts) -> list[_Step] | str:
    modules: dict[int, dict[str, Tensor]] = {}
    for name, tensor in group.parts.items():
        if name[0].isdigit():
            number, _, attribute = name.partition(".")
            modules.setdefault(int(number), {})[attribute] = tensor
    originals = {name: tensor for name, tensor in group.parts.items() if name.startswith("original")}
    steps: list[_Step] = []
    if originals.keys() == {"original0", "original1"}:
        gain, stored = originals["original0"], originals["original1"]
        if not _scales(gain, stored) or 0 in modules:
            return _refused("two tensors that are no weight_norm's")
        steps.append(_Step(weight_norm, (stored, gain)))
    elif originals.keys() == {"original"}:
        stored = originals["original"]
    else:
        return _refused("tensors that are not known to make a weight")
    for index in range(len(steps), len(steps) + len(modules)):
        step = _module_step(modules.get(index, {}), stored)
        if isinstance(step, str):
            return step
        steps.append(step if steps else _Step(step.compute, (stored, *step.parts)))
    return steps or _refused("a function that stores nothing")


def _module_step(attributes: Mapping[str, Tensor], weight: Tensor) -> _Step | str:
    match attributes:
        case {"_u": left, "_v": right, **others} if not others and _divides(weight, left, right):
            return _Step(spectral_norm, (left, right))
        case {"base": _, **others} if not others:
            return _refused("orthogonal, by a map that the file does not name (all singular values are 1)")
    return _refused(", ".join(sorted(attributes)) or "a function that stores nothing")


def _refused(what: str) -> str:
    return f"parametrised by {what:.100}: call torch.nn.utils.parametrize.remove_parametrizations before saving"


def _scales(gain: Tensor, direction: Tensor) -> bool:
    return _is_float(gain) and _is_float(direction) and fits_weight_norm(gain.shape, direction.shape)


def _divides(weight: Tensor, left: Tensor, right: Tensor) -> bool:
    floats = all(_is_float(each) for each in (weight, left, right))
    return floats and bool(spectral_axes(weight.shape, left.shape, right.shape))


def _masks(weight: Tensor, mask: Tensor) -> bool:
    return _is_float(weight) and mask.shape == weight.shape


def _is_float(tensor: Tensor) -> bool:
    return tensor.dtype.kind == "float" and tensor.parameters > 0

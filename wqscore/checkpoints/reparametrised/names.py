"""Recognise by name the stored parts of re-parametrised weights, in torch's old and new naming.

Old, by torch.nn.utils.weight_norm, spectral_norm and prune: `fc.weight_g`, `fc.weight_v`, `fc.weight_orig`. New, by
torch.nn.utils.parametrize: `fc.parametrizations.weight.original`, and a module `0`, `1`, … for each parametrisation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from wqscore.checkpoints.tensor import Tensor

_OLD = re.compile(r"(?s)(?P<weight>.+)_(?P<part>g|v|u|orig|mask)")
_NEW = re.compile(r"(?s)(?P<module>(?:.+\.)?)parametrizations\.(?P<weight>[^.]+)\.(?P<part>original\d*|\d+\..+)")
#: A low-rank update that is registered as a parametrisation; wqscore.checkpoints.adapters reads it.
_LOW_RANK = re.compile(r"\d+\.lora_\w+")


@dataclass
class StoredParts:
    """The stored tensors of one weight.

    Attributes:
        weight: the weight's name.
        is_new: whether torch.nn.utils.parametrize named them.
        parts: the tensors, by the end of the name: `g`, `orig`; `original0`, `0._u`.
    """

    weight: str
    is_new: bool
    parts: dict[str, Tensor] = field(default_factory=dict)


def group_parts(tensors: Iterable[Tensor]) -> list[StoredParts]:
    """Group the tensors that may be parts of a weight by their names; those of the old naming are often none.

    A weight with a low-rank update among its parametrisations is left out.
    """
    groups: dict[tuple[str, bool], StoredParts] = {}
    for tensor in tensors:
        if tensor.part_of or tensor.refusal:
            continue
        if new := _NEW.fullmatch(tensor.name):
            weight, part = new["module"] + new["weight"], new["part"]
        elif old := _OLD.fullmatch(tensor.name):
            weight, part = old["weight"], old["part"]
        else:
            continue
        key = (weight, new is not None)
        groups.setdefault(key, StoredParts(*key)).parts[part] = tensor
    return [group for group in groups.values() if not any(map(_LOW_RANK.fullmatch, group.parts))]

"""How much the experts of a mixture differ: the spread of each metric over their rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from wqscore.scoring.layer_score import LayerScore

#: An expert's number: in the name of its separate tensor, or in the brackets of one cut from a stack.
_NUMBER = re.compile(r"(?<=\.experts\.)\d+(?=\.)|(?<=\[)\d+(?=[.\]])")
#: With fewer, quartiles say nothing.
_MIN_EXPERTS = 4


@dataclass(frozen=True)
class ExpertSpread:
    """The spread over the experts of one layer and kind of matrix, the median over all of those.

    Attributes:
        stacks: how many layers and kinds of matrices have experts.
        experts: how many experts each has, the median.
        spread: by metric, the interquartile range over the experts; NaN without enough values.
    """

    stacks: int
    experts: int
    spread: Mapping[str, float]


def stack_of(name: str) -> str | None:
    """What the same matrices of all experts of a layer share of their names, `None` for one of no expert.

    Example:
        >>> stack_of("model.layers.1.mlp.experts.17.up_proj.weight")
        'model.layers.1.mlp.experts.*.up_proj.weight'
        >>> stack_of("model.layers.1.mlp.experts.gate_up_proj[17.gate]")
        'model.layers.1.mlp.experts.gate_up_proj[*.gate]'
        >>> stack_of("model.layers.1.mlp.shared_expert.up_proj.weight")
    """
    if ".experts." not in name and "[" not in name:
        return None
    stack, found = _NUMBER.subn("*", name)
    return stack if found else None


def expert_spread(layers: Sequence[LayerScore], metrics: Sequence[str]) -> ExpertSpread | None:
    """Summarise the experts of a model; `None` where it has none.

    Args:
        layers: the model's matrices.
        metrics: names of the metrics that they have.
    """
    stacks: dict[str, list[LayerScore]] = {}
    for row in layers:
        stack = stack_of(row.matrix.name)
        if stack is not None and row.matrix.kernel == 1:
            stacks.setdefault(stack, []).append(row)
    members = [rows for rows in stacks.values() if len(rows) > 1]
    if not members:
        return None
    return ExpertSpread(
        stacks=len(members),
        experts=int(np.median([len(rows) for rows in members])),
        spread={name: _spread(name, members) for name in metrics},
    )


def _spread(name: str, members: Sequence[Sequence[LayerScore]]) -> float:
    ranges = []
    for rows in members:
        values = np.array([row.metrics[name] for row in rows])
        known = values[np.isfinite(values)]
        if known.size >= _MIN_EXPERTS:
            low, high = np.quantile(known, [0.25, 0.75])
            ranges.append(float(high - low))
    return float(np.median(ranges)) if ranges else nan

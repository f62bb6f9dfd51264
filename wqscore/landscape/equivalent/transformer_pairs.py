"""Where the weights of a transformer in memory can be moved without a change of what it computes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.errors import UsageError
from wqscore.refs.callers import as_ref
from wqscore.symmetries.finding import find_layout
from wqscore.symmetries.pairs import Pair, continuous_pairs
from wqscore.symmetries.sites import Layout, Unknown

Pairs = Mapping[str, tuple[Pair, ...]]
#: Why a transformation has no pairs that a layout gives no reason against.
_NOT_CONTINUOUS = {"attention.qk": "queries and keys are normalised, so that signs alone are left"}
_NO_PAIRS = "it moves no weights step by step"


def transformer_pairs(model: nn.Module, chosen: Sequence[str] | None) -> Pairs:
    """The pairs of lines of a model's weights by transformation, found from its configuration and its state dict.

    Args:
        model: as transformers builds it.
        chosen: the transformations; `None` for all that apply.

    Raises:
        UsageError: it isn't known where the model's symmetries act, or a weight that would change is shared, frozen
            or no floating-point parameter.
        ValueError: a chosen transformation doesn't apply.
    """
    layout = _layout(model)
    offered = continuous_pairs(layout)
    for name in chosen or ():
        if name not in offered:
            reason = layout.reasons.get(name) or _NOT_CONTINUOUS.get(name, _NO_PAIRS)
            raise ValueError(f"{name} doesn't apply: {reason}: choose among {', '.join(offered)}")
    found = {name: pairs for name, pairs in offered.items() if chosen is None or name in chosen}
    if not found:
        raise ValueError(f"no transformation is chosen: choose among {', '.join(offered)}")
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name, pairs in found.items():
        _check(name, tensors(pairs), parameters)
    return found


def tensors(pairs: Iterable[Pair]) -> set[str]:
    """The names of the weights that pairs change."""
    return {lines.tensor for pair in pairs for lines in (*pair.firsts, *pair.seconds)}


def _layout(model: nn.Module) -> Layout:
    if not isinstance(model, nn.Module):
        raise UsageError(f"the model is a {type(model).__name__}: give a torch.nn.Module")
    # A model that was not loaded from a file doesn't say what it is, and one that was may be another by now.
    config: Any = getattr(model, "config", None)
    config = config.to_dict() if hasattr(config, "to_dict") else config
    told = {**config, "architectures": [type(model).__name__]} if isinstance(config, Mapping) else {}
    layout = find_layout(open_in_memory(as_ref(model, told)))
    if isinstance(layout, Unknown):
        raise UsageError(f"{type(model).__name__} can't be teleported: {layout.reason}")
    return layout


def _check(transformation: str, names: Iterable[str], parameters: Mapping[str, nn.Parameter]) -> None:
    """Refuse weights that can't be changed, or not each by itself."""
    for name in sorted(names):
        weight = parameters.get(name)
        if weight is None or not weight.is_floating_point():
            problem = "is no floating-point parameter"
        elif not weight.requires_grad:
            problem = "is frozen"
        elif other := _shared(name, weight, parameters):
            problem = f"is the same tensor as {other}"
        else:
            continue
        raise UsageError(f"{name} {problem}, and {transformation} would change it: leave that transformation out")


def _shared(name: str, weight: nn.Parameter, parameters: Mapping[str, nn.Parameter]) -> str:
    """Another name of the same memory; empty if there is none."""
    return next((key for key, each in parameters.items() if key != name and each.data_ptr() == weight.data_ptr()), "")

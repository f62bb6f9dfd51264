"""The unfused reference of a whole model: every matrix that its own code computes with, by role.

No tensor is cut here by a rule of ours. A fused layer gets the identity's rows, so its output is its weights; what
the model's own code then does with that output (which operands it multiplies, activates or splits) says which of
them are q, k, v, gate and up. All other parameters are taken as the model holds them.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.matrices.attention_cases import text
from tests.matrices.tiny_models import Model, attention_weights, fed_with_identity, mode
from tests.oracles import Oracle

torch = Oracle("torch")

#: Roles and their matrices, in either orientation, which no spectrum depends on; and up to a factor, by which some
#: code multiplies q before the product.
Parts = list[tuple[str, np.ndarray]]
#: The parts of each fused parameter of a model, by the parameter's name in memory.
Unfuse = Callable[[Model], dict[str, Parts]]


def named(model: Model, pattern: str) -> Iterator[tuple[str, Model]]:
    """The modules whose whole name matches; at least one."""
    found = [(name, module) for name, module in model.named_modules() if re.fullmatch(pattern, name)]
    assert found, pattern
    yield from found


def transposed(hidden: Any) -> np.ndarray:
    """W of what a layer makes of the identity's rows: (…, in, out) to (out, in); other tokens are zero."""
    rows = hidden.detach().reshape(-1, hidden.shape[-1]).double().numpy()
    return rows[rows.any(axis=1)].T


class Gating:
    """Records what is activated, and what the activated is multiplied with."""

    ACTIVATIONS = frozenset({"silu", "gelu", "sigmoid", "relu"})

    def __init__(self) -> None:
        super().__init__()
        self.activated: list[Any] = []
        self.factors: list[Any] = []
        self.gated: list[Any] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function.__name__ in self.ACTIVATIONS:
            self.activated.append(args[0])
            self.gated.append(result)
        elif function.__name__ in {"mul", "__mul__", "__rmul__"}:
            for factor, other in (args[:2], args[1::-1]):
                if any(factor is gated for gated in self.gated):
                    self.factors.append(other)
                    self.gated.append(result)
        return result


class Splits:
    """Records what the code splits tensors into."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[Any, ...]] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function.__name__ in {"split", "chunk", "split_with_sizes"} and isinstance(result, tuple | list):
            self.made.append(tuple(result))
        return result


@contextmanager
def recording(module: Model, mode: Any) -> Iterator[Any]:
    """Watch what one module does, whenever it runs."""
    forward = module.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        with mode:
            return forward(*args, **kwargs)

    module.forward = watched
    try:
        yield mode
    finally:
        del module.forward


def attention(pattern: str, fused: str, run: Callable[[Model, Model], None] = text, letters: str = "qkv") -> Unfuse:
    """Attention modules, whose products q·kᵀ and weights·v show q, k and v."""

    def unfuse(model: Model) -> dict[str, Parts]:
        found = {}
        for name, module in named(model, pattern):
            weights = attention_weights(module, lambda module=module: run(model, module))
            found[f"{name}.{fused}"] = [(f"attention.{letter}", weights[letter]) for letter in letters]
        return found

    return unfuse


def gated(pattern: str, fused: str) -> Unfuse:
    """Gated MLPs: the operand of the activation is the gate's, its factor the other's."""

    def unfuse(model: Model) -> dict[str, Parts]:
        found = {}
        for name, module in named(model, pattern):
            layer = module.get_submodule(fused.removesuffix(".weight"))
            side = layer.weight.shape[1]
            with recording(module, mode(Gating)) as seen, fed_with_identity(layer), torch.no_grad():
                module(torch.zeros(1, side, side))
            found[f"{name}.{fused}"] = gate_and_up(seen)
        return found

    return unfuse


def gate_and_up(seen: Gating) -> Parts:
    return [("mlp.gate", transposed(seen.activated[0])), ("mlp.in", transposed(seen.factors[-1]))]


SIDE = 64
#: Runs one expert on the identity's rows.
RunExpert = Callable[[Model, int], Any]


def routed(experts: Model, expert: int) -> Any:
    """The router has chosen one expert for every token."""
    rows = torch.eye(SIDE, dtype=torch.float64)
    return experts(rows, torch.full((SIDE, 1), expert), torch.ones(SIDE, 1, dtype=torch.float64))


def experts(
    pattern: str,
    *fused: str,
    number: int = 4,
    run: RunExpert = routed,
    up: Callable[[np.ndarray], np.ndarray] = lambda factor: factor,
) -> Unfuse:
    """Experts run one by one; the down projection is what maps the product to the output.

    Args:
        pattern: the modules that run the experts.
        fused: the parameters in them that are stacks.
        number: how many experts there are.
        run: runs one of them.
        up: the up projection's weights from the factor that the code multiplies the activated gate with.
    """

    def unfuse(model: Model) -> dict[str, Parts]:
        # Expert by expert, which runs in double precision, and not all in one kernel.
        model.config._experts_implementation = "eager"
        found: dict[str, Parts] = {}
        for name, module in named(model, pattern):
            exact = copy.deepcopy(module).double()
            parts: Parts = []
            for expert in range(number):
                with torch.no_grad(), recording(exact, mode(Gating)) as seen:
                    output = run(exact, expert)
                (_, gate), (_, factor) = gate_and_up(seen)
                down = np.linalg.lstsq(transposed(seen.gated[-1]).T, transposed(output).T, rcond=None)[0]
                parts += [("mlp.gate", gate), ("mlp.in", up(factor)), ("mlp.out", down)]
            found |= {f"{name}.{stack}": [] for stack in fused}
            found[f"{name}.{fused[0]}"] = parts
        return found

    return unfuse


def alone(model: Model, module: Model, tokens: int) -> None:
    module(torch.zeros(1, tokens, SIDE))


def within(model: Model, module: Model, tokens: int) -> None:
    text(model, module)


def split(
    pattern: str,
    fused: str,
    *roles: str,
    nth: int | None = 0,
    run: Callable[[Model, Model, int], None] = alone,
    then: int | None = None,
) -> Unfuse:
    """Layers whose output the module's code splits, in the order of the names that it gives to the parts.

    Args:
        pattern: the modules that the layer is in.
        fused: the layer's weight.
        roles: of the parts.
        nth: which of the module's splits it is; `None` if none splits the output as it is.
        run: runs the module.
        then: the part that the module's next split splits, after what works on each feature by itself.
    """

    def unfuse(model: Model) -> dict[str, Parts]:
        found = {}
        for name, module in named(model, pattern):
            layer = module.get_submodule(fused.removesuffix(".weight"))
            side = layer.weight.shape[1]
            with recording(module, mode(Splits)) as seen, fed_with_identity(layer), torch.no_grad():
                run(model, module, side)
            whole = layer.weight.detach().double().numpy()
            pieces = [whole] if nth is None else [tokens_last(piece, side) for piece in seen.made[nth]]
            if then is not None:
                later = seen.made[0 if nth is None else nth + 1]
                ends = np.cumsum([piece.shape[-1] for piece in later])
                pieces[then : then + 1] = np.split(pieces[then], ends[:-1])
            found[f"{name}.{fused}"] = list(zip(roles, pieces, strict=True))
        return found

    return unfuse


def tokens_last(piece: Any, tokens: int) -> np.ndarray:
    """(1, …, tokens, …) to (features, tokens); a square piece may be its transpose."""
    array = piece[0].detach().double().numpy()
    return np.moveaxis(array, array.shape.index(tokens), -1).reshape(-1, tokens)

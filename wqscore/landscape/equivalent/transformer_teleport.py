"""Teleports of transformers, by the actions on heads, norms and neurons that `wqscore.symmetries` finds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import torch
from torch import nn

from wqscore.landscape.equivalent import generators as near
from wqscore.landscape.equivalent.moved import Moved, State, largest_changes
from wqscore.landscape.equivalent.on_a_batch import Loss, check_outputs, flat_outputs, squared_gradient
from wqscore.landscape.equivalent.transformer_pairs import tensors, transformer_pairs
from wqscore.landscape.weights import float64_array
from wqscore.symmetries.acting import Mix, applied

#: Of the largest slope, what is rounding: no reason to move.
_NOISE = 1e-9
#: By transformation, a generator for each of its places.
_Generators = dict[str, list[np.ndarray]]


class TransformerTeleport:
    """Teleports of one transformer, in place: its parameters stay the same objects, its buffers as they are.

    | transformation | A = exp(X) multiplies | A⁻ᵀ multiplies | X |
    |---|---|---|---|
    | `attention.qk` | the queries of a key head | the key | a matrix |
    | `attention.vo` | a value head | the columns of the output projection that read it | a matrix |
    | `norm.gain` | the gain and shift of a norm | the columns of what reads it | a vector, the diagonal |
    | `neuron.scale` | weights and biases into neurons | those out of them | a vector, the diagonal |

    All are exact for every input; `wqscore.symmetries` says where each applies (docs/symmetry.md). With rotary
    positions X turns and scales each plane (i, i + r/2) alone.

    New weights are computed in float64 and rounded to the parameter's type. At a bound of 1 that moves the outputs of
    tiny models by 1e-14 of their size in float64, 2e-6 in float32, 0.5 % in float16 and 2 to 9 % in bfloat16; each
    step of `ascend` rounds again.

    Source: as `Teleport`, and as there, a larger gradient is not said to train faster.

    Args:
        model: as transformers builds it, with its configuration. Inputs are a tensor, or a mapping that is passed as
            keywords. They are measured in the mode that it is in, and dropout is refused.
        transformations: their names; `None` for all that apply.
        bound: how far `ascend` and `randomise` go: the largest singular value of the sum of all X of a place.
        optimizer: whose state is dropped.
        state: `keep` leaves the optimizer's state as it was, which is wrong by the group element; `drop` clears it.

    Attributes:
        pairs: the places where the chosen transformations act, by name.

    Raises:
        UsageError: it isn't known where the model's symmetries act, or a weight that would change is shared, frozen
            or no floating-point parameter.
        ValueError: a transformation doesn't apply, or an argument is out of range.
    """

    def __init__(
        self,
        model: nn.Module,
        transformations: Sequence[str] | None = None,
        bound: float = 1.0,
        optimizer: torch.optim.Optimizer | None = None,
        state: State = "keep",
    ) -> None:
        if state not in get_args(State):
            raise ValueError(f"state is {state!r}: needs keep or drop")
        if not 0 < bound < np.inf:
            raise ValueError(f"bound is {bound}: needs a number above 0")
        self.pairs = transformer_pairs(model, transformations)
        self._model, self._bound = model, bound
        self._optimizer = optimizer if state == "drop" else None
        self._total = {name: [np.zeros(near.shape(pair)) for pair in pairs] for name, pairs in self.pairs.items()}

    def apply(self, generators: Mapping[str, Sequence[Any]], inputs: Any = None, held_out: Any = None) -> Moved:
        """Move by a group element.

        Args:
            generators: by transformation, X for each of its `pairs`, shape (size, size) or, of norms and neurons,
                (size,); not held to the bound. Transformations that are left out stay.
            inputs: a batch.
            held_out: other rows.

        Raises:
            ValueError: the generators don't fit, or the weights would not be finite.
        """
        given = {name: self._fitting(name, each) for name, each in generators.items()}
        return self._measured(lambda: self._move(given), inputs, held_out)

    def ascend(
        self,
        inputs: Any,
        targets: Any,
        loss: Loss,
        steps: int = 10,
        lr: float | None = None,
        held_out: Any = None,
    ) -> Moved:
        """Climb ‖∇L(g·W)‖² over the group, L the loss on a batch and ∇ by all parameters that need a gradient.

        Args:
            inputs: the batch.
            targets: what the loss takes.
            loss: from what the model returns and the targets to the mean loss.
            steps: how many, each by the slopes at the weights of that step.
            lr: X = lr·slope; by default each X is the steepest with singular values up to bound/steps, so that every
                place moves as far.
            held_out: other rows.

        Raises:
            ValueError: outputs or the gradient are not finite, or dropout is on.
        """
        norms: list[float] = []

        def measure() -> None:
            norms.append(squared_gradient(self._model, inputs, targets, loss)[0] ** 0.5)

        def climb() -> None:
            measure()
            for _ in range(steps):
                self._move_within(self._uphill(self.slopes(inputs, targets, loss), self._bound / steps, lr))
            measure()

        moved = self._measured(climb, inputs, held_out)
        return Moved(norms[0], norms[-1], moved.batch_change, moved.held_out_change)

    def randomise(self, seed: int, inputs: Any = None, held_out: Any = None) -> Moved:
        """Move by a random element at the bound, to compare `ascend` with: random signs along random axes.

        Args:
            seed: decides both.
            inputs: a batch.
            held_out: other rows.
        """
        rng = np.random.default_rng(seed)
        drawn = {name: [near.stretch(pair, self._bound, rng) for pair in pairs] for name, pairs in self.pairs.items()}
        return self._measured(lambda: self._move_within(drawn), inputs, held_out)

    def slopes(self, inputs: Any, targets: Any, loss: Loss) -> _Generators:
        """The derivative of ‖∇L‖² by each X at X = 0, as far as X keeps the function; symmetric matrices and vectors.

        D = ∂‖∇L‖²/∂W by autograd, backwards twice, as in `hessian`. Of first lines B the slope is D_B·Bᵀ, of second
        lines C −C·D_Cᵀ; with rotary positions projected on what turns and scales planes.

        Args:
            inputs: the batch.
            targets: what the loss takes.
            loss: from what the model returns and the targets to the mean loss.

        Raises:
            ValueError: it is not finite.
        """
        names = sorted(tensors(pair for pairs in self.pairs.values() for pair in pairs))
        weights = [self._model.get_parameter(name) for name in names]
        values = {name: float64_array(each) for name, each in zip(names, weights, strict=True)}
        _, found = squared_gradient(self._model, inputs, targets, loss, weights)
        derivatives = {name: float64_array(each) for name, each in zip(names, found, strict=True)}
        for name, each in derivatives.items():
            if not np.isfinite(each).all():
                raise ValueError(f"the gradient's derivative by {name} is not finite")
        return {name: [near.slope(each, values, derivatives) for each in pairs] for name, pairs in self.pairs.items()}

    def _uphill(self, slopes: _Generators, size: float, lr: float | None) -> _Generators:
        """The generators of a step."""
        if lr is not None:
            return {name: [lr * each for each in found] for name, found in slopes.items()}
        least = _NOISE * max(float(np.abs(each).max()) for found in slopes.values() for each in found)
        return {
            name: [near.steepest(pair, each, size, least) for pair, each in zip(pairs, slopes[name], strict=True)]
            for name, pairs in self.pairs.items()
        }

    def _fitting(self, name: str, given: Sequence[Any]) -> list[np.ndarray]:
        """Generators in float64, checked."""
        pairs = self.pairs.get(name)
        if pairs is None:
            raise ValueError(f"{name} is not among the transformations {', '.join(self.pairs)}")
        found = [float64_array(torch.as_tensor(each)) for each in given]
        shapes = [near.shape(pair) for pair in pairs]
        if [each.shape for each in found] != shapes:
            sizes = " or ".join(map(str, dict.fromkeys(shapes)))
            raise ValueError(f"{name} needs {len(shapes)} generators of the shape {sizes}, one for each place")
        for pair, each in zip(pairs, found, strict=True):
            if not np.allclose(near.projected(pair, each), each, rtol=0, atol=1e-12):
                raise ValueError(f"a generator of {name} doesn't commute with rotary positions")
        return found

    def _move_within(self, generators: _Generators) -> None:
        """Move as far as the bound on the sum of all moves allows."""
        goals: _Generators = {}
        for name, pairs in self.pairs.items():
            sums = [total + each for total, each in zip(self._total[name], generators[name], strict=True)]
            goals[name] = [near.held(pair, each, self._bound) for pair, each in zip(pairs, sums, strict=True)]
        self._move(
            {
                name: [goal - total for goal, total in zip(found, self._total[name], strict=True)]
                for name, found in goals.items()
            }
        )
        self._total = goals

    def _move(self, generators: _Generators) -> None:
        actions: dict[str, list[Mix]] = defaultdict(list)
        for name, given in generators.items():
            for pair, each in zip(self.pairs[name], given, strict=True):
                for action in pair.acted(*near.exponential(pair, each)):
                    actions[action.lines.tensor].append(action)
        weights = {name: self._model.get_parameter(name) for name in actions}
        moved = {}
        for name, weight in weights.items():
            moved[name] = torch.from_numpy(applied(float64_array(weight), actions[name])).to(weight)
            if not bool(moved[name].isfinite().all()):
                raise ValueError(f"{name} would not be finite: take smaller generators")
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(moved[name])
        if self._optimizer is not None:
            self._optimizer.state.clear()

    def _measured(self, move: Callable[[], None], inputs: Any, held_out: Any) -> Moved:
        for rows in (inputs, held_out):
            if rows is not None:
                check_outputs(self._model, rows)
        changes = largest_changes(move, lambda rows: flat_outputs(self._model, rows), (inputs, held_out))
        return Moved(None, None, changes[0], changes[1])

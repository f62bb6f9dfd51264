"""Cut the fused input projections of recurrent layers: gates of LSTMs and GRUs, state spaces, short convolutions.

The sizes of the parts follow from neighbouring tensors, without a configuration. Their order follows the code of
torch's `LSTM` and `GRU`, of Mamba 1 and 2 and hybrids with them, and of LFM2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wqscore.matrices.gated import Shape
from wqscore.matrices.parts import Fused, Part, contiguous, equal

_CELL = re.compile(r"(?P<stem>(?s:.*\.)?)weight_[ih]h(?P<layer>(_l\d+(_reverse)?)?)")
#: Gates in torch's order, by their number.
_GATES = {4: ("i", "f", "g", "o"), 3: ("r", "z", "n")}


def recurrent_parts(name: str, shape: Shape, shapes: Mapping[str, Shape]) -> Fused | None:
    """Cut a two-dimensional tensor if it is a fused projection of a recurrent layer.

    Args:
        name: the tensor's name.
        shape: its shape, two sizes.
        shapes: the shapes of all tensors by name.

    Returns:
        The parts, empty if the layout is unknown; `None` for any other matrix.
    """
    if "weight_" in name and (cell := _CELL.fullmatch(name)):
        return _gates(shape, cell, shapes)
    if name.endswith(".in_proj.weight"):
        return _input_projection(shape, name.removesuffix("in_proj.weight"), shapes)
    if name.endswith(".x_proj.weight"):
        return _selection(shape, name.removesuffix("x_proj.weight"), shapes)
    return None


def _gates(shape: Shape, cell: re.Match[str], shapes: Mapping[str, Shape]) -> Fused | None:
    """Cut the gates of an LSTM or GRU; the recurrent matrix, or the LSTM's projection, gives the hidden size."""
    stem = f"{cell['stem']}weight_h"
    hidden = shapes.get(f"{stem}r{cell['layer']}") or shapes.get(f"{stem}h{cell['layer']}")
    if hidden is None or len(hidden) != 2 or not hidden[1] or shape[0] % hidden[1]:
        return Fused(())
    gates = shape[0] // hidden[1]
    return None if gates == 1 else Fused(equal(shape, 0, _GATES[gates]) if gates in _GATES else ())


def _input_projection(shape: Shape, block: str, shapes: Mapping[str, Shape]) -> Fused | None:
    """Cut the input projection of a state space, which has an `A_log` next to it, or of a short convolution."""
    decay = shapes.get(f"{block}A_log")
    if decay is not None:
        return Fused(_state_space(shape, decay, block, shapes))
    kernel = shapes.get(f"{block}conv.weight")
    # LFM2: both gates of the convolution, then its input.
    if kernel is not None and len(kernel) == 3 and shape[0] == 3 * kernel[0]:
        return Fused(equal(shape, 0, ("B", "C", "x")))
    return None


def _state_space(shape: Shape, decay: Shape, block: str, shapes: Mapping[str, Shape]) -> tuple[Part, ...]:
    """Mamba's input and gate; Mamba-2's gate, input, both selections and time steps."""
    out, kernel = shapes.get(f"{block}out_proj.weight", ()), shapes.get(f"{block}conv1d.weight", ())
    if len(out) != 2:
        return ()
    inner = out[1]
    if len(decay) == 2 and f"{block}x_proj.weight" in shapes:
        return contiguous(shape, 0, {"x": inner, "z": inner})
    if len(decay) == 1 and kernel and (kernel[0] - inner) % 2 == 0:
        selection = (kernel[0] - inner) // 2
        return contiguous(shape, 0, {"z": inner, "x": inner, "B": selection, "C": selection, "dt": decay[0]})
    return ()


def _selection(shape: Shape, block: str, shapes: Mapping[str, Shape]) -> Fused | None:
    """Cut Mamba's `x_proj` into the low-rank time steps and the selections B and C (into and out of the state)."""
    decay, steps = shapes.get(f"{block}A_log", ()), shapes.get(f"{block}dt_proj.weight", ())
    if len(decay) != 2:
        return None
    return Fused(contiguous(shape, 0, {"dt": steps[1], "B": decay[1], "C": decay[1]}) if len(steps) == 2 else ())

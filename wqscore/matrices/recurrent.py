"""Fused input projections of recurrent layers: gates of LSTMs and GRUs, state spaces, short convolutions.

Which sizes the parts have is told from the tensors beside them, without a configuration. The order is that of the
code of torch's `LSTM` and `GRU`, of Mamba 1 and 2 and the hybrids built of them, and of LFM2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wqscore.matrices.gated import Shape
from wqscore.matrices.parts import Fused, Part, contiguous, equal

_CELL = re.compile(r"(?P<stem>(?s:.*\.)?)weight_[ih]h(?P<layer>(_l\d+(_reverse)?)?)")
#: Gates in torch's order, by how many times the hidden size the matrices are long.
_GATES = {4: ("i", "f", "g", "o"), 3: ("r", "z", "n")}


def recurrent_parts(name: str, shape: Shape, shapes: Mapping[str, Shape]) -> Fused | None:
    """Tell whether a two-dimensional tensor is a recurrent layer's fused projection, and cut it.

    Args:
        name: the tensor's name.
        shape: its shape, two sizes.
        shapes: the shapes of all tensors by name.

    Returns:
        `None` for any other matrix.
    """
    if "weight_" in name and (cell := _CELL.fullmatch(name)):
        return _gates(shape, cell, shapes)
    if name.endswith(".in_proj.weight"):
        return _input_projection(shape, name.removesuffix("in_proj.weight"), shapes)
    if name.endswith(".x_proj.weight"):
        return _selection(shape, name.removesuffix("x_proj.weight"), shapes)
    return None


def _gates(shape: Shape, cell: re.Match[str], shapes: Mapping[str, Shape]) -> Fused | None:
    """An LSTM's or GRU's gates; the hidden size is that of the recurrent matrix, or of the LSTM's projection."""
    beside = f"{cell['stem']}weight_h"
    hidden = shapes.get(f"{beside}r{cell['layer']}") or shapes.get(f"{beside}h{cell['layer']}")
    if hidden is None or len(hidden) != 2 or not hidden[1] or shape[0] % hidden[1]:
        return Fused(())
    gates = shape[0] // hidden[1]
    return None if gates == 1 else Fused(equal(shape, 0, _GATES[gates]) if gates in _GATES else ())


def _input_projection(shape: Shape, block: str, shapes: Mapping[str, Shape]) -> Fused | None:
    """What reads a layer's input: a state space's, whose decay lies beside it, or a short convolution's."""
    decay = shapes.get(f"{block}A_log")
    if decay is not None:
        return Fused(_state_space(shape, decay, block, shapes))
    kernel = shapes.get(f"{block}conv.weight")
    # LFM2: both gates of the convolution, then what it reads.
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
    """Mamba's time steps, from a low rank, and its selections of what enters and leaves the state."""
    decay, steps = shapes.get(f"{block}A_log", ()), shapes.get(f"{block}dt_proj.weight", ())
    if len(decay) != 2:
        return None
    return Fused(contiguous(shape, 0, {"dt": steps[1], "B": decay[1], "C": decay[1]}) if len(steps) == 2 else ())

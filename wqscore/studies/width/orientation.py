"""Tell which side of a stored matrix are its outputs: torch stores (out, in), Conv1D and some stacks (in, out)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wqscore.checkpoints.decoding import use_of
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.config_names import HIDDEN
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.studies.width.configured import Section

#: Architectures whose layers are transformers' Conv1D.
_CONV1D = frozenset({"gpt2", "openai-gpt", "imagegpt", "decision_transformer"})


@dataclass(frozen=True)
class Signs:
    """What of a model tells how its matrices are stored.

    Attributes:
        is_conv1d: whether its linear layers are transformers' Conv1D.
        hidden: the widths that its configuration gives.
    """

    is_conv1d: bool
    hidden: frozenset[int]


def signs_of(tensors: Mapping[str, Tensor], given: Sequence[Section]) -> Signs:
    """Read the signs from the configuration and from fused projections, whose shapes tell."""
    types = {each.file.get("model_type") for each in given}
    wide = any(
        len(tensor.shape) == 2 and name.endswith("c_attn.weight") and tensor.shape[1] == 3 * tensor.shape[0]
        for name, tensor in tensors.items()
    )
    sizes = {ModelConfig(each.file).stated(*HIDDEN) for each in given}
    return Signs(wide or not _CONV1D.isdisjoint(types), frozenset(size for size in sizes if size is not None))


def split(matrix: WeightMatrix) -> tuple[int, slice] | None:
    """The axis of its tensor along which a matrix is cut from others, and its part; `None` for a whole one."""
    index = [each for each in matrix.cut.index if isinstance(each, slice)]
    if len(matrix.cut.shape) - (len(matrix.cut.index) - len(index)) != 2:
        return None
    offset = len(matrix.cut.index) - len(index)
    for axis, part in enumerate(index):
        if part != slice(None):
            return axis + offset, part
    return None


def likely_axis(into: WeightMatrix, signs: Signs) -> int | None:
    """The axis along which a projection's outputs lie, by its kind alone; `None` for a whole matrix of a stack."""
    if into.cut.axes is not None or use_of(into.tensor) is not None:
        return 0
    cut = split(into)
    if cut is not None:
        return cut[0] - (len(into.cut.shape) - 2)
    return None if "[" in into.name else int(signs.is_conv1d)


def neuron_axis(
    into: WeightMatrix, out: WeightMatrix, bias: Tensor | None, out_bias: Tensor | None, signs: Signs
) -> int | None:
    """The axis of a projection into neurons along which these lie; `None` where nothing tells.

    Args:
        into: the projection.
        out: the projection out of the neurons.
        bias: the first's bias: a number for each neuron.
        out_bias: the second's: a number for each output.
        signs: what the rest of the model tells.
    """
    sides, likely = (into.rows, into.columns), likely_axis(into, signs)
    is_known = into.cut.axes is not None or use_of(into.tensor) is not None or split(into) is not None
    if not is_known and sides[0] != sides[1] and sorted(sides) == sorted((out.rows, out.columns)):
        if bias is not None and bias.shape[0] in sides:
            return sides.index(bias.shape[0])
        if out_bias is not None and out_bias.shape[0] in sides:
            return 1 - sides.index(out_bias.shape[0])
    if likely is not None:
        return likely
    hidden = [axis for axis, side in enumerate(sides) if side in signs.hidden]
    return 1 - hidden[0] if len(hidden) == 1 else None


def input_axis(into: WeightMatrix, out: WeightMatrix, axis: int) -> int:
    """The axis of a projection out of neurons along which these lie, from that of the one into them."""
    same = (into.rows, into.columns) == (out.rows, out.columns) and into.rows != into.columns
    return axis if same else 1 - axis

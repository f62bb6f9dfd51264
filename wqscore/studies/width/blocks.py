"""Find a checkpoint's two-layer blocks: the projections into neurons and out of them, biases, the activation."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod

from wqscore.cached_property import cached_property
from wqscore.checkpoints.decoding import use_of
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.plain_names import plain_name
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.studies.width.activations import Activation
from wqscore.studies.width.configured import Section, activation_of
from wqscore.studies.width.orientation import Signs, input_axis, likely_axis, neuron_axis, split
from wqscore.studies.width.pairing import paired, place_of, shared_path, stored_name

_NO_PARTNER = "no projection out of its neurons is found"
FUSED = "it holds several matrices in an order that is not known"
_PARAMETER = re.compile(r"(weight|kernel)(:0)?$")
#: What an activation with a parameter of its own is called.
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
_OF_ACTIVATION = re.compile(r"(^|\.)(act|act_fn|activation|activation_fn|prelu|snake)\.\w+$|\.(alpha|beta)[pn]?$")


@dataclass(frozen=True)
class Projection:
    """A matrix into a block's neurons, or out of them.

    Attributes:
        matrix: the weights.
        axis: the axis of the matrix along which the neurons lie, 0 or 1.
        bias: its bias, `None` without.
        bias_part: the part of the bias that is this matrix's, of a tensor that holds several.
    """

    matrix: WeightMatrix
    axis: int
    bias: Tensor | None
    bias_part: slice = field(default_factory=lambda: slice(None))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What is read for it."""
        return (self.matrix.tensor,) if self.bias is None else (self.matrix.tensor, self.bias)


@dataclass(frozen=True)
class Block:
    """A two-layer block.

    Attributes:
        name: the module that holds it.
        into: the projection into the neurons; of a gated block the one whose output goes through the activation.
        out: the projection out of them.
        activation: what is between.
        up: of a gated block the other projection into the neurons.
    """

    name: str
    into: Projection
    out: Projection
    activation: Activation
    up: Projection | None = None

    @property
    def stored(self) -> int:
        """The number of neurons."""
        matrix = self.into.matrix
        return (matrix.rows, matrix.columns)[self.into.axis]

    @property
    def projections(self) -> tuple[Projection, ...]:
        """All of its projections."""
        return (self.into, *([self.up] if self.up else []), self.out)


@dataclass(frozen=True)
class Unmeasured:
    """A block whose width can't be told.

    Attributes:
        name: the module that holds it.
        stored: its number of neurons; `None` where not even that is known.
        activation: the activation's name; empty where that is what is unknown.
        reason: why, in one line.
    """

    name: str
    stored: int | None
    activation: str
    reason: str


@dataclass(frozen=True)
class Model:
    """What is known of a checkpoint without reading a weight.

    Attributes:
        tensors: all tensors by name.
        matrices: its matrices.
        sections: the parts of its configuration.
        signs: what tells how matrices are stored.
        activation: what the user says that blocks compute, if anything.
    """

    tensors: Mapping[str, Tensor]
    matrices: Sequence[WeightMatrix]
    sections: tuple[Section, ...]
    signs: Signs
    activation: Activation | None = None

    @cached_property
    def of_blocks(self) -> frozenset[str]:
        """The weights and biases of all blocks' projections."""
        weights = {stored_name(each) for each in self.matrices if each.role.startswith("mlp.")}
        return frozenset(weights | {_PARAMETER.sub("bias", name) for name in weights})

    @cached_property
    def _ordered(self) -> list[tuple[str, str]]:
        return sorted((plain_name(name), name) for name in self.tensors)

    def under(self, path: str) -> list[tuple[str, str]]:
        """The tensors of a module: each name without wrappers, and as it is."""
        first, last = (bisect_left(self._ordered, (f"{path}{end}", "")) for end in ("./"))
        return self._ordered[first:last]


def find_blocks(model: Model) -> list[Block | Unmeasured]:
    """Find the two-layer blocks of a model, in the order of its matrices."""
    of_role = {
        role: [matrix for matrix in model.matrices if matrix.role == f"mlp.{role}"] for role in ("in", "gate", "out")
    }
    into, outs = of_role["in"], of_role["out"]
    gates = paired(into, of_role["gate"], _same_shape) if of_role["gate"] else {}
    partners = paired(into, outs, partial(_fit, model.signs))
    found: list[Block | Unmeasured] = []
    for matrix in into:
        out, gate = partners[matrix.name], gates.get(matrix.name)
        found.append(_block(model, matrix, out, gate or None))
    taken = {out.name for out in partners.values() if isinstance(out, WeightMatrix)}
    alone = [matrix for matrix in outs if matrix.name not in taken]
    if not any(isinstance(each, Unmeasured) for each in found):
        found += [
            Unmeasured(shared_path([each]), None, "", "no projection into its neurons is found") for each in alone
        ]
    return found


def _why_alone(model: Model, into: WeightMatrix) -> str:
    """Why a projection into neurons has no partner: it may be of another size, as gate and up together are."""
    place = place_of(into)
    near = [each for each in model.matrices if each.role == "mlp.out" and place_of(each).layer == place.layer]
    longer = max(into.rows, into.columns)
    if "fused" in into.flags or any(longer == 2 * side for each in near for side in (each.rows, each.columns)):
        return FUSED
    return _NO_PARTNER


def _same_shape(one: WeightMatrix, other: WeightMatrix) -> bool:
    return (one.rows, one.columns) == (other.rows, other.columns)


def _fit(signs: Signs, into: WeightMatrix, out: WeightMatrix) -> bool:
    """Whether the outputs of one may be the inputs of the other."""
    sides, others = (into.rows, into.columns), (out.rows, out.columns)
    axis = likely_axis(into, signs)
    return sorted(sides) == sorted(others) or (axis is not None and sides[axis] == others[1 - axis])


def _block(
    model: Model, into: WeightMatrix, out: WeightMatrix | str, gate: WeightMatrix | str | None
) -> Block | Unmeasured:
    if isinstance(out, str):
        return Unmeasured(shared_path([into]), None, "", out or _why_alone(model, into))
    matrices = [into, out, *([gate] if isinstance(gate, WeightMatrix) else [])]
    unmeasured = partial(Unmeasured, shared_path(matrices), None, "")
    if isinstance(gate, str):
        return unmeasured(gate)
    if any("fused" in matrix.flags or matrix.slices > 1 for matrix in matrices):
        return unmeasured(FUSED)
    first = gate or into
    axis = neuron_axis(first, out, _bias(model, first), _bias(model, out), model.signs)
    if axis is None:
        return unmeasured("which of its sides are the neurons can't be told")
    stored = (first.rows, first.columns)[axis]
    name = shared_path(matrices)
    out_axis = input_axis(first, out, axis)
    if (out.rows, out.columns)[out_axis] != stored:
        return unmeasured("its projections are not as wide as each other")
    projections = [_projection(model, each, axis, stored) for each in (into, *([gate] if gate else []))]
    projections.append(_projection(model, out, out_axis, (out.rows, out.columns)[1 - out_axis]))
    unmeasured = partial(Unmeasured, name, stored)
    if wrong := next((each for each in projections if isinstance(each, str)), None):
        return unmeasured("", wrong)
    of_block: list[Projection] = [each for each in projections if isinstance(each, Projection)]
    if reason := _another_parameter(model, of_block, matrices, stored):
        return unmeasured("", reason)
    activation = model.activation or activation_of(first.tensor.name, model.sections)
    if isinstance(activation, str):
        return unmeasured("", activation)
    up = of_block[0] if gate else None
    return Block(name, of_block[1] if gate else of_block[0], of_block[-1], activation, up)


def _bias(model: Model, matrix: WeightMatrix) -> Tensor | None:
    """The bias of the layer that a matrix is the weight of."""
    name = stored_name(matrix)
    if not _PARAMETER.search(name):
        return None
    found = model.tensors.get(_PARAMETER.sub(lambda match: f"bias{match[2] or ''}", name))
    return found if found is not None and len(found.shape) == 1 else None


def _projection(model: Model, matrix: WeightMatrix, axis: int, outputs: int) -> Projection | str:
    """A projection with its bias, or why its bias is not understood."""
    bias = _bias(model, matrix)
    stacked = f"{stored_name(matrix)}_bias"
    if stacked in model.tensors or (place_of(matrix).item and bias is not None):
        return f"the biases of a stack are not read: {stacked if stacked in model.tensors else bias and bias.name}"
    if bias is None:
        return Projection(matrix, axis, None)
    if bias.refusal or bias.dtype.kind != "float":
        return f"{bias.name} can't be read"
    cut = split(matrix)
    if cut is not None and bias.shape[0] == matrix.cut.shape[cut[0]]:
        return Projection(matrix, axis, bias, cut[1])
    if bias.shape[0] != outputs:
        return f"{bias.name} has {bias.shape[0]} numbers for {outputs} outputs"
    return Projection(matrix, axis, bias)


def _another_parameter(
    model: Model, projections: Sequence[Projection], matrices: Sequence[WeightMatrix], stored: int
) -> str:
    """Why a block is more than its projections: a parameter with a number for each neuron, or of its activation.

    Where neurons are as many as outputs, only modules inside of the block are told from others of its layer.
    """
    own = {tensor.name.partition("[")[0] for each in projections for tensor in each.tensors} | model.of_blocks
    path = shared_path(matrices).partition("[")[0]
    sides = {matrices[0].rows, matrices[0].columns}
    is_layer = not path or path.rpartition(".")[2].isdigit()
    for plain, name in model.under(path):
        tensor = model.tensors[name]
        if name in own or tensor.part_of or tensor.dtype.kind == "other" or use_of(tensor) is not None:
            continue
        if _ATTENTION.search(plain.removeprefix(path)):
            continue
        if stored in tensor.shape and (len(sides) > 1 or not is_layer):
            return f"{name} acts on its neurons too"
        if not is_layer and _OF_ACTIVATION.search(plain) and prod(tensor.shape) == 1:
            return f"{name} is a parameter of its activation"
    return ""

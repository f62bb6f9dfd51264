"""What each ONNX operator makes of the tensors it takes: a layer's weights, an embedding, or a mere operand.

Layouts: https://onnx.ai/onnx/operators and onnxruntime's ContribOperators.md. A weight is turned into torch's layout:
(out, in) for a linear layer, (out, in, positions…) for a convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from wqscore.checkpoints.layer_use import LayerUse
from wqscore.checkpoints.onnx.graph import Attribute
from wqscore.checkpoints.onnx.views import View


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


#: The position of a convolution's weight, of shape (out, in / groups, positions…); a transposed one has in first.
_CONVOLUTIONS = {"Conv": 1, "ConvTranspose": 1, "DeformConv": 1, "FusedConv": 1, "ConvInteger": 1, "QLinearConv": 3}
#: The positions of both factors of a product, and the attributes that transpose them.
_PRODUCTS = {
    **dict.fromkeys(("MatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"), (0, 1)),
    **dict.fromkeys(("Gemm", "FusedMatMul", "FusedGemm"), (0, 1)),
    **dict.fromkeys(("QLinearMatMul", "QGemm"), (0, 3)),
}
_TRANSPOSING = ("transA", "transB")
#: Query, key and value, one after the other along the columns.
_ATTENTION = frozenset({"Attention", "QAttention"})
#: The gates in the order in which each operator stores them, by torch's names.
_GATES = {"LSTM": ("i", "o", "f", "g"), "GRU": ("z", "r", "n"), "RNN": ("",)}
_TORCH_GATES = {"LSTM": ("i", "f", "g", "o"), "GRU": ("r", "z", "n")}
#: Operators that cut tensors and join the pieces.
REARRANGING = frozenset({"Slice", "Split", "Concat"})
_EMBEDDINGS: Mapping[str, tuple[int, ...]] = {"Gather": (0,), "EmbedLayerNormalization": (2, 3, 4)}
#: Operators for which codes have a scale and a zero point beside them: the positions of all three.
CODED = {
    "QLinearConv": (3, 4, 5),
    "QLinearMatMul": (3, 4, 5),
    "QGemm": (3, 4, 5),
    "MatMulIntegerToFloat": (1, 3, 5),
    "DynamicQuantizeMatMul": (1, 2, 3),
}
#: Operators that take a tensor element by element, or as positions, sizes and limits.
_OPERAND = _names(
    "Add Sub Mul Div Pow Mod Min Max Sum Mean Where Equal Greater GreaterOrEqual Less LessOrEqual And Or"
    " Xor Not Neg Abs PRelu Clip BatchNormalization LayerNormalization InstanceNormalization"
    " GroupNormalization SkipLayerNormalization RMSNormalization SimplifiedLayerNormalization"
    " SkipSimplifiedLayerNormalization BiasGelu FastGelu BiasSplitGelu Resize Upsample Pad Tile Expand"
    " Range OneHot TopK ConstantOfShape RandomNormal CumSum QuantizeLinear RotaryEmbedding"
    " NonMaxSuppression RoiAlign STFT MelWeightMatrix"
)
#: By operator, the positions that are indices, sizes or axes.
_POSITIONS = {
    **dict.fromkeys(("Gather", "GatherND", "GatherElements", "Reshape", "Squeeze", "Unsqueeze", "Split"), (1,)),
    **dict.fromkeys(("ScatterND", "ScatterElements", "Slice"), (1, 2, 3, 4)),
}
_ELEMENTWISE = _names("Add Sub Mul Div Pow Sum Neg Sqrt Where Min Max Clip MatMul Gemm Einsum")


@dataclass(frozen=True)
class Taken:
    """A tensor as one node takes it: the layer that it is the weight of, and the tensor in that layer's layout."""

    use: LayerUse
    view: View


def taken(operator: str, position: int, view: View, attributes: Mapping[str, Attribute]) -> Taken | None:
    """What a node makes of one of its inputs; `None` if its operator is not known, or the layout is not.

    Args:
        operator: the node's operator.
        position: the input's index.
        view: the tensor as the node sees it.
        attributes: the node's.
    """
    found: Taken | None = None
    if _CONVOLUTIONS.get(operator) == position:
        found = Taken(LayerUse("conv", operator), view) if len(view.shape) > 2 else None
    elif position in _PRODUCTS.get(operator, ()):
        factor = _PRODUCTS[operator].index(position)
        return _factor(operator, view, is_second=factor == 1, flips=attributes.get(_TRANSPOSING[factor]) == 1)
    elif operator in _ATTENTION and position == 1:
        weight = _factor(operator, view, is_second=True, flips=False)
        even = weight and "qkv_hidden_sizes" not in attributes and weight.view.shape[0] % 3 == 0
        return weight and Taken(LayerUse("linear", operator, ("q", "k", "v") if even else ()), weight.view)
    elif operator == "Einsum":
        return _einsum(view, position, attributes.get("equation"))
    elif operator in _GATES and position in (1, 2):
        gates = _GATES[operator]
        fits = len(view.shape) == 3 and view.shape[1] % len(gates) == 0
        found = Taken(LayerUse("recurrent", operator, gates), view) if fits else None
    elif position in _EMBEDDINGS.get(operator, ()):
        rows = attributes.get("axis", 0) == 0 and len(view.shape) > 1
        found = Taken(LayerUse("embedding", operator), view) if rows else None
    elif (
        operator in _OPERAND
        or operator in _CONVOLUTIONS
        or operator in _PRODUCTS
        or operator in _GATES
        or position in _POSITIONS.get(operator, ())
    ):
        found = Taken(LayerUse("operand", operator), view)
    return found


def rearranged_gates(operator: str, position: int, view: View) -> Taken | None:
    """The weight of a recurrent layer whose gates the graph cuts and joins in ONNX's order; `None` for any other.

    Args:
        operator: the operator that takes the joined gates.
        position: the input's index.
        view: the weight as it is stored, (gates · hidden, in), with its gates in torch's order.
    """
    gates = _TORCH_GATES.get(operator, ())
    if position not in (1, 2) or not gates or len(view.shape) != 2 or view.shape[0] % len(gates):
        return None
    return Taken(LayerUse("recurrent", operator, gates), view.reshaped((1, *view.shape)))


def computes(operator: str) -> bool:
    """Whether an operator of constants alone makes another weight of them."""
    return operator in _ELEMENTWISE


def _factor(operator: str, view: View, *, is_second: bool, flips: bool) -> Taken | None:
    """A factor of a matrix product, or a stack of them, as (out, in)."""
    if len(view.shape) < 2:
        return Taken(LayerUse("operand", operator), view)
    *stack, rows, columns = view.shape
    count = prod(stack)
    if stack:
        view = view.reshaped((count, rows, columns) if count != 1 else (rows, columns))
    # x · W has W as (in, out); W · x as (out, in).
    if is_second != flips:
        view = view.transposed((0, 2, 1) if len(view.shape) == 3 else (1, 0))
    return Taken(LayerUse("linear", operator), view)


def _einsum(view: View, position: int, equation: Attribute | None) -> Taken | None:
    """A factor of a sum over indices: those it shares with other factors alone are its inputs."""
    terms, arrow, result = str(equation).replace(" ", "").partition("->")
    factors = terms.split(",")
    if not arrow or position >= len(factors) or not factors[position].isalpha():
        return None
    own, others = factors[position], "".join(factors[:position] + factors[position + 1 :])
    if len(set(own)) != len(own) or len(own) != len(view.shape):
        return None
    stack = [index for index in own if index in others and index in result]
    out = [index for index in own if index not in others and index in result]
    inner = [index for index in own if index in others and index not in result]
    if len(stack) + len(out) + len(inner) != len(own):
        return None
    if not out or not inner:
        return Taken(LayerUse("operand", "Einsum"), view)
    sizes = dict(zip(own, view.shape, strict=True))
    view = view.transposed([own.index(index) for index in (*stack, *out, *inner)])
    shape = (prod(sizes[index] for index in out), prod(sizes[index] for index in inner))
    count = prod(sizes[index] for index in stack)
    return Taken(LayerUse("linear", "Einsum"), view.reshaped(shape if count == 1 else (count, *shape)))

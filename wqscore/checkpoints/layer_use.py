"""What a checkpoint's own graph says of a tensor: the kind of layer that takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wqscore.checkpoints.tensor import TensorRef


@dataclass(frozen=True)
class LayerUse:
    """The layer that takes a tensor, as the checkpoint's graph gives it.

    Attributes:
        kind: `linear`, a matrix (out, in) or a stack of them; `conv`, a kernel (out, in, positions…); `recurrent`,
            a stack of (gates · hidden, in), one for each direction; `embedding`; or `operand`, no layer's weight.
        operator: the operator.
        parts: labels of the equal parts along the rows: gates, or `q`, `k` and `v`; empty if it has none.
    """

    kind: Literal["linear", "conv", "recurrent", "embedding", "operand"]
    operator: str
    parts: tuple[str, ...] = ()

    @property
    def is_weight(self) -> bool:
        """Whether the tensor is the weight of a layer."""
        return self.kind != "operand"


@dataclass(frozen=True)
class GraphTensor(TensorRef):
    """A stored tensor with the layer that takes it; its shape is that of the layer.

    Attributes:
        use: the layer, `None` if the graph doesn't tell it.
    """

    use: LayerUse | None = None

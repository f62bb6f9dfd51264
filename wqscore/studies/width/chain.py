"""The blocks of a plain multilayer perceptron: each hidden layer with the layer after it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.feed_forward import FeedForwardChain, feed_forward_chain
from wqscore.studies.width.blocks import FUSED, Block, Model, Projection, Unmeasured, find_blocks
from wqscore.studies.width.configured import activation_of


def blocks_of(model: Model, tensors: Sequence[Tensor]) -> tuple[list[Block | Unmeasured], bool]:
    """Find the blocks of a model.

    Of linear layers alone, without repeated pairs such as those of a transformer, all hidden layers are blocks; each
    layer is then one of the block before it and of the block after it.

    Args:
        model: the model.
        tensors: all of its tensors that are no training state.

    Returns:
        The blocks, and whether they follow each other in one chain.
    """
    found = find_blocks(model)
    known = sum(isinstance(each, Block) or each.stored is not None for each in found)
    if known > 1 or any(isinstance(each, Unmeasured) and each.reason == FUSED for each in found):
        return found, False
    chain = feed_forward_chain(tensors)
    by_name = {matrix.name: matrix for matrix in model.matrices}
    if not isinstance(chain, FeedForwardChain) or len(chain.layers) <= known + 1:
        return found, False
    if any(layer.weight.name not in by_name for layer in chain.layers):
        return found, False
    projections = [Projection(by_name[layer.weight.name], 0, layer.bias) for layer in chain.layers]
    made: list[Block | Unmeasured] = []
    for into, out in pairwise(projections):
        name = into.matrix.name.removesuffix("weight").removesuffix(".") or into.matrix.name
        activation = model.activation or activation_of(into.matrix.name, model.sections)
        if isinstance(activation, str):
            made.append(Unmeasured(name, into.matrix.rows, "", activation))
        else:
            made.append(Block(name, into, Projection(out.matrix, 1, out.bias), activation))
    return made, True

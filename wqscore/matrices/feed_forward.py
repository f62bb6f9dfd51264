"""Find out whether a checkpoint is a chain of linear layers, the architecture for which the path norm is defined."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, permutations

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices import roles

_NUMBER = re.compile(r"([0-9]+)")
_ADAPTER = re.compile(r"(^|[._])lora_", re.IGNORECASE)
_ATTENTION = re.compile(r"attn|attention|in_proj_weight|qkv", re.IGNORECASE)
_RECURRENT = re.compile(r"(^|\.)(weight|bias)_(ih|hh)(_|$)|(^|[._])(lstm|gru|rnn)[._]", re.IGNORECASE)
_NORMALISATION = re.compile(r"norm|(^|\.)(weight|running_mean|running_var|num_batches_tracked)$", re.IGNORECASE)
_SKIP_CONNECTION = re.compile(r"residual|resblock|shortcut|downsample|skip", re.IGNORECASE)
#: Limit on series, groups of names that differ only in their numbers: sizes of more rarely leave a single order.
_MAX_SERIES = 5


@dataclass(frozen=True)
class LinearLayer:
    """One layer of a chain: its weight, stored (out, in), and its bias, stored (out,), if it has one."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class FeedForwardChain:
    """Linear layers in the order the network applies them, inputs first."""

    layers: tuple[LinearLayer, ...]


@dataclass(frozen=True)
class Undefined:
    """Why a checkpoint has no path norm, in one readable line."""

    reason: str


def feed_forward_chain(tensors: Sequence[Tensor]) -> FeedForwardChain | Undefined:
    """Find the chain of linear layers that makes up a checkpoint, from its headers alone.

    All tensors must belong to the chain. Layers are ordered by the numbers in their names (`0.weight`, `2.weight`,
    `10.weight`); series of different names (`fc1`, `fc2`, `out`) by their sizes, if only one order fits.

    A checkpoint can't show whether an activation other than ReLU follows a layer, whether a skip connection bypasses
    one, or whether the network applies its layers in another order than their names; all three are assumed absent.

    Example:
        >>> from pathlib import Path
        >>> from wqscore.checkpoints.dtypes import STORED_DTYPES
        >>> from wqscore.checkpoints.tensor import TensorRef
        >>> def tensor(name, *shape):
        ...     return TensorRef(name, shape, STORED_DTYPES["F32"], Path("model.safetensors"), 0)
        >>> found = feed_forward_chain([tensor("10.weight", 3, 5), tensor("2.weight", 5, 4), tensor("2.bias", 5)])
        >>> [layer.weight.name for layer in found.layers]
        ['2.weight', '10.weight']
        >>> feed_forward_chain([tensor("conv.weight", 8, 3, 5, 5)]).reason
        'it has a convolution (conv.weight), whose stride, padding and pooling are not in a checkpoint'
    """
    for is_obstacle, reason in _OBSTACLES:
        if obstacle := next(filter(is_obstacle, tensors), None):
            return Undefined(reason.format(obstacle.name))
    by_name = {tensor.name: tensor for tensor in tensors}
    weights = [tensor for tensor in tensors if _is_weight(tensor)]
    if not weights:
        return Undefined("it has no linear layer")
    layers = [LinearLayer(weight, by_name.get(f"{weight.name.removesuffix('weight')}bias")) for weight in weights]
    known = {part.name for layer in layers for part in (layer.weight, layer.bias) if part is not None}
    if others := [tensor for tensor in tensors if tensor.name not in known]:
        return Undefined(f"{others[0].name} is neither a linear layer's weight nor its bias")
    for layer in layers:
        if layer.bias is not None and layer.bias.shape != layer.weight.shape[:1]:
            return Undefined(f"{layer.bias.name} is not as long as {layer.weight.name} has rows")
    return _in_order(layers)


def _named(pattern: re.Pattern[str]) -> Callable[[Tensor], bool]:
    return lambda tensor: pattern.search(tensor.name) is not None


def _is_attention(tensor: Tensor) -> bool:
    return _ATTENTION.search(tensor.name) is not None or roles.role_of(tensor.name).startswith("attention.")


def _is_normalisation(tensor: Tensor) -> bool:
    """Whether a tensor is a vector or count of a normalisation layer; any 1-D `weight` is taken for a gain."""
    return len(tensor.shape) < 2 and _NORMALISATION.search(tensor.name) is not None


#: Tensors that make the path norm undefined, whatever the others are; the most specific reason first.
_OBSTACLES: tuple[tuple[Callable[[Tensor], bool], str], ...] = (
    (_named(_ADAPTER), "it has a low-rank adapter ({}), whose base weights are elsewhere"),
    (_is_attention, "it has attention ({}), whose softmax no sum over paths describes"),
    (_named(_RECURRENT), "it has a recurrent cell ({}), whose paths are as long as its input"),
    (
        lambda tensor: len(tensor.shape) > 2,
        "it has a convolution ({}), whose stride, padding and pooling are not in a checkpoint",
    ),
    (_is_normalisation, "it has a normalisation layer ({}), which divides by what depends on its input"),
    (
        lambda tensor: roles.role_of(tensor.name) == roles.EMBEDDING,
        "it has an embedding ({}), which looks its input up",
    ),
    (_named(_SKIP_CONNECTION), "it has a skip connection ({}), whose ends are not in a checkpoint"),
    (lambda tensor: tensor.dtype.kind == "quantised", "it is quantised ({}): the stored numbers are not the weights"),
)


def _is_weight(tensor: Tensor) -> bool:
    return (
        len(tensor.shape) == 2
        and tensor.parameters > 0
        and tensor.dtype.kind == "float"
        and tensor.name.rpartition(".")[2] == "weight"
    )


def _in_order(layers: Iterable[LinearLayer]) -> FeedForwardChain | Undefined:
    series: dict[str, list[LinearLayer]] = {}
    for layer in sorted(layers, key=lambda layer: _numbers(layer.weight.name)):
        series.setdefault(_NUMBER.sub("0", layer.weight.name), []).append(layer)
    unclear = Undefined("the order of its layers follows neither from their names nor from their sizes")
    if len(series) > _MAX_SERIES:
        return unclear
    orders = (tuple(chain.from_iterable(order)) for order in permutations(series.values()))
    fitting = [order for order in orders if all(a.weight.shape[0] == b.weight.shape[1] for a, b in pairwise(order))]
    if not fitting:
        return Undefined("its layers' sizes do not follow each other as in one chain")
    return FeedForwardChain(fitting[0]) if len(fitting) == 1 else unclear


def _numbers(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key that orders names by the values of their numbers, however long these are."""
    digits = (found.lstrip("0") for found in _NUMBER.findall(name))
    return tuple((len(each), each) for each in digits)

"""Open an ONNX model: its initialisers as stored tensors, and how to decode codes and varints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.checkpoints.onnx.dequantise import Shape, dequantise, scale_fits
from wqscore.checkpoints.onnx.graph import Graph, Node, read_graph
from wqscore.checkpoints.onnx.names import module_names
from wqscore.checkpoints.onnx.values import Stored, from_varints, locate
from wqscore.checkpoints.onnx.wire import WireReader
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError, reading

Reader = Callable[[np.ndarray], np.ndarray]
OnnxPlan = tuple[list[TensorRef], list[Decoding], list[Refusal]]

_CODES = frozenset({"I8", "U8", "I16", "U16", "I32"})


def read_onnx(file: Path) -> OnnxPlan:
    """List the initialisers of an ONNX model's main graph without reading their numbers.

    Weights in `Constant` nodes, subgraphs or functions are not listed.

    Args:
        file: the model; external data is looked for in its folder and below.

    Returns:
        The initialisers, named after their modules if the exporter recorded them, plain numbers in their stored
        shape (`MatMul` stores it transposed) and varints as bytes; the weights to decode from `DequantizeLinear`'s
        codes or from varints; and the initialisers that can't be read.

    Raises:
        CheckpointError: not an ONNX model, damaged, or with external data that is missing or outside its folder.
    """
    graph = _graph(file)
    found = {stored.name: locate(stored, file) for stored in graph.initialisers}
    if len(found) != len(graph.initialisers) or "" in found:
        raise CheckpointError(f"{file}: two of its initialisers have the same name, or one has none: refused")
    names = module_names(found, graph.nodes)
    codes = {node.inputs[0]: node for node in graph.nodes if node.operator == "DequantizeLinear" and node.inputs}
    values = {
        name: Stored(replace(stored.tensor, name=names[name]), stored.varints)
        for name, stored in found.items()
        if isinstance(stored, Stored)
    }
    decodings, refusals = [], [Refusal(names[name], why) for name, why in found.items() if isinstance(why, str)]
    refusals += [Refusal(name, "sparse initialisers are not read") for name in graph.sparse]
    shapes = {stored.name: stored.dims for stored in graph.initialisers}
    for name, stored in values.items():
        planned = _decoding(name, stored, codes.get(name), values, shapes)
        if isinstance(planned, Decoding):
            decodings.append(planned)
        elif planned is not None:
            refusals.append(Refusal(names[name], planned))
    return [stored.tensor for stored in values.values()], decodings, refusals


def _graph(file: Path) -> Graph:
    with reading(file), file.open("rb") as stream:
        if stream.read(24).startswith(b"version https://git-lfs"):
            raise CheckpointError(f"{file}: is a Git LFS pointer, not the model: fetch it with git lfs pull")
        try:
            return read_graph(WireReader(stream, file.stat().st_size))
        except ValueError as error:
            raise CheckpointError(f"{file}: {error}: not an ONNX model, or a damaged one: fetch it again") from error


def _decoding(
    name: str, stored: Stored, node: Node | None, values: Mapping[str, Stored], shapes: Mapping[str, Shape]
) -> Decoding | str | None:
    """How to decode an initialiser, or why it can't be decoded; `None` if its numbers are stored plainly."""
    dtype = _dtype(stored)
    if node is not None:
        return _dequantised(name, node, values, shapes)
    read = _reader(stored, shapes[name])
    if read and dtype.kind == "float":
        return Decoding(stored.tensor.name, shapes[name], dtype.name, (stored.tensor,), partial(_floats, read=read))
    if dtype.kind == "quantised" and len(shapes[name]) > 1:
        return f"{dtype.name} codes without a DequantizeLinear: their scale is not known"
    return f"{dtype.name} numbers in a list of varints are not read" if stored.varints else None


def _dequantised(name: str, node: Node, values: Mapping[str, Stored], shapes: Mapping[str, Shape]) -> Decoding | str:
    inputs = [given for given in node.inputs[:3] if given]
    if len(inputs) < 2 or any(given not in values for given in inputs):
        return "the scale or zero point of its DequantizeLinear is computed: not read"
    parts = [values[given] for given in inputs]
    code, scale, *zero = [_dtype(part) for part in parts]
    if code.name not in _CODES or scale.kind != "float":
        return f"DequantizeLinear of {code.name} codes with {scale.name} scales is not read"
    shape, block = shapes[name], node.attributes.get("block_size", 0)
    axis = node.attributes.get("axis", 1)
    axis += len(shape) if axis < 0 else 0
    if not scale_fits(shape, shapes[inputs[1]], axis, block):
        return f"its scales of shape {shapes[inputs[1]]} do not fit its codes of shape {shape}"
    if zero and (zero != [code] or shapes[inputs[2]] != shapes[inputs[1]]):
        return "its zero points are not of the codes' type and the scales' shape"
    readers = tuple(_reader(part, shapes[given]) for part, given in zip(parts, inputs, strict=True))
    decode = partial(_weights, readers=readers, axis=axis, block=block)
    tensors = tuple(part.tensor for part in parts)
    return Decoding(tensors[0].name, shape, f"ONNX-{code.name}", tensors, decode)


def _dtype(stored: Stored) -> StoredDtype:
    return stored.varints or stored.tensor.dtype


def _reader(stored: Stored, shape: Shape) -> Reader | None:
    """The function that parses varints into numbers; `None` for numbers that are stored plainly."""
    if stored.varints is None:
        return None
    return partial(from_varints, dtype=stored.varints, shape=shape, where=stored.tensor.name)


def _floats(data: np.ndarray, *, read: Reader) -> np.ndarray:
    return read(data).astype(np.float32)


def _weights(*arrays: np.ndarray, readers: tuple[Reader | None, ...], axis: int, block: int) -> np.ndarray:
    numbers = [read(array) if read else array for read, array in zip(readers, arrays, strict=True)]
    return dequantise(*numbers, axis=axis, block=block)

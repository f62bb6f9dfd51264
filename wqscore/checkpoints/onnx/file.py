"""Open an ONNX model: the tensors of all its graphs, and how to decode those that are not plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from pathlib import Path

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.onnx.graph import read_model
from wqscore.checkpoints.onnx.names import module_names
from wqscore.checkpoints.onnx.presenting import Found, present
from wqscore.checkpoints.onnx.scopes import Scopes, collect
from wqscore.checkpoints.onnx.sparse import SparseStored, locate_sparse
from wqscore.checkpoints.onnx.stored import Initialiser, SparseInitialiser
from wqscore.checkpoints.onnx.tracing import trace
from wqscore.checkpoints.onnx.values import Stored, locate
from wqscore.checkpoints.onnx.views import View
from wqscore.checkpoints.onnx.wire import WireReader
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError, reading

OnnxPlan = tuple[list[TensorRef], list[Decoding], list[Refusal]]

#: Whole numbers of more are no shape or list of axes.
_MAX_NUMBERS = 64


def read_onnx(file: Path) -> OnnxPlan:
    """List the tensors of an ONNX model's graphs without reading their numbers.

    Tensors are initialisers and constants, in the main graph, the graphs inside nodes, and functions. Constants that
    are no parameters (single numbers, whole numbers in a row, text) are left out.

    Args:
        file: the model; external data is looked for in its folder and below.

    Returns:
        The tensors, named after their modules if the exporter recorded them, each in the layout of the layer that
        takes it, and those that hold numbers in another form as bytes; the weights to decode from codes, varints or
        sparse tensors; and the tensors that can't be read.

    Raises:
        CheckpointError: not an ONNX model, damaged, or with external data that is missing or outside its folder.
    """
    scopes = _scopes(file)
    located = {key: _locate(each, file) for key, each in scopes.tensors.items()}
    views = {key: View(key, each.dims) for key, each in located.items()}
    traces = trace(scopes, views, partial(_numbers, located))
    names = module_names(located, traces.names)
    found = {key: Found(names[key], stored, views[key].shape) for key, stored in located.items()}
    presented = {key: present(key, found, traces) for key in found}
    refused = {refusal.name for each in presented.values() for refusal in each.refusals}
    planned = [decoding for each in presented.values() for decoding in each.decodings]
    used = {part.name for decoding in planned if decoding.name not in refused for part in decoding.parts}
    # A scale or zero point of another weight needs no reason why it is none.
    decodings = [each for each in planned if each.name not in refused or each.name not in used]
    refusals = [each for one in presented.values() for each in one.refusals if each.name not in used]
    arithmetic = {key for key in _constants(scopes) if _is_arithmetic(located[key])}
    listed = {
        tensor.name: tensor
        for key, each in presented.items()
        for tensor in each.tensors
        if key not in arithmetic or tensor.name in used
    }
    return list(listed.values()), decodings, refusals


def _scopes(file: Path) -> Scopes:
    with reading(file), file.open("rb") as stream:
        if stream.read(24).startswith(b"version https://git-lfs"):
            raise CheckpointError(f"{file}: is a Git LFS pointer, not the model: fetch it with git lfs pull")
        try:
            model = read_model(WireReader(stream, file.stat().st_size))
        except ValueError as error:
            raise CheckpointError(f"{file}: {error}: not an ONNX model, or a damaged one: fetch it again") from error
    try:
        return collect(model)
    except ValueError as error:
        raise CheckpointError(f"{file}: {error}: refused") from error


def _locate(initialiser: Initialiser, file: Path) -> Stored | SparseStored:
    return (
        locate_sparse(initialiser, file) if isinstance(initialiser, SparseInitialiser) else locate(initialiser, file)
    )


def _numbers(located: Mapping[str, Stored | SparseStored], key: str) -> tuple[int, ...] | None:
    """The whole numbers of a short tensor, such as a shape; `None` for any other."""
    stored = located[key]
    short = isinstance(stored, Stored) and stored.dtype.name in ("I64", "I32") and len(stored.dims) < 2
    if not isinstance(stored, Stored) or not short or prod(stored.dims) > _MAX_NUMBERS:
        return None
    return tuple(int(number) for number in stored.read().reshape(-1))


def _constants(scopes: Scopes) -> set[str]:
    """The keys of the tensors that are constants of nodes."""
    found: set[str] = set()
    left = [scopes.main, *scopes.functions.values()]
    while left:
        scope = left.pop()
        found |= {scope.tensors[node.constant.name] for node in scope.graph.nodes if node.constant is not None}
        left += scope.inside.values()
    return found


def _is_arithmetic(stored: Stored | SparseStored) -> bool:
    """Whether a constant is one number, or a row of whole numbers such as a shape: no parameter."""
    whole = stored.dtype.kind == "other" or stored.dtype.name in ("I32", "I16", "U16", "U32")
    return prod(stored.dims) < 2 or (whole and len(stored.dims) < 2)

"""Make a checkpoint's tensors of an ONNX model's: in the layout of the layer that takes them, decoded, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.layer_use import GraphTensor, LayerUse
from wqscore.checkpoints.onnx.dequantise import scale_fits
from wqscore.checkpoints.onnx.evaluating import evaluate, fits
from wqscore.checkpoints.onnx.operators import Taken
from wqscore.checkpoints.onnx.sparse import SparseStored
from wqscore.checkpoints.onnx.tracing import Traces
from wqscore.checkpoints.onnx.values import Stored
from wqscore.checkpoints.onnx.views import Dequantised, Unpacked, View, row_major, strides_of
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

_CODES = frozenset({"I8", "U8", "I16", "U16", "I32", "INT4", "UINT4"})
#: Of several layers that take one tensor, the first of these counts: an embedding that is also the head is one.
_ORDER = ("conv", "recurrent", "embedding", "linear")


@dataclass(frozen=True)
class Found:
    """A tensor of a model: its name in the checkpoint, where its numbers are, and its shape as stored."""

    name: str
    stored: Stored | SparseStored
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Presented:
    """The tensors that one of a model's becomes, with the weight decoded from them or why there is none."""

    tensors: tuple[TensorRef, ...]
    decodings: tuple[Decoding, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def present(key: str, found: Mapping[str, Found], traces: Traces) -> Presented:
    """Make a checkpoint's tensors of one of a model's.

    Args:
        key: the tensor's key.
        found: all tensors by key.
        traces: what the graphs make of each.
    """
    name, stored, shape = found[key].name, found[key].stored, found[key].shape
    chosen = _chosen(key, traces)
    view = chosen.view if chosen else traces.decoded.get(key) or View(key, shape)
    use = chosen.use if chosen else None
    parts = tuple(replace(part, name=_part_name(part, key, name)) for part in _parts(stored))
    if stored.dtype.kind == "other" and stored.dtype.numpy is None:
        return Presented((), (), (Refusal(name, stored.refusal),))
    reason = _reason(key, view, chosen, found, traces)
    if reason and (len(shape) > 1 or stored.refusal):
        logical = Decoding(name, view.shape, stored.dtype.name, parts, _no_weights, use=use)
        as_stored = isinstance(stored, Stored) and stored.tensor.dtype == stored.dtype and view.shape == shape
        return Presented(parts, () if as_stored else (logical,), (Refusal(name, reason),))
    if view.is_decoded or isinstance(stored, SparseStored) or (stored.parse and stored.dtype.kind == "float"):
        return Presented(parts, () if reason else (_decoding(name, view, use, found),))
    located = strides_of(shape, view.steps)
    plain = stored.parse is None
    if plain and located is not None:
        strides = None if 0 in shape or located[1] == row_major(located[0]) else located[1]
        base = parts[0]
        return Presented((GraphTensor(name, located[0], base.dtype, base.file, base.offset, strides, use=use),))
    return Presented(parts, (_decoding(name, view, use, found),) if stored.dtype.kind == "float" else ())


def _chosen(key: str, traces: Traces) -> Taken | None:
    """The use of a tensor that counts; `None` if its name has to decide."""
    uses = traces.uses.get(key, [])
    weights = [taken for kind in _ORDER for taken in uses if taken.use.kind == kind]
    decoded = [taken for taken in weights if taken.view.is_decoded]
    if weights:
        return (decoded or weights)[0]
    return uses[0] if uses and key not in traces.unknown and key not in traces.computed else None


def _reason(key: str, view: View, chosen: Taken | None, found: Mapping[str, Found], traces: Traces) -> str:
    """Why a tensor's weights can't be computed; empty if they can, or if it is no weight."""
    stored = found[key].stored
    if stored.refusal:
        return stored.refusal
    if chosen is not None and not chosen.use.is_weight and not view.is_decoded:
        return ""
    if view.is_decoded:
        return _misfit(view, found)
    if stored.dtype.kind == "quantised":
        missing = f"{stored.dtype.name} codes without a DequantizeLinear: their scale is not known"
        return traces.undecoded.get(key, missing)
    if chosen is None and key in traces.computed:
        return f"the graph computes the weight from it ({traces.computed[key]}): not read"
    return ""


def _misfit(view: View, found: Mapping[str, Found]) -> str:
    """Why codes and scales of a view do not fit each other; empty if they do."""
    before = View(view.source, found[view.source].shape)
    for step in view.steps:
        if isinstance(step, Dequantised | Unpacked):
            beside = [each for each in (step.scale, step.zero) if each is not None]
            if any(isinstance(found[each.source].stored, SparseStored) for each in (before, *beside)):
                return "sparse codes or scales are not read"
            code, scale, *zero = (found[each.source].stored.dtype for each in (before, *beside))
            if code.name not in _CODES or scale.kind != "float":
                return f"DequantizeLinear of {code.name} codes with {scale.name} scales is not read"
            if isinstance(step, Unpacked):
                return "" if fits(step, before.shape) else "its packed codes and scales do not fit its shape"
            if not scale_fits(before.shape, step.scale.shape, step.axis, step.block):
                return f"its scales of shape {step.scale.shape} do not fit its codes of shape {before.shape}"
            if zero and (zero != [code] or (step.zero and step.zero.shape != step.scale.shape)):
                return "its zero points are not of the codes' type and the scales' shape"
            before = before.decoded(step)
        else:
            before = View(view.source, _shape_after(before, step), (*before.steps, step))
    return ""


def _shape_after(before: View, step: object) -> tuple[int, ...]:
    shape = getattr(step, "shape", None)
    if isinstance(shape, tuple):
        return shape
    axes: tuple[int, ...] = getattr(step, "axes", ())
    return tuple(before.shape[axis] for axis in axes)


def _decoding(name: str, view: View, use: LayerUse | None, found: Mapping[str, Found]) -> Decoding:
    keys = tuple(dict.fromkeys(_sources(view)))
    stored = {key: found[key].stored for key in keys}
    parts = tuple(
        replace(part, name=_part_name(part, key, found[key].name)) for key in keys for part in _parts(stored[key])
    )
    dtype = found[view.source].stored.dtype.name
    shown = f"ONNX-{dtype}" if view.is_decoded else dtype
    return Decoding(name, view.shape, shown, parts, partial(evaluate, view=view, stored=stored, order=keys), use=use)


def _sources(view: View) -> list[str]:
    beside = [
        each for step in view.steps if isinstance(step, Dequantised | Unpacked) for each in (step.scale, step.zero)
    ]
    return [view.source, *(source for each in beside if each is not None for source in _sources(each))]


def _parts(stored: Stored | SparseStored) -> tuple[TensorRef, ...]:
    if isinstance(stored, SparseStored):
        return (stored.values.tensor, stored.indices.tensor)
    return (stored.tensor,)


def _part_name(part: TensorRef, key: str, name: str) -> str:
    return name if part.name == key else f"{name}{part.name.removeprefix(key)}"


def _no_weights(*_: object) -> NoReturn:
    raise CheckpointError("its weights are not read")

"""Recognise quantised tensors that can't be decoded by the scales that belong to them."""

from __future__ import annotations

from collections.abc import Mapping

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.gated import Shape

_SCALE_SUFFIXES = ("_scale", "_scale_inv", ".absmax", "_scales", ".scale")


def scaled_elsewhere(tensor: Tensor, shapes: Mapping[str, Shape]) -> str | None:
    """Find the tensor that holds this tensor's scales; `None` if there is none."""
    stem = tensor.name.removesuffix(".weight")
    candidates = [f"{tensor.name}{suffix}" for suffix in _SCALE_SUFFIXES] + [f"{stem}.SCB", f"{stem}.scales"]
    return next((name for name in candidates if name in shapes), None)

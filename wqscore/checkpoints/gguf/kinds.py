"""Refuse GGUF files that hold no model, by what their metadata says they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wqscore.checkpoints.gguf.config import ARCHITECTURE, TYPE
from wqscore.checkpoints.gguf.fields import GgufValue
from wqscore.errors import CheckpointError

_MODEL = "model"
#: Adapters are scored by their updates.
_SCORED = (_MODEL, "adapter")
#: Values of `general.type`, which the `gguf` package lists as `GGUFType`, and of files written before it had them.
_TYPES = {
    "imatrix": "an importance matrix (statistics of activations), not a model: name the model's own file",
    "mmproj": "a projector (a model's vision or audio part alone), not a model: name the language model's file",
    "projector": "a projector (a model's vision or audio part alone), not a model: name the language model's file",
    "clip-vision": "a projector (a model's vision or audio part alone), not a model: name the language model's file",
    "vocab": "a vocabulary, not a model: name the model's own file",
}
#: Architectures that are no model's.
_ARCHITECTURES = {
    "clip": "mmproj",
    "imatrix": "imatrix",
}
_CONTROL_VECTOR = "controlvector"


def check_is_model(metadata: Mapping[str, GgufValue], file: Path) -> None:
    """Refuse a file whose `general.type` or architecture is not a model's.

    Raises:
        CheckpointError: it says that it is something else.
    """
    kind, architecture = metadata.get(TYPE, _MODEL), metadata.get(ARCHITECTURE)
    if architecture == _CONTROL_VECTOR:
        raise CheckpointError(f"{file}: is a control vector, not a model: name the model's own file")
    if kind == _MODEL:
        kind = _ARCHITECTURES.get(architecture, _MODEL) if isinstance(architecture, str) else _MODEL
    if kind not in _SCORED:
        unknown = f"of {TYPE} {kind!r:.100}, not a model: name the model's own file"
        what = _TYPES.get(kind.lower(), unknown) if isinstance(kind, str) else unknown
        raise CheckpointError(f"{file}: is {what}")

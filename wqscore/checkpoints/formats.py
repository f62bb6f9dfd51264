"""Open weight files of every format; quantised weights are decoded when they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wqscore.checkpoints.decoding import with_decoded
from wqscore.checkpoints.local import check_is_file, first_container, read_configs, read_file, read_folder
from wqscore.checkpoints.quantised.planning import dequantised
from wqscore.checkpoints.remarks import Say, say_nothing
from wqscore.checkpoints.reparametrised.planning import with_effective_weights
from wqscore.checkpoints.standard_names import WeightFiles
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.checkpoints.weight_files import remark_on
from wqscore.checkpoints.zip_members import holds_arrays
from wqscore.refs.weight_names import ALONE_SUFFIXES, SAFETENSORS_SUFFIX, TORCH_SUFFIXES

#: The parsed `config.json`, and the tensors.
Opened = tuple[dict[str, Any], tuple[Tensor, ...]]


def open_weights(folder: Path, weights: WeightFiles, say: Say = say_nothing) -> Opened:
    """Read the headers of a folder's weights.

    Args:
        folder: the folder.
        weights: the files that hold the weights.
        say: called with a line for everything that is left out.

    Raises:
        CheckpointError: a file is damaged, or the index doesn't match the shards.
    """
    if len(weights.files) == 1:
        if remark := remark_on(weights):
            say(remark)
        return open_file(folder / weights.files[0], say)
    config, tensors = read_folder(folder, weights, say)
    return config, decoded(tensors, config)


def open_file(file: Path, say: Say = say_nothing) -> Opened:
    """Read the headers of one weight file; a GGUF file includes its configuration.

    The suffix gives the format; of the files of torch and those of any other name, the first bytes do.

    Args:
        file: the file.
        say: called with a line for everything that is left out.

    Raises:
        CheckpointError: not a regular file, or not of the format its suffix says.
    """
    config = read_configs(file.parent)
    check_is_file(file)
    suffix = _format_of(file)
    if suffix == ".gguf":
        from wqscore.checkpoints.gguf.file import read_gguf

        config, stored, decodings, refusals = read_gguf(file)
        return config, with_decoded(stored, decodings, refusals)
    if suffix == ".onnx":
        from wqscore.checkpoints.onnx.file import read_onnx

        return config, with_decoded(*read_onnx(file))
    if suffix in (".npz", ".npy"):
        from wqscore.checkpoints.npz import read_npy, read_npz

        return config, with_decoded(*read_npz(file)) if suffix == ".npz" else (read_npy(file),)
    return config, decoded(read_file(file, say), config)


def decoded(tensors: Sequence[TensorRef], config: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """Replace quantised codes and the parts of re-parametrised weights by the weights that the model computes with.

    Args:
        tensors: the stored tensors.
        config: the parsed `config.json`.

    Raises:
        CheckpointError: a file ends inside one of the small tensors that describe how others are stored.
    """
    return with_effective_weights(dequantised(tensors, config))


def _format_of(file: Path) -> str:
    """The suffix of a file's format: its own, or for torch's and unknown ones the one that its first bytes tell."""
    if file.suffix in (SAFETENSORS_SUFFIX, *ALONE_SUFFIXES):
        return file.suffix
    container = first_container(file)
    if container in ("gguf", "npy"):
        return f".{container}"
    return ".npz" if container == "zip" and holds_arrays(file) else TORCH_SUFFIXES[0]

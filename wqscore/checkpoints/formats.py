"""Open weight files of every format; quantised weights are decoded when they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wqscore.checkpoints.decoding import with_decoded
from wqscore.checkpoints.local import check_is_file, read_configs, read_file, read_folder
from wqscore.checkpoints.quantised.planning import dequantised
from wqscore.checkpoints.tensor import Tensor
from wqscore.checkpoints.weight_files import WeightFiles

#: The parsed `config.json`, and the tensors.
Opened = tuple[dict[str, Any], tuple[Tensor, ...]]

_ALONE = (".gguf", ".onnx", ".npz", ".npy")


def open_weights(folder: Path, weights: WeightFiles) -> Opened:
    """Read the headers of a folder's weights.

    Raises:
        CheckpointError: a file is damaged, or the index doesn't match the shards.
    """
    if weights.files and Path(weights.files[0]).suffix in _ALONE:
        return open_file(folder / weights.files[0])
    config, tensors = read_folder(folder, weights)
    return config, dequantised(tensors, config)


def open_file(file: Path) -> Opened:
    """Read the headers of one weight file; its suffix gives the format, and a GGUF file includes its configuration.

    Raises:
        CheckpointError: not a regular file, or not of the format its suffix says.
    """
    config = read_configs(file.parent)
    if file.suffix not in _ALONE:
        return config, dequantised(read_file(file), config)
    check_is_file(file)
    if file.suffix == ".gguf":
        from wqscore.checkpoints.gguf.file import read_gguf

        config, stored, decodings, refusals = read_gguf(file)
        return config, with_decoded(stored, decodings, refusals)
    if file.suffix == ".onnx":
        from wqscore.checkpoints.onnx.file import read_onnx

        return config, with_decoded(*read_onnx(file))
    from wqscore.checkpoints.npz import read_npy, read_npz

    return config, with_decoded(*read_npz(file)) if file.suffix == ".npz" else (read_npy(file),)

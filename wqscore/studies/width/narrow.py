"""Write the narrower checkpoint: merged at the smallest tolerance, in the stored types, with its configuration."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.tensor import Tensor
from wqscore.errors import CheckpointError, UsageError
from wqscore.rendering.folder import ReportError, check_folder
from wqscore.studies.width.blocks import Unmeasured
from wqscore.studies.width.pairing import stored_name
from wqscore.studies.width.reading import Measured
from wqscore.studies.width.sizes import narrowed_config
from wqscore.studies.width.slimming import (
    Piece,
    bias_piece,
    into_piece,
    out_piece,
    rewritten,
    shape_after,
    shift_piece,
)

#: Bytes of a file; a larger checkpoint is written in several, each held in memory while it is.
_SHARD = 2_000_000_000
_SUFFIXES = frozenset({".safetensors", ".bin", ".pt", ".pth", ".ckpt"})
_CONFIG, _INDEX = "config.json", "model.safetensors.index.json"


@dataclass(frozen=True)
class Narrowed:
    """A narrower checkpoint.

    Attributes:
        folder: where it is.
        widths: for each block by name its neurons, with those that it is padded by.
        parameters: how many weights it has.
    """

    folder: Path
    widths: Mapping[str, int]
    parameters: int


def check_target(folder: Path) -> None:
    """Fail before anything is read if the folder can't be written.

    Raises:
        UsageError: it is there already, with something in it, or its place can't be written to.
    """
    check_folder(folder)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: is not empty: name a new folder with --write")


def check_source(checkpoint: Checkpoint) -> None:
    """Fail before anything is read if the checkpoint's tensors can't be written narrower in their own types.

    Raises:
        UsageError: they are quantised, merged from several, or of a format that is no torch file's.
    """
    label = checkpoint.ref.label
    for tensor in checkpoint.tensors:
        if isinstance(tensor, DecodedTensor) or tensor.refusal or tensor.part_of:
            raise UsageError(f"{label}: {tensor.name} isn't stored as plain numbers: --write needs a plain copy")
        if any(file.suffix not in _SUFFIXES for file in tensor.files) or tensor.dtype.numpy is None:
            raise UsageError(f"{label}: --write takes safetensors and torch files, and models in memory")


def write_narrow(
    checkpoint: Checkpoint, widths: Sequence[Measured], unmeasured: Sequence[Unmeasured], folder: Path
) -> Narrowed:
    """Write a checkpoint whose blocks have no more neurons than they need, and its configuration.

    Where a configuration gives blocks one width, those of different widths are padded to the largest with neurons
    that have no effect. Tensors are read again, one at a time.

    Args:
        checkpoint: the model.
        widths: its blocks, merged; one without numbers keeps its width.
        unmeasured: blocks whose widths could not be told, which keep them.
        folder: a new folder.

    Raises:
        UsageError: the configuration has no key for the width.
        CheckpointError: a tensor can't be read.
        ReportError: the folder can't be written.
    """
    config, made = narrowed_config(checkpoint, widths, unmeasured)
    pieces = _pieces(widths, made)
    written = [tensor for tensor in checkpoint.tensors if tensor.name not in checkpoint.training_state]
    places: dict[object, list[Piece]] = {each.location: pieces[each.name] for each in written if each.name in pieces}
    # A tied copy changes with the tensor that it is a copy of.
    pieces |= {each.name: places[each.location] for each in written if each.location in places}
    shapes = {tensor.name: shape_after(tensor.shape, pieces.get(tensor.name, ())) for tensor in written}
    unfinished = folder.with_name(f".{folder.name}.{token_hex(8)}")
    try:
        try:
            unfinished.mkdir(parents=True)
            _write(unfinished, list(_shards(written, shapes)), pieces, config)
            if folder.exists():
                folder.rmdir()
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise ReportError(
            f"{folder}: the checkpoint can't be written: {error.strerror or error}: name another folder with --write"
        ) from error
    counts = {tensor.location: prod(shapes[tensor.name]) for tensor in written}
    return Narrowed(folder, made, sum(counts.values()))


def _pieces(widths: Sequence[Measured], made: Mapping[str, int]) -> dict[str, list[Piece]]:
    """What is done to each stored tensor, by name, in order."""
    found: dict[str, list[Piece]] = defaultdict(list)
    for each in widths:
        if each.merged:
            merged, width = each.merged[0], made[each.block.name]
            for projection in each.block.projections[:-1]:
                found[stored_name(projection.matrix)].append(into_piece(projection, merged, width))
                if projection.bias is not None:
                    found[projection.bias.name].append(bias_piece(projection, merged, width))
            found[stored_name(each.block.out.matrix)].append(out_piece(each.block.out, merged, width))
            if each.block.out.bias is not None:
                found[each.block.out.bias.name].append(shift_piece(merged))
    return found


def _shards(tensors: Sequence[Tensor], shapes: Mapping[str, tuple[int, ...]]) -> Iterator[list[Tensor]]:
    """The tensors of each file."""
    total, numbered = 0, []
    for tensor in tensors:
        total += prod(shapes[tensor.name]) * tensor.dtype.bits // 8
        numbered.append((total // _SHARD, tensor))
    for _, group in groupby(numbered, key=lambda each: each[0]):
        yield [tensor for _, tensor in group]


def _write(
    folder: Path,
    shards: Sequence[Sequence[Tensor]],
    pieces: Mapping[str, Sequence[Piece]],
    config: dict[str, Any] | None,
) -> None:
    from safetensors.numpy import save_file

    places: dict[str, str] = {}
    for number, tensors in enumerate(shards, 1):
        name = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        arrays = {tensor.name: _narrow(tensor, pieces.get(tensor.name, ())) for tensor in tensors}
        file = folder / name
        file.touch()
        # The library replaces it by a file that its owner alone can read.
        mode = file.stat().st_mode
        save_file(arrays, file, metadata={"format": "pt"})
        file.chmod(mode)
        places |= dict.fromkeys(arrays, name)
    if len(shards) > 1:
        _write_json(folder / _INDEX, {"metadata": {}, "weight_map": places})
    if config is not None:
        _write_json(folder / _CONFIG, config)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _narrow(tensor: Tensor, pieces: Sequence[Piece]) -> np.ndarray:
    values = tensor.read()
    made = rewritten(values, pieces) if pieces else values
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(made.astype(values.dtype, copy=False))
    if pieces and not np.isfinite(stored.astype(np.float32, copy=False)).all():
        raise CheckpointError(f"{tensor.name}: a merged weight is too large for {tensor.dtype.name}")
    return stored.reshape(made.shape)

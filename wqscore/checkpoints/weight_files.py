"""Choose the files that hold a checkpoint's weights, by name alone.

One rule serves a folder on disk and a repository on the Hub, so that both give the same model:
safetensors before `.bin`, an index before a single file, the standard names before any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from wqscore.errors import CheckpointError

_INDEXED = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SINGLE = ("model.safetensors", "pytorch_model.bin")
#: Formats that keep a whole model in one file; tried last, in this order.
_ALONE = (".gguf", ".onnx", ".npz", ".npy")
_READ = frozenset({".safetensors", ".bin", *_ALONE})
_NOT_READ = frozenset({".h5", ".msgpack", ".pt", ".pth", ".ckpt", ".distcp"})
#: The limit of common file systems; a longer name raises an OSError.
_MAX_NAME_BYTES = 255
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<suffix>\.safetensors|\.bin|\.gguf)")


@dataclass(frozen=True)
class WeightFiles:
    """A checkpoint's weight files: an index that names the shards, or the files themselves."""

    index: str | None
    files: tuple[str, ...]


def choose_weights(names: Collection[str], where: str) -> WeightFiles:
    """Choose the weight files among a checkpoint's file names (paths relative to its root, `/` between parts).

    Raises:
        CheckpointError: no weights in the root, several candidates, or missing shards and no index.
    """
    root = {name for name in names if "/" not in name}
    for index, single in zip(_INDEXED, _SINGLE, strict=True):
        if index in root:
            return WeightFiles(index, ())
        if single in root:
            return WeightFiles(None, (single,))
        suffix = PurePosixPath(single).suffix
        if suffix == ".safetensors" and (others := sorted(n for n in root if n.endswith(suffix))):
            return _other_names(others, root, where)
    shards = sorted(n for n in root if re.fullmatch(r"pytorch_model-\d{5}-of-\d{5}\.bin", n))
    if shards:
        return _other_names(shards, root, where)
    for suffix in _ALONE:
        if found := sorted(n for n in root if n.endswith(suffix)):
            return _other_names(found, root, where)
    raise CheckpointError(f"{where}: {_nothing_found(names)}")


def parts_of(file: str, names: Collection[str]) -> tuple[str, ...]:
    """A weight file and, if it is one of several parts, the other parts, as far as they exist."""
    match = _SHARD.fullmatch(file)
    if match is None:
        return (file,)
    others = (
        f"{match['stem']}-{n:05}-of-{match['total']}{match['suffix']}" for n in range(1, int(match["total"]) + 1)
    )
    return tuple(other for other in others if other in names)


def shard_names(index: bytes, where: str) -> dict[str, str]:
    """Read `weight_map` from an index file: tensor name to shard file name.

    Raises:
        CheckpointError: not an index, or a shard name that is not a plain file name.
    """
    try:
        weight_map: Any = json.loads(index.decode("utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{where}: is not a shard index with a weight_map: fetch it again") from error
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{where}: its weight_map names no tensors")
    for tensor, shard in weight_map.items():
        if not isinstance(shard, str) or shard in {"", ".", ".."} or re.search(r"[/\\\x00]", shard):
            raise CheckpointError(
                f"{where}: puts {tensor:.100} in {shard!r:.100}, outside the checkpoint's folder: refused, don't "
                "trust this index"
            )
        if len(shard.encode(errors="replace")) > _MAX_NAME_BYTES:
            raise CheckpointError(
                f"{where}: puts {tensor:.100} in {shard:.100}…, longer than a file name can be: fetch it again"
            )
    return weight_map


def _other_names(candidates: list[str], root: Collection[str], where: str) -> WeightFiles:
    if len(candidates) == 1 and not _SHARD.fullmatch(candidates[0]):
        index = f"{candidates[0]}.index.json"
        return WeightFiles(index, ()) if index in root else WeightFiles(None, (candidates[0],))
    matches = [_SHARD.fullmatch(name) for name in candidates]
    indices = {f"{match['stem']}{match['suffix']}.index.json" for match in matches if match} & set(root)
    if len(indices) == 1:
        return WeightFiles(indices.pop(), ())
    if all(matches) and len({(m["stem"], m["total"]) for m in matches if m}) == 1:
        total = int(matches[0]["total"]) if matches[0] else 0
        if len(candidates) == total:
            return WeightFiles(None, tuple(candidates))
        raise CheckpointError(f"{where}: has {len(candidates)} of {total} shards and no index: fetch the rest")
    listed = ", ".join(candidates[:5]) + (", …" if len(candidates) > 5 else "")
    raise CheckpointError(f"{where}: several weight files and no index ({listed}): name the one to score")


def _nothing_found(names: Collection[str]) -> str:
    paths = [PurePosixPath(name) for name in names]
    below = sorted({str(path.parent) for path in paths if len(path.parts) > 1 and path.suffix in _READ})
    if below:
        return f"no weights in the root, but in {', '.join(below[:5])}: name that folder"
    other = sorted({path.suffix for path in paths} & _NOT_READ)
    if other:
        return f"only {', '.join(other)} weights, which are not read: convert to safetensors"
    return "no weights (model.safetensors, pytorch_model.bin or their index): is this the checkpoint's folder?"

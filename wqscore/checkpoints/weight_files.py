"""Choose the files that hold a checkpoint's weights, by name alone.

One rule serves a folder on disk and a repository on the Hub, so that both give the same model: what `from_pretrained`
loads. Where it finds nothing, a set of weights of other names is taken if it is the only one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any

from wqscore.checkpoints.standard_names import WeightFiles, choose_loaded, choose_standard, standard_names
from wqscore.errors import CheckpointError
from wqscore.refs.file_names import is_plain
from wqscore.refs.weight_names import ALONE_SUFFIXES, SAFETENSORS_SUFFIX, TORCH_SUFFIXES, WEIGHT_SUFFIXES

#: Suffixes of weights that are not read.
_NOT_READ = frozenset({".h5", ".msgpack", ".distcp"})
#: What trainers keep beside the weights under torch's suffixes.
_NO_WEIGHTS = re.compile(
    r"(training_args|optim(izer)?|(lr_)?scheduler|scaler|rng_states?|random_states|sampler|dl_state)([_-].*)?\.\w+"
)
_SHARD = re.compile(
    rf"(?P<stem>.+)-(?P<number>\d{{5}})-of-(?P<total>\d{{5}})(?P<suffix>{'|'.join(map(re.escape, WEIGHT_SUFFIXES))})"
)
#: At most so many names are listed in a remark.
_MAX_LISTED = 3


def choose_weights(names: Collection[str], where: str, named: object = None) -> WeightFiles:
    """Choose the weight files among a checkpoint's file names (paths relative to its root, `/` between parts).

    Args:
        names: the file names.
        where: the checkpoint, for messages.
        named: `transformers_weights` of its `config.json`, the file that transformers loads before any other.

    Raises:
        CheckpointError: no weights in the root, several candidates, missing shards and no index, or the configuration
            names a file that is not there.
    """
    root = {name for name in names if "/" not in name}
    if isinstance(named, str) and named.endswith((SAFETENSORS_SUFFIX, f"{SAFETENSORS_SUFFIX}.index.json")):
        if named not in root:
            raise CheckpointError(
                f"{where}: config.json names {named:.100} as the weights, which is not there: fetch it"
            )
        left_out = tuple(match.string for match in standard_names(root - {named}) if not match["shard"])
        return WeightFiles(named, (), left_out) if named.endswith(".json") else WeightFiles(None, (named,), left_out)
    if loaded := choose_loaded(root):
        return loaded
    safetensors = sorted(name for name in root if name.endswith(SAFETENSORS_SUFFIX))
    if len(standard_names(safetensors)) < len(safetensors):
        return _other_names(safetensors, root, where)
    if standard := choose_standard(root, where):
        return standard
    for suffix in ALONE_SUFFIXES:
        if alone := sorted(name for name in root if name.endswith(suffix)):
            return _other_names(alone, root, where)
    torch_files = sorted(name for name in root if name.endswith(TORCH_SUFFIXES) and is_weight_file(name))
    if torch_files:
        return _other_names(torch_files, root, where)
    raise CheckpointError(f"{where}: {_nothing_found(names)}")


def is_weight_file(name: str) -> bool:
    """Whether a file's name is one of weights, and not of what trainers keep beside them under the same suffixes."""
    return name.endswith(WEIGHT_SUFFIXES) and not _NO_WEIGHTS.fullmatch(name)


def remark_on(weights: WeightFiles, folder: str = "") -> str:
    """A line that says which files of other sets of weights are left out; empty if there are none.

    Args:
        weights: the chosen files.
        folder: their folder, relative to the model's; empty for the folder itself.
    """
    if not weights.left_out:
        return ""
    prefix = f"{folder}/" if folder else ""
    taken = f"{weights.index} (its shards)" if weights.index else ", ".join(weights.files[:_MAX_LISTED])
    more = len(weights.left_out) - _MAX_LISTED
    listed = ", ".join(weights.left_out[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
    return f"{prefix}{taken} scored; left out, as from_pretrained does: {listed}"


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
        if not is_plain(shard):
            raise CheckpointError(
                f"{where}: puts {tensor:.100} in {shard!a:.100}, which is no file name, or is too long, on some "
                "systems: rename the file"
            )
    return weight_map


def _other_names(candidates: list[str], root: Collection[str], where: str) -> WeightFiles:
    if len(candidates) == 1 and not _SHARD.fullmatch(candidates[0]):
        index = f"{candidates[0]}.index.json"
        return WeightFiles(None, (candidates[0],), (index,) if index in root else ())
    matches = [match for name in candidates if (match := _SHARD.fullmatch(name))]
    indices = {f"{match['stem']}{match['suffix']}.index.json" for match in matches} & set(root)
    if len(indices) == 1:
        index = indices.pop()
        parts = {match.string for match in matches if index.startswith(f"{match['stem']}{match['suffix']}")}
        return WeightFiles(index, (), tuple(name for name in candidates if name not in parts))
    if len(matches) == len(candidates) and len({(match["stem"], match["total"]) for match in matches}) == 1:
        total = int(matches[0]["total"])
        if len(candidates) == total:
            return WeightFiles(None, tuple(candidates))
        raise CheckpointError(f"{where}: has {len(candidates)} of {total} shards and no index: fetch the rest")
    listed = ", ".join(candidates[:5]) + (", …" if len(candidates) > 5 else "")
    raise CheckpointError(f"{where}: several weight files and no index ({listed}): name the one to score")


def _nothing_found(names: Collection[str]) -> str:
    paths = [PurePosixPath(name) for name in names]
    read = frozenset(WEIGHT_SUFFIXES)
    below = sorted({str(path.parent) for path in paths if len(path.parts) > 1 and path.suffix in read})
    if below:
        return f"no weights in the root, but in {', '.join(below[:5])}: name that folder"
    other = sorted({path.suffix for path in paths} & _NOT_READ)
    if other:
        return f"only {', '.join(other)} weights, which are not read: convert to safetensors"
    return "no weights (model.safetensors, pytorch_model.bin or their index): is this the checkpoint's folder?"

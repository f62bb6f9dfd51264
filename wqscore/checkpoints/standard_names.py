"""The names that transformers and diffusers give to weight files, and which of several sets they load.

Where a single file and an index lie together, transformers loads the file (`_get_resolved_checkpoint_files` in
transformers/modeling_utils.py) and diffusers what the index names (`from_pretrained` in
diffusers/models/modeling_utils.py). The names of their files differ, and so decide.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from wqscore.errors import CheckpointError

_DIFFUSERS = "diffusion_pytorch_model"
#: In order of preference: safetensors before `.bin`, diffusers' own names before those of transformers.
_ORDER = {
    "safetensors": (_DIFFUSERS, "model", "pytorch_model"),
    "bin": (_DIFFUSERS, "pytorch_model", "model"),
}
#: A variant (`fp16`, `non_ema`) is another copy of the weights; its name can be in any of three positions.
_NAME = re.compile(
    rf"(?P<stem>{_DIFFUSERS}|model|pytorch_model)(\.(?P<before>[a-z]\w*))?"
    r"(?P<shard>-(?P<number>\d{5})-of-(?P<total>\d{5}))?(\.(?P<after>[a-z]\w*))?"
    r"\.(?P<suffix>safetensors|bin)(?P<index>\.index(\.(?P<of_index>\w+))?\.json)?"
)


@dataclass(frozen=True)
class WeightFiles:
    """A checkpoint's weight files: an index that names the shards, or the files themselves.

    Attributes:
        index: the index; `None` without one.
        files: the files; empty if an index names them.
        left_out: files of other sets of weights in the same folder, which are not taken.
    """

    index: str | None
    files: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def standard_names(names: Iterable[str]) -> list[re.Match[str]]:
    """The names that are among those of the two libraries, parsed, in order."""
    return [match for name in sorted(names) if (match := _NAME.fullmatch(name))]


def choose_loaded(names: Collection[str]) -> WeightFiles | None:
    """Choose what `from_pretrained` loads without further arguments; `None` if it finds nothing by name."""
    plain = [match for match in standard_names(names) if not _variant(match)]
    for group in _by_preference(plain):
        if any(match["index"] or not match["shard"] for match in group):
            return _taken(group, plain, "")
    return None


def choose_standard(names: Collection[str], where: str) -> WeightFiles | None:
    """Choose a set of weights of a standard name: without a variant, then the fp16 ones, then the only variant.

    Args:
        names: the files of one folder.
        where: the folder, for messages.

    Returns:
        The set; `None` if no name is a standard one.

    Raises:
        CheckpointError: several variants and nothing else, or missing shards and no index.
    """
    by_variant: dict[str, list[re.Match[str]]] = {}
    for match in standard_names(names):
        by_variant.setdefault(_variant(match), []).append(match)
    if not by_variant:
        return None
    chosen = next(variant for variant in ("", "fp16", *by_variant) if variant in by_variant)
    if chosen not in ("", "fp16") and len(by_variant) > 1:
        raise CheckpointError(
            f"{where}: has only variants of the weights ({', '.join(by_variant)}): keep the one to score"
        )
    matches = by_variant[chosen]
    return _taken(next(_by_preference(matches)), matches, where)


def _variant(match: re.Match[str]) -> str:
    return match["before"] or match["after"] or match["of_index"] or ""


def _by_preference(matches: Collection[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """The files of each format and name, in order of preference."""
    for suffix, stems in _ORDER.items():
        for stem in stems:
            if group := [match for match in matches if (match["suffix"], match["stem"]) == (suffix, stem)]:
                yield group


def _taken(group: list[re.Match[str]], all_sets: Iterable[re.Match[str]], where: str) -> WeightFiles:
    """Choose among the single file, the index and the shards of one name and format."""
    indices = [match.string for match in group if match["index"]]
    shards = [match for match in group if match["shard"] and not match["index"]]
    single = [match.string for match in group if not match["shard"] and not match["index"]]

    def without(taken: Iterable[str]) -> tuple[str, ...]:
        return tuple(match.string for match in all_sets if match.string not in set(taken))

    if single and not (group[0]["stem"] == _DIFFUSERS and indices and shards):
        return WeightFiles(None, (single[0],), without(single[:1]))
    if indices:
        return WeightFiles(indices[0], (), without([*indices, *(match.string for match in shards)]))
    files = _complete(shards, where)
    return WeightFiles(None, files, without(files))


def _complete(shards: list[re.Match[str]], where: str) -> tuple[str, ...]:
    total = int(shards[0]["total"])
    if len(shards) != total or len({match["total"] for match in shards}) != 1:
        raise CheckpointError(f"{where}: has {len(shards)} of {total} shards and no index: fetch the rest")
    return tuple(match.string for match in shards)

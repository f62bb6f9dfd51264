"""The parts of a model that is stored in several folders: a diffusers pipeline, a sentence-transformers model.

A diffusers folder has a `model_index.json` that names its components, each in a subfolder of that name; a
sentence-transformers folder has a `modules.json`, whose first module is usually the folder itself. Everything is
decided from the names of files and these two, so that a folder on disk and a repository on the Hub give the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wqscore.checkpoints.weight_files import WeightFiles, choose_weights
from wqscore.errors import CheckpointError

MODEL_INDEX = "model_index.json"
MODULES = "modules.json"

#: In the order of preference: safetensors before `.bin`, diffusers' own names before those of transformers.
_SUFFIXES = ("safetensors", "bin")
_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
#: A variant (`fp16`, `non_ema`) is the same weights again; its name stands in one of three places.
_WEIGHTS = re.compile(
    rf"(?P<stem>{'|'.join(_STEMS)})(\.(?P<before>[a-z]\w*))?(?P<shard>-(?P<number>\d{{5}})-of-(?P<total>\d{{5}}))?"
    rf"(\.(?P<after>[a-z]\w*))?\.(?P<suffix>{'|'.join(_SUFFIXES)})(?P<index>\.index(\.(?P<of_index>\w+))?\.json)?"
)


@dataclass(frozen=True)
class Component:
    """One part of a model.

    Attributes:
        name: what goes before its tensors' names: `unet`, `2_Dense`; empty for the folder itself.
        folder: where it is, relative to the model's folder, `/` between parts; empty for the folder itself.
        weights: its weight files, by their names in `folder`.
    """

    name: str
    folder: str
    weights: WeightFiles


def find_components(names: Collection[str], manifests: Mapping[str, Any], where: str) -> tuple[Component, ...]:
    """Find the parts of a model that have weights.

    Args:
        names: the model's files, relative to its folder, `/` between parts.
        manifests: the parsed content of `model_index.json` and `modules.json`, by these names, where they are there.
        where: the model, for messages.

    Returns:
        The components in the order of the manifest; none where there is neither manifest, or no weights in any.

    Raises:
        CheckpointError: a manifest is not what it should be or names a folder outside the model's, or a component
            lacks its weights or a part of them.
    """
    if MODEL_INDEX in manifests:
        parts = _pipeline_parts(manifests[MODEL_INDEX], f"{where}: {MODEL_INDEX}")
    elif MODULES in manifests:
        parts = _module_folders(manifests[MODULES], f"{where}: {MODULES}")
    else:
        return ()
    found = []
    for folder in parts:
        inside = _inside(names, folder)
        if weights := _component_weights(inside, f"{where}/{folder}" if folder else where):
            found.append(Component(folder, folder, weights))
        # Tokenizers and schedulers have configurations of other names; poolings of sentence-transformers have this.
        elif MODEL_INDEX in manifests and "config.json" in inside:
            raise CheckpointError(f"{where}: {folder} has a config.json and no weights that are read: fetch them")
    return tuple(found)


def _pipeline_parts(manifest: Any, where: str) -> list[str]:
    """The keys of components: `"unet": ["diffusers", "UNet2DConditionModel"]`, `[null, null]` where left out."""
    if not isinstance(manifest, dict):
        raise CheckpointError(f"{where}: is not a JSON object: fetch it again")
    parts = []
    for key, value in manifest.items():
        if key.startswith("_") or not _is_component(value):
            continue
        if not key or _folder(key, where) != key or "/" in key:
            raise CheckpointError(f"{where}: names the component {key!r:.100}, which is no folder's name: refused")
        parts.append(key)
    return parts


def _is_component(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(text, str) for text in value)


def _module_folders(manifest: Any, where: str) -> list[str]:
    if not isinstance(manifest, list) or not all(
        isinstance(module, dict) and isinstance(module.get("path"), str) for module in manifest
    ):
        raise CheckpointError(f"{where}: is not a list of modules, each with a path: fetch it again")
    folders = [_folder(module["path"], where) for module in manifest]
    if len(set(folders)) != len(folders):
        raise CheckpointError(f"{where}: names the same folder twice: damaged, fetch it again")
    return folders


def _folder(path: str, where: str) -> str:
    """A path in the model's folder, without a slash at its end; empty for the folder itself."""
    folder = path.removesuffix("/")
    parts = folder.split("/") if folder else []
    if path == "/" or any(part in ("", ".", "..") or re.search(r"[\\:\x00]", part) for part in parts):
        raise CheckpointError(
            f"{where}: names the folder {path!r:.100}, outside the model's: refused, not to be trusted"
        )
    return folder


def _inside(names: Collection[str], folder: str) -> set[str]:
    """The files of a folder itself, not of those below."""
    prefix = f"{folder}/" if folder else ""
    return {rest for name in names if name.startswith(prefix) and "/" not in (rest := name[len(prefix) :])}


def _component_weights(names: set[str], where: str) -> WeightFiles | None:
    """A component's weights: those without a variant, else the fp16 ones, else the only variant there is."""
    by_variant: dict[str, list[re.Match[str]]] = {}
    for name in sorted(names):
        if match := _WEIGHTS.fullmatch(name):
            by_variant.setdefault(match["before"] or match["after"] or match["of_index"] or "", []).append(match)
    if not by_variant:
        return choose_weights(names, where) if any(name.endswith(".safetensors") for name in names) else None
    chosen = next(variant for variant in ("", "fp16", *by_variant) if variant in by_variant)
    if chosen not in ("", "fp16") and len(by_variant) > 1:
        raise CheckpointError(
            f"{where}: only variants of the weights ({', '.join(by_variant)}): keep the one to score"
        )
    matches = by_variant[chosen]
    for suffix in _SUFFIXES:
        for stem in _STEMS:
            if files := [match for match in matches if (match["suffix"], match["stem"]) == (suffix, stem)]:
                return _files(files, where)
    return None


def _files(matches: list[re.Match[str]], where: str) -> WeightFiles:
    """The index, else the single file, else all shards."""
    for kind in (lambda match: match["index"], lambda match: not match["shard"]):
        if files := [match.string for match in matches if kind(match)]:
            return WeightFiles(files[0], ()) if files[0].endswith(".json") else WeightFiles(None, (files[0],))
    total = int(matches[0]["total"])
    if len(matches) != total or len({match["total"] for match in matches}) != 1:
        raise CheckpointError(f"{where}: has {len(matches)} of {total} shards and no index: fetch the rest")
    return WeightFiles(None, tuple(match.string for match in matches))

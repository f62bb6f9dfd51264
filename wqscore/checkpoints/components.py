"""Find the components of a model stored in several folders: a diffusers pipeline or a sentence-transformers model.

A diffusers folder has a `model_index.json` that names its components, each in a subfolder of that name; a
sentence-transformers folder has a `modules.json`, whose first module is usually the folder itself. Only file names
and these two manifests decide, so that a folder on disk and a repository on the Hub give the same components.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wqscore.checkpoints.standard_names import WeightFiles, choose_loaded, choose_standard
from wqscore.checkpoints.weight_files import choose_weights
from wqscore.errors import CheckpointError
from wqscore.refs.file_names import is_plain
from wqscore.refs.weight_names import SAFETENSORS_SUFFIX

MODEL_INDEX = "model_index.json"
MODULES = "modules.json"


@dataclass(frozen=True)
class Component:
    """One part of a model.

    Attributes:
        name: the prefix of its tensors' names: `unet`, `2_Dense`; empty for the folder itself.
        folder: its path relative to the model's folder, `/` between parts; empty for the folder itself.
        weights: its weight files, named relative to `folder`.
    """

    name: str
    folder: str
    weights: WeightFiles


def find_components(names: Collection[str], manifests: Mapping[str, Any], where: str) -> tuple[Component, ...]:
    """Find the components of a model that have weights.

    Args:
        names: the model's files, relative to its folder, `/` between parts.
        manifests: the parsed `model_index.json` and `modules.json`, by file name, as far as the model has them.
        where: the model, for messages.

    Returns:
        The components in manifest order; empty if there is no manifest or no component has weights.

    Raises:
        CheckpointError: a manifest is malformed or names a folder outside the model's, or a component lacks some or
            all of its weights.
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
        # A config.json implies weights in a pipeline, but not in sentence-transformers: poolings have one too.
        elif MODEL_INDEX in manifests and "config.json" in inside:
            raise CheckpointError(f"{where}: {folder} has a config.json but no readable weights: fetch them")
    return tuple(found)


def _pipeline_parts(manifest: Any, where: str) -> list[str]:
    """The keys of a pipeline's components: `"unet": ["diffusers", "UNet2DConditionModel"]`, not `[null, null]`."""
    if not isinstance(manifest, dict):
        raise CheckpointError(f"{where}: is not a JSON object: fetch it again")
    parts = []
    for key, value in manifest.items():
        if key.startswith("_") or not _is_component(value):
            continue
        if not key or _folder(key, where) != key or "/" in key:
            raise CheckpointError(f"{where}: names the component {key!r:.100}, which is not a folder name: refused")
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
    """Check a path below the model's folder and strip its final slash; empty for the folder itself."""
    folder = path.removesuffix("/")
    if path == "/" or (folder and not is_plain(folder)):
        raise CheckpointError(
            f"{where}: names the folder {path!a:.100}, outside the model's on some systems: refused, don't "
            "trust this checkpoint"
        )
    return folder


def _inside(names: Collection[str], folder: str) -> set[str]:
    """The files directly in a folder."""
    prefix = f"{folder}/" if folder else ""
    return {rest for name in names if name.startswith(prefix) and "/" not in (rest := name[len(prefix) :])}


def _component_weights(names: set[str], where: str) -> WeightFiles | None:
    """Choose a component's weights by their standard name, else a safetensors file of another name."""
    if found := choose_loaded(names) or choose_standard(names, where):
        return found
    return choose_weights(names, where) if any(name.endswith(SAFETENSORS_SUFFIX) for name in names) else None

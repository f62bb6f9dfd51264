"""Find the files of a Hub repository that make up a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from wqscore.checkpoints.adapters.opening import ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapter_file
from wqscore.checkpoints.components import MODEL_INDEX, MODULES, find_components
from wqscore.checkpoints.hub.errors import NOT_CACHED
from wqscore.checkpoints.hub.files import HubFiles, OnFile, download
from wqscore.checkpoints.local import read_config, read_json
from wqscore.checkpoints.pytorch.dcp import check_not_distributed
from wqscore.checkpoints.quantised.config_files import CONFIG_FILES
from wqscore.checkpoints.standard_names import WeightFiles
from wqscore.checkpoints.weight_files import choose_weights, parts_of, remark_on, shard_names
from wqscore.errors import CheckpointError, read_small, reading

_CONFIG = "config.json"


@dataclass(frozen=True)
class HubWeights:
    """The files that make up a model.

    Attributes:
        files: the files that hold the weights.
        configs: its configurations and manifests of components, as far as they exist.
        holders: the file that holds each tensor, by the tensor's name, as the index lists them; empty without one.
        remarks: lines that say which files of other sets of weights are left out.
        kind: `adapters` or `models of several components`, for messages; empty for a model in the root.
    """

    files: tuple[str, ...]
    configs: tuple[str, ...]
    holders: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    remarks: tuple[str, ...] = ()


def find_weights(files: HubFiles, file: str | None = None, on_file: OnFile | None = None) -> HubWeights:
    """Find the files that make up a model; downloads shard indices and manifests of components.

    Args:
        files: the files of the repository.
        file: the one requested file, whose sibling parts are included; `None` for the repository's checkpoint.
        on_file: called with the name and size in bytes of each file before it is downloaded.

    Raises:
        CheckpointError: no weights, or an index that names a shard outside the repository or a missing one.
    """
    if file is not None:
        return _one_file(files, file)
    check_not_distributed(files.sizes, files.label)
    if ADAPTER_CONFIG in files.sizes:
        return _adapter(files)
    manifests = [name for name in (MODEL_INDEX, MODULES) if name in files.sizes]
    parsed = {name: read_json(download(files, name, on_file)) for name in manifests}
    components = find_components(files.sizes, parsed, files.label)
    if any(component.folder for component in components):
        found = [_in_folder(files, each.weights, each.folder, on_file) for each in components]
        names, configs = [n for each in found for n in each.files], [n for each in found for n in each.configs]
        remarks = tuple(remark for each in found for remark in each.remarks)
        return HubWeights(tuple(names), (*manifests, *configs), {}, "models of several components", remarks)
    config = read_config(download(files, _CONFIG, on_file)) if _CONFIG in files.sizes else {}
    try:
        chosen = choose_weights(files.sizes, files.label, config.get("transformers_weights"))
    except CheckpointError:
        if (named := adapter_file(files.sizes, Path())) is not None:
            return HubWeights((named.name,), (), kind="adapters")
        if files.cached:
            raise CheckpointError(f"{files.label}: its weights are {NOT_CACHED}") from None
        raise
    return _in_folder(files, chosen, "", on_file)


def _one_file(files: HubFiles, file: str) -> HubWeights:
    if file not in files.sizes:
        advice = f"is {NOT_CACHED}" if files.cached else "no such file in the repository: check the name"
        raise CheckpointError(f"{files.label}: {advice}")
    folder = PurePosixPath(file).parent
    return HubWeights(parts_of(file, files.sizes), _configs(files, "" if folder == PurePosixPath() else f"{folder}/"))


def _configs(files: HubFiles, prefix: str) -> tuple[str, ...]:
    """The configurations in a folder, as far as they exist."""
    return tuple(name for own in (_CONFIG, *CONFIG_FILES) if (name := f"{prefix}{own}") in files.sizes)


def _adapter(files: HubFiles) -> HubWeights:
    weights = [name for name in ADAPTER_WEIGHTS if name in files.sizes]
    if not weights:
        advice = f"it is {NOT_CACHED}" if files.cached else "try another revision"
        raise CheckpointError(f"{files.label}: has an {ADAPTER_CONFIG} and no {ADAPTER_WEIGHTS[0]}: {advice}")
    return HubWeights((weights[0],), (ADAPTER_CONFIG,), kind="adapters")


def _in_folder(files: HubFiles, chosen: WeightFiles, folder: str, on_file: OnFile | None) -> HubWeights:
    """The weights chosen in a folder, named relative to the repository."""
    prefix = f"{folder}/" if folder else ""
    configs = _configs(files, prefix)
    remarks = tuple(filter(None, [remark_on(chosen, folder)]))
    if chosen.index is None:
        return HubWeights(tuple(f"{prefix}{name}" for name in chosen.files), configs, remarks=remarks)
    name = f"{prefix}{chosen.index}"
    index = download(files, name, on_file)
    with reading(f"{files.label}: {name}"):
        shard_of = shard_names(read_small(index), f"{files.label}: {name}")
    holders = {tensor: f"{prefix}{shard}" for tensor, shard in shard_of.items()}
    shards = sorted(set(holders.values()))
    missing = [shard for shard in shards if shard not in files.sizes]
    if missing and files.cached:
        raise CheckpointError(f"{files.label}: {missing[0]} is {NOT_CACHED}")
    if missing:
        raise CheckpointError(
            f"{files.label}: {name} names {missing[0]}, which the repository does not have: "
            "its upload is incomplete, try another revision"
        )
    return HubWeights(tuple(shards), configs, holders, remarks=remarks)

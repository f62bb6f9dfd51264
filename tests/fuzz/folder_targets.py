"""Targets that open what a user names: files of any suffix, folders, adapters, models in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.planning import SEPARATOR, plan, written
from wqscore.checkpoints.adapters.opening import open_adapter, with_adapter
from wqscore.checkpoints.components import MODEL_INDEX, MODULES, find_components
from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.weight_files import choose_weights, parts_of
from wqscore.errors import WqscoreError
from wqscore.integrity.checksums import check_file
from wqscore.refs.reference import InMemory, ModelRef

#: Types of arrays in memory, some of which no checkpoint has.
_TYPES = ("f4", "f2", "f8", "i8", "u1", "?", "c8", "M8[s]", "V3", "U2", "O", "")
_MOST_NUMBERS = 4096


def by_content(data: bytes, folder: Path) -> None:
    """Bytes of any container under a suffix that says nothing."""
    checkpoint = open_checkpoint(ModelRef("model.pt", "file", path=written(folder, "model.pt", data)))
    plan(checkpoint.tensors, checkpoint.config)


def checkpoint_folder(data: bytes, folder: Path) -> None:
    """`config.json` and a model as a whole: re-parametrised weights, averaged copies, updates inside a model."""
    text, _, weights = data.partition(SEPARATOR)
    written(folder, "config.json", text)
    written(folder, "model.safetensors", weights)
    checkpoint = open_checkpoint(ModelRef("folder", "folder", path=folder))
    plan(checkpoint.tensors, checkpoint.config)


def named_adapter(data: bytes, folder: Path) -> None:
    """An adapter of names that trainers give, with settings or without, alone and merged into its own tensors."""
    text, _, weights = data.partition(SEPARATOR)
    written(folder, "adapter_config.json", text)
    file = written(folder, "lora.safetensors", weights)
    checkpoint = open_checkpoint(ModelRef("lora", "file", path=file))
    plan(checkpoint.tensors, checkpoint.config)
    plan(with_adapter(read_safetensors(file), open_adapter(file), "lora"), {})


def file_names(data: bytes, folder: Path) -> None:
    """A list of file names in JSON, the first of them as what the configuration names."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return
    names = [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
    for name in names[:16]:
        parts_of(name, names)
    for manifests in (
        {},
        {MODEL_INDEX: {name: ["a", "b"] for name in names}},
        {MODULES: [{"path": n} for n in names]},
    ):
        _refused_or_not(lambda manifests=manifests: find_components(names, manifests, "folder"))
    choose_weights(names, "folder", names[0] if names else None)


def _refused_or_not(run: Any) -> None:
    try:
        run()
    except WqscoreError as error:
        assert len(str(error)) <= 2000, "a message that nobody reads"


def in_memory(data: bytes, folder: Path) -> None:
    """A nested mapping of arrays, by JSON: `[shape, number of a type]` stands for an array."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return
    weights = _arrays(found) if isinstance(found, dict) else found
    if isinstance(weights, Mapping):
        checkpoint = open_in_memory(ModelRef("memory", "memory", memory=InMemory(weights, weights.get("config"))))
        plan(checkpoint.tensors, checkpoint.config)


def _arrays(value: Any) -> Any:
    """Mappings to any depth without recursion of this function's own beyond JSON's."""
    if isinstance(value, dict):
        return {key: _arrays(inner) for key, inner in value.items()}
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], list) and type(value[1]) is int:
        shape = tuple(size for size in value[0] if type(size) is int and 0 <= size <= _MOST_NUMBERS)[:8]
        if len(shape) == len(value[0]) and np.prod(shape, dtype=float) <= _MOST_NUMBERS:
            return np.zeros(shape, _TYPES[value[1] % len(_TYPES)] or "f4")
    return value


def checksums(data: bytes, folder: Path) -> None:
    """The zip file that `check` compares with its own checksums, and the note of a download."""
    note, _, content = data.partition(SEPARATOR)
    written(folder, "pytorch_model.bin", content)
    cache = folder / ".cache/huggingface/download"
    cache.mkdir(parents=True, exist_ok=True)
    written(cache, "pytorch_model.bin.metadata", note)
    check_file(folder / "pytorch_model.bin")

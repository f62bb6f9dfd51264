"""Expand a folder of a training run, without weights of its own, into the checkpoints in it, in order of step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from wqscore.checkpoints.adapters.opening import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from wqscore.checkpoints.components import MODEL_INDEX, MODULES
from wqscore.checkpoints.local import folder_names
from wqscore.checkpoints.pytorch.dcp import check_not_distributed
from wqscore.checkpoints.weight_files import choose_weights, is_weight_file
from wqscore.errors import CheckpointError, reading
from wqscore.refs.callers import unique_refs
from wqscore.refs.reference import ModelRef
from wqscore.refs.steps import Step, step_in, step_of

#: Folders below a run's that are looked into, as deep as Lightning's `logs/version_0/checkpoints/step=100.ckpt`.
_DEPTH = 3
#: Between the numbers and the other parts of a name.
_PARTS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Expanded:
    """Models, after each folder of checkpoints has given way to what is in it.

    Attributes:
        refs: the models, each once.
        lines: what was found in each such folder, a line each.
    """

    refs: tuple[ModelRef, ...]
    lines: tuple[str, ...]


@dataclass
class _Search:
    """What was found in a folder: checkpoints, files left out, and every folder that was looked into."""

    found: list[Path]
    left_out: list[Path]
    tried: list[Path]


def expand_runs(refs: Iterable[ModelRef]) -> Expanded:
    """Put the checkpoints of a run in the place of its folder.

    A folder that holds a model stays; so does any other reference. A folder in which no checkpoint is found becomes a
    missing model, whose reason names every folder that was looked into. Only names of files decide.

    Args:
        refs: the models.
    """
    expanded: list[ModelRef] = []
    lines: list[str] = []
    for ref in refs:
        folder = _folder_of(ref)
        if folder is None:
            expanded.append(ref)
        elif _is_checkpoint(folder):
            expanded.append(ref)
            lines += _beside(ref, folder)
        else:
            members, line = _expanded(ref, folder)
            expanded += members
            lines += line
    return Expanded(tuple(unique_refs(expanded)), tuple(lines))


def checkpoints_in(ref: ModelRef) -> Expanded:
    """The checkpoints below a folder of one run, also where the folder holds a model itself.

    A subfolder that is named as a checkpoint of a run and holds none is listed too: opening it says why.

    Args:
        ref: a folder, or a base with a folder of adapters.

    Returns:
        No checkpoints where the reference is no folder, or none is found; the line says so, and where.
    """
    folder = _folder_of(ref)
    if folder is None:
        return Expanded((), (ref.missing or f"{ref.label}: is no folder of checkpoints",))
    members, lines = _expanded(ref, folder)
    if members and (members[0].missing or members[0] == ref):
        members, lines = [], [members[0].missing or _why_none_below(folder)]
    held = {path for member in members if (path := (member.adapter or member).path)}
    empty = [each for each in _subfolders(folder) if not any(path.is_relative_to(each) for path in held)]
    return Expanded((*members, *(_member(ref, folder, each) for each in empty)), tuple(lines))


def _subfolders(folder: Path) -> list[Path]:
    """The subfolders whose names are a number, or tell a step."""
    try:
        entries = [each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]
    except OSError:
        return []
    return sorted(each for each in entries if each.name.isdecimal() or step_in(each.name))


def _folder_of(ref: ModelRef) -> Path | None:
    """The folder on disk that a model, or its adapter, is in."""
    last = ref.adapter or ref
    return last.path if last.source == "folder" and not last.missing and not ref.missing else None


def _expanded(ref: ModelRef, folder: Path) -> tuple[list[ModelRef], list[str]]:
    search = _Search([], [], [])
    try:
        _look(folder, search, _DEPTH)
    except CheckpointError:
        # Opening it says what is wrong.
        return [ref], []
    if not search.found:
        return [_nothing(ref, folder, search.tried)], []
    members = sorted((_member(ref, folder, path) for path in search.found), key=_order)
    where = (ref.adapter or ref).text.rstrip("/")
    return members, [f"{where}/: {_counted(members)}{_left_out(search.left_out, folder)}"]


def _look(folder: Path, search: _Search, depth: int) -> None:
    """Find the checkpoints in a folder that is none itself, and in the folders below.

    Raises:
        CheckpointError: the folder can't be read; one below that can't is passed over.
    """
    with reading(folder):
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        files = [entry for entry in entries if is_weight_file(entry.name) and entry.is_file()]
        folders = [entry for entry in entries if entry.is_dir()]
    stepped = [file for file in files if step_in(file.name)]
    search.found += stepped
    search.left_out += [file for file in files if stepped and file not in stepped]
    inside = {entry.resolve() for entry in entries if not entry.is_symlink()}
    for entry in folders:
        # A link to a checkpoint beside it, such as `latest`, is that checkpoint.
        if not (entry.is_symlink() and entry.resolve() in inside):
            _look_into(entry, search, depth)


def _look_into(folder: Path, search: _Search, depth: int) -> None:
    search.tried.append(folder)
    before = len(search.found)
    if _is_checkpoint(folder):
        search.found.append(folder)
        return
    if depth > 1 and not folder.is_symlink():
        with suppress(CheckpointError):
            _look(folder, search, depth - 1)
    # A checkpoint by its name that can't be read is a failed model, with its reason, rather than left out.
    if len(search.found) == before and step_in(folder.name) and not _is_empty(folder):
        search.found.append(folder)


def _is_empty(folder: Path) -> bool:
    """Whether nothing is in a folder; not if it can't be read."""
    try:
        return not any(folder.iterdir())
    except OSError:
        return False


def _is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a model, or weights of which opening says why they are none; by names alone."""
    try:
        names = folder_names(folder)
    except CheckpointError:
        return False
    files = {name for name in names if "/" not in name and is_weight_file(name)}
    if names & {ADAPTER_CONFIG, *ADAPTER_WEIGHTS, MODEL_INDEX, MODULES}:
        return True
    try:
        choose_weights(names, str(folder))
    except CheckpointError:
        # Several files and no index: the checkpoints of a run if their names tell steps.
        return bool(files) and not any(map(step_in, files))
    return True


def _nothing(ref: ModelRef, folder: Path, tried: Sequence[Path]) -> ModelRef:
    if not tried:
        # Opening it gives the reason.
        return ref
    below = ", ".join(path.relative_to(folder).as_posix() for path in tried)
    why = _why_no_checkpoint(folder)
    link = " No" if why.endswith("?") else "; no"
    return replace(ref, missing=f"{why}{link} checkpoint is in the folders below it either: {below}")


def _why_no_checkpoint(folder: Path) -> str:
    try:
        names = folder_names(folder)
        check_not_distributed(names, str(folder))
        choose_weights(names, str(folder))
    except CheckpointError as error:
        return str(error)
    return f"{folder}: no checkpoint in it"


def _why_none_below(folder: Path) -> str:
    if _is_checkpoint(folder):
        return f"{folder}: is one checkpoint: name the folder that holds all of its training"
    try:
        with reading(folder):
            any(folder.iterdir())
    except CheckpointError as error:
        return str(error)
    return f"{folder}: no checkpoint in it"


def _member(ref: ModelRef, folder: Path, path: Path) -> ModelRef:
    """The reference to a checkpoint below a folder, written as the folder was."""
    if ref.adapter is not None:
        inner = _member(replace(ref.adapter, name=None), folder, path)
        return replace(ref, text=f"{ref.base.text}+{inner.text}", adapter=inner)
    below = path.relative_to(folder).as_posix()
    name = None if ref.name is None else f"{ref.name}/{below}"
    text = f"{ref.text.rstrip('/')}/{below}"
    return replace(ref, text=text, source="folder" if path.is_dir() else "file", path=path, name=name)


def _order(ref: ModelRef) -> tuple[object, ...]:
    """By folder, those with a step first, in its order; the others by name, numbers in it by size."""
    path = (ref.adapter or ref).path
    step = step_of(ref)
    natural = [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _PARTS.split(ref.text)]
    return (str(path.parent) if path else "", step is None, step or Step("step", 0), natural)


def _counted(members: Sequence[ModelRef]) -> str:
    """How many checkpoints, and from which step to which."""
    steps = [step for step in map(step_of, members) if step]
    spans = [_span([step.number for step in steps if step.unit == unit], unit) for unit in ("step", "epoch")]
    without = len(members) - len(steps)
    parts = [*filter(None, spans), *([f"{without} without a step"] if without and steps else [])]
    noun = "checkpoint" if len(members) == 1 else "checkpoints"
    return ", ".join([f"{len(members)} {noun}", *parts])


def _span(numbers: Sequence[int], unit: str) -> str:
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    return f"{unit} {low}" if low == high else f"{unit}s {low} to {high}"


def _left_out(files: Sequence[Path], folder: Path) -> str:
    names = ", ".join(file.relative_to(folder).as_posix() for file in files)
    return f"; left out, as its name has no step: {names}" if files else ""


def _beside(ref: ModelRef, folder: Path) -> Iterator[str]:
    """A line if a model's folder has checkpoints of its training in it, which are no part of it."""
    if ref.adapter is not None:
        return
    try:
        beside = [each for each in folder.iterdir() if step_in(each.name) and each.is_dir() and _is_checkpoint(each)]
    except OSError:
        return
    if beside:
        shown, first = ref.text.rstrip("/"), sorted(beside)[0].name
        noun = "checkpoint" if len(beside) == 1 else "checkpoints"
        yield f"{shown}/: one model; the {len(beside)} {noun} in it are left out: name them ({shown}/{first}, …)"

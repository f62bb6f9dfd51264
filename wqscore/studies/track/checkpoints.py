"""The checkpoints of one run in order of step: subfolders of a folder, or revisions of a repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from wqscore.checkpoints.hub.files import list_revisions
from wqscore.checkpoints.runs import checkpoints_in
from wqscore.errors import UsageError
from wqscore.escaping import listed
from wqscore.refs.reference import ModelRef
from wqscore.refs.steps import Step, step_among_steps, step_in

#: At most this many names are listed in a message.
_NAMED = 6


@dataclass(frozen=True)
class RunCheckpoints:
    """The checkpoints of a run.

    Attributes:
        refs: by step, ascending.
        unit: what steps count, `step` or `epoch`.
        remarks: lines on what was left out.
    """

    refs: dict[int, ModelRef]
    unit: str
    remarks: tuple[str, ...]


def run_checkpoints(ref: ModelRef, revisions: str | None) -> RunCheckpoints:
    """Find the checkpoints of a run.

    Args:
        ref: a folder, a base with a folder of adapters, or a repository.
        revisions: a pattern of the branches and tags to take, such as `step*`; those whose name tells a step if
            `None`. For a repository alone.

    Raises:
        UsageError: no checkpoint is found, two have one step, some count steps and others epochs, or a pattern is
            given for a folder.
        CheckpointError: the Hub can't be asked.
    """
    if ref.repo is not None and ref.adapter is None:
        return _in_order(*_of_repository(ref, revisions), ref.label)
    if revisions is not None:
        raise UsageError(f"{ref.label}: --revisions chooses branches of a repository on the Hub: leave it out")
    return _in_order(*_of_folder(ref), ref.label)


def _of_folder(ref: ModelRef) -> tuple[list[tuple[Step, ModelRef]], list[str]]:
    found = checkpoints_in(ref)
    if not found.refs:
        raise UsageError(next(iter(found.lines), f"{ref.label}: no checkpoint in it"))
    above = (ref.adapter or ref).path
    assert above is not None, "a folder has a path"
    steps = [(_step_below(each, above), each) for each in found.refs]
    without = [each.label for step, each in steps if step is None]
    if len(without) == len(steps):
        raise UsageError(f"{ref.label}: no name in it tells a step: {listed(without, _NAMED)}")
    remarks = [f"left out, as its name has no number: {name}" for name in without]
    return [(step, each) for step, each in steps if step is not None], remarks


def _step_below(ref: ModelRef, folder: Path) -> Step | None:
    """The step of a checkpoint by its name, else by that of a folder between it and the run's."""
    path = (ref.adapter or ref).path
    assert path is not None, "a checkpoint in a folder has a path"
    name, *between = reversed(path.relative_to(folder).parts)
    return step_among_steps(name) or next(filter(None, map(step_in, between)), None)


def _of_repository(ref: ModelRef, revisions: str | None) -> tuple[list[tuple[Step, ModelRef]], list[str]]:
    if ref.revision is not None:
        raise UsageError(f"{ref.label}: names one revision: leave it out, or choose several with --revisions 'step*'")
    names = list_revisions(ref)
    chosen = [name for name in names if (fnmatchcase(name, revisions) if revisions else step_in(name))]
    if not chosen:
        wanted = f"matches {revisions!r}" if revisions else "tells a step: choose some with --revisions 'PATTERN*'"
        raise UsageError(f"{ref.label}: none of its revisions {wanted}; it has {listed(names, _NAMED)}")
    refs = {name: replace(ref, text=f"{ref.text}@{name}", revision=name) for name in chosen}
    steps = {name: step_among_steps(name) for name in chosen}
    without = [f"left out, as its name has no number: {refs[name].label}" for name in chosen if steps[name] is None]
    found = [(step, refs[name]) for name, step in steps.items() if step is not None]
    if not found:
        raise UsageError(
            f"{ref.label}: no revision that matches {revisions!r} has a number: {listed(chosen, _NAMED)}"
        )
    return found, without


def _in_order(found: Sequence[tuple[Step, ModelRef]], remarks: Sequence[str], label: str) -> RunCheckpoints:
    units = {step.unit: ref for step, ref in found}
    if len(units) > 1:
        named = " and ".join(f"{unit}s ({ref.label})" for unit, ref in sorted(units.items()))
        raise UsageError(f"{label}: its checkpoints count {named}: track those of one kind")
    refs: dict[int, ModelRef] = {}
    for step, ref in sorted(found, key=lambda each: each[0].number):
        if step.number in refs:
            raise UsageError(
                f"{label}: {step.unit} {step.number} has two checkpoints, {refs[step.number].label} and {ref.label}: "
                "track one run, without copies"
            )
        refs[step.number] = ref
    return RunCheckpoints(refs, next(iter(units)), tuple(remarks))

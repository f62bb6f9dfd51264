"""Read the step of a training run from the name of a checkpoint: `checkpoint-500`, `epoch=3-step=1200.ckpt`."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from wqscore.refs.reference import ModelRef
from wqscore.refs.weight_names import WEIGHT_SUFFIXES

#: A number, also written in thousands or millions (`10k`), that no fraction follows.
_NUMBER = r"(?P<number>\d{1,15})(?P<unit>[kKmM]?)(?![A-Za-z\d]|\.\d)"
_START = r"(?:^|[^A-Za-z])"
#: fairseq names the epoch, then the update: `checkpoint_2_1000.pt`.
_EPOCH_AND_STEP = re.compile(rf"^checkpoint_\d+_{_NUMBER}$")
_STEP = re.compile(
    rf"{_START}(?:global[-_]?step|train[-_]?step|steps?|iter(?:ation)?s?|it|updates?|ba|batch|checkpoint|ckpt|ckp)"
    rf"[-_=. ]?{_NUMBER}",
    re.IGNORECASE,
)
_EPOCH = re.compile(rf"{_START}(?:epochs?|ep|e)[-_=. ]?{_NUMBER}", re.IGNORECASE)
#: A name that ends in a number padded with zeros, `model_0004999`, and is no shard. A bare number may be a seed.
_PADDED = re.compile(r"[A-Za-z](?<!-of)[-_](?P<number>0\d{2,14})(?P<unit>)$")
#: Any number, for a folder of one run's checkpoints, where it is the step.
_LAST = re.compile(r"(?P<number>\d{1,15})(?P<unit>[kKmM](?![A-Za-z])|)")
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}


class Step(NamedTuple):
    """Where in a training run a checkpoint was taken.

    Attributes:
        unit: what is counted; a step sorts before an epoch.
        number: how many, from 0.
    """

    unit: Literal["step", "epoch"]
    number: int


def step_in(name: str) -> Step | None:
    """The step that the name of a folder, file or revision tells; `None` if it tells none.

    Where it names an epoch as well, the step counts.

    Example:
        >>> step_in("checkpoint-500"), step_in("epoch=3-step=1200.ckpt"), step_in("epoch_7"), step_in("best")
        (Step(unit='step', number=500), Step(unit='step', number=1200), Step(unit='epoch', number=7), None)
    """
    stem = _stem(name)
    for pattern in (_EPOCH_AND_STEP, _STEP):
        if match := pattern.search(stem):
            return Step("step", _counted(match))
    if match := _EPOCH.search(stem):
        return Step("epoch", _counted(match))
    match = _PADDED.search(stem)
    return Step("step", _counted(match)) if match else None


def step_among_steps(name: str) -> Step | None:
    """The step that a name tells among checkpoints of one run: where no word names it, the last number.

    Example:
        >>> step_among_steps("run2-900"), step_among_steps("epoch_7"), step_among_steps("best")
        (Step(unit='step', number=900), Step(unit='epoch', number=7), None)
    """
    found = step_in(name)
    if found is not None:
        return found
    last = next(reversed(list(_LAST.finditer(_stem(name)))), None)
    return Step("step", _counted(last)) if last else None


def step_of(ref: ModelRef) -> Step | None:
    """The step of a checkpoint of a run: by its name on disk, or its revision on the Hub; of an adapter, its own."""
    if ref.adapter is not None and (step := step_of(ref.adapter)):
        return step
    if ref.path is not None:
        return step_in(ref.path.name)
    return step_in(ref.revision) if ref.revision is not None else None


def run_of(ref: ModelRef) -> str:
    """The run that a checkpoint belongs to, as typed: its parent folder, or its repository."""
    if ref.adapter is not None and step_of(ref.adapter):
        return run_of(ref.adapter)
    if ref.repo is not None:
        return ref.repo
    is_named = ref.name is not None and "/" not in ref.name
    text = str(ref.path) if is_named and ref.path else ref.label.rstrip("/")
    return f"{text.rpartition('/')[0]}/" if "/" in text else "./"


def _stem(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in WEIGHT_SUFFIXES if name.endswith(suffix)), name)


def _counted(match: re.Match[str]) -> int:
    return int(match["number"]) * _TIMES[match["unit"].lower()]

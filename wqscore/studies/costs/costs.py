"""What studies of some models would take, with and without their scores in the store: nothing is read or fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.runs import expand_runs
from wqscore.errors import CheckpointError, UsageError, fault
from wqscore.execution.resources import cores, program_memory
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.planning.describe import ModelDescription, describe_checkpoint, open_without_weights
from wqscore.planning.work import Speed, measure_speed
from wqscore.presets.registry import DEFAULT
from wqscore.refs.callers import refs_of
from wqscore.refs.reference import ModelRef, Models
from wqscore.results import Result
from wqscore.studies.costs.own import STUDIES, Own, Study

#: The most that an estimate of a study's own work has been off by.
_MORE_WORK = 2


@dataclass(frozen=True)
class Cost:
    """What a study takes.

    Attributes:
        to_read: bytes that it reads.
        eigensolves: of matrices, or of convolutions' slices.
        seconds: the least time that it is likely to take on one core of this machine, without fetching.
        most_seconds: the most.
        peak_memory: about how many bytes it holds at its peak.
    """

    to_read: int
    eigensolves: int
    seconds: float
    most_seconds: float
    peak_memory: int


@dataclass(frozen=True)
class StudyCost:
    """What a study of one model, or of a pair, takes.

    Attributes:
        study: its name.
        model: the model, or the pair.
        to_fetch: bytes that are downloaded first; `None` where that is not known.
        first: what it takes the first time; `None` without headers.
        again: what it takes once the store has the models' scores; `None` likewise.
        reason: why there are no numbers; empty where there are.
    """

    study: str
    model: str
    to_fetch: int | None = None
    first: Cost | None = None
    again: Cost | None = None
    reason: str = ""


@dataclass(frozen=True, repr=False)
class StudyCosts(Result):
    """What studies take.

    Attributes:
        rows: one for each study and model, or pair of models.
        sampling: how often scoring resamples, and draws for the goodness of fit.
    """

    rows: tuple[StudyCost, ...]
    sampling: Sampling = USUAL

    def __repr__(self) -> str:
        """How many rows."""
        return f"<StudyCosts: {len(self.rows)} rows>"

    @property
    def failed(self) -> tuple[StudyCost, ...]:
        """The rows without numbers."""
        return tuple(row for row in self.rows if row.first is None)


@dataclass(frozen=True)
class _Opened:
    """A model of which the headers are read."""

    checkpoint: Checkpoint
    described: ModelDescription


def costs(
    models: Models,
    studies: Iterable[str],
    *,
    jobs: int | None = None,
    bootstrap: int = USUAL.bootstrap,
    gof: int = USUAL.gof,
) -> StudyCosts:
    """Estimate what studies of models take, from their files' headers alone.

    A study of pairs compares the first model with each of the others; of one alone, with another like it.

    Args:
        models: the models, as for `wqscore.rank`.
        studies: their names, or `all`.
        jobs: threads that would work; all cores if `None`. They decide on the memory.
        bootstrap: resamples of each matrix that scoring would draw.
        gof: draws for the goodness of fit.

    Raises:
        UsageError: an unknown study, or a reference that means nothing.

    Example:
        `wqscore.studies.costs.costs("bert-base", ["width"]).rows[0].first.seconds`
    """
    chosen = _named(studies)
    sampling = Sampling(bootstrap=bootstrap, gof=gof)
    speed = measure_speed()
    found = [_open(ref, jobs, speed, sampling) for ref in expand_runs(refs_of(models)).refs]
    rows = [row for name in chosen for row in _rows(name, found, jobs, speed)]
    return StudyCosts(tuple(rows), sampling)


def _named(studies: Iterable[str]) -> list[str]:
    given = list(dict.fromkeys(studies))
    if "all" in given:
        return list(STUDIES)
    for name in given:
        if name not in STUDIES:
            raise UsageError(f"no such study: {name!r}: choose from {', '.join(STUDIES)}, all")
    if not given:
        raise UsageError(f"no study is named: choose from {', '.join(STUDIES)}, all")
    return given


def _open(ref: ModelRef, jobs: int | None, speed: Speed, sampling: Sampling) -> _Opened | tuple[ModelRef, str]:
    try:
        checkpoint = open_without_weights(ref)
        return _Opened(checkpoint, describe_checkpoint(checkpoint, DEFAULT, jobs, speed, sampling))
    except CheckpointError as error:
        return ref, str(error)
    except Exception as error:
        # Nobody foresaw it, and it is this model's alone.
        return ref, fault(error)


def _rows(
    name: str, models: Sequence[_Opened | tuple[ModelRef, str]], jobs: int | None, speed: Speed
) -> list[StudyCost]:
    study = STUDIES[name]
    failed = [StudyCost(name, each[0].label, reason=each[1]) for each in models if isinstance(each, tuple)]
    opened = [each for each in models if isinstance(each, _Opened)]
    compared = [each for each in opened if study.is_compared(each.checkpoint)]
    alone = [each for each in opened if each not in compared]
    rows = [_cost(name, study, [each], each.checkpoint.ref.label, jobs, speed) for each in alone]
    if not compared or isinstance(models[0], tuple):
        return [*rows, *failed]
    base, *others = compared
    label = base.checkpoint.ref.label
    if not others and not failed:
        return [_cost(name, study, [base, base], f"{label} → another like it", jobs, speed)]
    pairs = [
        _cost(name, study, [base, each], f"{label} → {each.checkpoint.ref.label}", jobs, speed) for each in others
    ]
    return [*rows, *pairs, *failed]


def _cost(
    name: str, study: Study, models: Sequence[_Opened], label: str, jobs: int | None, speed: Speed
) -> StudyCost:
    own = study.own([each.checkpoint for each in models])
    again = _of_own(own, jobs, speed)
    scored = [each.described for each in models] if study.scores else []
    first = Cost(
        to_read=again.to_read + sum(each.size for each in scored),
        eigensolves=again.eigensolves + sum(each.eigensolves for each in scored),
        seconds=again.seconds + sum(each.seconds for each in scored),
        most_seconds=again.most_seconds + sum(each.most_seconds for each in scored),
        peak_memory=max(again.peak_memory, *(each.peak_memory for each in scored)) if scored else again.peak_memory,
    )
    to_fetch = {id(each): each.described.to_fetch for each in models}
    return StudyCost(name, label, sum(to_fetch.values()), first, again)


def _of_own(own: Own, jobs: int | None, speed: Speed) -> Cost:
    workers = jobs or cores()
    seconds = speed.seconds(own.work)
    memory = program_memory(min(workers, max(len(own.jobs), 1))) + sum(own.jobs[: 2 * workers])
    return Cost(own.to_read, own.work.solves, seconds, _MORE_WORK * seconds, memory)

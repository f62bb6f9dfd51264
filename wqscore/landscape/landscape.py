"""Measure the loss landscape around models, and between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from math import nan
from time import perf_counter
from typing import Any, Protocol

import torch

from wqscore.errors import UsageError, WqscoreError, nearest
from wqscore.landscape.data_free import data_free
from wqscore.landscape.measure import Choices, Estimate, ModelMeasure, PairMeasure
from wqscore.landscape.registry import MODEL_MEASURES, PAIR_MEASURES, USUAL_MEASURES, USUAL_PAIRS
from wqscore.landscape.task import Task, prepared
from wqscore.landscape.threads import threads_for
from wqscore.metrics.registry import choose_metrics
from wqscore.presets.registry import DEFAULT
from wqscore.results import Result

#: What `--measure`, `--pairs` and `--metrics` take for nothing.
NONE = "none"


@dataclass(frozen=True)
class Measured:
    """One number with what it took.

    Attributes:
        estimate: the number; its value is NaN where it could not be measured.
        n_used: how many examples it rests on.
        seconds: how long its measure took.
        reason: why there is no number; empty where there is.
    """

    estimate: Estimate
    n_used: int
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class MeasuredModel:
    """One model's numbers.

    Attributes:
        model: its name, as typed.
        measures: its numbers, of the loss and of the weights alone.
        reason: why it could not be measured at all; empty if it could.
        n_params: how many parameters need a gradient.
    """

    model: str
    measures: tuple[Measured, ...]
    reason: str = ""
    n_params: int = 0


@dataclass(frozen=True)
class MeasuredPair:
    """One number between two models.

    Attributes:
        a: the first model's name; its examples count.
        b: the second one's.
        measured: the number.
    """

    a: str
    b: str
    measured: Measured


@dataclass(frozen=True, repr=False)
class Landscape(Result):
    """What was measured around models and between them.

    Attributes:
        models: the models, in the order given.
        pairs: numbers between each two.
        choices: what all measures shared.
        is_whole: false if it was interrupted.
    """

    models: tuple[MeasuredModel, ...]
    pairs: tuple[MeasuredPair, ...]
    choices: Choices
    is_whole: bool = True

    def __repr__(self) -> str:
        """How many models and pairs there are."""
        return f"<Landscape of {len(self.models)} models, {len(self.pairs)} numbers between them>"

    @property
    def reasons(self) -> list[str]:
        """Why numbers are missing, a line for each model, and for each pair and measure."""
        found = [each.reason for each in self.models if each.reason]
        for model in self.models:
            found += [f"{model.model}: {reason}" for reason in reasons_of(model.measures) if not model.reason]
        for one in dict.fromkeys((each.a, each.b) for each in self.pairs):
            of_pair = [each.measured for each in self.pairs if (each.a, each.b) == one]
            found += [f"{one[0]} and {one[1]}: {reason}" for reason in reasons_of(of_pair)]
        return found


class LandscapeInterrupted(KeyboardInterrupt):
    """Ctrl-C during `landscape`: `found` holds what was measured."""

    def __init__(self, found: Landscape) -> None:
        super().__init__("interrupted")
        self.found = found


class Progress(Protocol):
    """Receives lines on what is being done."""

    def note(self, text: str) -> None:
        """Called before each model's and each pair's measures."""

    def failed(self, reason: str) -> None:
        """Called as soon as it is known that a number can't be measured."""


def landscape(
    refs: Sequence[str],
    task: Callable[[str], Task],
    *,
    measures: Sequence[str] = USUAL_MEASURES,
    pairs: Sequence[str] | None = None,
    metrics: str = "core",
    choices: Choices | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Landscape:
    """Measure the loss landscape around models, beside their data-free metrics, and between each two.

    Everything that can be checked is checked before the first measure. With pairs all models are in memory at a time.

    Args:
        refs: the models' names, which `task` is called with.
        task: makes a model's task of its name.
        measures: of each model: names of `registry.MODEL_MEASURES`; its loss, error and norm are always measured.
        pairs: between each two: names of `registry.PAIR_MEASURES`; `None` for `linear`, `cka` and `l2`.
        metrics: data-free metrics of the models, as `wqscore.score` takes them; `none` for none.
        choices: what all measures share.
        jobs: threads of torch; its own choice if `None`, and one for a small model.
        progress: receives progress.

    Raises:
        UsageError: an unknown measure or metric, no task, or a loss that is no mean.
        LandscapeInterrupted: Ctrl-C; a `KeyboardInterrupt` that carries what was measured.
    """
    chosen = chosen_measures(measures)
    if metrics != NONE:
        choose_metrics(metrics, DEFAULT.core)
    of_pairs = chosen_pairs(pairs, len(refs))
    return _Run(tuple(refs), task, chosen, of_pairs, metrics, choices or Choices(), jobs, progress).all()


def chosen_measures(names: Sequence[str]) -> tuple[ModelMeasure, ...]:
    """The measures of a model by name, the loss first.

    Raises:
        UsageError: an unknown name.
    """
    wanted = [name for name in names if name != NONE]
    return tuple(_named(name, MODEL_MEASURES, "--measure") for name in dict.fromkeys(("level", *wanted)))


def chosen_pairs(names: Sequence[str] | None, models: int) -> tuple[PairMeasure, ...]:
    """The measures between two models by name; none for one model.

    Raises:
        UsageError: an unknown name, or some were named for one model.
    """
    wanted = [name for name in (USUAL_PAIRS if names is None else names) if name != NONE]
    found = tuple(_named(name, PAIR_MEASURES, "--pairs") for name in dict.fromkeys(wanted))
    if models < 2 and names is not None and found:
        raise UsageError("--pairs needs two models or more")
    return found if models > 1 else ()


def _named(name: str, known: Any, option: str) -> Any:
    if name not in known:
        raise UsageError(f"{option}: no measure {name!r}: {nearest(name, [*known, NONE])}")
    return known[name]


@dataclass
class _Run:
    """A run, and what it has so far."""

    refs: tuple[str, ...]
    task: Callable[[str], Task]
    measures: tuple[ModelMeasure, ...]
    pairs: tuple[PairMeasure, ...]
    metrics: str
    choices: Choices
    jobs: int | None
    progress: Progress | None
    models: dict[str, MeasuredModel] = field(default_factory=dict)
    found: list[MeasuredPair] = field(default_factory=list)
    kept: dict[str, Task] = field(default_factory=dict)

    def all(self) -> Landscape:
        try:
            if self.pairs:
                # All tasks at once, so that a bad one ends the run before anything long.
                self.kept = {ref: made for ref in self.refs if (made := self.made(ref)) is not None}
            refusals = {pair: self.refusals(*pair) for pair in combinations(self.kept, 2)}
            for ref in self.refs:
                if ref not in self.models:
                    self.one(ref)
            for pair, refused in refusals.items():
                self.between(*pair, refused)
        except KeyboardInterrupt as interrupt:
            raise LandscapeInterrupted(replace(self.result(), is_whole=False)) from interrupt
        return self.result()

    def result(self) -> Landscape:
        models = (
            self.models.get(ref) or _unmeasured(ref, f"{ref}: interrupted before it was measured")
            for ref in self.refs
        )
        return Landscape(tuple(models), tuple(self.found), self.choices)

    def made(self, ref: str) -> Task | None:
        """A model's task, checked; `None` with a row that has the reason."""
        try:
            task = self.task(ref)
            with prepared(task):
                return task
        except UsageError:
            raise
        except WqscoreError as error:
            reason = str(error) if ref in str(error) else f"{ref}: {error}"
            self.models[ref] = _unmeasured(ref, reason)
            self.failed(reason)
        return None

    def one(self, ref: str) -> None:
        task = self.kept.get(ref) or self.made(ref)
        if task is None:
            return
        self.note(f"{ref}: {', '.join(each.name for each in self.measures)}")
        params = sum(each.numel() for each in task.model.parameters() if each.requires_grad)
        self.models[ref] = MeasuredModel(ref, (), n_params=params)
        for measure in self.measures:
            with threads_for(task, self.jobs):
                self.add(ref, _timed(measure.gives, partial(measure.compute, task, self.choices), task.n))
        if self.metrics != NONE:
            compute = partial(data_free, task.model, ref, self.metrics, self.choices.seed)
            self.add(ref, _timed((self.metrics,), compute, 0))

    def add(self, ref: str, found: Sequence[Measured]) -> None:
        row = self.models[ref]
        for reason in reasons_of(found):
            self.failed(f"{ref}: {reason}")
        self.models[ref] = replace(row, measures=(*row.measures, *found))

    def refusals(self, a: str, b: str) -> dict[str, str]:
        """Why measures can't be taken between two models, before anything is measured."""
        refused = {}
        for measure in self.pairs:
            try:
                measure.check(self.kept[a], self.kept[b])
            except WqscoreError as error:
                refused[measure.name] = str(error)
        for reason in dict.fromkeys(refused.values()):
            self.failed(f"{a} and {b}: {reason}")
        return refused

    def between(self, a: str, b: str, refused: dict[str, str]) -> None:
        one, other = self.kept[a], self.kept[b]
        self.note(f"{a} and {b}: {', '.join(each.name for each in self.pairs)}")
        for measure in self.pairs:
            if measure.name in refused:
                measured = _missing(measure.gives, 0, 0.0, refused[measure.name])
            else:
                with threads_for(one, self.jobs):
                    measured = _timed(measure.gives, partial(measure.compute, one, other, self.choices), one.n)
                for reason in reasons_of(measured):
                    self.failed(f"{a} and {b}: {reason}")
            self.found += [MeasuredPair(a, b, each) for each in measured]

    def note(self, text: str) -> None:
        if self.progress is not None:
            self.progress.note(text)

    def failed(self, reason: str) -> None:
        if self.progress is not None:
            self.progress.failed(reason)


def _timed(gives: Sequence[str], compute: Callable[[], Sequence[Estimate]], n_used: int) -> list[Measured]:
    start = perf_counter()
    try:
        found = compute()
    except (WqscoreError, torch.OutOfMemoryError, MemoryError, NotImplementedError, RuntimeError) as error:
        reason = str(error) if isinstance(error, WqscoreError) else f"{type(error).__name__}: {error}"
        return _missing(gives, n_used, perf_counter() - start, " ".join(reason.split())[:300])
    seconds = perf_counter() - start
    return [Measured(each, n_used, seconds) for each in found]


def _missing(gives: Sequence[str], n_used: int, seconds: float, reason: str) -> list[Measured]:
    return [Measured(Estimate(name, nan, ""), n_used, seconds, reason) for name in gives]


def _unmeasured(ref: str, reason: str) -> MeasuredModel:
    return MeasuredModel(ref, (), reason)


def reasons_of(measured: Sequence[Measured]) -> list[str]:
    """Why numbers are missing, each reason once."""
    return list(dict.fromkeys(each.reason for each in measured if each.reason))

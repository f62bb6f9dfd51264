"""One run from its first step to its last row: training, checkpoints, damages, fine-tunes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import nn

from benchmarks.zoo.damage import Weights, damaged
from benchmarks.zoo.networks import build, load_weights, weights_of
from benchmarks.zoo.plan import SHIFTED, FineTune, Run, random_seed
from benchmarks.zoo.score import save_weights, score_weights
from benchmarks.zoo.tasks import Task, load_task
from benchmarks.zoo.train import Learned, Schedule, measure, target_loss, train, training_examples

Row = dict[str, object]


@dataclass(frozen=True)
class Folders:
    """Where the wheels lie, and where weights are kept, if anywhere."""

    wheels: Path
    weights: Path | None = None


def rows_of(run: Run, folders: Folders, done: Callable[[str], bool] = lambda model: False) -> Iterator[Row]:
    """Train a run and yield its rows.

    Args:
        run: the run; what it gives depends on nothing else.
        folders: for wheels and weights.
        done: whether the row of a model is known already; it is then neither scored nor yielded.
    """
    return _Worker(run, folders, done).rows()


class _Worker:
    """A run's task, network and examples, which all of its rows need."""

    def __init__(self, run: Run, folders: Folders, done: Callable[[str], bool]) -> None:
        self.run, self.folders, self.done = run, folders, done
        family, recipe = run.family, run.recipe
        self.seed = random_seed(run.name)
        self.task = load_task(family.task, family.architecture, folders.wheels)
        self.examples = training_examples(self.task, recipe.share, recipe.label_noise, self.seed)
        self.network = build(family, run.width, recipe.dropout, self.task, self.seed)
        self.fresh = weights_of(build(family, run.width, recipe.dropout, self.task, self.seed + 1))
        self.schedule = Schedule(
            family.optimiser, recipe.lr, recipe.batch, recipe.weight_decay, family.steps, self.seed
        )

    def rows(self) -> Iterator[Row]:
        """Yield the checkpoints, then the damages, then the fine-tunes."""
        measured = measure(self.task, self.examples)
        steps = self.run.family.steps
        percents = {round(percent * steps / 100): percent for percent in self.run.checkpoints}
        waiting: list[tuple[int, Weights, Learned]] = []
        for step in train(self.network, self.examples, self.schedule, percents):
            waiting.append((step, weights_of(self.network), measured(self.network)))
        final, learned = waiting[-1][1:]
        goal = target_loss(self.run.family.task, self.task.classes, self.run.recipe.label_noise)
        status = "trained" if learned.train_loss <= goal else "not trained"
        for step, weights, then in waiting:
            name = self.run.name if step == steps else f"{self.run.name}@{percents[step]}"
            kind = "recipe" if step == steps else "run"
            extra: Row = {"kind": kind, "step": step, "progress": percents[step], "status": status}
            yield from self.row(name, weights, then, extra, self.task, keep=True)
        last: Row = {"step": steps, "progress": 100, "status": status}
        for damage in self.run.damages:
            name = f"{self.run.name}+{damage}"
            weights = damaged(final, damage, self.fresh, random_seed(name))
            load_weights(self.network, weights)
            extra = {**last, "kind": "damage", "damage": damage, "parent": self.run.name}
            yield from self.row(name, weights, measured, extra, self.task)
        for tune in self.run.fine_tunes:
            yield from self.fine_tuned(tune, final, measured, last)

    def fine_tuned(
        self, tune: FineTune, final: Weights, measured: Callable[[nn.Module], Learned], last: Row
    ) -> Iterator[Row]:
        """Yield the parent on the shifted task, and the fine-tuned network on both tasks."""
        run, name = self.run, f"{self.run.name}~{tune.name}"
        shifted = load_task(run.family.task, run.family.architecture, self.folders.wheels, shifted=True)
        examples = training_examples(shifted, tune.share, tune.label_noise, random_seed(name))
        measured_shifted = measure(shifted, examples)
        load_weights(self.network, final)
        if tune is run.fine_tunes[0]:
            extra = {**last, "kind": "fine-tune", "weights": run.name}
            yield from self.row(f"{run.name}{SHIFTED}", final, measured_shifted, extra, shifted)
        steps = round(tune.steps_share * self.schedule.steps)
        schedule = replace(self.schedule, lr=self.schedule.lr * tune.lr_factor, steps=steps, seed=random_seed(name))
        for _ in train(self.network, examples, schedule, {steps}):
            pass
        weights = weights_of(self.network)
        extra = {**last, "kind": "fine-tune", "parent": run.name, "fine_tune": tune.name}
        yield from self.row(name, weights, measured, extra, self.task, keep=True)
        yield from self.row(f"{name}{SHIFTED}", weights, measured_shifted, {**extra, "weights": name}, shifted)

    def row(
        self,
        model: str,
        weights: Weights,
        learned: Learned | Callable[[nn.Module], Learned],
        extra: Mapping[str, object],
        task: Task,
        keep: bool = False,
    ) -> Iterator[Row]:
        """Score a network and yield its row, unless that is done; `learned` is measured only where needed."""
        if self.done(model):
            return
        if not isinstance(learned, Learned):
            learned = learned(self.network)
        if keep and self.folders.weights:
            save_weights(weights, self.folders.weights / f"{model}.safetensors")
        yield {
            "source": "zoo",
            "family": self.run.family.name,
            "model": model,
            "series": self.run.shape,
            "params": sum(array.size for array in weights.values()),
            **_quality(task, learned),
            **self.run.hyper_parameters(),
            "run": self.run.name,
            "seed": self.run.seed,
            "weights": "",
            "parent": "",
            "damage": "",
            "fine_tune": "",
            **extra,
            **score_weights(weights),
        }


def _quality(task: Task, learned: Learned) -> Row:
    """The columns of what was learned; the gap is of losses, the training labels with their noise."""
    return {
        "quality": learned.test_loss if task.better == "lower" else learned.test_accuracy,
        "quality_name": task.quality_name,
        "better": task.better,
        "gap": learned.test_loss - learned.train_loss,
        **asdict(learned),
    }

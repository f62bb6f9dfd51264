"""All runs of the zoo, each with a unique name; the plan is the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar
from zlib import crc32

import numpy as np

from benchmarks.zoo.damage import DAMAGES, HALF_OF_DAMAGES
from benchmarks.zoo.families import Family, families

T = TypeVar("T")

#: Percent of training after which a run's checkpoints are taken; every run has the last.
CHECKPOINTS = (1, 2, 5, 10, 20, 50, 100)

#: What the name of a network ends in where its quality is measured on the shifted task.
SHIFTED = ":shifted"

_RECIPES = 11
_LABEL_NOISE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.3, 0.3)
_SHARES = (1.0, 1.0, 1.0, 1.0, 1.0, 0.3, 0.3, 0.3, 0.1, 0.1)
_DROPOUTS = (0.0, 0.1, 0.3)
#: Recipes that the small and the large width are trained with too, and seeds of the first recipe beyond one.
_SIZED_RECIPES = (0, 1, 2)
_MORE_SEEDS = (1, 2)
#: Which recipes of the main width are followed during training, damaged (wholly, by half), and fine-tuned.
_FOLLOWED = (0, 1, 3)
_DAMAGED = {0: DAMAGES, 2: HALF_OF_DAMAGES}
_FINE_TUNED = (0, 4)


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of a run, apart from width and seed.

    Attributes:
        name: unique in the family, `r00` for the one with every hyper-parameter in the middle.
        lr: highest learning rate; warm-up over 5 % of the steps, then a cosine down to 0.
        batch: examples in a step.
        weight_decay: as the family's optimiser means it.
        dropout: probability.
        label_noise: probability that a training label is replaced by a random class.
        share: share of the training examples used.
    """

    name: str
    lr: float
    batch: int
    weight_decay: float
    dropout: float
    label_noise: float
    share: float


@dataclass(frozen=True)
class FineTune:
    """A short training on the shifted task, from the end of a run.

    Attributes:
        name: unique among the run's.
        lr_factor: times the parent's learning rate.
        share: share of the shifted training examples used.
        label_noise: of the shifted training labels.
        steps_share: steps, as a share of the parent's.
    """

    name: str
    lr_factor: float
    share: float
    label_noise: float
    steps_share: float


FINE_TUNES = (FineTune("gentle", 0.2, 0.3, 0.0, 0.2), FineTune("rough", 1.0, 0.05, 0.3, 0.1))


@dataclass(frozen=True)
class Run:
    """One training from scratch, and what is made of it afterwards.

    Attributes:
        family: what it belongs to.
        width: of the network.
        recipe: its hyper-parameters.
        seed: number of the run among those with this recipe and width.
        checkpoints: percents of training at which the network is scored.
        damages: names of the damages done to the trained network.
        fine_tunes: trainings that start from the trained network.
    """

    family: Family
    width: int
    recipe: Recipe
    seed: int
    checkpoints: tuple[int, ...] = CHECKPOINTS[-1:]
    damages: tuple[str, ...] = ()
    fine_tunes: tuple[FineTune, ...] = field(default=())

    @property
    def name(self) -> str:
        """Unique name, `mlp2-digits/w256-r00-s0`."""
        return f"{self.family.name}/w{self.width}-{self.recipe.name}-s{self.seed}"

    @property
    def shape(self) -> str:
        """What runs with tensors of the same shapes have in common, `mlp2-digits/w256`."""
        return f"{self.family.name}/w{self.width}"

    def models(self) -> list[str]:
        """Return the names of all its rows, as `rows_of` yields them."""
        followed = [self.name if percent == 100 else f"{self.name}@{percent}" for percent in self.checkpoints]
        hurt = [f"{self.name}+{damage}" for damage in self.damages]
        tuned = [f"{self.name}~{tune.name}{task}" for tune in self.fine_tunes for task in ("", SHIFTED)]
        return [*followed, *hurt, *([self.name + SHIFTED] if tuned else []), *tuned]

    def hyper_parameters(self) -> dict[str, object]:
        """Return the columns that say how it was trained."""
        values = asdict(self.recipe)
        return {
            "recipe": values.pop("name"),
            "task": self.family.task,
            "depth": self.family.depth,
            "width": self.width,
            **values,
        }


def random_seed(name: str) -> int:
    """Return the seed that belongs to a name; never Python's own hash, which differs between processes.

    Example:
        >>> random_seed("mlp2-digits/w256-r00-s0")
        3891207722
    """
    return crc32(name.encode())


def recipes(family: Family) -> list[Recipe]:
    """Return the family's recipes: the middle one, then as many of each level as the levels' lists say, shuffled."""
    rng = np.random.default_rng(random_seed(family.name))
    drawn = _RECIPES - 1
    columns = zip(
        _shuffled(_repeated(family.learning_rates, drawn), rng),
        _shuffled(_repeated(family.batch_sizes, drawn), rng),
        _shuffled(_repeated(family.weight_decays, drawn), rng),
        _shuffled(_repeated(_DROPOUTS, drawn), rng),
        _shuffled(_LABEL_NOISE, rng),
        _shuffled(_SHARES, rng),
        strict=True,
    )
    middle = Recipe("r00", family.learning_rates[1], family.batch_sizes[1], 0.0, 0.0, 0.0, 1.0)
    return [middle, *(Recipe(f"r{number:02}", *values) for number, values in enumerate(columns, 1))]


def runs_of(family: Family) -> list[Run]:
    """Return the family's runs, those with most rows first."""
    small, main, large = family.widths
    every = recipes(family)
    runs = [
        Run(
            family,
            main,
            recipe,
            seed=0,
            checkpoints=CHECKPOINTS if number in _FOLLOWED else CHECKPOINTS[-1:],
            damages=_DAMAGED.get(number, ()),
            fine_tunes=FINE_TUNES if number in _FINE_TUNED else (),
        )
        for number, recipe in enumerate(every)
    ]
    sized = [Run(family, width, every[number], seed=0) for number in _SIZED_RECIPES for width in (small, large)]
    repeated = [Run(family, main, every[0], seed=seed) for seed in _MORE_SEEDS]
    return [*runs[:5], *sized[:2], repeated[0], *runs[5:8], *sized[2:], repeated[1], *runs[8:]]


def plan() -> list[Run]:
    """Return all runs, the first of every family, then the second of every family, and so on."""
    by_family = [runs_of(family) for family in families()]
    return [run for turn in zip(*by_family, strict=True) for run in turn]


def _repeated(levels: Sequence[T], count: int) -> list[T]:
    """The levels in turn, that many in all."""
    return [levels[number % len(levels)] for number in range(count)]


def _shuffled(values: Sequence[T], rng: np.random.Generator) -> list[T]:
    return [values[index] for index in rng.permutation(len(values))]

"""The settings of a run: one record that Python's keywords and the command line's options are made from.

Every command imports this file, so it imports nothing heavy.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, get_args

from wqscore.errors import UsageError
from wqscore.escaping import printable
from wqscore.execution.resources import Backend

if TYPE_CHECKING:
    from pathlib import Path

    from wqscore.refs.reference import Model
    from wqscore.stores.store import Store

Engine = Literal["wqscore", "weightwatcher"]
#: The same as `wqscore.spectra.on_device.Device`, whose module would import NumPy.
Device = Literal["cpu", "cuda"]
#: The same as `wqscore.symmetries.gauge.Gauge`, whose module would import NumPy.
Gauge = Literal["none", "balanced"]
#: The same as `wqscore.spectra.in_single.Precision`.
Precision = Literal["double", "single"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _setting(default: Any, help: str, **words: Any) -> Any:
    """A field with its default; its metadata describe the command-line option.

    Args:
        default: the default.
        help: one sentence.
        words: `metavar`; `least` and `most` of a number; the `choices` of a word.
    """
    return field(default=default, metadata={"help": help, **words})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that all models of a run share.

    Attributes:
        preset: the constants, by a name that `find_preset` knows.
        metrics: what to compute: names, `core` or `all`, as `choose_metrics` takes them.
        base: a base or initial checkpoint; the distances from it are computed too.
        family: the family of all models of the run, in place of what lists and configurations name.
        layers: the layers to score alone: `0-5`, a name, a part of one, a pattern with `*`, or `3.attention.q`;
            several in a text are separated by commas. Each matrix that is left out has a row that says so.
        roles: the roles to score alone: `attention.q`, `mlp.*`, `attention`.
        gauge: `balanced` scores the balanced form of the weights, which is the same for all checkpoints of one
            function that differ by transformations of heads, hidden neurons and gains; a model whose layout is not
            known fails. Models scored with different gauges can't share a ranking.
        engine: `weightwatcher` runs the real WeightWatcher, which must be installed, always with the preset `ww-0.7`.
        seed: the seed of every random step, recorded in the result.
        bootstrap: resamples behind alpha's interval; 0 for none.
        gof: synthetic draws behind the goodness of fit; 0 for none, and no verdict `no-power-law`.
        stream: read each tensor from the Hub when it is needed, and download no files. A checkpoint too large for
            the disk is always streamed; one that can't be streamed (`.bin` files) is always downloaded.
        store: a store, or its path: results in it are not computed again, and new ones are added.
        verify: read every weight again, and look up what is stored by the values read alone: no name of a link, no
            time of a file and no listing of the Hub is believed, and nothing that was merged from another store.
        jobs: threads; all cores if `None`. The result is the same for any number.
        memory: bytes that the process stays under; most of what is free if `None`. A tensor that alone needs more is
            scored while no other is. The result is the same for any number.
        backend: `dask` or `ray` for a running cluster: the one that the process is connected to, or the one at
            DASK_SCHEDULER_ADDRESS or RAY_ADDRESS. Its workers read the tensors themselves; `jobs` limits how many
            tasks run at a time (`None`: as many as fit), and `memory` is ignored. The result is the same.
        device: `cuda` solves matrices on this machine's GPU, with torch, one at a time; not on a cluster. The last
            bits differ from those of `cpu`, and a store keeps the two apart.
        precision: `single` solves matrices of 16 bits and less in float32 on the GPU, wherever a measured residual
            says that no metric moves by more than the storage of the weights has moved it; those rows have the flag
            `float32`. A store keeps the two apart, and no ranking mixes them.

    Raises:
        UsageError: a number out of range, or a word that is not among the choices.
    """

    preset: str = _setting(
        "default",
        "Constants: default, or those of published code, ww-0.7, ww-0.2.7, tempbalance, alphapruning, farms, "
        "kdd2023.",
        metavar="NAME",
    )
    metrics: str | Sequence[str] = _setting(
        "core", "What to compute, and nothing else (wqscore metrics).", metavar="core|all|NAME,..."
    )
    base: Model | None = _setting(None, "Measure each matrix's distance from this checkpoint too.", metavar="REF")
    family: str | None = _setting(
        None, "Rank all models as one family of this name; the columns family and family_id.", metavar="NAME"
    )
    layers: str | Sequence[str] | None = _setting(
        None, "Score these layers alone: 0-5, part of a name, a pattern, or 3.attention.q.", metavar="PATTERN,..."
    )
    roles: str | Sequence[str] | None = _setting(
        None, "Score these roles alone: attention.q, mlp.*, attention.", metavar="ROLE,..."
    )
    gauge: Gauge = _setting(
        "none", "balanced: score the form that all weights of one function share.", choices=get_args(Gauge)
    )
    engine: Engine = _setting(
        "wqscore",
        "weightwatcher: the real one's numbers, in the preset ww-0.7; needs the extra.",
        choices=get_args(Engine),
    )
    seed: int = _setting(0, "Seed of every random step; recorded.", metavar="N", least=0)
    bootstrap: int = _setting(200, "Resamples behind alpha's interval.", metavar="N", least=0, most=10_000)
    gof: int = _setting(100, "Synthetic draws behind the goodness of fit.", metavar="N", least=0, most=10_000)
    stream: bool = _setting(False, "Read tensors from the Hub by ranges; nothing is stored.")
    store: Store | Path | str | None = _setting(
        None, "Result cache to use (default: your user cache).", metavar="PATH"
    )
    verify: bool = _setting(
        False, "Read every weight again: trust no file's name, time or listing, and no merged store."
    )
    jobs: int | None = _setting(
        None, "Threads; all cores by default. Changes no result.", metavar="N", least=1, most=256
    )
    memory: int | None = _setting(
        None,
        "Memory to stay under, such as 4GB; most of what is free by default. Changes no result.",
        metavar="SIZE",
    )
    backend: Backend = _setting(
        "threads",
        "Where the work is done: here, or on the cluster of DASK_SCHEDULER_ADDRESS or RAY_ADDRESS, with the extra. "
        "Changes no result.",
        choices=get_args(Backend),
    )
    device: Device = _setting(
        "cpu",
        "What solves the matrices; cuda: this machine's GPU, in float64, with the extra. Changes the last bits.",
        choices=get_args(Device),
    )
    precision: Precision = _setting(
        "double",
        "single: float32 on the GPU where the weights' 16 bits are coarser; for GPUs slow in float64.",
        choices=get_args(Precision),
    )

    def __post_init__(self) -> None:
        """Keep the metrics as a tuple, and check the numbers and words by the fields' metadata."""
        if not isinstance(self.metrics, str):
            object.__setattr__(self, "metrics", tuple(self.metrics))
        for name in ("layers", "roles"):
            if not isinstance(given := getattr(self, name), str | None):
                object.__setattr__(self, name, tuple(given))
        if self.family is not None and (not self.family.strip() or printable(self.family) != self.family):
            raise UsageError(f"family is {self.family!r}: give a name of visible characters")
        for each in fields(self):
            value, words = getattr(self, each.name), each.metadata
            if value is None:
                continue
            if "choices" in words and value not in words["choices"]:
                raise UsageError(f"no such {each.name}: {value!r}: choose from {', '.join(words['choices'])}")
            if "least" in words and not words["least"] <= value <= words.get("most", value):
                most = f" to {words['most']:,}" if "most" in words else " on"
                raise UsageError(f"{each.name} is {value}: give a number from {words['least']}{most}")


class SettingsKeywords(TypedDict, total=False):
    """The fields of `Settings` as keywords."""

    preset: str
    metrics: str | Sequence[str]
    base: Model | None
    family: str | None
    layers: str | Sequence[str] | None
    roles: str | Sequence[str] | None
    gauge: Gauge
    engine: Engine
    seed: int
    bootstrap: int
    gof: int
    stream: bool
    store: Store | Path | str | None
    verify: bool
    jobs: int | None
    memory: int | None
    backend: Backend
    device: Device
    precision: Precision


def changed(settings: Settings | None, changes: SettingsKeywords) -> Settings:
    """Settings with some of them changed.

    Raises:
        TypeError: a keyword that is no setting; the message names the nearest one.
        UsageError: as for `Settings`.
    """
    names = [each.name for each in fields(Settings)]
    for name in changes:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0)[0]
            raise TypeError(f"unexpected keyword {name!r}: did you mean {near!r}?")
    return replace(settings or Settings(), **changes)


def takes_settings(function: _Function) -> _Function:
    """List the settings in a function's help and signature, in place of its `**changes`.

    A setting with the name of one of its own parameters is left out.
    """
    signature = inspect.signature(function)
    kept = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    keywords = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
        for each in fields(Settings)
        if each.name not in signature.parameters
    ]
    function.__signature__ = signature.replace(parameters=[*kept, *keywords])  # type: ignore[attr-defined]
    return function

"""Prepare a run: resolve names, refuse contradictory settings, open the base and the store, connect a cluster."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wqscore.api.settings import Settings
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.fetch_or_stream import open_or_fall_back
from wqscore.errors import CheckpointError, UsageError, WqscoreError, fault
from wqscore.execution.cluster.run import connected
from wqscore.execution.progress import RankProgress
from wqscore.execution.resources import Resources
from wqscore.fits.sampling import Sampling
from wqscore.metrics.registry import choose_metrics, find_metric
from wqscore.presets.preset import Preset
from wqscore.presets.registry import find_preset
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.refs.callers import as_ref, refs_of
from wqscore.refs.reference import Model, ModelRef, Models
from wqscore.scoring.cache import ScoreCache, opened_store
from wqscore.scoring.model_score import Failure
from wqscore.scoring.selection import Selection, selection_of
from wqscore.spectra.in_single import check_precision
from wqscore.spectra.on_device import CPU, check_device

if TYPE_CHECKING:
    from wqscore.stores.store import Store


@dataclass(frozen=True)
class Run:
    """What all models of a run share: settings checked, names resolved, base and store open.

    Attributes:
        settings: the settings as given.
        models: the models, without duplicates.
        preset: the preset's constants.
        metrics: the metrics to compute, in the registry's order.
        base: the open checkpoint to measure distances from, if any.
        selection: which matrices to score.
        store: the open result cache, if any.
        resources: threads, memory and backend that the run may use.
        progress: receives progress, if any.
    """

    settings: Settings
    models: list[ModelRef]
    preset: Preset
    metrics: tuple[str, ...]
    base: Checkpoint | None
    selection: Selection
    store: Store | None
    resources: Resources
    progress: RankProgress | None

    @property
    def sampling(self) -> Sampling:
        """The seed of every random step, and the numbers of resamples and synthetic draws."""
        return Sampling(self.settings.seed, self.settings.bootstrap, self.settings.gof)

    @property
    def note(self) -> Callable[[str], None] | None:
        """Called with a one-line notice when the run departs from what was requested."""
        return self.progress.note if self.progress else None

    @property
    def cache(self) -> ScoreCache | None:
        """Cache of earlier runs; none with a base, whose distances are not cached."""
        if self.store is None or self.base is not None:
            return None
        return ScoreCache(
            self.store,
            self.preset,
            self.sampling,
            self.note,
            self.settings.device,
            self.settings.verify,
            self.settings.precision,
        )

    def failure(self, ref: ModelRef, error: CheckpointError) -> Failure:
        """Report to the progress that a model could not be scored, and return it as a `Failure`."""
        failure = Failure(ref, str(error))
        if self.progress:
            self.progress.failed(failure.ref, failure.reason)
        return failure


@contextmanager
def started(refs: Models, settings: Settings, progress: RankProgress | None, by: str | None = None) -> Iterator[Run]:
    """Prepare a run; its store stays open and its cluster connected until the context ends.

    Args:
        refs: the models; one named twice counts once.
        settings: the settings.
        progress: receives progress.
        by: a metric to compute in addition to those of the settings.

    Raises:
        UsageError: an unknown reference, preset or metric, settings that exclude each other, no cluster, or no GPU.
        StoreError: the store can't be opened.
        CheckpointError: the base can't be found, fetched or read.
    """
    preset = preset_of(settings)
    metrics = _metrics(settings, preset, by)
    models = refs_of(refs)
    selection = _selection(settings)
    resources = _resources(settings)
    base = None
    if settings.base is not None:
        base = in_gauge(open_or_fall_back(_base(settings.base), settings.stream, progress), settings.gauge)
    with connected(settings.backend), opened_store(settings.store) as store:
        yield Run(settings, models, preset, metrics, base, selection, store, resources, progress)


def in_gauge(checkpoint: Checkpoint, gauge: str) -> Checkpoint:
    """A checkpoint in the form that a setting asks for.

    Raises:
        CheckpointError: its balanced form is not known.
    """
    if gauge == "none":
        return checkpoint
    from wqscore.symmetries.gauge import balanced

    return balanced(checkpoint)


@contextmanager
def own_errors(ref: ModelRef) -> Iterator[None]:
    """Turn whatever one model raises into a `CheckpointError`, so that it fails and the run goes on.

    Raises:
        CheckpointError: there was not enough memory, or something happened that nobody foresaw.
    """
    try:
        yield
    except WqscoreError:
        raise
    except MemoryError as error:
        raise CheckpointError(
            f"{ref.label}: not enough memory: score it with --jobs 1, or with a lower --memory"
        ) from error
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno and error.errno != errno.ENOMEM:
            # Too many open files, no space left, …
            raise CheckpointError(f"{ref.label}: {error.strerror}: free some, or raise the limit") from error
        raise CheckpointError(
            f"{ref.label}: a library can't be loaded or started, mostly for lack of memory: give this process more"
        ) from error
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise _fault(ref, error) from error
        raise CheckpointError(f"{ref.label}: the system starts no more threads: score it with --jobs 1") from error
    except Exception as error:
        raise _fault(ref, error) from error


def _fault(ref: ModelRef, error: Exception) -> CheckpointError:
    return CheckpointError(f"{ref.label}: {fault(error)}")


def preset_of(settings: Settings) -> Preset:
    """The preset of the settings; `ww-0.7` where WeightWatcher is the engine.

    Raises:
        UsageError: an unknown preset, or a WeightWatcher that is not installed or can't use this preset or stream.
    """
    if settings.engine == "wqscore":
        return find_preset(settings.preset)
    if settings.stream:
        raise UsageError("the engine weightwatcher reads files: leave --stream out (stream= in Python)")
    from wqscore.engines.weightwatcher import check_installed

    check_installed()
    if settings.preset not in ("default", WW_0_7.name):
        raise UsageError(f"the engine weightwatcher has the preset {WW_0_7.name} only, not {settings.preset}")
    return WW_0_7


def distances_among(names: Iterable[str]) -> list[str]:
    """The metrics that measure distances from a base."""
    return [name for name in names if find_metric(name).cost == "base"]


def _base(base: Model) -> ModelRef:
    """The reference of the base, which no other model can be scored without."""
    ref = as_ref(base)
    if ref.missing:
        raise UsageError(ref.missing)
    return ref


def _selection(settings: Settings) -> Selection:
    selection = selection_of(settings.layers, settings.roles)
    if selection and settings.engine != "wqscore":
        raise UsageError(f"the engine {settings.engine} scores whole models: leave --layers and --roles out")
    return selection


def _resources(settings: Settings) -> Resources:
    resources = Resources(settings.jobs, settings.memory, settings.backend)
    if settings.backend != "threads" and settings.engine != "wqscore":
        raise UsageError(
            f"the engine {settings.engine} runs in this process: leave --backend out (backend= in Python)"
        )
    if settings.gauge != "none" and settings.engine != "wqscore":
        raise UsageError(
            f"the engine {settings.engine} reads files as they are: leave --gauge out (gauge= in Python)"
        )
    if settings.device != CPU and settings.engine != "wqscore":
        raise UsageError(f"the engine {settings.engine} solves by itself: leave --device out (device= in Python)")
    check_precision(settings.precision, settings.device)
    check_device(settings.device, settings.backend)
    return resources


def _metrics(settings: Settings, preset: Preset, by: str | None) -> tuple[str, ...]:
    """The metrics to compute: those of the settings, `by`, and with a base the distances from it."""
    extra = [name for name, wanted in ((by, by), ("base", settings.base)) if name and wanted is not None]
    names = choose_metrics([*choose_metrics(settings.metrics, preset.core), *extra], preset.core)
    unsupported = [name for name in names if name not in preset.core]
    if settings.engine == "weightwatcher" and unsupported:
        raise UsageError(f"the engine weightwatcher has no {unsupported[0]}: it has {', '.join(preset.core)}")
    distances = distances_among(names)
    if distances and settings.base is None:
        raise UsageError(f"{distances[0]} needs a checkpoint to measure from: name one with --base (base= in Python)")
    return names

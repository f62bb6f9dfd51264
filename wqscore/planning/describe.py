"""Describe what scoring would do with a checkpoint, from its headers alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.hub.ranges import HubRanges
from wqscore.checkpoints.hub.shared_headers import SharedHeaders
from wqscore.checkpoints.opening import open_headers
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.errors import CheckpointError
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.matrices.checkpoint_plan import plan_checkpoint
from wqscore.matrices.plan import PlannedTensor, by_tensor
from wqscore.matrices.uncounted import parameters_of
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.planning.estimate import duration_range, seconds_range
from wqscore.planning.peak_memory import peak_memory
from wqscore.planning.work import Speed, measure_speed, work_of
from wqscore.presets.preset import Preset
from wqscore.presets.registry import DEFAULT, find_preset
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import Model, ModelRef
from wqscore.results import Result


@dataclass(frozen=True, repr=False)
class ModelDescription(Result):
    """A checkpoint's tensors and what scoring would do with each.

    Attributes:
        checkpoint: the opened checkpoint.
        preset: the preset it was planned for.
        outcomes: the matrices and skips, in the order of `layers.csv`.
        size: bytes that scoring would read.
        to_fetch: bytes of the files that scoring would download first: those on the Hub that its cache does not have.
        eigensolves: one for each matrix, and of a convolution one for each position of its kernel.
        seconds: the least time that scoring is likely to take on one core of this machine once everything is fetched,
            without starting up and without the shuffles that only noise is put to.
        most_seconds: the most time, with these, and with more draws for verdicts that are near a limit.
        sampling: how often it resamples, and draws for the goodness of fit.
        every_tensor: whether tables show every tensor; else groups of them.
        peak_memory: about how many bytes scoring holds at its peak, also without those shuffles.
    """

    checkpoint: Checkpoint
    preset: Preset
    outcomes: tuple[PlannedTensor, ...]
    size: int
    to_fetch: int
    eigensolves: int
    seconds: float
    most_seconds: float
    peak_memory: int
    sampling: Sampling = USUAL
    every_tensor: bool = False

    def __repr__(self) -> str:
        """The model, and how much there is to score."""
        label = f"{self.checkpoint.ref.label:.80}"
        time = duration_range(self.seconds, self.most_seconds)
        return f"<ModelDescription {label}: {len(self.matrices)} matrices, {time}>"

    @property
    def parameters(self) -> int | None:
        """The number of parameters, `None` where it can't be told."""
        return parameters_of(self.checkpoint, self.outcomes)

    @property
    def matrices(self) -> tuple[WeightMatrix, ...]:
        """The matrices that would be scored."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, WeightMatrix))

    @property
    def skipped(self) -> tuple[SkippedTensor, ...]:
        """The tensors that would not."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, SkippedTensor))


def open_without_weights(ref: ModelRef, shared: SharedHeaders | None = None) -> Checkpoint:
    """Open a checkpoint by its headers, from the Hub by ranges of bytes; no weights are downloaded.

    Args:
        ref: the model.
        shared: headers of models like this one, for an estimate.

    Raises:
        CheckpointError: it can't be found or read, or not without downloading it.
    """
    if ref.adapter is not None and "hub" in (ref.source, ref.adapter.source):
        raise CheckpointError(
            f"{ref.label}: a base and an adapter can't be described before both are downloaded: run `wqscore score` "
            "on it"
        )
    return open_headers(ref, shared)


def describe(
    ref: Model,
    *,
    preset: str = "default",
    jobs: int | None = None,
    bootstrap: int = USUAL.bootstrap,
    gof: int = USUAL.gof,
) -> ModelDescription:
    """List a model's tensors and what scoring would do with each, from the files' headers alone.

    Args:
        ref: the model, as for `wqscore.score`; from the Hub only headers are fetched.
        preset: the preset to plan for.
        jobs: threads that would score it, which decides on the memory; all cores if `None`.
        bootstrap: resamples of each matrix that would be drawn.
        gof: draws for the goodness of fit.

    Raises:
        UsageError: a reference or preset that means nothing.
        CheckpointError: a model that can't be found or read, or not without downloading its weights.
    """
    chosen = find_preset(preset)
    sampling = Sampling(bootstrap=bootstrap, gof=gof)
    return describe_checkpoint(open_without_weights(as_ref(ref)), chosen, jobs, sampling=sampling)


def describe_checkpoint(
    checkpoint: Checkpoint,
    preset: Preset = DEFAULT,
    jobs: int | None = None,
    speed: Speed | None = None,
    sampling: Sampling = USUAL,
) -> ModelDescription:
    """Plan the scoring of a checkpoint without reading a weight.

    Args:
        checkpoint: an opened checkpoint.
        preset: the preset to plan for.
        jobs: threads that would score it; all cores if `None`. They decide on the memory.
        speed: the speed of one core; measured if `None`.
        sampling: how often it resamples, and draws for the goodness of fit.
    """
    outcomes = plan_checkpoint(checkpoint, preset.matrices)
    matrices = [outcome for outcome in outcomes if isinstance(outcome, WeightMatrix)]
    held = [[matrix for matrix in group if isinstance(matrix, WeightMatrix)] for group in by_tensor(outcomes)]
    held = [group for group in held if group]
    work = work_of(matrices, preset, sampling)
    measured = speed or measure_speed(uncached=work.uncached > 0)
    least, most = seconds_range(matrices, preset, sampling, measured)
    return ModelDescription(
        checkpoint,
        preset,
        outcomes,
        size=sum(group[0].tensor.nbytes for group in held),
        to_fetch=bytes_on_the_hub(checkpoint.tensors),
        eigensolves=work.solves,
        seconds=least,
        most_seconds=most,
        peak_memory=peak_memory(held, jobs),
        sampling=sampling,
    )


def bytes_on_the_hub(tensors: Iterable[Tensor]) -> int:
    """Bytes of the files on the Hub that tensors would be read from."""
    sizes: dict[tuple[str, str, str], int] = {}
    for stored in (part for tensor in tensors for part in _stored(tensor)):
        if isinstance(stored.source, HubRanges):
            files, name = stored.source.files, stored.file.as_posix()
            sizes[files.repo, files.revision, name] = files.sizes[name]
    return sum(sizes.values())


def _stored(tensor: Tensor) -> Iterator[TensorRef]:
    """The stored tensors that one is read from."""
    if isinstance(tensor, DecodedTensor):
        for part in tensor.decoding.parts:
            yield from _stored(part)
    elif isinstance(tensor, TensorRef):
        yield tensor

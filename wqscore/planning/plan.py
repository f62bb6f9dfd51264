"""What scoring a list of models would take: bytes to fetch, eigensolves, time and memory, from headers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from wqscore.checkpoints.hub.shared_headers import SharedHeaders
from wqscore.checkpoints.runs import expand_runs
from wqscore.errors import CheckpointError, UsageError, fault
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.planning.costs import Cost, Costs
from wqscore.planning.describe import bytes_on_the_hub, open_without_weights
from wqscore.planning.estimate import duration_range
from wqscore.planning.work import measure_speed
from wqscore.refs.callers import refs_of
from wqscore.refs.reference import ModelRef, Models
from wqscore.rendering.numbers import counted
from wqscore.results import Result

#: Models whose headers are read at the same time: each takes a few round trips and hardly any bytes.
_CONCURRENT_MODELS = 8


@dataclass(frozen=True)
class ModelPlan:
    """One row of a plan.

    Attributes:
        ref: the requested model.
        revision: the 40-hex commit on the Hub, `None` for files on disk, or without any headers.
        to_fetch: bytes of the files that scoring would download first; `None` where they are not known.
        cost: what scoring it takes, `None` without its headers.
        reason: why there are no headers; empty if there are.
    """

    ref: ModelRef
    revision: str | None = None
    to_fetch: int | None = None
    cost: Cost | None = None
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Plan(Result):
    """What scoring some models would take.

    Attributes:
        models: a row for each, in the requested order.
        sampling: how often scoring resamples, and draws for the goodness of fit.
        changed: of how many models' new weights a night is shown; 0 for none.
    """

    models: tuple[ModelPlan, ...]
    sampling: Sampling = USUAL
    changed: int = 0

    def __repr__(self) -> str:
        """How many models, and the time for all."""
        time = duration_range(self.total.seconds, self.total.most_seconds)
        return f"<Plan of {counted(len(self.models), 'model')}: {time}>"

    @property
    def failed(self) -> tuple[ModelPlan, ...]:
        """The models without a cost; at most their bytes to fetch are known."""
        return tuple(model for model in self.models if model.cost is None)

    @property
    def to_fetch(self) -> int:
        """Bytes to download for all, as far as they are known; what two models share once."""
        known = {
            (model.ref.repo, model.ref.file, model.ref.adapter, model.revision or model.ref.revision): model.to_fetch
            for model in self.models
        }
        return sum(filter(None, known.values()))

    @property
    def total(self) -> Cost:
        """What scoring the models with headers takes, one after the other: sums, and the highest peak."""
        costs = [model.cost for model in self.models if model.cost is not None]
        return Cost(
            parameters=_known_sum(cost.parameters for cost in costs),
            tensors=sum(cost.tensors for cost in costs),
            matrices=sum(cost.matrices for cost in costs),
            eigensolves=sum(cost.eigensolves for cost in costs),
            to_read=sum(cost.to_read for cost in costs),
            seconds=sum(cost.seconds for cost in costs),
            most_seconds=sum(cost.most_seconds for cost in costs),
            peak_memory=max((cost.peak_memory for cost in costs), default=0),
            store_size=sum(cost.store_size for cost in costs),
        )

    def night(self, changed: int) -> Night:
        """What a night takes on which so many models have new weights, and the others are found in the store."""
        planned = len(self.models) - len(self.failed)
        share = min(changed, planned) / planned if planned else 0.0
        known = [model.to_fetch for model in self.models if model.to_fetch is not None]
        total = self.total
        return Night(
            changed=changed,
            to_fetch=round(sum(known) / len(known) * min(changed, len(known))) if known else 0,
            to_read=round(total.to_read * share),
            seconds=total.seconds * share,
            most_seconds=total.most_seconds * share,
            store_size=round(total.store_size * share),
        )


@dataclass(frozen=True)
class Night:
    """What a night takes after the first: that of as many models as have changed, each the average of all.

    Attributes:
        changed: how many models have new weights.
        to_fetch: bytes to download, as far as they are known.
        to_read: bytes that scoring reads.
        seconds: the least time that is likely, on one core of this machine.
        most_seconds: the most.
        store_size: about how many bytes the store grows by, until it is pruned.
    """

    changed: int
    to_fetch: int
    to_read: int
    seconds: float
    most_seconds: float
    store_size: int


def _known_sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(filter(None, known))


class PlanInterrupted(KeyboardInterrupt):
    """Ctrl-C during `plan`: `plan` holds the rows planned so far, and a reason for each other model."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("interrupted")
        self.plan = plan


def plan(
    models: Models,
    *,
    jobs: int | None = None,
    bootstrap: int = USUAL.bootstrap,
    gof: int = USUAL.gof,
    changed: int = 0,
    on_model: Callable[[ModelPlan], None] | None = None,
) -> Plan:
    """Estimate what scoring models with the preset `default` takes, from their files' headers alone.

    Never downloads weights. Of models on the Hub with the same configuration, index and file sizes, such as
    fine-tunes, the headers of one are read. A model that fails is a row with its reason and stops no other; if a
    model's weights are neither safetensors files nor in the Hub's cache, only the bytes to fetch are known.

    Args:
        models: the models, as for `wqscore.rank`.
        jobs: threads that would score them; all cores if `None`. They decide the memory.
        bootstrap: resamples of each matrix that would be drawn.
        gof: draws for the goodness of fit.
        changed: also show what a night takes on which so many of the models have new weights; 0 for none.
        on_model: called with each model's row, in order.

    Raises:
        UsageError: a reference that means nothing, or more models changed than there are.
        PlanInterrupted: Ctrl-C; a `KeyboardInterrupt` that carries the plan so far.

    Example:
        `wqscore.plan(["bert-base", "roberta-base"]).total.seconds`
    """
    sampling = Sampling(bootstrap=bootstrap, gof=gof)
    refs = expand_runs(refs_of(models)).refs
    if changed and not 1 <= changed <= len(refs):
        raise UsageError(f"changed is {changed}: give a number from 1 to {len(refs):,}, all models")
    done: list[ModelPlan] = []
    futures: list[Future[ModelPlan]] = []
    pool = ThreadPoolExecutor(_CONCURRENT_MODELS)
    try:
        # Measured before threads start, with which it would share the cores.
        costs = Costs(jobs, measure_speed(), sampling)
        shared = SharedHeaders()
        futures += [pool.submit(_plan_model, model, costs, shared) for model in refs]
        for future in futures:
            done.append(future.result())
            if on_model is not None:
                on_model(done[-1])
    except KeyboardInterrupt as interrupt:
        raise PlanInterrupted(Plan(_so_far(refs, done, futures), sampling, changed)) from interrupt
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return Plan(tuple(done), sampling, changed)


def _so_far(
    models: Sequence[ModelRef], done: Sequence[ModelPlan], futures: Sequence[Future[ModelPlan]]
) -> tuple[ModelPlan, ...]:
    """Rows already reported, then finished ones, then placeholders."""
    rows = list(done)
    for number in range(len(done), len(models)):
        finished = number < len(futures) and futures[number].done() and not futures[number].exception()
        late = ModelPlan(models[number], reason="interrupted before its headers were read")
        rows.append(futures[number].result() if finished else late)
    return tuple(rows)


def _plan_model(ref: ModelRef, costs: Costs, shared: SharedHeaders) -> ModelPlan:
    try:
        checkpoint = open_without_weights(ref, shared)
        to_fetch = bytes_on_the_hub(checkpoint.tensors)
        return ModelPlan(checkpoint.ref, checkpoint.revision, to_fetch, costs.of(checkpoint))
    except CheckpointError as error:
        # An error with a cause is a failure of the Hub's client: listing the files would fail again.
        asked = ref.source == "hub" and error.__cause__ is None
        return ModelPlan(ref, to_fetch=_download_size(ref) if asked else None, reason=str(error))
    except Exception as error:
        # Nobody foresaw it, and it is this model's alone.
        return ModelPlan(ref, reason=fault(error))


def _download_size(ref: ModelRef) -> int | None:
    """Bytes of a model's weights that the Hub's cache does not have; `None` where there are none to be found."""
    from wqscore.checkpoints.hub.files import cached_file, list_files
    from wqscore.checkpoints.hub.weights import find_weights

    try:
        parts = [part for part in (ref.base, ref.adapter) if part is not None and part.source == "hub"]
        listed = [(list_files(part), part.file) for part in parts]
        return sum(
            files.sizes[name]
            for files, file in listed
            for name in find_weights(files, file).files
            if cached_file(files, name) is None
        )
    except CheckpointError:
        return None

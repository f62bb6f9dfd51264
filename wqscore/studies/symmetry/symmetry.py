"""Which transformations of its weights leave a model's function alone, and how far each metric moves under them.

The transformations are those of `wqscore.symmetries`. A number that moves under them says something of how the
function is stored; its spread is the least difference of two models that can say something of the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from wqscore.api.run import Run, own_errors, started
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.fetch_or_stream import open_or_fall_back
from wqscore.checkpoints.in_memory import let_go
from wqscore.errors import UsageError
from wqscore.execution.progress import RankProgress, ScoreProgress
from wqscore.fits.sampling import Sampling
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import Model
from wqscore.results import Result
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import Work, score_checkpoint
from wqscore.scoring.score_tensor import ScoringTask
from wqscore.studies.symmetry import outputs
from wqscore.studies.symmetry.invariance import Invariance, invariance
from wqscore.studies.symmetry.spread import Scorer, amount, spreads
from wqscore.symmetries.derived import stored_of, transformed
from wqscore.symmetries.finding import find_layout
from wqscore.symmetries.sites import NAMES, Layout, Unknown
from wqscore.symmetries.transformations import SPREAD, draw, why_not

#: How often each transformation is drawn.
DRAWS = 8


@dataclass(frozen=True)
class MetricSpread:
    """How far a model's number moves under a transformation.

    Attributes:
        invariance: whether it stays the same: `exact`, `moves` or `none-claimed`.
        spread: the largest less the least over the draws; NaN where it is not defined.
    """

    invariance: Invariance
    spread: float


@dataclass(frozen=True)
class TransformationResult:
    """What one transformation does to a model.

    Attributes:
        name: its name.
        applies: whether it leaves the model's function alone.
        reason: why it doesn't apply; or, where it does, in which limits.
        sites: how many places of the model it acts at.
        logit_change: the largest change of the log-softmax of its outputs; `None` where the model was not run.
        metrics: by metric; empty where it doesn't apply.
    """

    name: str
    applies: bool
    reason: str
    sites: int
    logit_change: float | None
    metrics: Mapping[str, MetricSpread]


@dataclass(frozen=True, repr=False)
class Symmetry(Result):
    """The transformations that leave a model's function alone.

    Attributes:
        score: the model's score, without resampling.
        transformations: all of `NAMES`, in that order.
        activation: the model's, as far as it is told.
    """

    score: ModelScore
    transformations: tuple[TransformationResult, ...]
    activation: str = ""

    def __repr__(self) -> str:
        """The model, and how many transformations apply."""
        applying = sum(each.applies for each in self.transformations)
        return f"<Symmetry of {self.score.ref.label:.80}: {applying} of {len(self.transformations)} apply>"

    def spread(self, metric: str) -> float:
        """The largest spread of a metric over the transformations; NaN where none applies."""
        found = [each.metrics[metric].spread for each in self.transformations if metric in each.metrics]
        return float(np.nanmax(found)) if np.isfinite(found).any() else float("nan")


@takes_settings
def symmetry(
    model: Model,
    *,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> Symmetry:
    """Say which transformations leave a model's function alone, and how far its metrics move under them.

    Each is drawn 8 times with log-scale 0.25; only matrices that change are solved again. With torch and transformers
    installed, and a model of at most 150 million parameters, the first draw is run beside the stored model.

    Args:
        model: the model, as for `wqscore.score`.
        settings: as for `wqscore.score`.
        progress: receives progress.
        **changes: as for `wqscore.score`, without `base`, `engine`, `gauge` and `stream`.

    Raises:
        UsageError: an unknown reference or setting.
        CheckpointError: a model that can't be found, fetched or read.

    Example:
        `wqscore.studies.symmetry.symmetry("./my-model").spread("alpha")`
    """
    chosen = changed(settings, changes)
    if chosen.engine != "wqscore" or chosen.base is not None or chosen.gauge != "none":
        raise UsageError(
            "symmetry scores stored weights, and measures from nothing: leave engine, base and gauge out"
        )
    if chosen.stream:
        raise UsageError(
            "symmetry reads weights again for every draw: leave stream out, so that they are fetched once"
        )
    ref = as_ref(model)
    with started([ref], chosen, progress) as run, own_errors(ref):
        checkpoint = open_or_fall_back(run.models[0], progress=progress)
        try:
            return _symmetry(checkpoint, run, progress.model(ref) if progress else None)
        finally:
            let_go(checkpoint)


def _symmetry(checkpoint: Checkpoint, run: Run, progress: ScoreProgress | None) -> Symmetry:
    seed = run.settings.seed
    metrics = tuple(name for name in run.metrics if name in MATRIX_METRICS and MATRIX_METRICS[name].summarised)
    if not metrics:
        raise UsageError("no metric of single matrices is chosen, and only these are compared")
    sampling = Sampling(seed, bootstrap=0, gof=0)
    work = Work(run.resources, run.settings.device, cache=run.cache, note=run.note)
    scored = score_checkpoint(checkpoint, "", run.preset, metrics, sampling, None, work, run.selection)
    layout = find_layout(checkpoint)
    if isinstance(layout, Unknown):
        return Symmetry(scored, tuple(_without(name, layout.reason) for name in NAMES))
    stored = stored_of(checkpoint, layout)
    reasons = {name: why_not(name, layout, stored) for name in NAMES}
    task = ScoringTask(run.preset, metrics, sampling, None, None, run.settings.device)
    scorer = Scorer(scored, task, run.resources, run.note)

    def drawn(name: str, number: int) -> Checkpoint:
        """The model under one draw of a transformation, each from a seed of its own."""
        rng = np.random.default_rng([seed, NAMES.index(name), number])
        return transformed(checkpoint, draw(name, layout, stored, rng, SPREAD))

    if progress:
        sizes = [amount(scorer.changed(drawn(name, 0))) for name in NAMES if not reasons[name]]
        progress.start(*(DRAWS * sum(part) for part in zip((0, 0, 0), *sizes, strict=True)))
    before = None
    if outputs.can_run(checkpoint, layout):
        before = outputs.log_probabilities(checkpoint, layout, seed)
    found = []
    for name in NAMES:
        if reasons[name]:
            found.append(_without(name, reasons[name]))
            continue
        summaries = [scorer.summary(drawn(name, number), progress) for number in range(DRAWS)]
        change = None
        if before is not None:
            after = outputs.log_probabilities(drawn(name, 0), layout, seed)
            change = outputs.largest_change(before, after)
        moved = {
            metric: MetricSpread(invariance(name, metric, layout), spread)
            for metric, spread in spreads(summaries, scored)
        }
        found.append(TransformationResult(name, True, _limits(name, layout), layout.sites(name), change, moved))
    return Symmetry(scored, tuple(found), layout.activation)


def _without(name: str, reason: str) -> TransformationResult:
    return TransformationResult(name, False, reason, 0, None, {})


def _limits(name: str, layout: Layout) -> str:
    """In which limits a transformation applies; empty for none."""
    if name == "residual.scale":
        return f"with {layout.eps_key} scaled alike in the configuration"
    if name == "residual.rotation":
        return "once the gains are folded into what reads the norms"
    if name == "attention.qk" and any(attention.norms for attention in layout.attentions):
        return "signs and quarter turns only, which the norms of queries and keys allow"
    return ""

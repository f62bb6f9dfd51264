"""Which models share weights: all pairs compared by sketches of their matrices, which the store keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, inf, isfinite, nan, sqrt
from typing import Any, cast

import numpy as np

from wqscore.api.run import Run, own_errors, started
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.checkpoints.fetch_or_stream import open_or_fall_back
from wqscore.checkpoints.in_memory import let_go
from wqscore.checkpoints.runs import expand_runs
from wqscore.errors import CheckpointError, UsageError
from wqscore.execution.progress import RankProgress
from wqscore.refs.callers import refs_of
from wqscore.refs.reference import ModelRef, Models
from wqscore.results import Result
from wqscore.scoring.model_score import Failure
from wqscore.scoring.score_checkpoint import Work
from wqscore.scoring.sketch_checkpoint import Sketches, sketch_checkpoint
from wqscore.sketches.alignment import ALIKE
from wqscore.sketches.compare import Comparison, compare
from wqscore.sketches.portrait import Portrait, portrait_of
from wqscore.sketches.verdicts import Evidence, Verdict, judge
from wqscore.stores.headers import StoredHeaders
from wqscore.studies.kin.families import families_of, tree_of
from wqscore.studies.kin.merges import Merge, find_merges
from wqscore.studies.kin.traits import Traits, traits_of

#: More models give more pairs than a table of them is good for.
MOST_MODELS = 2_000


@dataclass(frozen=True)
class KinModel:
    """A model that was compared.

    Attributes:
        ref: the requested model.
        revision: the 40-hex commit on the Hub, `None` for files on disk.
        n_matrices: its matrices; a tied copy counts once.
        unread: how many of its tensors could not be read as matrices.
        family: the number of its family, from 0; models of one share weights, directly or through others.
        traits: what its values show.
    """

    ref: ModelRef
    revision: str | None
    n_matrices: int
    unread: int
    family: int
    traits: Traits


@dataclass(frozen=True)
class KinPair:
    """Two models compared.

    Attributes:
        a: the place of the first among the models.
        b: that of the second.
        verdict: `same`, `related`, `unrelated` or `undecided`.
        cosine: the median cosine of matched matrices; NaN without any.
        cosine_se: its standard error.
        directions: how far leading singular directions agree, the mean |cosine| of fingerprints; chance gives 0.2.
            NaN where they are not known.
        spectrum_distance: the root mean square difference of log₁₀ of the upper half of the eigenvalues over their
            sum, the median over matrices; NaN without any.
        n_matrices: how many were matched.
        n_exact: how many of them are equal.
        reason: why, in words.
    """

    a: int
    b: int
    verdict: Verdict
    cosine: float
    cosine_se: float
    directions: float
    spectrum_distance: float
    n_matrices: int
    n_exact: int
    reason: str

    @property
    def is_kin(self) -> bool:
        """Whether the two share weights."""
        return self.verdict in ("same", "related")

    @property
    def confidence(self) -> float:
        """The normal probability that the median cosine is on the side of 0.5 on which it was found."""
        if self.verdict == "same":
            return 1.0
        if not (isfinite(self.cosine) and isfinite(self.cosine_se)):
            return nan
        margins = abs(self.cosine - ALIKE) / self.cosine_se if self.cosine_se > 0 else inf
        return 0.5 * (1 + erf(margins / sqrt(2)))


@dataclass(frozen=True)
class Link:
    """A model in the tree of its family.

    Attributes:
        model: its place among the models.
        parent: that of the model that it is hung from; its own for the root.
        pair: how the two compare; `None` for the root.
    """

    model: int
    parent: int
    pair: KinPair | None


@dataclass(frozen=True, repr=False)
class Kin(Result):
    """Which models share weights.

    Attributes:
        models: the models that were compared.
        pairs: all pairs of them, in their order.
        tree: every model of every family with more than one, parents first.
        merges: models that are a weighted average of two others.
        failures: models that could not be read.
        seed: of the settings; no number here depends on it.
        read: how many tensors were read.
    """

    models: tuple[KinModel, ...]
    pairs: tuple[KinPair, ...]
    tree: tuple[Link, ...]
    merges: tuple[Merge, ...]
    failures: tuple[Failure, ...]
    seed: int
    read: int

    def __repr__(self) -> str:
        """How many models of how many families."""
        return f"<Kin of {len(self.models)} models: {len(self.families)} families share weights>"

    @property
    def families(self) -> tuple[tuple[int, ...], ...]:
        """The places of the models of each family with more than one."""
        numbers = sorted({link_model.family for link_model in self.models})
        groups = [tuple(at for at, each in enumerate(self.models) if each.family == number) for number in numbers]
        return tuple(group for group in groups if len(group) > 1)

    def label(self, place: int) -> str:
        """The name of a model."""
        return self.models[place].ref.label


@takes_settings
def kin(
    models: Models,
    *,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Any,
) -> Kin:
    """Say which models share weights: copies, fine-tunes, merges, pruned and quantised versions.

    With a store, models that were ranked or compared before are not read again.

    Args:
        models: two models or more, as for `wqscore.rank`.
        settings: as for `wqscore.score`.
        progress: receives progress.
        **changes: as for `wqscore.score`, without `base`, `engine`, `backend`, `layers` and `roles`.

    Raises:
        UsageError: an unknown reference or setting, fewer than two models or more than 2,000, or a base.

    Example:
        `wqscore.kin(["./base", "./fine-tuned"]).pairs[0].verdict`
    """
    chosen = changed(settings, cast(SettingsKeywords, changes))
    if chosen.base is not None or chosen.engine != "wqscore" or chosen.layers or chosen.roles:
        raise UsageError("kin compares whole models, by its own engine: leave base, engine, layers and roles out")
    if chosen.backend != "threads":
        raise UsageError("kin reads on this machine: leave backend out")
    expanded = expand_runs(refs_of(models))
    if progress:
        for line in expanded.lines:
            progress.note(line)
    if not 2 <= len(expanded.refs) <= MOST_MODELS:
        raise UsageError(f"kin compares 2 to {MOST_MODELS:,} models, not {len(expanded.refs)}: name others")
    found: list[tuple[ModelRef, str | None, Sketches, Portrait]] = []
    failures: list[Failure] = []
    with started(expanded.refs, chosen, progress) as run:
        for model in run.models:
            try:
                found.append(_sketched(model, run))
            except CheckpointError as error:
                failures.append(run.failure(model, error))
    return _kin(found, failures, chosen.seed)


def _sketched(model: ModelRef, run: Run) -> tuple[ModelRef, str | None, Sketches, Portrait]:
    progress = run.progress.model(model) if run.progress else None
    with own_errors(model):
        known = StoredHeaders(run.store) if run.store and not run.settings.verify else None
        checkpoint = open_or_fall_back(model, run.settings.stream, run.progress, known)
        work = Work(run.resources, run.settings.device, cache=run.cache, progress=progress, note=run.note)
        try:
            sketches = sketch_checkpoint(checkpoint, run.preset, work)
            if not sketches.matrices:
                raise CheckpointError(f"{model.label}: none of its tensors is a matrix: see wqscore describe")
            return checkpoint.ref, checkpoint.revision, sketches, portrait_of(sketches.matrices)
        finally:
            let_go(checkpoint)


def _kin(
    found: Sequence[tuple[ModelRef, str | None, Sketches, Portrait]], failures: Sequence[Failure], seed: int
) -> Kin:
    portraits = [portrait for *_, portrait in found]
    comparison = compare(portraits)
    traits = [traits_of(portrait) for portrait in portraits]
    pairs = _pairs(portraits, [sketches.unread for _, _, sketches, _ in found], traits, comparison)
    related = np.zeros((len(found), len(found)), bool)
    same = np.zeros_like(related)
    for pair in pairs:
        related[pair.a, pair.b] = related[pair.b, pair.a] = pair.is_kin
        same[pair.a, pair.b] = same[pair.b, pair.a] = pair.verdict == "same"
    families = families_of(related)
    cosine = comparison.whole(comparison.cosine)
    originals = [[one for one in family if not same[one, :one].any()] for family in families]
    merges = find_merges(portraits, cosine, originals)
    number = {model: at for at, family in enumerate(families) for model in family}
    return Kin(
        models=tuple(
            KinModel(ref, revision, len(sketches.matrices), sketches.unread, number[at], traits[at])
            for at, (ref, revision, sketches, _) in enumerate(found)
        ),
        pairs=tuple(pairs),
        tree=tuple(_tree(families, pairs, cosine, same, traits, {merge.model for merge in merges})),
        merges=tuple(merges),
        failures=tuple(failures),
        seed=seed,
        read=sum(sketches.read for _, _, sketches, _ in found),
    )


def _pairs(
    portraits: Sequence[Portrait], unread: Sequence[int], traits: Sequence[Traits], found: Comparison
) -> list[KinPair]:
    whole = {
        name: found.whole(getattr(found, name))
        for name in (
            *("cosine", "cosine_se", "distance", "directions"),
            *("n_matrices", "n_exact", "n_moved", "n_shapes", "n_directions"),
        )
    }
    pairs = []
    for a in range(len(portraits)):
        for b in range(a + 1, len(portraits)):
            values = {name: array[a, b].item() for name, array in whole.items()}
            error = values.pop("cosine_se")
            is_same = portraits[a].contents == portraits[b].contents
            verdict, reason = judge(Evidence(is_same=is_same, unread=unread[a] + unread[b], **values))
            pairs.append(
                KinPair(
                    a=a,
                    b=b,
                    verdict=verdict,
                    cosine=values["cosine"],
                    cosine_se=error,
                    directions=values["directions"],
                    spectrum_distance=values["distance"],
                    n_matrices=values["n_matrices"],
                    n_exact=values["n_exact"],
                    reason=_with_traits(reason, traits[a], traits[b]) if verdict == "related" else reason,
                )
            )
    return pairs


def _with_traits(reason: str, one: Traits, other: Traits) -> str:
    """The reason, and what the values of one model show that those of the other don't."""
    only = [f"a: {word}" for word in one.words if word not in other.words]
    only += [f"b: {word}" for word in other.words if word not in one.words]
    return "; ".join(filter(None, [reason, *only]))


def _tree(
    families: Sequence[Sequence[int]],
    pairs: Sequence[KinPair],
    cosine: np.ndarray,
    same: np.ndarray,
    traits: Sequence[Traits],
    merged: set[int],
) -> list[Link]:
    between = {(pair.a, pair.b): pair for pair in pairs}
    likeness = np.where(same, 2.0, np.nan_to_num(cosine, nan=-1.0))

    def stage(model: int) -> int:
        if traits[model].is_pruned or traits[model].is_quantised:
            return 2
        return 1 if model in merged else 0

    return [
        Link(branch.model, branch.parent, between.get((min(branch), max(branch))))
        for family in families
        if len(family) > 1
        for branch in tree_of(family, likeness, stage)
    ]

"""Check declared families against the sketches that the store has; no weight is read for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

from wqscore.api.run import Run
from wqscore.checkpoints.card_base import card_bases
from wqscore.checkpoints.decoding import is_update
from wqscore.ranking.lineage import Unrelated
from wqscore.refs.model_list import find_listed
from wqscore.scoring.cache import ScoreCache
from wqscore.scoring.cached_sketch import CachedSketch
from wqscore.scoring.model_score import ModelScore
from wqscore.sketches.alignment import LEAST
from wqscore.sketches.compare import compare
from wqscore.sketches.portrait import Portrait, SketchedMatrix, portrait_of
from wqscore.sketches.verdicts import APART


def unrelated_families(scores: Sequence[ModelScore], run: Run) -> tuple[Unrelated, ...]:
    """The declared families in which models of one architecture share no weights.

    A family is declared by `--family`, or by a configuration or a local model card that names the model that it comes
    from. A family of one architecture alone is no claim of descent, nor is that of a model list. Adapters without
    their bases are left out: what they add to one base need not be alike.

    Args:
        scores: the scored models.
        run: their run, whose store is open.
    """
    cache = run.cache
    if cache is None or len(scores) < 2:
        return ()
    models = [score for score in scores if not any(is_update(row.matrix.tensor) for row in score.layers)]
    declared = _declared(models, run.settings.family)
    found = [_checked(family, members, cache) for family, members in declared.items()]
    return tuple(each for each in found if each is not None)


def _declared(scores: Sequence[ModelScore], family: str | None) -> dict[str, list[ModelScore]]:
    """The models that are declared to be kin, by the name of their family or of their base."""
    if family is not None:
        return {family: list(scores)}
    groups: dict[str, list[ModelScore]] = defaultdict(list)
    for score in scores:
        for base in {score.declared_base, *card_bases(score.ref)} - {"", score.ref.repo}:
            groups[base].append(score)
    ranked = {score.ref.repo: score for score in scores if score.ref.repo}
    # What no list and no ranked model has may be the name of a folder that only held a configuration.
    known = {base: members for base, members in groups.items() if base in ranked or find_listed(base)}
    together = {base: [*members, *([ranked[base]] if base in ranked else [])] for base, members in known.items()}
    return {base: members for base, members in together.items() if len(members) > 1}


def _checked(family: str, members: Sequence[ModelScore], cache: ScoreCache) -> Unrelated | None:
    known = [(score, portrait) for score in members if (portrait := _portrait(score, cache)) is not None]
    if len(known) < 2:
        return None
    found = compare([portrait for _, portrait in known], spectra=False)
    cosine, count = found.whole(found.cosine), found.whole(found.n_matrices)
    moved = found.whole(found.n_moved)
    pairs = [(a, b) for a, b in combinations(range(len(known)), 2) if count[a, b] >= LEAST]
    apart = [(a, b) for a, b in pairs if abs(cosine[a, b]) < APART and not moved[a, b]]
    if not apart:
        return None
    a, b = apart[0]
    labels = known[a][0].ref.label, known[b][0].ref.label
    return Unrelated(family, *labels, float(cosine[a, b]), int(count[a, b]), len(apart), len(pairs))


def _portrait(score: ModelScore, cache: ScoreCache) -> Portrait | None:
    """What a scored model is compared by; `None` unless the store has it of all its matrices."""
    matrices = [row.matrix for row in score.layers]
    known = cache.get_sketches(matrices)
    found = list(_sketched(score, known)) if len(known) == len(matrices) else []
    return portrait_of(found) if found and len(found) == len(matrices) else None


def _sketched(score: ModelScore, known: dict[str, CachedSketch]) -> Iterable[SketchedMatrix]:
    for row in score.layers:
        each = known[row.matrix.name]
        if each.sketch is not None:
            yield SketchedMatrix(row.matrix, each.spectrum, each.digest, each.sketch, None)

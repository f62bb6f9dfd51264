"""Judge pretrained checkpoints from their weights alone.

`score` one model, `rank` several, `describe` one or `plan` for many without reading their weights; `gate`, `check`,
`card`, `known`, `correlate`, `diff`, `kin`, `compress`, `symmetry`, `width`, `track`, `screen`, `phase`, `allocate`,
`store` and `leaderboard` are the commands of the same names; `watch` scores a live model during its training.
Everything heavy is imported when it is first asked for, so that importing the package, and `wqscore --help`, stay
quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wqscore.errors import CheckpointError, UsageError, WqscoreError
from wqscore.version import __version__

if TYPE_CHECKING:
    from wqscore.api.card import card
    from wqscore.api.score import RankingInterrupted, crosscheck, rank, score
    from wqscore.api.settings import Settings
    from wqscore.api.store import store
    from wqscore.engines.crosscheck import Crosscheck
    from wqscore.gating.gate import GateResult
    from wqscore.gating.of_rules import gate
    from wqscore.gating.policy import Policy
    from wqscore.integrity.checking import Integrity, check
    from wqscore.leaderboards.built import Built
    from wqscore.leaderboards.of_models import leaderboard
    from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
    from wqscore.planning.describe import ModelDescription, describe
    from wqscore.planning.plan import ModelPlan, Plan, PlanInterrupted, plan
    from wqscore.ranking.card import Card
    from wqscore.ranking.ranked_model import RankedModel
    from wqscore.ranking.ranking import Ranking
    from wqscore.refs.parsing import parse_ref
    from wqscore.refs.reference import ModelRef
    from wqscore.scoring.layer_score import LayerScore
    from wqscore.scoring.matrix_spectrum import MatrixSpectrum
    from wqscore.scoring.model_score import ModelScore
    from wqscore.stores.overview import StoreOverview
    from wqscore.studies.allocate.allocate import Allocation, allocate
    from wqscore.studies.compress.compress import Compression, compress
    from wqscore.studies.correlation.correlate import Correlations
    from wqscore.studies.correlation.of_tables import correlate
    from wqscore.studies.diff.diff import Diff, diff
    from wqscore.studies.kin.kin import Kin, kin
    from wqscore.studies.known.benchmarks import BenchmarkTable
    from wqscore.studies.known.cards import known
    from wqscore.studies.phase.phase import Phases, phase
    from wqscore.studies.screen.screen import Screening, screen
    from wqscore.studies.symmetry.symmetry import Symmetry, symmetry
    from wqscore.studies.track.track import RunTrack, track
    from wqscore.studies.watching.track import Track
    from wqscore.studies.watching.watch import Watch, watch
    from wqscore.studies.width.width import Width, width

_HOMES = {
    "Settings": "wqscore.api.settings",
    "score": "wqscore.api.score",
    "check": "wqscore.integrity.checking",
    "Integrity": "wqscore.integrity.checking",
    "crosscheck": "wqscore.api.score",
    "Crosscheck": "wqscore.engines.crosscheck",
    "rank": "wqscore.api.score",
    "describe": "wqscore.planning.describe",
    "plan": "wqscore.planning.plan",
    "Plan": "wqscore.planning.plan",
    "ModelPlan": "wqscore.planning.plan",
    "PlanInterrupted": "wqscore.planning.plan",
    "RankingInterrupted": "wqscore.api.score",
    "ModelDescription": "wqscore.planning.describe",
    "LayerScore": "wqscore.scoring.layer_score",
    "SkippedTensor": "wqscore.matrices.weight_matrix",
    "WeightMatrix": "wqscore.matrices.weight_matrix",
    "RankedModel": "wqscore.ranking.ranked_model",
    "Ranking": "wqscore.ranking.ranking",
    "ModelRef": "wqscore.refs.reference",
    "parse_ref": "wqscore.refs.parsing",
    "ModelScore": "wqscore.scoring.model_score",
    "gate": "wqscore.gating.of_rules",
    "GateResult": "wqscore.gating.gate",
    "Policy": "wqscore.gating.policy",
    "correlate": "wqscore.studies.correlation.of_tables",
    "Correlations": "wqscore.studies.correlation.correlate",
    "allocate": "wqscore.studies.allocate.allocate",
    "Allocation": "wqscore.studies.allocate.allocate",
    "phase": "wqscore.studies.phase.phase",
    "Phases": "wqscore.studies.phase.phase",
    "card": "wqscore.api.card",
    "Card": "wqscore.ranking.card",
    "compress": "wqscore.studies.compress.compress",
    "Compression": "wqscore.studies.compress.compress",
    "Symmetry": "wqscore.studies.symmetry.symmetry",
    "width": "wqscore.studies.width.width",
    "Width": "wqscore.studies.width.width",
    "diff": "wqscore.studies.diff.diff",
    "symmetry": "wqscore.studies.symmetry.symmetry",
    "Diff": "wqscore.studies.diff.diff",
    "kin": "wqscore.studies.kin.kin",
    "Kin": "wqscore.studies.kin.kin",
    "known": "wqscore.studies.known.cards",
    "BenchmarkTable": "wqscore.studies.known.benchmarks",
    "store": "wqscore.api.store",
    "StoreOverview": "wqscore.stores.overview",
    "leaderboard": "wqscore.leaderboards.of_models",
    "Built": "wqscore.leaderboards.built",
    "watch": "wqscore.studies.watching.watch",
    "Watch": "wqscore.studies.watching.watch",
    "Track": "wqscore.studies.watching.track",
    "track": "wqscore.studies.track.track",
    "RunTrack": "wqscore.studies.track.track",
    "screen": "wqscore.studies.screen.screen",
    "Screening": "wqscore.studies.screen.screen",
    "MatrixSpectrum": "wqscore.scoring.matrix_spectrum",
}

__all__ = [
    "Allocation",
    "BenchmarkTable",
    "Built",
    "Card",
    "CheckpointError",
    "Compression",
    "Correlations",
    "Crosscheck",
    "Diff",
    "GateResult",
    "Integrity",
    "Kin",
    "LayerScore",
    "MatrixSpectrum",
    "ModelDescription",
    "ModelPlan",
    "ModelRef",
    "ModelScore",
    "Phases",
    "Plan",
    "PlanInterrupted",
    "Policy",
    "RankedModel",
    "Ranking",
    "RankingInterrupted",
    "RunTrack",
    "Screening",
    "Settings",
    "SkippedTensor",
    "StoreOverview",
    "Symmetry",
    "Track",
    "UsageError",
    "Watch",
    "WeightMatrix",
    "Width",
    "WqscoreError",
    "__version__",
    "allocate",
    "card",
    "check",
    "compress",
    "correlate",
    "crosscheck",
    "describe",
    "diff",
    "gate",
    "kin",
    "known",
    "leaderboard",
    "parse_ref",
    "phase",
    "plan",
    "rank",
    "score",
    "screen",
    "store",
    "symmetry",
    "track",
    "watch",
    "width",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

"""Judge pretrained checkpoints from their weights alone.

`score` one model, `rank` several, `describe` one or `plan` for many without reading their weights. Everything heavy
is imported when it is first asked for, so that importing the package, and `wqscore --help`, stay quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wqscore.errors import CheckpointError, UsageError, WqscoreError
from wqscore.version import __version__

if TYPE_CHECKING:
    from wqscore.api.score import RankingInterrupted, crosscheck, rank, score
    from wqscore.api.settings import Settings
    from wqscore.engines.crosscheck import Crosscheck
    from wqscore.integrity.checking import Integrity, check
    from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
    from wqscore.planning.describe import ModelDescription, describe
    from wqscore.planning.plan import ModelPlan, Plan, PlanInterrupted, plan
    from wqscore.ranking.ranked_model import RankedModel
    from wqscore.ranking.ranking import Ranking
    from wqscore.refs.parsing import parse_ref
    from wqscore.refs.reference import ModelRef
    from wqscore.scoring.layer_score import LayerScore
    from wqscore.scoring.model_score import ModelScore

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
}

__all__ = [
    "CheckpointError",
    "Crosscheck",
    "Integrity",
    "LayerScore",
    "ModelDescription",
    "ModelPlan",
    "ModelRef",
    "ModelScore",
    "Plan",
    "PlanInterrupted",
    "RankedModel",
    "Ranking",
    "RankingInterrupted",
    "Settings",
    "SkippedTensor",
    "UsageError",
    "WeightMatrix",
    "WqscoreError",
    "__version__",
    "check",
    "crosscheck",
    "describe",
    "parse_ref",
    "plan",
    "rank",
    "score",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

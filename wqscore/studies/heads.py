"""The fields that the JSON document of every study begins with."""

from __future__ import annotations

from typing import Any

from wqscore.rendering.timestamp import created_at
from wqscore.reports.json import SCHEMA_VERSION
from wqscore.scoring.model_score import ModelScore
from wqscore.version import __version__


def document_head(seed: int | None) -> dict[str, Any]:
    """What made the document, and when, as in `ranking.json`.

    Args:
        seed: of every random step; `None` where nothing is random.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "wqscore": __version__,
        "created": created_at().isoformat(),
        "seed": seed,
    }


def model_names(score: ModelScore) -> dict[str, Any]:
    """A model's name and revision."""
    return {"model": score.ref.label, "revision": score.revision}

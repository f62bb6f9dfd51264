"""A section for a model's card: the record; `reports.card` writes it."""

from __future__ import annotations

from dataclasses import dataclass

from wqscore.results import Result
from wqscore.scoring.model_score import ModelScore


@dataclass(frozen=True)
class Card(Result):
    """What a model card says of a model's weights; `to_markdown()` is the section.

    Attributes:
        score: the scored model.
    """

    score: ModelScore

    def __str__(self) -> str:
        """The section in Markdown."""
        return self.to_markdown()

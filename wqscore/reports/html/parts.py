"""The parts of a report in the order of the page: a part is a line here and a template."""

from __future__ import annotations

from dataclasses import dataclass

from wqscore.ranking.ranking import Ranking


@dataclass(frozen=True)
class Part:
    """A part of the page.

    Attributes:
        id: the fragment that links lead to; the template's section has it.
        title: in the list of parts at the top.
        template: in `templates/`.
    """

    id: str
    title: str
    template: str


def report_parts(ranking: Ranking) -> list[Part]:
    """The parts that a ranking's report has."""
    drawable = any(score.layers for score in ranking.scores)
    candidates = [
        (True, Part("ranking", "Ranking", "report_ranking.html.j2")),
        (bool(ranking.trends), Part("steps-1", "Over the steps", "report_steps.html.j2")),
        (drawable, Part("worst", "Check first", "report_worst.html.j2")),
        (drawable, Part("explorer", "Layer explorer", "report_explorer.html.j2")),
        (drawable and len(ranking.scores) > 1, Part("models", "Models compared", "report_models.html.j2")),
        (bool(ranking.pairs), Part("pairs", "Pairs", "report_pairs.html.j2")),
        (True, Part("method", "How it was computed", "report_method.html.j2")),
        (bool(ranking.scores), Part("each", "Model by model", "report_sections.html.j2")),
    ]
    return [part for present, part in candidates if present]

"""A built site: the record; `leaderboards.report` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wqscore.leaderboards.site import Site
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.numbers import counted
from wqscore.results import Result


@dataclass(frozen=True, repr=False)
class Built(Result):
    """The result of a build.

    Attributes:
        site: the records that the pages were made from.
        ranking: the ranking of tonight's models.
        index: the path of the first page.
    """

    site: Site
    ranking: Ranking
    index: Path

    def __repr__(self) -> str:
        """The site's first page, and how many models it lists."""
        return f"<Built {str(self.index)[-120:]}: {counted(len(self.site.models), 'model')}, night {self.site.night}>"

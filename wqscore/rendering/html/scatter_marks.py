"""Which mark a model has in the charts of a study: one for each of the largest groups, one for all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from wqscore.rendering.html.palette import MARKS, OTHERS


@dataclass(frozen=True)
class Group:
    """A group with a mark of its own.

    Attributes:
        name: as in the table.
        mark: the key of its mark.
        models: how many there are.
    """

    name: str
    mark: str
    models: int

    @property
    def colour(self) -> str:
        """Of its mark."""
        return MARKS[self.mark][0]

    @property
    def outline(self) -> str:
        """Of its mark, as the `d` of an SVG path."""
        return MARKS[self.mark][1]


def largest_groups(words: Sequence[str]) -> tuple[Group, ...]:
    """Give the groups with the most models a mark each; of equally large ones, the first to come.

    Args:
        words: each model's group, empty for none.

    Example:
        >>> [(group.name, group.mark) for group in largest_groups(["vgg", "resnet", "", "resnet"])]
        [('resnet', 'a'), ('vgg', 'b')]
    """
    own = [mark for mark in MARKS if mark != OTHERS]
    largest = Counter(word for word in words if word).most_common(len(own))
    return tuple(Group(name, mark, models) for (name, models), mark in zip(largest, own, strict=False))

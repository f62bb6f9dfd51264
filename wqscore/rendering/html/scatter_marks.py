"""Which mark a model has in the charts of a study: one for each of the largest groups, one for all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

#: Colour and outline, the latter in a square of −1 to 1 (Vega's own measure for outlines): no two marks share
#: either. The colours are Okabe and Ito's that stand out from white and from black, then the page's own.
MARKS = MappingProxyType(
    {
        "a": ("#0072B2", "M-.9,0A.9,.9,0,1,1,.9,0A.9,.9,0,1,1,-.9,0Z"),
        "b": ("#D55E00", "M-.95,.8H.95L0,-.9Z"),
        "c": ("#009E73", "M-.8,-.8H.8V.8H-.8Z"),
        "d": ("#CC79A7", "M0,-1L1,0L0,1L-1,0Z"),
        "e": ("#E69F00", "M-.95,-.8H.95L0,.9Z"),
        "f": ("#56B4E9", "M-.3,-1H.3V-.3H1V.3H.3V1H-.3V.3H-1V-.3H-.3Z"),
        "others": (
            "currentColor",
            "M-.5,-.9L0,-.4L.5,-.9L.9,-.5L.4,0L.9,.5L.5,.9L0,.4L-.5,.9L-.9,.5L-.4,0L-.9,-.5Z",
        ),
    }
)
OTHERS = "others"


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

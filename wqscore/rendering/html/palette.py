"""The colours and shapes of every page and picture: of verdicts, models, groups and roles, each fixed in one place.

The colours are Okabe and Ito's, which colour-blind readers tell apart; sky blue, orange, vermillion and pink are
darker here, so that every colour stands out 3:1 both from white and from the dark page (WCAG 1.4.11). Colour is never
alone: every entry has a shape as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from wqscore.matrices.roles import CONV, EMBEDDING, HEAD, OTHER

BLUE, SKY, GREEN = "#0072B2", "#3D97D0", "#00936B"
ORANGE, VERMILLION, PINK = "#BD7D00", "#C44E00", "#CC5FA0"
#: The page's own ink, light or dark.
INK = "currentColor"
GREY, SLATE = "#8C8C8C", "#64707C"

_CIRCLE = "M-.9,0A.9,.9,0,1,1,.9,0A.9,.9,0,1,1,-.9,0Z"
_TRIANGLE = "M-.95,.8H.95L0,-.9Z"
_SQUARE = "M-.8,-.8H.8V.8H-.8Z"
_DIAMOND = "M0,-1L1,0L0,1L-1,0Z"
_WEDGE = "M-.95,-.8H.95L0,.9Z"
_PLUS = "M-.3,-1H.3V-.3H1V.3H.3V1H-.3V.3H-1V-.3H-.3Z"
_CROSS = "M-.5,-.9L0,-.4L.5,-.9L.9,-.5L.4,0L.9,.5L.5,.9L0,.4L-.5,.9L-.9,.5L-.4,0L-.9,-.5Z"
_ARROW = "M-.8,-.95V.95L.9,0Z"
_HALF = "M-.9,.45A.9,.9,0,1,1,.9,.45Z"
_BAR = "M-.95,-.35H.95V.35H-.95Z"


@dataclass(frozen=True)
class Mark:
    """A colour with a shape.

    Attributes:
        colour: as CSS and Vega take it.
        outline: the `d` of an SVG path in a square of −1 to 1, Vega's own measure for outlines.
    """

    colour: str
    outline: str


#: The mark of each verdict, in the order of a bar: a sound fit first, damage last.
VERDICTS = MappingProxyType(
    {
        "ok": Mark(BLUE, _CIRCLE),
        "unstable": Mark(SKY, _TRIANGLE),
        "undecided": Mark(GREY, _HALF),
        "no-power-law": Mark(ORANGE, _SQUARE),
        "trap": Mark(PINK, _DIAMOND),
        "random": Mark(VERMILLION, _WEDGE),
        "too-small": Mark(SLATE, _ARROW),
        "degenerate": Mark(GREEN, _PLUS),
        "zero": Mark(INK, _BAR),
        "non-finite": Mark(INK, _CROSS),
    }
)

#: Colour and outline of the marks of groups of models, and of all models in no group of their own.
MARKS = MappingProxyType(
    {
        "a": (BLUE, _CIRCLE),
        "b": (VERMILLION, _TRIANGLE),
        "c": (GREEN, _SQUARE),
        "d": (PINK, _DIAMOND),
        "e": (ORANGE, _WEDGE),
        "f": (SKY, _PLUS),
        "others": (INK, _CROSS),
    }
)
OTHERS = "others"

_OF_MODELS = tuple(Mark(*MARKS[key]) for key in MARKS if key != OTHERS)

#: Colour of each role and the name of its shape in Vega: no two roles share both.
ROLE_MARKS = MappingProxyType(
    {
        EMBEDDING: (INK, "diamond"),
        "attention.q": (BLUE, "circle"),
        "attention.k": (SKY, "square"),
        "attention.v": (GREEN, "triangle-up"),
        "attention.o": (PINK, "diamond"),
        "mlp.gate": (GREEN, "cross"),
        "mlp.in": (VERMILLION, "triangle-down"),
        "mlp.out": (ORANGE, "triangle-right"),
        CONV: (BLUE, "triangle-left"),
        OTHER: (INK, "cross"),
        HEAD: (INK, "square"),
    }
)


def model_mark(place: int) -> Mark:
    """The mark of a model, the same wherever it is drawn: no two of the first 36 share colour and shape.

    Args:
        place: its place in the ranking, from 0.

    Example:
        >>> model_mark(0).colour == model_mark(6).colour, model_mark(0) == model_mark(6)
        (True, False)
    """
    count = len(_OF_MODELS)
    shape = _OF_MODELS[(place + place // count) % count]
    return Mark(_OF_MODELS[place % count].colour, shape.outline)

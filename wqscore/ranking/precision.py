"""How many decimals the models' numbers deserve, by the widths of their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from wqscore.ranking.ranked_model import RankedModel
from wqscore.rendering.numbers import figure

#: An interval wider than this deserves two decimals, a narrower one three.
_WIDE = 0.1


def decimals_of(models: Sequence[RankedModel]) -> int | None:
    """As many decimals as the widest interval deserves; `None` where none is known."""
    widths = [model.interval.hi - model.interval.lo for model in models if model.interval is not None]
    return None if not widths else 2 if max(widths) > _WIDE else 3


def rounded(value: float, decimals: int | None) -> str:
    """A number with so many decimals; to four digits for `None`."""
    return figure(value) if decimals is None or not isfinite(value) else f"{value:.{decimals}f}"

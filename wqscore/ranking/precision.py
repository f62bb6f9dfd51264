"""How many decimals the numbers of several models deserve, by the widest of their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.ranking.ranked_model import RankedModel
from wqscore.rendering.numbers import decimals


def decimals_of(models: Sequence[RankedModel]) -> int | None:
    """As many decimals as the widest interval deserves; `None` where none is known."""
    widths = [model.interval.hi - model.interval.lo for model in models if model.interval is not None]
    return decimals(max(widths)) if widths else None

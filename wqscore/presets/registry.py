"""The presets by name."""

from __future__ import annotations

from types import MappingProxyType

from wqscore.errors import UsageError, nearest
from wqscore.presets.preset import Preset
from wqscore.presets.published import ALPHAPRUNING, FARMS, KDD2023, TEMPBALANCE
from wqscore.presets.weightwatcher import WW_0_2_7, WW_0_7

DEFAULT = Preset("default", "wqscore's own: relative floor, tails of 10 and more, parts of fused matrices, medians")

PRESETS = MappingProxyType(
    {preset.name: preset for preset in (DEFAULT, WW_0_7, WW_0_2_7, TEMPBALANCE, ALPHAPRUNING, FARMS, KDD2023)}
)


def find_preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset called {name!r}: {_nearest(name)}")
    return PRESETS[name]


def _nearest(name: str) -> str:
    """The presets that begin like a name, else those near it, else all."""
    begun = [each for each in PRESETS if name and each.startswith(name.lower())]
    return f"did you mean {', '.join(begun)}?" if begun else nearest(name.lower(), PRESETS)


__all__ = ["DEFAULT", "PRESETS", "WW_0_2_7", "WW_0_7", "Preset", "find_preset"]

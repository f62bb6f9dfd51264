"""How often does `screen` find a planted module, and how often does it raise a false alarm?

Adapters of rank 8 with three modules a layer, whose factors are drawn from one law (`plain`), or grow threefold with
depth (`trend`). In one module one direction is scaled up by a factor. Usage: python -m benchmarks.screen_power, which
writes benchmarks/screen_power.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.rendering.markdown import markdown_table
from wqscore.studies.screen.statistics import STATISTICS, low_rank_statistics
from wqscore.studies.screen.zscores import sibling_limit, z_scores

LAYERS, RANK = (8, 16, 32), 8
SHAPES = ((128, 128), (64, 128), (128, 256))
SPIKES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
ADAPTERS = 100
_TABLE = Path(__file__).parent / "screen_power.md"
_TEXT = """# Planted modules and false alarms

How many of {adapters} adapters `wqscore screen` finds a planted module in: of rank {rank}, with three modules a
layer, one of which has one of its {rank} directions scaled up. In the row 1 nothing is planted: what stands out is a
false alarm, and 1 % is what the limit allows of normal statistics. `trend`: factors grow threefold from the first
layer to the last, as they may in training. Written by `python -m benchmarks.screen_power`.

"""


def stands_out(layers: int, spike: float, trend: bool, seed: int) -> tuple[bool, bool]:
    """Whether the planted module, and whether any other, stands out from its siblings."""
    rng = np.random.default_rng([seed, layers, int(10 * spike), trend])
    where = (int(rng.integers(len(SHAPES))), int(rng.integers(layers)))
    found = np.empty((len(SHAPES), len(STATISTICS), layers))
    for kind, (rows, columns) in enumerate(SHAPES):
        for layer in range(layers):
            a, b = rng.standard_normal((RANK, columns)), rng.standard_normal((rows, RANK))
            if (kind, layer) == where:
                b[:, 0] *= spike
            scale = 1 + 2 * layer / (layers - 1) if trend else 1.0
            statistics = low_rank_statistics(LowRank(a, b, scale))
            assert not isinstance(statistics, str), statistics
            found[kind, :, layer] = list(statistics.values())
    beyond = (np.abs(z_scores(found)) > sibling_limit((layers,) * len(SHAPES), 0)).any(axis=1)
    planted = bool(beyond[where])
    beyond[where] = False
    return planted, bool(beyond.any())


def table() -> str:
    """The page."""
    rows = []
    for spike in SPIKES:
        row = [f"{spike:g}"]
        for layers in LAYERS:
            for trend in (False, True):
                outcomes = [stands_out(layers, spike, trend, seed) for seed in range(ADAPTERS)]
                planted, other = (sum(each) for each in zip(*outcomes, strict=True))
                row.append(f"{planted + other}" if spike == 1 else f"{planted}")
        rows.append(row)
    columns = ["spike", *(f"{layers} layers, {law}" for layers in LAYERS for law in ("plain", "trend"))]
    return _TEXT.format(adapters=ADAPTERS, rank=RANK) + markdown_table(columns, rows)


if __name__ == "__main__":
    _TABLE.write_text(table(), encoding="utf-8")

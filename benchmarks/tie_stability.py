"""Do the seed or `--bootstrap` decide ties? Rank the demo with ten seeds and three numbers of resamples.

Run: python -m benchmarks.tie_stability checkpoints
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import wqscore

SEEDS = range(10)
BOOTSTRAPS = (0, 200, 1000)


def answers(folder: Path) -> Counter[tuple[object, ...]]:
    """How often each set of ranks, ranges and ties came out."""
    models = [path for path in sorted(folder.iterdir()) if (path / "config.json").is_file()]
    found: Counter[tuple[object, ...]] = Counter()
    with TemporaryDirectory() as store:
        for seed in SEEDS:
            for bootstrap in BOOTSTRAPS:
                ranking = wqscore.rank(models, seed=seed, bootstrap=bootstrap, store=Path(store) / "store.sqlite")
                told = tuple((m.ref.label, m.rank, m.best, m.worst, m.ties) for m in ranking.models)
                apart = tuple(pair.difference.tied for pair in ranking.pairs)
                found[told, apart] += 1
    return found


if __name__ == "__main__":
    for answer, count in answers(Path(sys.argv[1])).items():
        print(f"{count} of {len(SEEDS) * len(BOOTSTRAPS)}: {answer}")

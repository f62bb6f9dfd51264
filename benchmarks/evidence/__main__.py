"""Learn from the record that ships, and write docs/evidence.md; `test` looks at the test families, once.

Usage: python -m benchmarks.evidence [test]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.evidence.combination import judged_on
from benchmarks.evidence.development import Choice, choices, part
from benchmarks.evidence.tables import (
    calibration_tables,
    choice_table,
    families_of,
    kind_tables,
    loss,
    markdown,
    right_in,
)
from wqscore.evidence.decisions import decisions
from wqscore.evidence.lore import LEARNED, learn, learned_record, shipped_digest
from wqscore.evidence.odds import SIZE, bend, log_losses, measure_gaps
from wqscore.evidence.record import shipped_models
from wqscore.evidence.track_record import Entry, TrackRecord
from wqscore.evidence.validation import agreement, log_loss

_PACKAGE = Path("wqscore/evidence")
_PAGE = Path("docs/evidence.md")
_TEST = Path(__file__).with_name("test.md")
_BEGIN, _END = "<!-- written by make evidence -->\n", "<!-- end -->\n"


def main() -> None:
    """Learn and write the page, or look at the test families."""
    if sys.argv[1:] == ["test"]:
        _TEST.write_text("\n".join(_test_lines(choices(_learned("development")))) + "\n", encoding="utf-8")
        print(f"wrote {_TEST}")
        return
    document = {"version": shipped_digest(), **learn(shipped_models())}
    (_PACKAGE / LEARNED).write_text(
        json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8"
    )
    before, _, rest = _PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    written = "\n".join(_page_lines())
    _PAGE.write_text(f"{before}{_BEGIN}\n{written}\n{_END}{after}", encoding="utf-8")
    print(f"wrote {_PAGE} and {_PACKAGE / LEARNED}")


def _learned(part: str) -> TrackRecord:
    record = learned_record(part)
    if record is None:
        sys.exit("the tables have changed: make evidence first")
    return record


def _page_lines() -> Iterator[str]:
    models = shipped_models()
    record = _learned("all")
    yield f"Record {shipped_digest()}: {families_of(models)}."
    yield ""
    yield from kind_tables(record)
    yield "### What was chosen on the development families"
    yield ""
    yield f"{families_of(part(development=True))}."
    yield ""
    yield from choice_table(choices(_learned("development")))
    yield "### Predicted odds of families left out, and what came true"
    yield ""
    informative = [entry for entry in record.entries if entry.informative]
    first: dict[str, list[Entry]] = {}
    for entry in informative:
        first.setdefault(entry.kind, []).append(entry)
    yield from calibration_tables(models, [entry for entries in first.values() for entry in entries[:3]])


def _test_lines(chosen: list[Choice]) -> Iterator[str]:
    models = part(development=False)
    yield "# The test families, looked at once"
    yield ""
    yield f"{datetime.now(UTC):%Y-%m-%d}, record {shipped_digest()}. {families_of(models)}."
    yield "Everything was chosen and learned on the development families; odds here are those, unchanged."
    yield ""
    rows = []
    development = _learned("development")
    for choice in chosen:
        decided = decisions(models, choice.kind)
        if not len(decided):
            continue
        metrics = dict.fromkeys([*([choice.metric.metric] if choice.metric else []), "alpha", SIZE])
        for metric in metrics:
            entry = development.entry(metric, choice.kind)
            found = measure_gaps(metric, decided)
            if entry is None or not len(found.gaps):
                continue
            losses = log_losses(bend(found.in_units_of(entry.scales))[:, None], np.array([entry.slope]))
            judged = log_loss(losses[:, None].repeat(2, axis=1), found.of)
            agreed = agreement(found.gaps, found.of)
            right = right_in(agreed)
            name = "size" if metric == SIZE else f"`{metric}`"
            role = "chosen" if choice.metric and metric == choice.metric.metric else ""
            counts = [f"{len(found.gaps):,}", str(found.families)]
            rows.append([choice.kind, name, role, right, *counts, loss(judged.mean, judged.error)])
        if choice.combination and choice.combination.metrics:
            judged = judged_on(choice.combination, decided)
            names = " + ".join(f"`{name}`" for name in choice.combination.metrics)
            counts = [f"{len(decided):,}", str(len(decided.families))]
            rows.append([choice.kind, names, "combination", "–", *counts, loss(judged.mean, judged.error)])
    columns = ["kind", "metric", "", "right in", "decisions", "families", "log-loss (a coin: 0.693)"]
    yield from markdown(columns, rows)


if __name__ == "__main__":
    main()

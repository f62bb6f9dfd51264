"""Write the table that is committed, and count what it holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.zoo.families import Family, families
from benchmarks.zoo.plan import plan
from benchmarks.zoo.rescore import RESCORED, Row
from benchmarks.zoo.score import DATA_FREE, metric_columns
from benchmarks.zoo.table import Table, csv_text
from benchmarks.zoo.tasks import load_task
from wqscore.evidence import record as evidence
from wqscore.evidence.record import OWN
from wqscore.metrics.registry import WHOLE_METRICS

KINDS = ("recipe", "run", "fine-tune", "damage")
_MOST_BYTES = 3_000_000
#: The table of the record that ships with the package.
RECORD = Path("wqscore/evidence/records/zoo.csv")


def collect(out: Path, wheels: Path, target: Path) -> int:
    """Write `zoo.csv` and `data.json` from the rows known so far, and print the numbers of rows as Markdown.

    A row that was scored again has its new scores.

    Returns:
        1 if the table is too large to commit, else 0.
    """
    planned = {model for run in plan() for model in run.models()}
    found = {row["model"]: row for name in ("rows.jsonl", RESCORED) for row in Table(out / name).rows()}
    rows = [row for model, row in found.items() if model in planned]
    text = csv_text(rows, metric_columns())
    (target / "zoo.csv").write_text(text, encoding="utf-8")
    RECORD.write_text(record_text(rows), encoding="utf-8")
    digests = {name: load_task(*name.split("/"), wheels).digest() for name in sorted(map(layout, families()))}
    (target / "data.json").write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")
    for line in counted(rows):
        print(line)
    print(f"\n{len(rows):,} rows of {len(planned):,} planned, {len(text.encode()):,} bytes")
    return int(len(text.encode()) > _MOST_BYTES)


def record_text(rows: Sequence[Row]) -> str:
    """The trained networks as a table of the record of decisions: what ranks a model, of each metric."""
    headlines = {name: name if name in WHOLE_METRICS else f"{name}_median" for name in DATA_FREE}
    trained = [row for row in rows if row["status"] == "trained"]
    renamed = [
        {**row, "scored_by": OWN, **{name: row[column] for name, column in headlines.items()}} for row in trained
    ]
    return csv_text(renamed, DATA_FREE, [column for column in evidence.COLUMNS if column != "decision"])


def layout(family: Family) -> str:
    """Return the name of the data that a family sees, `digits/mlp`."""
    return f"{family.task}/{family.architecture}"


def counted(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    """Yield a Markdown table of rows by family and kind, and how many whole runs count as trained."""
    counts = Counter((row["family"], row["kind"]) for row in rows)
    trained = Counter(row["family"] for row in rows if row["kind"] == "recipe" and row["status"] == "trained")
    yield f"| family | {' | '.join(KINDS)} | trained |"
    yield f"|---|{'--:|' * (len(KINDS) + 1)}"
    for family in sorted({str(row["family"]) for row in rows}):
        yield f"| {family} | {' | '.join(str(counts[family, kind]) for kind in KINDS)} | {trained[family]} |"
    totals = [sum(count for (_, of), count in counts.items() if of == kind) for kind in KINDS]
    yield f"| all | {' | '.join(f'{total:,}' for total in totals)} | {trained.total():,} |"

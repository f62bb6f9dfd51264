"""The table: a line a network, appended as soon as it is known; and the CSV file that is made of it."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path

#: Columns before the metrics. Of the network, of its quality, of what it can be compared with, of its training.
COLUMNS = (
    *("source", "family", "model", "kind", "series", "params"),
    *("quality", "quality_name", "better"),
    *("train_loss", "test_loss", "gap", "train_accuracy", "test_accuracy", "status"),
    *("run", "step", "progress", "weights", "parent", "damage", "fine_tune", "recipe", "seed"),
    *("task", "depth", "width", "lr", "batch", "weight_decay", "dropout", "label_noise", "share"),
    *("matrices", "random"),
)
_DIGITS, _DIGITS_OF_METRICS = 5, 4


class Table:
    """Rows in a file of JSON lines that survives being killed at any moment."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def repair(self) -> None:
        """Cut off a last line that was not finished; call it while nothing else writes."""
        if self.path.exists():
            content = self.path.read_bytes()
            os.truncate(self.path, content.rfind(b"\n") + 1)

    def append(self, row: Mapping[str, object]) -> None:
        """Add a row, whole, and see that it is on the disk."""
        line = json.dumps(row).encode() + b"\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            written = 0
            while written < len(line):
                written += os.write(handle, line[written:])
            os.fsync(handle)
        finally:
            os.close(handle)

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield the rows in the order in which they came; an unfinished last line is none."""
        if self.path.exists():
            for line in self.path.read_bytes().split(b"\n")[:-1]:
                yield json.loads(line)

    def models(self) -> set[str]:
        """Return the models that have a row."""
        return {str(row["model"]) for row in self.rows()}


def csv_text(rows: Iterable[Mapping[str, object]], metrics: Iterable[str], head: Sequence[str] = COLUMNS) -> str:
    """Return the table as CSV, sorted by family and model.

    Args:
        rows: the rows.
        metrics: the columns of metrics.
        head: the columns before them.

    Raises:
        ValueError: two rows of one model.
    """
    columns = [*head, *metrics]
    ordered = sorted(rows, key=lambda row: (str(row["family"]), str(row["model"])))
    names = [row["model"] for row in ordered]
    if len({*names}) < len(names):
        raise ValueError("a model has two rows")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in ordered:
        writer.writerow([cell(row[column], _DIGITS if column in head else _DIGITS_OF_METRICS) for column in columns])
    return out.getvalue()


def cell(value: object, digits: int) -> str:
    """Return the text of a value: a number in so many significant digits, short; nothing for NaN and infinity.

    Example:
        >>> cell(0.000012345678, 4), cell(123456.0, 4), cell(-0.5, 4), cell(7, 4), cell(float("nan"), 4)
        ('1.235e-5', '1.235e5', '-.5', '7', '')
    """
    if not isinstance(value, float):
        return str(value)
    if not isfinite(value):
        return ""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    mantissa = mantissa.replace("0.", ".", 1) if mantissa.removeprefix("-").startswith("0.") else mantissa
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def read_csv(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows of the CSV file by model."""
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["model"]: row for row in csv.DictReader(lines)}

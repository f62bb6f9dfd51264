"""The two tables as Parquet files: the columns of the CSV, text as text and every number a float64.

The types are the same for every model, whatever is missing there. Needs the extra `wqscore[parquet]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wqscore.errors import UsageError
from wqscore.presets.preset import Preset
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.numbers import Cell
from wqscore.reports.tables import layer_columns, layer_rows, ranking_columns, ranking_rows
from wqscore.scoring.model_score import ModelScore

if TYPE_CHECKING:
    import pyarrow

#: The columns of words; all others hold numbers.
_LAYER_WORDS = ("model", "name", "role", "verdict", "flags", "reason")
_RANKING_WORDS = ("model", "revision", "family", "ties", "status", "reason")


def check_installed() -> None:
    """Check that Parquet can be written.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError("--format parquet needs pyarrow: pip install 'wqscore[parquet]'") from error


def layers_parquet(score: ModelScore) -> bytes:
    """The rows of `layers.csv` of one model."""
    columns = layer_columns(score.preset, score.metrics)
    return _parquet(columns, layer_rows(score), _named(_LAYER_WORDS, score.preset))


def ranking_parquet(ranking: Ranking) -> bytes:
    """The rows of `ranking.csv`."""
    return _parquet(ranking_columns(ranking), ranking_rows(ranking), frozenset(_RANKING_WORDS))


def _named(words: Sequence[str], preset: Preset) -> frozenset[str]:
    return frozenset(preset.columns.get(name, name) for name in words)


def _parquet(columns: Sequence[str], rows: Sequence[Sequence[Cell]], words: frozenset[str]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    arrays = []
    for place, column in enumerate(columns):
        cells = [row[place] for row in rows]
        arrays.append(_text(cells) if column in words else _numbers(cells))
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_arrays(arrays, names=list(columns)), sink)
    return bytes(sink.getvalue().to_pybytes())


def _text(cells: Sequence[Cell]) -> pyarrow.Array:
    import pyarrow as pa

    # Names that no encoding has, from a file system or a checkpoint, are written as escapes.
    texts = [None if cell is None else str(cell).encode("utf-8", "backslashreplace").decode() for cell in cells]
    return pa.array(texts, pa.string())


def _numbers(cells: Sequence[Cell]) -> pyarrow.Array:
    import pyarrow as pa

    return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())

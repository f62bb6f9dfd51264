"""A flat table as a Parquet file: the columns of the CSV, text as text and every number a float64.

The types do not depend on which values are missing. Needs the extra `wqscore[parquet]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wqscore.errors import UsageError
from wqscore.rendering.numbers import Cell
from wqscore.rendering.rows import Rows

if TYPE_CHECKING:
    import pyarrow


def check_installed() -> None:
    """Check that Parquet can be written.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError("--format parquet needs pyarrow: pip install 'wqscore[parquet]'") from error


def rows_parquet(found: Rows) -> bytes:
    """The rows as the bytes of a Parquet file.

    Raises:
        UsageError: pyarrow is not installed.
    """
    check_installed()
    import pyarrow as pa
    from pyarrow import parquet

    arrays = []
    for index, column in enumerate(found.columns):
        cells = [row[index] for row in found.rows]
        arrays.append(_text(cells) if column in found.words else _numbers(cells))
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_arrays(arrays, names=list(found.columns)), sink)
    return bytes(sink.getvalue().to_pybytes())


def _text(cells: Sequence[Cell]) -> pyarrow.Array:
    import pyarrow as pa

    # Names from a file system or a checkpoint may hold characters that UTF-8 lacks: write those as escapes.
    texts = [None if cell is None else str(cell).encode("utf-8", "backslashreplace").decode() for cell in cells]
    return pa.array(texts, pa.string())


def _numbers(cells: Sequence[Cell]) -> pyarrow.Array:
    import pyarrow as pa

    return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())

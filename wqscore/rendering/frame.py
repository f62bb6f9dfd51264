"""A flat table as a pandas data frame."""

from __future__ import annotations

import pandas as pd

from wqscore.rendering.rows import Rows


def rows_frame(found: Rows) -> pd.DataFrame:
    """The rows as a data frame; undefined values are missing."""
    return pd.DataFrame(found.rows, columns=list(found.columns))

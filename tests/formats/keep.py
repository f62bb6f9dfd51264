"""Write the samples in tests/data/formats: `python -m tests.formats.keep NAME …`, with their tools on the path."""

from __future__ import annotations

import sys

from tests.formats import folders, packed, unread
from tests.formats.samples import Sample

if __name__ == "__main__":
    rows = [*folders.ROWS.values(), *packed.ROWS.values(), *unread.ROWS.values()]
    for row in rows:
        if isinstance(row, Sample) and row.name in (sys.argv[1:] or [row.name]):
            row.keep()

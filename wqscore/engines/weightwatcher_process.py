"""Script of the separate process: run WeightWatcher on a folder and write its table as JSON to standard output.

Run as a file, `python -P weightwatcher_process.py FOLDER`, it needs nothing but WeightWatcher, which sets up logging,
silences warnings and prints as soon as it is imported.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any


def main(folder: str) -> None:
    """Write WeightWatcher's version, layers and summary to standard output; whatever else prints goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="ascii") as answer:
        # From here on, prints (of C code too) go to standard error, so that the answer is JSON alone.
        os.dup2(2, 1)
        json.dump(_analyze(folder), answer, default=lambda scalar: scalar.item())


def _analyze(folder: str) -> dict[str, Any]:
    weightwatcher = import_module("weightwatcher")
    watcher = weightwatcher.WeightWatcher(model=folder)
    table = watcher.analyze(plot=False)
    return {
        "version": weightwatcher.__version__,
        "layers": table.to_dict("records"),
        "summary": watcher.get_summary(table),
    }


if __name__ == "__main__":
    main(sys.argv[1])

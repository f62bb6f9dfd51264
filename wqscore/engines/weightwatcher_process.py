"""What runs in a process of its own: WeightWatcher on one folder, its table as JSON on standard output.

Run as a file, `python -P weightwatcher_process.py FOLDER`, so that it needs nothing but WeightWatcher. That sets up
logging, silences warnings and prints, wherever it is imported.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any


def main(folder: str) -> None:
    """Write WeightWatcher's version, its layers and its summary to what is standard output at the start."""
    with os.fdopen(os.dup(1), "w", encoding="ascii") as answer:
        # Whatever is printed from here on, by C code too, is no part of the answer.
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

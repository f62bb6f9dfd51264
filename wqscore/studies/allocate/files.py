"""Write the files of a plan: all of them, complete, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from wqscore.rendering.folder import write_folder
from wqscore.results import render
from wqscore.studies.allocate.allocate import Allocation

#: The forms that other programs take, and the name of the file of each.
Written = Literal["groups", "axolotl", "mergekit"]
_FILES = {"groups": "groups.json", "axolotl": "axolotl.yaml", "mergekit": "mergekit.yaml"}


def write_allocation(found: Allocation, folder: Path, written: Written | None = None) -> Path:
    """Write `plan.csv`, `plan.json` and, if asked for, a form that another program takes; return the plan's path.

    Raises:
        ReportError: the folder can't be created or written to; files already in it stay unchanged.
        UsageError: the plan has no such form, or SOURCE_DATE_EPOCH is not a number of seconds.
    """
    texts = {"plan.csv": found.to_csv(), "plan.json": found.to_json()}
    if written is not None:
        texts[_FILES[written]] = str(render(found, written))
    write_folder(folder, texts)
    return folder / "plan.json"

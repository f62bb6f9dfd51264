"""Write the files of a run's track: all of them, complete, or none."""

from __future__ import annotations

from pathlib import Path

from wqscore.rendering.csv import rows_csv
from wqscore.studies.files import write_study
from wqscore.studies.track.report import known_rows
from wqscore.studies.track.track import RunTrack


def write_track(found: RunTrack, folder: Path) -> Path | None:
    """Write track.csv, track.json, track.md, index.html and, with a known figure, known.csv; return the page's path.

    Raises:
        ReportError: the folder can't be created or written to; files already in it stay unchanged.
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    known = {"known.csv": rows_csv(known_rows(found))} if found.known else {}
    return write_study(found, folder, "track", known)

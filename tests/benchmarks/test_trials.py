"""What the trials read from a run: its line, what is not its own, and what it left."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.trials.commands import Done, foreign_line, leftovers, new_place


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        ("wqscore: /tmp/a1/rank-output-0/disk/out: the disk is full", "wqscore: out: the disk is full"),
        ("noise\nwqscore: org/name: no room in /tmp/a1/hub", "wqscore: org/name: no room in hub"),
        ("report: /tmp/a1/index.html", ""),
    ],
)
def test_the_line_is_the_programs_without_the_folder_of_the_trial(printed: str, line: str) -> None:
    assert Done(3, printed, {}).line == line


def test_lines_of_the_program_are_not_foreign() -> None:
    assert foreign_line("wqscore: out: full\n\nreport: /tmp/index.html\n") == ""
    assert foreign_line("wqscore: out: full\nOpenBLAS error: no memory\n") == "OpenBLAS error: no memory"


def test_temporary_files_are_found_in_the_place_of_a_trial(tmp_path: Path) -> None:
    place = new_place(tmp_path, "rank", "the user's store", 0)
    assert place.name == "rank-the-user-s-store-0"
    for name in (".ranking.csv.0123456789abcdef", ".new", "ranking.csv"):
        (place / name).touch()
    assert leftovers(place) == [".new", ".ranking.csv.0123456789abcdef"]

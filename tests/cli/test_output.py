"""What is printed is what the result's format gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from wqscore.cli import output
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.folder import ReportError
from wqscore.studies.costs.costs import StudyCosts


def test_markdown_is_escaped_once(
    hostile_ranking: Ranking, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hostile_ranking.to_markdown()
    monkeypatch.setattr(output, "without_commands", None)
    output.show(hostile_ranking, "md")
    assert capsys.readouterr().out == expected
    assert output.without_controls(expected) == expected


@pytest.mark.parametrize("quiet", [True, False])
def test_a_study_names_its_page_unless_quiet(quiet: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output.publish_study(StudyCosts(()), lambda folder: folder / "index.html", tmp_path, "csv", quiet)
    shown = capsys.readouterr()
    assert shown.err == ("" if quiet else f"report: {tmp_path / 'index.html'}\n")
    assert shown.out.startswith("study,model")


def test_a_study_is_printed_even_if_its_files_cant_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(folder: Path) -> None:
        raise ReportError("the disk is full")

    with pytest.raises(ReportError):
        output.publish_study(StudyCosts(()), fail, tmp_path, "csv", quiet=False)
    shown = capsys.readouterr()
    assert (shown.err, shown.out.partition(",")[0]) == ("", "study")

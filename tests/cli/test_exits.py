"""What the command line says of errors that nobody turned into one of the package's."""

from __future__ import annotations

import pytest
import typer

from wqscore.cli.exits import NOT_SCORED, one_line_errors


def test_an_error_of_a_file_is_not_called_one_of_writing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left, one_line_errors():
        raise PermissionError(13, "Permission denied", "runs/mine")
    assert left.value.exit_code == NOT_SCORED
    assert capsys.readouterr().err == "wqscore: runs/mine: Permission denied\n"

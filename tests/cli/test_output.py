"""What is printed is what the result's format gives."""

from __future__ import annotations

import pytest

from wqscore.cli import output
from wqscore.ranking.ranking import Ranking


def test_markdown_is_escaped_once(
    hostile_ranking: Ranking, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hostile_ranking.to_markdown()
    monkeypatch.setattr(output, "without_commands", None)
    output.show(hostile_ranking, "md")
    assert capsys.readouterr().out == expected
    assert output.without_controls(expected) == expected

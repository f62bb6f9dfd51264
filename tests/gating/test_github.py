"""Annotations: what GitHub's runner reads in them is what was meant, whatever the names are."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.gating.test_junit import judged
from tests.small_models import HOSTILE
from wqscore.escaping import printable, without_commands
from wqscore.gating.github import gate_github, step_summary
from wqscore.ranking.ranking import Ranking

COMMAND = re.compile(r"::([a-z-]+)(?: ([^:]*))?::(.*)")


def read(line: str) -> tuple[str, dict[str, str], str] | None:
    """A line as the runner reads it: command, properties and message; `None` for plain text.

    As ActionCommand.TryParseV2 does it: a command begins the trimmed line; values are unescaped.
    """
    found = COMMAND.fullmatch(line.strip())
    if found is None:
        assert not line.lstrip().startswith("::") and "##[" not in line
        return None
    properties = dict(pair.split("=", 1) for pair in (found[2] or "").split(",") if pair)
    return found[1], {name: unescaped(value) for name, value in properties.items()}, unescaped(found[3])


def unescaped(text: str) -> str:
    for code, character in {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}.items():
        text = text.replace(code, character)
    return text


def test_each_rule_that_did_not_pass_is_an_error(ranking: Ranking) -> None:
    lines = [read(line) for line in gate_github(judged(ranking)).splitlines()]
    assert lines == [
        (
            "error",
            {"title": "wqscore gate: non_finite > 0"},
            "org/model: non_finite is 2 (why) (fails if non_finite > 0)",
        ),
        ("error", {"title": "wqscore gate: entropy < 0.5"}, "org/model: entropy: why (fails if entropy < 0.5)"),
        None,
    ]


@settings(max_examples=examples(60))
@given(st.text(), st.text())
@example(HOSTILE, HOSTILE)
@example("::error::x", "%0A::set-env name=X::y\n::stop-commands::z\r\n##[add-mask]a ##vso[task.setvariable]b")
@example("a,file=b::c", "\u2028::error::")
def test_no_name_begins_a_command_of_its_own(ranking: Ranking, model: str, reason: str) -> None:
    judgement = judged(ranking, model, reason)
    lines = gate_github(judgement).split("\n")
    found = [read(line) for line in lines if line]
    assert [each and each[0] for each in found] == ["error", "error", None]
    assert all(each is None or each[1].keys() == {"title"} for each in found)
    message = found[1][2] if found[1] else ""
    assert message == without_commands(printable(f"{model}: entropy: {reason} (fails if entropy < 0.5)"))
    assert step_summary(judgement, None).startswith("## Failed: 1 of 3 rules; 1 could not be judged. ")

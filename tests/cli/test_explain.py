"""`wqscore explain`."""

from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

from wqscore.reports.glossary import known_words

Invoke = Callable[..., Result]


def test_a_word_is_explained_under_each_of_its_kinds(invoke: Invoke) -> None:
    done = invoke("explain", "ok")
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if not line.startswith(" ")] == [
        "ok (verdict)",
        "",
        "ok (column)",
    ]


def test_without_a_word_all_are_listed(invoke: Invoke) -> None:
    listed = {
        word
        for line in invoke("explain").stdout.splitlines()
        if line.startswith("  ")
        for word in line.strip().split(", ")
    }
    others = {word for word, kind in known_words().items() if kind == "metric"}
    assert known_words().keys() - others <= listed


def test_an_unknown_word_is_wrong_usage(invoke: Invoke) -> None:
    done = invoke("explain", "tarp")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("wqscore: no output has the word 'tarp': did you mean trap")

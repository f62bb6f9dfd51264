"""Patterns match what Python's `re` matches, and hostile ones in bounded time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore.checkpoints.adapters.patterns import PatternError, compile_pattern

ATOMS = st.sampled_from(
    ["a", "b", r"\.", ".", "[ab]", "[^a]", "[0-9]", r"\d", r"\w", r"[\d.]", "^", "$", "", "1", "é"]
)
REPEATS = st.sampled_from(["", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{,2}", "{1,2}", "{0}"])


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds(
        lambda opening, text, repeat: f"{opening}{text}){repeat}", st.sampled_from(["(", "(?:"]), inner, REPEATS
    )
    several = st.lists(inner, min_size=2, max_size=3)
    return group | several.map("".join) | several.map("|".join)


PATTERNS = st.recursive(
    st.builds(lambda atom, repeat: atom + (repeat if atom not in {"^", "$", ""} else ""), ATOMS, REPEATS), _joined
)


@given(pattern=PATTERNS, texts=st.lists(st.text("ab.1é\n", max_size=7), min_size=1, max_size=8))
def test_matches_what_re_matches(pattern: str, texts: list[str]) -> None:
    ours, theirs = compile_pattern(pattern), re.compile(pattern)
    for text in texts:
        assert ours.matches(text) == (theirs.match(text) is not None), text


@given(text=st.text(r"ab.[]()|*+?{}1,^$\-dw&~", max_size=12), name=st.text("ab.1-", max_size=6))
def test_any_text_is_read_as_re_reads_it_or_refused(text: str, name: str) -> None:
    try:
        ours = compile_pattern(text)
    except PatternError:
        return
    assert ours.matches(name) == (re.match(text, name) is not None)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a+)+b", "(.*a){12}b", "(a?){30}a{30}b", "((a|aa)+)+b", "(()*a?)*b"]
)
def test_what_makes_re_backtrack_for_ever(pattern: str) -> None:
    assert not compile_pattern(pattern).matches("a" * 200)
    assert compile_pattern(pattern).matches("a" * 40 + "b")


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"(a)\1", "(?=a)", "(?i)a", "(?P<n>a)", "(?#a)", r"\bq", r"\x61", "\\"),
        *("[[a]", "[a--b]", "[b-a]", "[", "a**", "a*+", "*", "^*", "(", ")", "a{9999}", "a{2,1}"),
        *("a" * 1001, "(" * 30 + ")" * 30, "((a{40}){40}){40}", "((){1000}){1000}"),
    ],
)
def test_what_is_not_read_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)

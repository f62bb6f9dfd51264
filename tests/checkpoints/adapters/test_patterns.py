"""Patterns match what Python's `re` matches, and hostile ones in bounded time."""

from __future__ import annotations

import re
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore.checkpoints.adapters.lora import plan_adapter
from wqscore.checkpoints.adapters.patterns import PatternError, compile_pattern
from wqscore.errors import CheckpointError

ATOMS = st.sampled_from(
    ["a", "b", r"\.", ".", "[ab]", "[^a]", "[0-9]", r"\d", r"\w", r"[\d.]", "^", "$", "", "1", "é"]
)
REPEATS = st.sampled_from(["", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{1,2}", "{0}"])


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds(
        lambda opening, text, repeat: f"{opening}{text}){repeat}", st.sampled_from(["(", "(?:"]), inner, REPEATS
    )
    several = st.lists(inner, min_size=2, max_size=3)
    return group | several.map("".join) | several.map("|".join)


# With more repeats than these `re`, the other side, may backtrack for hours.
PATTERNS = st.recursive(
    st.builds(lambda atom, repeat: atom + (repeat if atom not in {"^", "$", ""} else ""), ATOMS, REPEATS), _joined
).filter(lambda pattern: len(re.findall(r"[*+]|\{[12]", pattern)) <= 4)


def _matches(pattern: str, text: str) -> bool:
    return compile_pattern(pattern)[0](text)


@given(pattern=PATTERNS, texts=st.lists(st.text("ab.1é", max_size=7), min_size=1, max_size=8))
def test_matches_what_re_matches(pattern: str, texts: list[str]) -> None:
    # As peft asks it, with a name's parts before the pattern.
    whole = rf"(.*\.)?({pattern})$"
    for text in texts:
        # Of letters `\w` means those of ASCII; layers' names have no others.
        if text.isascii() or "w" not in pattern:
            assert _matches(whole, text) == (re.match(whole, text) is not None), text


@given(
    text=st.text(r"ab.[]()|*+?{}1,^$\-dw&~:pPCQzAbZBxsn", max_size=12), name=st.text("ab.1-", min_size=1, max_size=6)
)
def test_any_text_is_read_as_re_reads_it_or_refused(text: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            matches, _ = compile_pattern(text)
            theirs = re.compile(text)
        except (PatternError, re.error):
            # What `re` refuses, peft can't have used.
            return
    assert matches(name) == (theirs.match(name) is not None)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a+)+b", "(.*a){12}b", "(a?){30}a{30}b", "((a|aa)+)+b", "(()*a?)*b"]
)
def test_what_makes_re_backtrack_for_ever(pattern: str) -> None:
    assert not _matches(pattern, "a" * 200)
    assert _matches(pattern, "a" * 40 + "b")


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"(a)\1", "(?=a)", "(?<=a)b", "(?!a)b", "(?#a)", "\\", r"\pL", r"\Qa\E", "[[:alpha:]]", "a{,2}"),
        *("[b-a]", "[", "a**", "a*+", "*", "(", ")", "a{9999}", "a{2,1}"),
        *(
            "a" * 1001,
            "((a{40}){40}){40}",
            "((){1000}){1000}",
            f"[{''.join(map(chr, range(1024, 1624, 2)))}]" + "{1000}",
        ),
    ],
)
def test_what_is_not_read_is_refused(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PatternError) as error:
        compile_pattern(pattern)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_half_of_a_surrogate_pair_is_a_character() -> None:
    for text in ("\ud800.q", "\ud801.q"):
        for pattern in (r".\.q$", "\ud800", "[^\ud800]"):
            assert _matches(pattern, text) == (re.match(pattern, text) is not None)


def test_without_re2_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    assert not plan_adapter({}, {"peft_type": "LORA", "alpha_pattern": {"layers.1.q_proj": 3}}).weights
    with pytest.raises(CheckpointError, match=r"alpha_pattern: '\.\*q' .* pip install 'wqscore\[adapters\]'$"):
        plan_adapter({}, {"peft_type": "LORA", "alpha_pattern": {".*q": 3}})

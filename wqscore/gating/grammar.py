"""How the text of a gate's rule is read.

A rule states what fails the gate:

    rule       := value ( ">" | ">=" | "<" | "<=" ) number
    value      := quantity | "delta(" quantity ")" | "relative(" quantity ")" | "share(" verdict ")" | integrity
    quantity   := METRIC | METRIC "." statistic
    statistic  := "median" | "mean" | "param_mean" | "trimmed_mean" | "ok_median" | "lowest" | "highest"
    integrity  := "non_finite" | "zero" | "unread" | "coverage" | "coverage_all"
    number     := a TOML integer or float, neither inf nor nan

METRIC is a name of the registry, and alone stands for the number that models are ranked by; a statistic has its name
in `ranking.json`; `verdict` is one of the verdicts of a matrix. Blanks between the parts don't matter. Nothing is
ever evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from typing import Literal, NoReturn, cast, get_args

from wqscore.errors import UsageError, nearest
from wqscore.gating.rules import (
    STATISTICS,
    Change,
    Check,
    Comparison,
    Integrity,
    Quantity,
    Rule,
    Share,
    Value,
)
from wqscore.metrics.registry import MATRIX_METRICS, METRICS
from wqscore.scoring.layer_score import Verdict

#: No rule that means something is longer.
LONGEST = 200

_BLANKS = re.compile(r"[ \t]*")
_COMPARISON = re.compile(r"[<>]=?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# TOML 1.0, decimal integers and floats.
_NUMBER = re.compile(r"[+-]?(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?")
_OPEN, _CLOSE, _DOT = re.compile(r"\("), re.compile(r"\)"), re.compile(r"\.")
_CALLS = ("delta", "relative", "share")


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Args:
        text: at most 200 characters.

    Raises:
        UsageError: it is not a rule; the message says at which character and what belongs there.

    Example:
        >>> parse_rule("share(random) > 0.2")
        Rule(value=Share(verdict='random'), comparison='>', limit=0.2)
    """
    if len(text) > LONGEST:
        raise UsageError(f"rule {text[:40]!r}…: is longer than {LONGEST} characters: write several rules")
    reader = _Reader(text)
    value = _value(reader)
    comparison = cast(Comparison, reader.take(_COMPARISON, "one of > >= < <="))
    limit = _number(reader)
    reader.end()
    return Rule(value, comparison, limit)


class _Reader:
    """A place in the text of a rule."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def take(self, pattern: re.Pattern[str], expected: str) -> str:
        """The next token, which has to match."""
        token = self.maybe(pattern)
        return token if token is not None else self.refuse(f"expected {expected}{self._found()}")

    def maybe(self, pattern: re.Pattern[str]) -> str | None:
        """The next token if it matches."""
        self._skip_blanks()
        match = pattern.match(self.text, self.place)
        if match is None:
            return None
        self.place = match.end()
        return match.group()

    def end(self) -> None:
        """Nothing may follow."""
        self._skip_blanks()
        if self.place < len(self.text):
            self.refuse(f"expected nothing more{self._found()}")

    def refuse(self, problem: str, place: int | None = None) -> NoReturn:
        """Say what is wrong and where."""
        at = self.place if place is None else place
        raise UsageError(f"rule {self.text!r}: character {at + 1}: {problem}")

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self.text, self.place)
        self.place = blanks.end() if blanks else self.place

    def _found(self) -> str:
        rest = self.text[self.place :]
        return f", not {rest[:20]!r}" if rest else ", but the rule ends"


def _value(reader: _Reader) -> Value:
    name, place = _name(reader, "a metric, delta(…), relative(…), share(…) or a check such as coverage")
    if reader.maybe(_OPEN) is not None:
        if name not in _CALLS:
            reader.refuse(f"{name!r} takes no brackets: only {', '.join(_CALLS)} do", place)
        value = _inside(name, reader)
        reader.take(_CLOSE, "a closing bracket")
        return value
    if name in get_args(Check):
        return Integrity(cast(Check, name))
    if name in _CALLS:
        reader.take(_OPEN, "an opening bracket")
    return _quantity(name, place, reader, (*METRICS, *get_args(Check)))


def _inside(call: str, reader: _Reader) -> Value:
    if call == "share":
        name, place = _name(reader, "a verdict")
        return Share(cast(Verdict, _known(name, get_args(Verdict), "verdict", reader, place)))
    name, place = _name(reader, "a metric")
    return Change(cast(Literal["delta", "relative"], call), _quantity(name, place, reader, METRICS))


def _quantity(name: str, place: int, reader: _Reader, names: Iterable[str]) -> Quantity:
    metric = _known(name, names, "metric", reader, place)
    if reader.maybe(_DOT) is None:
        return Quantity(metric)
    statistic, place = _name(reader, f"one of {', '.join(STATISTICS)}")
    _known(statistic, STATISTICS, "statistic", reader, place)
    if metric not in MATRIX_METRICS:
        reader.refuse(f"{metric} is one number for the whole model: it has no {statistic}", place)
    return Quantity(metric, statistic)


def _number(reader: _Reader) -> float:
    text = reader.take(_NUMBER, "a number")
    limit = float(text)
    if not isfinite(limit):
        reader.refuse("the number is too large", reader.place - len(text))
    return limit


def _name(reader: _Reader, expected: str) -> tuple[str, int]:
    """A name, and where it starts."""
    name = reader.take(_NAME, expected)
    return name, reader.place - len(name)


def _known(name: str, names: Iterable[str], kind: str, reader: _Reader, place: int) -> str:
    names = tuple(names)
    if name in names:
        return name
    hint = nearest(name, names, "wqscore metrics lists them" if kind == "metric" else "")
    return reader.refuse(f"no {kind} called {name!r}: {hint}", place)

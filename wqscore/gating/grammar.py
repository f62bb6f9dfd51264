"""Parse the text of a gate's rule.

A rule states when the gate fails:

    rule       := value ( ">" | ">=" | "<" | "<=" ) number | "worse(" METRIC ")"
    value      := quantity | change "(" quantity ")" | "odds(" METRIC ")" | "share(" verdict ")" | outlier | integrity
    change     := "delta" | "abs_delta" | "relative"
    quantity   := METRIC | METRIC "." statistic
    statistic  := "median" | "mean" | "param_mean" | "trimmed_mean" | "ok_median" | "lowest" | "highest"
    outlier    := "outlier(" module ")" | "bank_outlier(" module ")"
    module     := "norm" | "energy_share" | "entropy" | "stable_rank" | "kurtosis" | "any"
    integrity  := "non_finite" | "zero" | "unread" | "coverage" | "coverage_all"
    number     := a TOML integer or float, neither inf nor nan

METRIC is a name of the registry; without a statistic it is the number that models are ranked by. A statistic is named
as in `ranking.json`; `worse` takes a metric of matrices that claims a direction, `odds` any that claims one;
`verdict` is one of a matrix's verdicts; an outlier is the largest |z| of a statistic over an adapter's modules.
Blanks between the parts don't matter. The text is only parsed, never evaluated as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from typing import NoReturn, cast, get_args

from wqscore.errors import UsageError, nearest
from wqscore.gating.rules import (
    STATISTICS,
    Change,
    ChangeKind,
    Check,
    IntegrityTerm,
    OddsOver,
    Operator,
    Outlier,
    Quantity,
    Rule,
    Share,
    Term,
    Worse,
)
from wqscore.metrics.registry import MATRIX_METRICS, METRICS
from wqscore.scoring.layer_score import Verdict
from wqscore.studies.screen.statistics import STATISTICS as OF_MODULES

#: Longest rule, in characters.
MAX_LENGTH = 200

_BLANKS = re.compile(r"[ \t]*")
_COMPARISON = re.compile(r"[<>]=?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# TOML 1.0, decimal integers and floats.
_NUMBER = re.compile(r"[+-]?(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?")
_OPEN, _CLOSE, _DOT = re.compile(r"\("), re.compile(r"\)"), re.compile(r"\.")
_OUTLIERS = ("outlier", "bank_outlier")
_CALLS = (*get_args(ChangeKind), "worse", "odds", "share", *_OUTLIERS)


def parse_rule(text: str) -> Rule:
    """Parse a rule.

    Args:
        text: at most 200 characters.

    Raises:
        UsageError: it is not a rule; the message says at which character, and what was expected there.

    Example:
        >>> parse_rule("share(random) > 0.2")
        Rule(value=Share(verdict='random'), comparison='>', limit=0.2)
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"rule {text[:40]!r}…: is longer than {MAX_LENGTH} characters: write several rules")
    reader = _Reader(text)
    value = _value(reader)
    if isinstance(value, Worse):
        reader.end("worse takes no limit: ")
        return Rule(value)
    comparison = cast(Operator, reader.take(_COMPARISON, "one of > >= < <="))
    limit = _number(reader)
    reader.end()
    return Rule(value, comparison, limit)


class _Reader:
    """A rule's text and the position up to which it is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def take(self, pattern: re.Pattern[str], expected: str) -> str:
        """Read the next token, which must match."""
        token = self.maybe(pattern)
        return token if token is not None else self.refuse(f"expected {expected}{self._found()}")

    def maybe(self, pattern: re.Pattern[str]) -> str | None:
        """Read the next token if it matches."""
        self._skip_blanks()
        match = pattern.match(self.text, self.position)
        if match is None:
            return None
        self.position = match.end()
        return match.group()

    def end(self, why: str = "") -> None:
        """Check that nothing follows."""
        self._skip_blanks()
        if self.position < len(self.text):
            self.refuse(f"{why}expected nothing more{self._found()}")

    def refuse(self, problem: str, position: int | None = None) -> NoReturn:
        """Raise an error with the problem and its position."""
        at = self.position if position is None else position
        raise UsageError(f"rule {self.text!r}: character {at + 1}: {problem}")

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self.text, self.position)
        self.position = blanks.end() if blanks else self.position

    def _found(self) -> str:
        rest = self.text[self.position :]
        return f", not {rest[:20]!r}" if rest else ", but the rule ends"


def _value(reader: _Reader) -> Term:
    name, position = _name(reader, "a metric, delta(…), worse(…), share(…) or a check such as coverage")
    if reader.maybe(_OPEN) is not None:
        if name not in _CALLS:
            reader.refuse(f"{name!r} takes no brackets: only {', '.join(_CALLS)} do", position)
        value = _inside(name, reader)
        reader.take(_CLOSE, "a closing bracket")
        return value
    if name in get_args(Check):
        return IntegrityTerm(cast(Check, name))
    if name in _CALLS:
        reader.take(_OPEN, "an opening bracket")
    return _quantity(name, position, reader, (*METRICS, *get_args(Check)))


def _inside(call: str, reader: _Reader) -> Term:
    if call == "share":
        name, position = _name(reader, "a verdict")
        return Share(cast(Verdict, _known(name, get_args(Verdict), "verdict", reader, position)))
    if call in _OUTLIERS:
        name, position = _name(reader, "a statistic of modules")
        known = _known(name, (*OF_MODULES, "any"), "statistic of modules", reader, position)
        return Outlier(known, call == "bank_outlier")
    name, position = _name(reader, "a metric")
    quantity = _quantity(name, position, reader, METRICS)
    if call == "worse":
        return _worse(quantity, reader, position)
    if call == "odds":
        return _odds(quantity, reader, position)
    return Change(cast(ChangeKind, call), quantity)


def _odds(quantity: Quantity, reader: _Reader, position: int) -> OddsOver:
    """A rule on odds, of the number that models are ranked by."""
    if quantity.statistic:
        reader.refuse(f"the record has the number that ranks: write odds({quantity.metric})", position)
    if not METRICS[quantity.metric].claims:
        reader.refuse(f"nobody claims which {quantity.metric} is better: use delta or abs_delta", position)
    return OddsOver(quantity)


def _worse(quantity: Quantity, reader: _Reader, position: int) -> Worse:
    """A rule on `worse`, whose quantity has a value of every matrix and a direction that someone claims."""
    if quantity.statistic:
        reader.refuse(f"worse compares matrix by matrix: write worse({quantity.metric})", position)
    if quantity.metric not in MATRIX_METRICS:
        reader.refuse(
            f"{quantity.metric} is one number for the whole model, without an interval: use delta", position
        )
    if not METRICS[quantity.metric].claims:
        reader.refuse(f"nobody claims which {quantity.metric} is worse: use delta or abs_delta", position)
    return Worse(quantity)


def _quantity(name: str, position: int, reader: _Reader, names: Iterable[str]) -> Quantity:
    metric = _known(name, names, "metric", reader, position)
    if reader.maybe(_DOT) is None:
        return Quantity(metric)
    statistic, position = _name(reader, f"one of {', '.join(STATISTICS)}")
    _known(statistic, STATISTICS, "statistic", reader, position)
    if metric not in MATRIX_METRICS:
        reader.refuse(f"{metric} is one number for the whole model: it has no {statistic}", position)
    return Quantity(metric, statistic)


def _number(reader: _Reader) -> float:
    text = reader.take(_NUMBER, "a number")
    limit = float(text)
    if not isfinite(limit):
        reader.refuse("the number is too large", reader.position - len(text))
    return limit


def _name(reader: _Reader, expected: str) -> tuple[str, int]:
    """A name, and its position."""
    name = reader.take(_NAME, expected)
    return name, reader.position - len(name)


def _known(name: str, names: Iterable[str], kind: str, reader: _Reader, position: int) -> str:
    names = tuple(names)
    if name in names:
        return name
    hint = nearest(name, names, "wqscore metrics lists them" if kind == "metric" else "")
    return reader.refuse(f"no {kind} called {name!r}: {hint}", position)

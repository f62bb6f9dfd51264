"""Rules as text: what is a rule, the message for what isn't, and that no rule runs code."""

from __future__ import annotations

import sys
import tomllib
from math import isfinite
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wqscore.errors import UsageError
from wqscore.gating.grammar import MAX_LENGTH, parse_rule
from wqscore.gating.rules import (
    STATISTICS,
    Change,
    ChangeKind,
    Check,
    IntegrityTerm,
    Operator,
    Outlier,
    Quantity,
    Rule,
    Share,
    Worse,
)
from wqscore.metrics.registry import MATRIX_METRICS, WHOLE_METRICS
from wqscore.scoring.layer_score import Verdict
from wqscore.studies.screen.statistics import STATISTICS as OF_MODULES

HOSTILE = (
    "__import__('os').system('touch owned')",
    "().__class__.__bases__[0].__subclasses__()",
    "alpha > (lambda: open('owned', 'w'))()",
    "share(__import__) > exec('1')",
    "${7*7}`touch owned`$(touch owned); touch owned",
    "{{ 7*7 }}%s%n{0.__class__}",
)


class Audit:
    """What the interpreter reports of code that is compiled, run, imported, and of files and processes."""

    watched = frozenset({"compile", "exec", "import", "open", "os.system", "os.exec", "subprocess.Popen"})

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.watching = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: Any) -> None:
        if self.watching and event in self.watched:
            self.seen.append(event)


@pytest.fixture(scope="module")
def audit() -> Audit:
    return Audit()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpha>6", Rule(Quantity("alpha"), ">", 6.0)),
        ("  alpha \t>=  +6.5e0 ", Rule(Quantity("alpha"), ">=", 6.5)),
        ("alpha.mean<2", Rule(Quantity("alpha", "mean"), "<", 2.0)),
        ("alpha . highest > 1_000", Rule(Quantity("alpha", "highest"), ">", 1000.0)),
        ("D<=1e-3", Rule(Quantity("D"), "<=", 0.001)),
        ("log_path_norm>0", Rule(Quantity("log_path_norm"), ">", 0.0)),
        ("delta(alpha)>0.3", Rule(Change("delta", Quantity("alpha")), ">", 0.3)),
        ("relative( log_norm.median )>-0.05", Rule(Change("relative", Quantity("log_norm", "median")), ">", -0.05)),
        ("abs_delta(alpha)>0.3", Rule(Change("abs_delta", Quantity("alpha")), ">", 0.3)),
        (" worse( alpha ) ", Rule(Worse(Quantity("alpha")))),
        ("share(random)>0.2", Rule(Share("random"), ">", 0.2)),
        ("share(no-power-law)>0.5", Rule(Share("no-power-law"), ">", 0.5)),
        ("share(too-small)>=1", Rule(Share("too-small"), ">=", 1.0)),
        ("outlier(kurtosis)>12", Rule(Outlier("kurtosis"), ">", 12.0)),
        ("bank_outlier( any ) >= 20", Rule(Outlier("any", of_bank=True), ">=", 20.0)),
        ("non_finite>0", Rule(IntegrityTerm("non_finite"), ">", 0.0)),
        ("coverage<0.9", Rule(IntegrityTerm("coverage"), "<", 0.9)),
    ],
)
def test_what_a_rule_means(text: str, expected: Rule) -> None:
    assert parse_rule(text) == expected


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", 1, "expected a metric"),
        ("   ", 4, "the rule ends"),
        ("alpha", 6, "expected one of > >= < <="),
        ("alpha=6", 6, "expected one of > >= < <=, not '=6'"),
        ("alpha==6", 6, "expected one of"),
        ("alpha>", 7, "expected a number, but the rule ends"),
        ("alpha>>6", 7, "expected a number, not '>6'"),
        ("alpha > > 6", 9, "expected a number"),
        ("alpha>6 and D>1", 9, "expected nothing more, not 'and D>1'"),
        ("alpha>6;D>1", 8, "expected nothing more"),
        ("6<alpha", 1, "expected a metric"),
        ("outlier>6", 8, "expected an opening bracket"),
        ("outlier(alpha)>6", 9, "no statistic of modules called 'alpha'"),
        ("bank_outlier()>6", 14, "expected a statistic of modules"),
        ("alpha>six", 7, "expected a number"),
        ("alpha>nan", 7, "expected a number"),
        ("alpha>inf", 7, "expected a number"),
        ("alpha>-inf", 7, "expected a number"),
        ("alpha>1e999", 7, "too large"),
        ("alpha>0x10", 8, "expected nothing more"),
        ("alpha>.5", 7, "expected a number"),
        ("alpha>5.", 8, "expected nothing more"),
        ("alpha>007", 8, "expected nothing more"),
        ("alpha>٣", 7, "expected a number"),
        ("alhpa>6", 1, "did you mean alpha"),
        ("Alpha>6", 1, "did you mean alpha"),
        ("coverge>6", 1, "did you mean coverage"),
        ("zzzz>6", 1, "wqscore metrics lists them"),
        ("delta alpha>1", 7, "expected an opening bracket"),
        ("delta>1", 6, "expected an opening bracket"),
        ("delta(>1", 7, "expected a metric"),
        ("delta(alpha>1", 12, "expected a closing bracket"),
        ("delta(alpha))>1", 13, "expected one of"),
        ("delta(delta(alpha))>1", 7, "no metric called 'delta'"),
        ("delta(coverage)>1", 7, "no metric called 'coverage'"),
        ("share(noise)>1", 7, "known are ok, "),
        ("share(randon)>1", 7, "did you mean random"),
        ("share(skipped)>1", 7, "no verdict called 'skipped'"),
        ("share(alpha)>1", 7, "no verdict called 'alpha'"),
        ("sum(alpha)>1", 1, "takes no brackets"),
        ("alpha(mean)>1", 1, "takes no brackets"),
        ("alpha.>1", 7, "expected one of median"),
        ("alpha.max>1", 7, "no statistic called 'max'"),
        ("alpha.mean.mean>1", 11, "expected one of >"),
        ("param_norm.mean>1", 12, "param_norm is one number for the whole model"),
        ("worse(alpha)>1", 13, "worse takes no limit: expected nothing more"),
        ("worse(alpha.mean)", 7, "write worse(alpha)"),
        ("worse(param_norm)", 7, "one number for the whole model"),
        ("worse(xmin)", 7, "nobody claims which xmin is worse"),
        ("worse alpha", 7, "expected an opening bracket"),
        ("non_finite.mean>1", 11, "expected one of >"),
        ("alpha\n>1", 6, "expected one of"),
        ("alpha>1\x00", 8, "expected nothing more"),
    ],
)
def test_what_is_wrong_and_where(text: str, place: int, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_rule(text)
    assert f": character {place}: " in str(refused.value)
    assert said in str(refused.value)


def test_a_long_text_is_refused_before_it_is_read() -> None:
    assert parse_rule("alpha>6".ljust(MAX_LENGTH)).limit == 6
    with pytest.raises(UsageError, match="longer than 200"):
        parse_rule("alpha>6".ljust(MAX_LENGTH + 1))
    with pytest.raises(UsageError) as refused:
        parse_rule("(" * 10_000_000)
    assert len(str(refused.value)) < 150


quantities = st.one_of(
    st.builds(Quantity, st.sampled_from(list(MATRIX_METRICS)), st.sampled_from(["", *STATISTICS])),
    st.builds(Quantity, st.sampled_from(list(WHOLE_METRICS))),
)
values = st.one_of(
    quantities,
    st.builds(Change, st.sampled_from(get_args(ChangeKind)), quantities),
    st.builds(Share, st.sampled_from(get_args(Verdict))),
    st.builds(Outlier, st.sampled_from([*OF_MODULES, "any"]), st.booleans()),
    st.builds(IntegrityTerm, st.sampled_from(get_args(Check))),
)
rules = st.builds(Rule, values, st.sampled_from(get_args(Operator)), st.floats(allow_nan=False, allow_infinity=False))


@given(rules, st.text(" \t", max_size=5))
def test_a_rule_is_what_it_says(rule: Rule, blanks: str) -> None:
    text = str(rule)
    assert parse_rule(blanks + text.replace(" ", blanks).replace("(", f"{blanks}({blanks}") + blanks) == rule


@given(st.text("0123456789+-._eE", min_size=1, max_size=30))
@example("1_0.0_1e+0_5")
@example("-0")
@example("1e5")
@example("9" * 400)
def test_numbers_are_those_of_toml(text: str) -> None:
    try:
        found = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        found = None
    expected = None
    if type(found) in (int, float):
        try:
            expected = float(found)
        except OverflowError:
            expected = None
    try:
        limit = parse_rule(f"alpha > {text}").limit
    except UsageError:
        limit = None
    assert limit == (expected if expected is not None and isfinite(expected) and len(text) < 190 else None)


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.sampled_from(
                [*HOSTILE, "alpha", "delta", "share", "(", ")", ">", "<=", ".", "1e9", "-", " ", "\n", "\0"]
            )
        ).map("".join),
    )
)
@example(HOSTILE[0])
@example(HOSTILE[2])
@example("\ud800 > 1")
def test_anything_is_a_rule_or_one_clear_line(audit: Audit, text: str) -> None:
    audit.watching = True
    try:
        rule: Rule | None = parse_rule(text)
        said = ""
    except UsageError as error:
        rule, said = None, str(error)
    finally:
        audit.watching = False
    assert audit.seen == []
    if rule is None:
        assert said.startswith("rule ")
        assert said.isprintable()
        assert len(said) < 5 * MAX_LENGTH * 5
    else:
        assert isfinite(rule.limit)
        assert parse_rule(str(rule)) == rule


def test_the_audit_hears_what_it_is_there_for(audit: Audit) -> None:
    audit.watching = True
    eval("1 + 1")
    audit.watching = False
    assert {"compile", "exec"} <= set(audit.seen)
    audit.seen.clear()

"""The tables of docs/security.md are what the corpus, the tests and the scanners give."""

from __future__ import annotations

import re

import pytest

from tests.attack.corpus import ATTACKS, of_kind
from tests.attack.promises import OF_CORPUS, OTHERS
from tests.attack.table import PAGE, TESTS, links, scanners_table


def test_every_kind_has_a_promise_and_every_promise_a_test() -> None:
    assert [each.kind for each in OF_CORPUS if not of_kind(each.kind)] == []
    assert {attack.kind for attack in ATTACKS} == {each.kind for each in OF_CORPUS}
    for each in (*OF_CORPUS, *OTHERS):
        for test in each.tests:
            file, _, name = test.partition("::")
            assert f"def {name}" in (TESTS / file).read_text(encoding="utf-8"), test


def test_names_of_attacks_are_unique() -> None:
    assert len({attack.id for attack in ATTACKS}) == len(ATTACKS)


def test_the_page_has_every_promise() -> None:
    """The numbers of other tests' inputs are of the day on which it was written."""
    page = PAGE.read_text(encoding="utf-8")
    for each in (*OF_CORPUS, *OTHERS):
        count = str(len(of_kind(each.kind))) if each in OF_CORPUS else r"\d+( and drawn ones)?"
        row = rf"^\| {re.escape(each.kind)} \| {count} \| {re.escape(each.text)} \| {re.escape(links(each))} \|$"
        assert re.search(row, page, re.MULTILINE), each.kind


@pytest.mark.oracle("picklescan", "modelscan", "fickling")
def test_the_scanners_find_what_the_page_says() -> None:
    """python -m tests.attack.table writes it."""
    page = PAGE.read_text(encoding="utf-8").splitlines()
    assert [row for row in scanners_table().splitlines() if row not in page] == []

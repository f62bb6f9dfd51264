"""The two tiers of the suite: `make test` and `make oracles` are all there is; the first needs no foreign tool."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import COLLECTED, IMPORTED
from tests.oracles import Oracle

MAKEFILE = Path(__file__).parent.parent / "Makefile"


def chosen_by(target: str, items: list[pytest.Item]) -> set[str]:
    """The tests that a target of the Makefile runs, by its expression of markers."""
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe
    (expression,) = re.findall(r'-m "?(slow|[a-z ]+(?="))', recipe[1])
    names = re.findall(r"\b(?!not\b|and\b)[a-z]+", expression)
    # pytest's expressions of markers are Python's of their names.
    return {
        item.nodeid
        for item in items
        if eval(expression, {}, {name: item.get_closest_marker(name) is not None for name in names})
    }


def test_the_two_tiers_together_are_the_whole_suite(request: pytest.FixtureRequest) -> None:
    items = request.config.stash[COLLECTED]
    ours, oracles, slow = (chosen_by(target, items) for target in ("test", "oracles", "slow"))
    assert ours | oracles == chosen_by("test-all", items)
    assert ours | oracles | slow == {item.nodeid for item in items}
    assert not ours & oracles and not (ours | oracles) & slow
    assert request.node.nodeid in ours


def test_no_test_file_imports_a_foreign_tool_when_it_is_collected(request: pytest.FixtureRequest) -> None:
    assert request.config.stash[IMPORTED] == set()


def test_a_test_without_the_marker_gets_no_foreign_tool() -> None:
    with pytest.raises(pytest.fail.Exception, match="json is asked for outside a test that is marked"):
        Oracle("json").dumps([])


@pytest.mark.oracle("json")
def test_a_marked_test_gets_it_when_it_is_used() -> None:
    assert Oracle("json").dumps([]) == Oracle("json", "dumps")([]) == "[]"


@pytest.mark.parametrize("required", [True, False])
def test_a_missing_tool_fails_where_tools_are_required(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, required: bool
) -> None:
    monkeypatch.setenv("WQSCORE_REQUIRE_ORACLES", "1" if required else "")
    pytester.makeconftest("from tests.oracles import prepare as pytest_runtest_setup")
    pytester.makepyfile("import pytest\n@pytest.mark.oracle('no_such_tool')\ndef test_it(): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "ignore")
    result.assert_outcomes(**{"errors" if required else "skipped": 1})

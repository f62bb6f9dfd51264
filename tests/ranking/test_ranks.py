"""Groups of tied models, and their letters."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from wqscore.ranking.ranks import _groups, tie_label


def test_groups_follow_from_who_can_be_told_apart() -> None:
    # Of four models in order, only the first and the last two, and the second and the last, are apart.
    apart = frozenset({(0, 2), (0, 3), (1, 3)})
    assert _groups(4, apart) == [range(2), range(1, 3), range(2, 4)]
    assert _groups(4, frozenset()) == [range(4)]
    assert _groups(3, frozenset({(0, 1), (0, 2), (1, 2)})) == []
    assert _groups(0, frozenset()) == []


@given(
    st.integers(0, 8).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.sampled_from([*combinations(range(n), 2)] or [(0, 1)])))
    )
)
def test_no_group_holds_two_that_are_apart_and_neighbours_that_are_not_share_one(case: tuple[int, set]) -> None:
    count, apart = case
    groups = _groups(count, frozenset(apart))
    assert not any(pair in apart for group in groups for pair in combinations(group, 2))
    for place in range(count - 1):
        together = any({place, place + 1} <= set(group) for group in groups)
        assert together == ((place, place + 1) not in apart)


def test_letters_go_on_after_z_as_columns_of_a_spreadsheet_do() -> None:
    assert [tie_label(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["a", "z", "aa", "az", "ba", "zz", "aaa"]

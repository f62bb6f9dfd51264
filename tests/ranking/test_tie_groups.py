"""Groups of tied models, and their letters."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.ranking.tie_groups import tie_groups, tie_label


def test_groups_follow_from_who_can_be_told_apart() -> None:
    # Of four models in order, only the first and the last two, and the second and the last, are apart.
    apart = frozenset({(0, 2), (0, 3), (1, 3)})
    assert tie_groups(4, apart) == [(0, 1), (1, 2), (2, 3)]
    assert tie_groups(4, frozenset()) == [(0, 1, 2, 3)]
    assert tie_groups(3, frozenset({(0, 1), (0, 2), (1, 2)})) == []
    assert tie_groups(0, frozenset()) == []


def test_tied_models_share_a_letter_past_one_that_is_apart() -> None:
    # The second of three is apart from both; the outer two are tied.
    assert tie_groups(3, frozenset({(0, 1), (1, 2)})) == [(0, 2)]
    # Ties around a square: four groups of two, as no three are tied.
    assert tie_groups(4, frozenset({(0, 2), (1, 3)})) == [(0, 1), (0, 3), (1, 2), (2, 3)]


@settings(max_examples=examples(500))
@given(
    st.integers(0, 9).flatmap(
        lambda n: st.tuples(
            st.just(n), st.sets(st.sampled_from([*combinations(range(n), 2)])) if n > 1 else st.just(set())
        )
    )
)
def test_two_models_share_a_group_exactly_if_they_are_tied(case: tuple[int, set]) -> None:
    count, apart = case
    groups = tie_groups(count, frozenset(apart))
    shared = {pair for group in groups for pair in combinations(group, 2)}
    assert shared == {*combinations(range(count), 2)} - apart
    assert not any(set(one) <= set(other) for one in groups for other in groups if one is not other)


def test_many_models_have_few_groups() -> None:
    """Ties between all but the two of each of 30 couples: as cliques they would be 2³⁰."""
    apart = frozenset((place, place + 1) for place in range(0, 60, 2))
    groups = tie_groups(60, apart)
    assert {pair for group in groups for pair in combinations(group, 2)} == {*combinations(range(60), 2)} - apart
    assert len(groups) < 60


def test_letters_go_on_after_z_as_columns_of_a_spreadsheet_do() -> None:
    assert [tie_label(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["a", "z", "aa", "az", "ba", "zz", "aaa"]

"""File names from model names: unique, on every file system."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from wqscore.leaderboards.slugs import slug


@given(st.lists(st.text() | st.from_regex(r"[a-z.~/_-]{1,12}", fullmatch=True), unique=True, max_size=30))
@example(["0..0", "0...0", "0./.0", "a/../b"])
def test_no_two_names_share_a_file(names: list[str]) -> None:
    made = {slug(name).lower() for name in names}
    assert len(made) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._~-]{0,80}", each) and ".." not in each for each in made)


def test_a_name_like_anothers_file_is_another() -> None:
    assert slug("org/name") == "org--name"
    others = ["org--name", "org-name", "Org/name", "org/name/x", slug("Org/name"), "org/name "]
    assert len({slug(name) for name in ["org/name", *others]}) == 7

"""File names from model names: unique on every file system, in the name's own case, the same night after night."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from wqscore.leaderboards.slugs import file_name_of_0_5_0, file_names

NAMES = st.text() | st.from_regex(r"[a-zA-Z.~/_-]{1,12}", fullmatch=True)
NIGHTS = st.sampled_from(["2026-01-01", "2026-01-02", "2026-02-01"])


@given(st.dictionaries(NAMES, NIGHTS, max_size=30))
@example(dict.fromkeys(["0..0", "0...0", "0./.0", "a/../b"], "2026-01-01"))
def test_no_two_names_share_a_file(names: dict[str, str]) -> None:
    made = file_names(names)
    assert made.keys() == names.keys()
    assert len({file.lower() for file in made.values()}) == len(names)
    for file in made.values():
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,80}", file)
        assert ".." not in file


@given(st.dictionaries(NAMES, st.just("2026-01-01"), max_size=15), st.lists(NAMES, max_size=15))
def test_later_names_change_no_file(names: dict[str, str], later: list[str]) -> None:
    together = file_names(dict.fromkeys(later, "2026-01-02") | names)
    assert {name: together[name] for name in names} == file_names(names)


def test_a_digest_only_where_two_collide() -> None:
    night = "2026-01-01"
    assert file_names({"Org/Model-7B": night, "org/other": night}) == {
        "Org/Model-7B": "Org--Model-7B",
        "org/other": "org--other",
    }
    made = file_names({"Org/Name": night, "org/name": night, "org--name": "2026-01-02"})
    assert made["Org/Name"] == "Org--Name"
    assert re.fullmatch(r"org--name~[0-9a-f]{8}", made["org/name"])
    assert re.fullmatch(r"org--name~[0-9a-f]{8}", made["org--name"])


def test_the_files_of_an_earlier_site_are_found() -> None:
    assert file_name_of_0_5_0("org/name") == "org--name"
    assert file_name_of_0_5_0("Org/Name") == "org-name~1d42e08d"

"""The base that a local model card names."""

from __future__ import annotations

from pathlib import Path

import pytest

from wqscore.checkpoints.card_base import card_bases
from wqscore.refs.reference import ModelRef


@pytest.mark.parametrize(
    ("card", "bases"),
    [
        ("---\nbase_model: org/base\n---\n", ("org/base",)),
        ("\ufeff---\r\nbase_model: org/base\r\n---\r\n# Title", ("org/base",)),
        ("---\nbase_model:\n- org/a\n- org/b\n- org/a\n- 3\n---\n", ("org/a", "org/b")),
        ("---\nlicense: mit\n---\nbase_model: org/base\n", ()),
        ("base_model: org/base\n", ()),
        ("---\nbase_model: [\n---\n", ()),
        ("---\nbase_model: {a: b}\n---\n", ()),
        ("---\n- base_model\n---\n", ()),
        ("---\nbase_model: org/base\n", ()),
        ("", ()),
    ],
)
def test_what_a_card_names(tmp_path: Path, card: str, bases: tuple[str, ...]) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert card_bases(ModelRef("m", "folder", path=tmp_path)) == bases


def test_without_a_card_or_on_the_hub_there_is_none(tmp_path: Path) -> None:
    assert card_bases(ModelRef("m", "folder", path=tmp_path)) == ()
    assert card_bases(ModelRef("org/m", "hub", repo="org/m")) == ()
    (tmp_path / "README.md").write_bytes(b"---\nbase_model: \xff\xfe\n---\n")
    assert all(isinstance(base, str) for base in card_bases(ModelRef("m", "folder", path=tmp_path)))

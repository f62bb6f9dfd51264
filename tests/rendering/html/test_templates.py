"""What all templates keep to, so that no page is wider than a phone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wqscore

TEMPLATES = sorted(Path(wqscore.__file__).parent.glob("**/templates/*.html.j2"))
#: A box that scrolls by itself, also by keyboard.
BOX = re.compile(r'<div class="scroll"[^>]* tabindex="0">\s*$')
#: Charts that shrink with the page.
SHRINKING = re.compile(r'<figure class="(scatter|boxes)">(?!.*</figure>)', re.DOTALL)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_what_may_be_wide_scrolls_in_a_box(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    for wide in re.finditer(r'<table|<div class="chart still', text):
        before = text[: wide.start()]
        assert BOX.search(before) or (wide[0] != "<table" and SHRINKING.search(before)), text[wide.start() :][:90]


def test_the_templates_are_found() -> None:
    assert {"phases.html.j2", "report_ranking.html.j2", "site_index.html.j2", "study.html.j2"} <= {
        path.name for path in TEMPLATES
    }

"""Names with markup, quotes, formulas and marks that reverse text: text in every file of the site."""

from __future__ import annotations

import csv
import json
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from string import ascii_letters, digits
from xml.etree import ElementTree

import pytest

from tests.leaderboards.conftest import HOSTILE, LONG
from wqscore.escaping import printable
from wqscore.leaderboards.checking import check_site

#: All that the templates make; a name that became markup would add to it.
WORDS = (
    "html head meta title link script body a header nav span main section h1 h2 h3 p strong small ul li form label "
    "input select option button output div table caption thead tbody tr th td dl dt dd figure figcaption svg line "
    "circle rect path text polyline pre code img footer time br details summary tfoot"
)


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.append(dict(attrs).get("src") or "inline")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_pages_have_no_markup_but_their_own(hostile: Path) -> None:
    for page in hostile.rglob("*.html"):
        seen = Seen(page.read_text(encoding="utf-8"))
        # `title` stands in an SVG, too.
        assert seen.tags <= set(WORDS.split()), page.name
        assert not {name for name in seen.attributes if name.startswith("on") or name == "style"}
        assert set(seen.scripts) <= {"data/index.js", "assets/site.js"}
        assert not [c for c in page.read_text(encoding="utf-8") if unicodedata.category(c) == "Cf"]
    index = Seen((hostile / "index.html").read_text(encoding="utf-8"))
    assert printable(HOSTILE) in index.text
    assert LONG in index.text


def test_the_checks_find_nothing(hostile: Path) -> None:
    assert check_site(hostile) == []


def test_file_names_are_plain(hostile: Path) -> None:
    names = [file.name for file in hostile.rglob("*") if file.is_file()]
    assert all(name.isascii() and len(name) < 100 and not set(name) - set(LETTERS) for name in names)


LETTERS = f"{ascii_letters}{digits}._-~"


def test_no_cell_of_a_csv_file_begins_a_formula(hostile: Path) -> None:
    cells = []
    for file in hostile.rglob("*.csv"):
        with file.open(encoding="utf-8", newline="") as stream:
            cells += [cell for row in csv.reader(stream) for cell in row]
    texts = [cell for cell in cells if not is_number(cell)]
    assert f"'{HOSTILE}" in texts
    assert "'@SUM(1)" in texts
    assert not [text for text in texts if text.startswith(("=", "+", "-", "@", "\t", "\r"))]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_the_data_have_the_names_as_they_are(hostile: Path) -> None:
    models = json.loads((hostile / "data/models.json").read_text(encoding="utf-8"))["models"]
    assert models[0]["alpha"] < models[1]["alpha"]
    assert [model["model"] for model in models] == [LONG, HOSTILE, "@SUM(1)"]
    assert set(json.loads((hostile / "data/history.json").read_text(encoding="utf-8"))["models"]) == {
        HOSTILE,
        LONG,
        "@SUM(1)",
    }


@pytest.mark.parametrize("kind", ["feed.xml", "badges/*.svg"])
def test_xml_is_well_formed_and_has_no_script(hostile: Path, kind: str) -> None:
    files = list(hostile.glob(kind))
    assert files
    for file in files:
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(file).iter()}
        assert not tags & {"script", "img", "foreignObject"}

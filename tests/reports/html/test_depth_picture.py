"""A model's picture of alpha by depth has every mark, line and label where Vega draws them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.rendering.html import charts
from wqscore.rendering.html.palette import ROLE_MARKS
from wqscore.reports.html.depth_picture import Row, depth_svg

BAND = [{"lo": 2, "hi": 6, "label": "usual for trained layers: 2 to 6"}]
SVG = "{http://www.w3.org/2000/svg}"
#: Pixels between the two drawings of one thing; looser for the turned title, and for the legend, whose rows Vega does
#: not space evenly.
NEAR, LOOSE = 0.6, 4.0
Point = tuple[float, float]


def rows(depths: list[int | None], roles: list[str], alphas: list[float], widths: list[float]) -> list[Row]:
    made = []
    for place, (alpha, width) in enumerate(zip(alphas, widths, strict=True)):
        depth = depths[place % len(depths)]
        row = {
            "role": roles[place % len(roles)],
            "place": "–" if depth is None else str(depth),
            "order": 10**6 if depth is None else depth,
            "alpha": alpha,
            "verdict": "ok" if place % 3 else "unstable",
        }
        made.append(row | ({"lo": 1 + (alpha - 1) / (1 + width), "hi": alpha + width} if width else {}))
    return made


def numbers(text: str) -> list[float]:
    return [float(each) for each in re.findall(r"-?[0-9]*\.?[0-9]+(?:e-?[0-9]+)?", text)]


def shifted(element: ElementTree.Element, at: Point) -> Point:
    found = re.search(r"translate\(([^)]*)\)", element.get("transform", ""))
    x, y = numbers(found[1]) if found else (0.0, 0.0)
    return at[0] + x, at[1] + y


class Drawing:
    """What a picture shows: words with their places, marks by fill, colour and place, and upright lines by colour."""

    def __init__(self, svg: str) -> None:
        root = ElementTree.fromstring(svg)
        self.size = float(root.get("width", 0)), float(root.get("height", 0))
        self.words: dict[str, list[Point]] = {}
        self.marks: dict[tuple[str, str], list[Point]] = {}
        self.lines: dict[str, list[tuple[float, float, float]]] = {}
        self._walk(root, (0.0, 0.0), {})

    def _walk(self, element: ElementTree.Element, at: Point, above: dict[str, str]) -> None:
        known = above | {key: element.get(key, "") for key in ("fill", "stroke", "stroke-width") if element.get(key)}
        at = shifted(element, at)
        path = element.get("d", "")
        if element.tag == f"{SVG}text" and element.get("opacity") != "0":
            place = at[0] + float(element.get("x", 0)), at[1] + float(element.get("y", 0))
            self.words.setdefault(element.text or "", []).append(place)
        elif (
            element.tag == f"{SVG}path"
            and known.get("stroke-width") in ("1.6", "1.5")
            and "translate" in str(element.attrib)
        ):
            self.marks.setdefault((known.get("fill", ""), known["stroke"]), []).append(at)
        elif known.get("stroke-width") == "1.5" and element.tag == f"{SVG}line":
            ends = at[1], at[1] + float(element.get("y2", 0))
            self.lines.setdefault(known["stroke"], []).append((at[0], *ends))
        elif known.get("stroke-width") == "1.5" and "V" in path:
            x, low, high = numbers(path)
            self.lines.setdefault(known["stroke"], []).append((at[0] + x, at[1] + low, at[1] + high))
        for each in element:
            self._walk(each, at, known)


def compare(roles: list[str], layers: list[Row], average: list[Row]) -> None:
    present = [role for role in ROLE_MARKS if role in roles]
    data = {"layers": layers, "average": average, "band": BAND}
    vega = Drawing(charts.to_svg(charts.alpha_by_depth(present), data))
    own = Drawing(depth_svg(present, layers, average, BAND))
    # Vega fits the margins to what is drawn.
    assert own.size == pytest.approx(vega.size, abs=8)
    (axis, *_), (other_axis, *_) = (each.words["layer (–: in none)"] for each in (own, vega))
    dx, dy = axis[0] - other_axis[0], axis[1] - other_axis[1]
    for kind, found in (("words", own.words), ("marks", own.marks), ("lines", own.lines)):
        others = getattr(vega, kind)
        assert {key: len(each) for key, each in found.items()} == {key: len(each) for key, each in others.items()}
        for key, each in found.items():
            for mine, theirs in zip(sorted(each), sorted(others[key]), strict=True):
                there = [theirs[0] + dx, *(y + dy for y in theirs[1:])]
                near = LOOSE if key == "alpha" or mine[0] > axis[0] + 250 else NEAR
                assert list(mine) == pytest.approx(there, abs=near), (kind, key)


def test_a_transformer_looks_as_vega_draws_it() -> None:
    roles = list(ROLE_MARKS)
    alphas = [1.5 + place * 0.37 % 9 for place in range(60)]
    compare(roles, rows([0, 1, 2, 3, 4, None], roles, alphas, [0.2, 0.0, 4.0] * 20), [{"alpha": 3.21}])


def test_labels_of_many_layers_do_not_overlap() -> None:
    alphas = [2 + place * 0.11 % 3 for place in range(130)]
    compare(["mlp.in"], rows(list(range(130)), ["mlp.in"], alphas, [0.0] * 130), [])


@settings(max_examples=examples(8))
@given(st.data())
def test_anything_looks_as_vega_draws_it(data: st.DataObject) -> None:
    roles = data.draw(st.lists(st.sampled_from(list(ROLE_MARKS)), min_size=1, max_size=5, unique=True))
    depths = data.draw(st.lists(st.none() | st.integers(0, 99), min_size=1, max_size=40, unique=True))
    alphas = data.draw(st.lists(st.floats(1.01, 300), min_size=max(len(roles), len(depths)), max_size=50))
    widths = data.draw(st.lists(st.floats(0.1, 5) | st.just(0.0), min_size=len(alphas), max_size=len(alphas)))
    average = [{"alpha": alphas[0]}] if data.draw(st.booleans()) else []
    compare(roles, rows(depths, roles, alphas, widths), average)

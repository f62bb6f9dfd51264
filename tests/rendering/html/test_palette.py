"""The palette: every colour stands out from the page, light and dark, and no two marks are alike to anyone."""

from __future__ import annotations

import re
from itertools import combinations
from typing import get_args

import numpy as np
import pytest

from wqscore.rendering.html.page import asset
from wqscore.rendering.html.palette import INK, MARKS, ROLE_MARKS, VERDICTS, model_mark
from wqscore.scoring.layer_score import Verdict

#: Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as a reader without one kind of cones sees it.
SIGHTS = {
    "all": np.eye(3),
    "no long": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no middle": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no short": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
PAPERS = re.findall(r"--paper: (#[0-9a-f]{6})", asset("page.css"))
COLOURS = {
    *(mark.colour for mark in VERDICTS.values()),
    *(colour for colour, _ in [*MARKS.values(), *ROLE_MARKS.values()]),
} - {INK}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""
    dark, light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str, sight: str) -> np.ndarray:
    seen = np.clip(np.array(SIGHTS[sight]) @ linear(colour), 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    f = np.cbrt(np.maximum(to_xyz @ seen / [0.9505, 1, 1.089], 0.008856))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_every_colour_stands_out_three_to_one_from_the_light_and_the_dark_page() -> None:
    assert len(PAPERS) == 2
    assert {colour: paper for colour in COLOURS for paper in PAPERS if contrast(colour, paper) < 3} == {}


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_verdicts_differ_to_colour_blind_readers(sight: str) -> None:
    coloured = {verdict: mark.colour for verdict, mark in VERDICTS.items() if mark.colour != INK}
    near = {
        (one, other): np.linalg.norm(lab(coloured[one], sight) - lab(coloured[other], sight))
        for one, other in combinations(coloured, 2)
    }
    assert min(near.values()) > 8, min(near, key=lambda pair: near[pair])


def test_every_verdict_has_a_mark_and_a_shape_of_its_own() -> None:
    assert {*VERDICTS} == {*get_args(Verdict)}
    assert len({mark.outline for mark in VERDICTS.values()}) == len(VERDICTS)


def test_every_model_has_a_mark_and_36_of_them_differ() -> None:
    assert len({model_mark(place) for place in range(36)}) == 36
    assert len({model_mark(place).outline for place in range(6)}) == 6
    assert model_mark(36) == model_mark(0)

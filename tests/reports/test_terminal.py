"""Tables in a terminal: they fit, numbers and names are complete, and names are only text."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tests.examples import examples
from tests.rounding import expected
from wqscore.cli.output import show
from wqscore.escaping import printable
from wqscore.metrics.registry import METRICS
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.short_names import short_names
from wqscore.rendering import terminal
from wqscore.rendering.layout import fit, fold
from wqscore.rendering.numbers import figure, four_digits, size
from wqscore.rendering.sections import Notes, Table
from wqscore.rendering.terminal import at_the_point, print_sections
from wqscore.reports.overview import ranking_title, usual_range
from wqscore.results import render

NAMES = st.text(st.sampled_from("abcdefgh012./_- 模é")).map(lambda text: re.sub(" +", " ", text).strip())
NUMBERS = st.floats(allow_infinity=False).map(figure)


@given(NAMES, st.integers(2, 40))
def test_folding_loses_nothing_and_fits(name: str, width: int) -> None:
    lines = fold(name, width).split("\n")
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert all(cell_len(line) <= width for line in lines)


def test_names_are_folded_at_their_seams() -> None:
    assert fold("encoder.layer.0.attention.self.query.weight", 20).split("\n") == [
        "encoder.layer.0.",
        "attention.self.",
        "query.weight",
    ]
    assert fold("one/two", 7) == "one/two"
    assert fold("x" * 10, 4).split("\n") == ["xxxx", "xxxx", "xx"]


@settings(max_examples=examples(50))
@given(
    st.lists(st.tuples(NAMES, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5),
    st.integers(30, 120),
)
def test_a_fitted_table_is_as_wide_as_it_may_be_and_its_numbers_are_whole(
    rows: list[tuple[str, ...]], width: int
) -> None:
    columns = ["name", "alpha", "mean", "entropy"]
    fitted = fit(columns, rows, width, folding=["name"], optional=["entropy", "mean"])
    assert set(fitted.columns) | set(fitted.left_out) == set(columns)
    assert fitted.columns[:2] == ["name", "alpha"]
    for shown, row in zip(fitted.rows, rows, strict=True):
        for column, cell in zip(fitted.columns[1:], shown[1:], strict=True):
            assert cell == row[columns.index(column)]
        assert shown[0].replace("\n", "").replace(" ", "") == row[0].replace(" ", "")
    widths = [
        max(cell_len(line) for row in [fitted.columns, *fitted.rows] for line in row[place].split("\n"))
        for place in range(len(fitted.columns))
    ]
    assert sum(widths) + 2 * (len(widths) - 1) <= width
    if fitted.left_out:
        # Nothing is left out where there is room for it with the name folded into half the width.
        everything = [
            max(cell_len(cell) for cell in [name, *column]) for name, *column in zip(columns, *rows, strict=True)
        ]
        assert min(everything[0], max(width // 2, 12)) + sum(everything[1:]) + 6 > width


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.14159, "3.142"),
        (123456.7, "123,457"),
        (-1.25e18, "-1.25e+18"),
        (1e-9, "1e-09"),
        (0, "0"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_figures_have_four_digits(value: float | None, shown: str) -> None:
    assert figure(value) == shown


def test_sizes() -> None:
    assert [size(n) for n in (0, 999, 1000, 22_713_728, 7_000_000_000)] == ["0", "999", "1k", "22.7M", "7B"]


def test_control_characters_are_escaped_and_letters_are_not() -> None:
    assert printable("a\x1b[2J\r\n\u202e\ud800b") == r"a\x1b[2J\r\n\u202e\ud800b"
    assert printable("模型 é 🤖 [red]") == "模型 é 🤖 [red]"


def test_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[bold]title[/bold]", ["name"], [["[red]x[/red] :smile: http://a.b"]])
    print_sections([table, Notes(["[blink]note"])])
    out = capsys.readouterr().out
    for text in ("[red]x[/red] :smile: http://a.b", "[bold]title[/bold]", "[blink]note"):
        assert text in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("cells", "is_right"),
    [
        (["3.142", "-1.25e+18", "10,000", "–"], True),
        (["2 to 3", "16.32 to 24.09"], True),
        (["1=", "1–3", "97%", "73/73", "22.7M", "512×256×9"], True),
        (["1.2 | 1.3", "0.12 (n 4)", "3.2 s", "24.6 MB", "512 bytes"], True),
        (["–", "–"], True),
        (["ok", "3d"], False),
        (["float32", "int8"], False),
        (["├─●─┤", ""], False),
        (["2 matrices have no fit"], False),
    ],
)
def test_a_column_is_on_the_right_if_its_cells_are_numbers(
    cells: list[str], is_right: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "a header that is longer than cells"
    print_sections([Table("title", [header, "z"], [[cell, "z"] for cell in cells])])
    _, _, _, *lines = capsys.readouterr().out.splitlines()
    for line, cell in zip(lines[: len(cells)], cells, strict=True):
        assert line[: len(header)].rstrip() == (cell.rjust(len(header)) if is_right else cell)


def test_names_that_look_like_numbers_are_names(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["7", "a", "failed"], ["12", "b", "1"]]
    print_sections([Table("title", ["model", "ties", "alpha"], rows, folding=["model"], right=["ties", "alpha"])])
    assert capsys.readouterr().out.splitlines()[3:5] == ["7         a  failed", "12        b       1"]


def test_a_ranking_shows_every_model_and_why_one_has_no_rank(
    ranking: Ranking, capsys: pytest.CaptureFixture[str]
) -> None:
    show(ranking, "table")
    title, subtitle, _, _, *lines = capsys.readouterr().out.splitlines()
    assert title == "median alpha, lower is better · preset default"
    assert subtitle == "trained layers usually lie between 2 and 6"
    table = [line.split() for line in lines[:5]]
    assert [row[1] for row in table] == short_names([model.ref for model in ranking.models])
    assert [row[0] for row in table] == ["1", "2", "3", "–", "–"]
    assert table[4][2] == "failed"
    assert any(re.fullmatch(r"interval: 95 % over layers, drawn from [\d.]+ to [\d.]+", line) for line in lines)
    assert lines[-2:] == ["", ranking.conclusion.text]
    # The reason is told once: in the conclusion.
    assert sum("no such model on the Hub" in line for line in lines) == 1


def test_numbers_are_below_each_other_and_as_precise_as_the_widest_interval(
    ranking: Ranking, capsys: pytest.CaptureFixture[str]
) -> None:
    show(ranking, "table")
    lines = capsys.readouterr().out.splitlines()
    columns = re.split(r"\s{2,}", lines[2].strip())
    assert {"alpha", "fitted", "ok", "coverage"} <= set(columns)
    rows = lines[4:7]
    widest = max(model.interval.hi - model.interval.lo for model in ranking.models if model.interval)
    values = [expected(m.score.summary.statistics["alpha"].median, widest) for m in ranking.models[:3] if m.score]
    assert all(value in line for value, line in zip(values, rows, strict=True))
    assert len({line.index(value) + value.index(".") for value, line in zip(values, rows, strict=True)}) == 1
    for model, line in zip(ranking.models, rows, strict=False):
        assert model.score and f"{model.score.summary.n_ok}/{model.score.summary.n_matrices}" in line.split()


@pytest.mark.parametrize(("width", "is_list"), [(59, True), (75, False), (99, False), (140, False)])
def test_a_tight_terminal_gets_a_list_before_interval_range_or_ties_are_dropped(
    ranking: Ranking, monkeypatch: pytest.MonkeyPatch, width: int, is_list: bool
) -> None:
    console = partial(Console, force_terminal=False, highlight=False)
    monkeypatch.setattr(terminal, "_console", lambda given=None: console(width=given or width))
    text = render(ranking, "table")
    assert isinstance(text, str)
    header = next((line.split() for line in text.splitlines() if line.startswith("rank ")), [])
    assert (not header) is is_list
    assert is_list or {"interval", "range", "ties"} <= set(header)
    assert "interval" in text and "range" in text


@pytest.mark.parametrize(("width", "is_list"), [(59, True), (80, True), (99, True), (100, False), (160, False)])
def test_a_column_that_is_essential_is_in_the_list_rather_than_dropped(
    monkeypatch: pytest.MonkeyPatch, width: int, is_list: bool
) -> None:
    console = partial(Console, force_terminal=False, highlight=False)
    monkeypatch.setattr(terminal, "_console", lambda given=None: console(width=given or width))
    cells = ["x" * 60, "y" * 60]
    table = Table("t", ["a", "b"], [cells], optional=["b"], narrow=lambda _: ["a list"], essential=["b"])
    assert ("a list" in terminal.sections_text([table])) is is_list


@given(st.lists(st.floats(1e-3, 9999).map(lambda value: f"{value:.4g}") | st.sampled_from(["–", "too few"])))
def test_padding_moves_no_digit(cells: list[str]) -> None:
    padded = at_the_point(cells)
    assert [each.rstrip() for each in padded] == [each.rstrip() for each in cells]
    width = max(map(len, padded), default=0)
    ends = {
        len(each.rjust(width).split(".")[0].rstrip())
        for each, cell in zip(padded, cells, strict=True)
        if re.fullmatch(r"[0-9.]+", cell)
    }
    assert len(ends) <= 1


@given(st.floats(1e-6, 999.9))
def test_four_digits_are_those_of_the_number(value: float) -> None:
    shown = figure(value)
    again = four_digits(shown)
    assert float(again) == float(shown)
    if "e" not in shown:
        assert len(again.replace(".", "").lstrip("0")) == 4


def test_a_distance_says_from_what(ranking: Ranking) -> None:
    scores = [replace(score, base="./init") for score in ranking.scores]
    by_distance = replace(
        ranking,
        by=METRICS["fro_dist"],
        models=tuple(replace(m, score=s) for m, s in zip(ranking.models, scores, strict=False)),
    )
    assert ranking_title(by_distance) == "sum of fro_dist, distance from ./init · preset default"
    assert usual_range(by_distance) == ""


def test_a_score_shows_every_matrix(ranking: Ranking, capsys: pytest.CaptureFixture[str]) -> None:
    for score in ranking.scores:
        show(score, "table")
        lines = capsys.readouterr().out.splitlines()
        for row in score.layers:
            (line,) = [line for line in lines if line.startswith(f"{row.matrix.name} ")]
            assert row.verdict in line.split()
        total = sum(int(line.split()[1].rstrip(":")) for line in lines if line.startswith("skipped "))
        assert total == len(score.skipped)


def test_hostile_names_stay_on_their_line(hostile_ranking: Ranking, capsys: pytest.CaptureFixture[str]) -> None:
    show(hostile_ranking, "table")
    for score in hostile_ranking.scores:
        show(score, "table")
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())

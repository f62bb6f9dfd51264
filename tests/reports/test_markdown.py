"""Markdown through an independent parser: the same rows and columns, and only text in them."""

from __future__ import annotations

import html

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from wqscore.escaping import printable
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.markdown import markdown_list, markdown_table
from wqscore.reports.overview import ranking_overview_columns, remarks
from wqscore.reports.trust import trust_notes, warning_notes

#: CommonMark with GitHub's tables and strikethrough.
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def cells(tokens: list[Token]) -> list[str]:
    """The text of every cell or list item; fails if it is anything but plain text."""
    found = []
    for token in tokens:
        if token.type == "inline":
            assert all(child.type == "text" for child in token.children or []), token.children
            found.append("".join(child.content for child in token.children or []))
    return found


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1))
def test_cells_come_back_as_text(rows: list[list[str]]) -> None:
    tokens = PARSER.parse(markdown_table(["first", "second"], rows))
    expected = ["first", "second", *(printable(cell).strip() for row in rows for cell in row)]
    assert cells(tokens) == expected
    assert sum(token.type == "tr_open" for token in tokens) == len(rows) + 1


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1).map(lambda text: f"{text}x."), min_size=1))
def test_items_come_back_as_text(lines: list[str]) -> None:
    tokens = PARSER.parse(markdown_list(lines))
    assert cells(tokens) == [printable(line).strip() for line in lines]
    assert sum(token.type == "list_item_open" for token in tokens) == len(lines)


def test_a_ranking_has_a_row_for_every_model_and_a_reason_for_every_one_without_a_rank(ranking: Ranking) -> None:
    tokens = PARSER.parse(ranking.to_markdown())
    answer, title, *text = cells(tokens)
    assert answer == ranking.conclusion.text
    assert title == "median alpha, lower is better · preset default"
    columns = len(ranking_overview_columns(ranking))
    labels = [text[i] for i in range(columns + 1, columns * 6, columns)]
    assert labels == [model.ref.label for model in ranking.models]
    notes = [*warning_notes(ranking), *trust_notes(ranking), *remarks(ranking)]
    assert sum(token.type == "list_item_open" for token in tokens) == len(notes)
    assert text[-1] == "org/missing: failed: no such model on the Hub"
    assert text[-2].startswith("models/quantised: unranked: only ")


def test_a_score_says_what_was_skipped(ranking: Ranking) -> None:
    odd = next(score for score in ranking.scores if score.ref.label == "models/odd")
    text = cells(PARSER.parse(odd.to_markdown()))
    assert any(line.startswith("skipped 1: quantised") for line in text)
    assert any(line.startswith("skipped 1: tied to another tensor (cls.predictions.decoder.weight)") for line in text)


def test_hostile_names_are_text(hostile_ranking: Ranking) -> None:
    for page in (hostile_ranking.to_markdown(), *(score.to_markdown() for score in hostile_ranking.scores)):
        shown = PARSER.render(page)
        assert "<script" not in shown
        assert "<img" not in shown
    ranked = html.unescape(PARSER.render(hostile_ranking.to_markdown()))
    assert all(printable(model.ref.label) in ranked for model in hostile_ranking.models)

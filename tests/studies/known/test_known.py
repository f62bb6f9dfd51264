"""Which rows of a table are the ranked models, under which names, and which column is compared."""

from __future__ import annotations

import pytest

from wqscore.errors import UsageError
from wqscore.refs.parsing import parse_ref
from wqscore.studies.known.known import choose_known, parse_ranking
from wqscore.studies.known.score_table import ScoreTable

BERT = "google-bert/bert-base-uncased"
REFS = [parse_ref(text) for text in ("bert-base", "hf://org/a@v1", "org/b", "org/b@v2")]


def table(*rows: tuple[str, ...], columns: tuple[str, ...] = ("model", "accuracy")) -> ScoreTable:
    return ScoreTable("known.csv", columns, rows)


@pytest.mark.parametrize("bert", ["bert-base", BERT])
@pytest.mark.parametrize("pinned", ["hf://org/a@v1", "org/a@v1", "org/a"])
def test_models_go_by_what_was_typed_by_repository_and_by_the_rankings_name(bert: str, pinned: str) -> None:
    rows = ((bert, "1"), (pinned, "2"), (" org/b ", "3"), ("org/b@v2", "4"), ("org/other", "5"))
    chosen = choose_known(table(*rows), REFS, None)
    assert chosen.y == "accuracy"
    assert chosen.table.rows == (
        (BERT, "1"), ("org/a@v1", "2"), ("org/b", "3"), ("org/b@v2", "4"), ("org/other", "5"),
    )  # fmt: skip


def test_a_repository_asked_for_twice_is_the_first_unless_its_row_says_which() -> None:
    refs = [parse_ref(text) for text in ("org/b@v1", "org/b@v2", "org/c", "org/d")]
    chosen = choose_known(table(("org/b", "1"), ("org/c", "2"), ("org/d", "3")), refs, None)
    assert chosen.table.words("model") == ["org/b@v1", "org/c", "org/d"]


def test_a_model_under_two_names_is_refused() -> None:
    with pytest.raises(UsageError, match=rf"^known\.csv: '{BERT}' is in several rows: leave one$"):
        choose_known(table(("bert-base", "1"), (BERT, "2"), ("org/b", "3"), ("org/b@v2", "4")), REFS, None)


def test_sizes_and_metrics_are_not_what_is_known_unless_asked_for() -> None:
    columns = ("model", "params", "depth", "hidden_size", "alpha", "word", "speed")
    rows = [(ref.label, "1", "2", "3", "4", "x", "5") for ref in REFS]
    assert choose_known(table(*rows, columns=columns), REFS, None).y == "speed"
    assert choose_known(table(*rows, columns=columns), REFS, "alpha").y == "alpha"


def test_columns_to_choose_from_are_counted_over_the_models_to_rank() -> None:
    columns = ("model", "a", "b")
    rows = [("org/a@v1", "1", ""), ("org/b", "2", "n/a"), ("org/b@v2", "3", "7"), ("org/other", "4", "8")]
    with pytest.raises(UsageError, match=r"by --y: a \(3 models\), b \(1 model\)$"):
        choose_known(table(*rows, columns=columns), REFS, None)
    with pytest.raises(UsageError, match=r"no column 'c': .*: a \(3 models\), b \(1 model\)$"):
        choose_known(table(*rows, columns=columns), REFS, "c")
    with pytest.raises(
        UsageError, match=r"^known.csv: 'b' has figures for 1 of the 4 models to rank, fewer than the 3 needed"
    ):
        choose_known(table(*rows, columns=columns), REFS, "b")


def test_a_rankings_text_is_its_table() -> None:
    parsed = parse_ranking('rank,model,alpha\n1,"a, b",2.5\n,"""c""",\n')
    assert parsed.columns == ("rank", "model", "alpha")
    assert parsed.rows == (("1", "a, b", "2.5"), ("", '"c"', ""))

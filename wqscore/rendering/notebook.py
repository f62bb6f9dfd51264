"""Results in a notebook: small tables of HTML, without scripts, styles or anything to fetch.

Names come from strangers: they are text, isolated so that none turns the text around it.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from wqscore.planning.describe import ModelDescription
from wqscore.ranking.ranking import Ranking
from wqscore.reports.overview import (
    family_notes,
    made_by,
    ranking_overview_columns,
    ranking_overview_rows,
    ranking_title,
    remarks,
    score_notes,
    summary_overview_columns,
    summary_overview_rows,
    value_overview_columns,
    value_overview_rows,
)
from wqscore.reports.worth_checking import first_look_columns, first_look_rows, first_looks
from wqscore.scoring.model_score import ModelScore

#: Rows that a notebook has room for.
_MOST_LOOKS, _MOST_TENSORS = 8, 20


def ranking_notebook(ranking: Ranking) -> str:
    """The ranking, and the models without a rank with the reason."""
    table = _table(ranking_title(ranking), ranking_overview_columns(ranking), ranking_overview_rows(ranking))
    return str(table + _list([*family_notes(ranking), *remarks(ranking)]))


def score_notebook(score: ModelScore) -> str:
    """The summary of one model, the matrices worth looking at first, and what was skipped."""
    title = f"{score.ref.label} · {made_by(score.preset, [score])}"
    page = _table(title, summary_overview_columns(), summary_overview_rows(score))
    values, looks = value_overview_rows(score), first_looks(score)
    if values:
        page += _table("over the whole model", value_overview_columns(), values)
    if looks:
        first = first_look_rows(looks[:_MOST_LOOKS])
        more = f", and {len(looks) - len(first)} more" if len(looks) > len(first) else ""
        title = f"worth looking at first: {len(first)} of {len(score.layers)} matrices{more}"
        page += _table(title, first_look_columns(), first)
    return str(page + _list(score_notes(score)))


def description_notebook(description: ModelDescription) -> str:
    """The first tensors and what would be done with them, and the totals."""
    from wqscore.planning.describe_report import COLUMNS, description_notes, description_rows

    rows = [[str(cell) for cell in row] for row in description_rows(description)]
    more = [f"and {len(rows) - _MOST_TENSORS} more tensors"] if len(rows) > _MOST_TENSORS else []
    table = _table(description.checkpoint.ref.label, COLUMNS, rows[:_MOST_TENSORS])
    return str(table + _list([*more, *description_notes(description)]))


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(_isolated(column)) for column in columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(_isolated(cell)) for cell in row))
        for row in rows
    )
    caption = Markup("<caption>{}</caption>").format(_isolated(title))
    return Markup("<table>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(caption, head, body)


def _list(lines: Sequence[str]) -> Markup:
    items = Markup("").join(Markup("<li>{}</li>").format(_isolated(line)) for line in lines)
    return Markup("<ul>{}</ul>").format(items) if lines else Markup("")


def _isolated(text: str) -> Markup:
    # Names that no encoding has would keep the notebook from being saved.
    whole = text.encode("utf-8", "backslashreplace").decode()
    return Markup("<bdi>{}</bdi>").format(whole)

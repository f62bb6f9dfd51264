"""The order of the index, and what stands over, in and under its table; the same conclusion on every page."""

from __future__ import annotations

import html
import re

import pytest

from tests.leaderboards.conftest import NIGHT, build_at, listed, write_model
from wqscore.leaderboards.building import Built
from wqscore.leaderboards.pages.charts import COLOURS, Scale, axis


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Three models of one family and one of another, with known results of them."""
    folder = tmp_path_factory.mktemp("index")
    models = [
        listed(write_model(folder / str(seed), seed), f"Toy-{seed}", family="odd" if seed == 3 else "toys")
        for seed in range(4)
    ]
    (folder / "known.csv").write_text("model,accuracy\n" + "".join(f"Toy-{i},0.{i + 1}\n" for i in range(4)))
    from wqscore.studies.known.score_table import read_table

    return build_at(NIGHT, models, folder / "site", known=read_table(folder / "known.csv"))


def page(built: Built, name: str) -> str:
    return html.unescape((built.index.parent / name).read_text(encoding="utf-8"))


def test_the_ranking_comes_first_and_then_what_changed(built: Built) -> None:
    assert re.findall(r'<section id="([a-z]+)"', page(built, "index.html"))[:3] == ["models", "tonight", "families"]


def test_the_conclusion_of_each_family_stands_over_its_table_and_on_the_index(built: Built) -> None:
    answers = {answer.family: answer.text for answer in built.ranking.conclusion.families}
    assert answers.keys() == {"toys", "odd"}
    for family, text in answers.items():
        assert text in page(built, "index.html")
        assert page(built, f"families/{family}.html").index(text) < page(built, f"families/{family}.html").index(
            "<table"
        )


def test_rows_have_tie_letters_and_known_results_beside_the_metric(built: Built) -> None:
    row = next(line for line in page(built, "index.html").splitlines() if ">Toy-0</a>" in line)
    cells = [re.sub("<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
    model = next(each for each in built.ranking.models if each.ref.label == "Toy-0")
    assert cells[1:3] == [" ".join(model.ties), "Toy-0"]
    assert cells[4] == "0.1"
    assert "accuracy" in page(built, "families/toys.html")


def test_a_models_page_says_what_its_rank_could_be(built: Built) -> None:
    tied = next(each for each in built.ranking.models if each.family == "toys" and each.best != each.worst)
    assert f"tied {tied.best}–{tied.worst} of 3" in page(built, f"models/{tied.ref.label}.html")
    assert "rank 1 of 1" in page(built, "models/Toy-3.html")


def test_the_index_says_what_alpha_is(built: Built) -> None:
    assert "What is alpha?" in page(built, "index.html")
    assert "Alpha is not accuracy" in page(built, "index.html")


def test_verdicts_have_the_colours_of_the_report(built: Built) -> None:
    for verdict in {row.verdict for score in built.ranking.scores for row in score.layers}:
        mark = f'fill="{COLOURS[verdict]}"'
        assert any(mark in page(built, f"models/Toy-{seed}.html") for seed in range(4))


@pytest.mark.parametrize(("low", "high"), [(2.18, 6.86), (0.1, 0.11), (-3.0, 40_000.0), (1e-7, 2e-7)])
def test_an_axis_has_its_ticks_at_their_values(low: float, high: float) -> None:
    scale = Scale(low, high, 5, 115)
    ticks = re.findall(r'<text x="([\d.]+)" y="15">([^<]*)</text>', axis(scale))
    assert 2 <= len(ticks) <= 7
    for place, shown in ticks:
        value = float(shown.replace(",", "").replace("−", "-"))
        assert float(place) == pytest.approx(scale.at(value), abs=0.2)


def test_an_axis_of_one_value_is_none() -> None:
    assert axis(Scale(3.0, 3.0, 5, 115)) == ""

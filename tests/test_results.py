"""The door: every kind of result in every format that it has, each against what another format says of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from safetensors.numpy import save_file

import wqscore
from tests.engines.test_crosscheck_report import CHECK
from tests.integrity.test_report import FOUND
from tests.small_models import bert
from tests.studies.published import TAXONOMY
from wqscore import results
from wqscore.errors import UsageError
from wqscore.evidence.record import shipped_models
from wqscore.evidence.track_record import track_record
from wqscore.gating.gate import gate, gate_all
from wqscore.gating.policy import Policy, read_rules
from wqscore.ranking.ranking import Ranking
from wqscore.results import Result, formats_of, render
from wqscore.stores.overview import overview
from wqscore.stores.store import Store
from wqscore.studies.correlation.correlate import correlate
from wqscore.studies.known.benchmarks import tabulate
from wqscore.studies.known.model_card import BenchmarkResult, CardResults
from wqscore.studies.known.score_table import ScoreTable, single_table
from wqscore.studies.watching.track import Track, TrackPoint

TABLE = ScoreTable(
    "a table",
    ("model", "params", "alpha", "accuracy"),
    tuple((name, f"{10 * i}", f"{2 + i % 3}", f"{i}") for i, name in enumerate("abcdef", 1)),
)


@pytest.fixture(scope="module")
def found(ranking: Ranking, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Result]:
    """A result of every kind."""
    folder = tmp_path_factory.mktemp("door")
    save_file(bert(0), folder / "model.safetensors")
    later = {name: value for name, value in bert(1, layers=1).items() if "pooler" not in name}
    with Store.open(folder / "store.sqlite") as store:
        judged = gate(str(folder), Policy(rules=tuple(read_rules(["alpha > 1", "zero > 0"]))), store=store)
        gated = gate_all([str(folder)], Policy(rules=tuple(read_rules(["alpha > 1"]))), store=store)
        seen = overview(store)
    correlated = correlate(single_table(TABLE, ["model"]), y="accuracy")
    card = CardResults((BenchmarkResult("nli", "glue", "accuracy", 0.9, ("mrpc",)),))
    benchmarks = tabulate({"a": card, "b": CardResults()})
    made = [
        *(ranking, ranking.scores[0], wqscore.describe(str(folder)), wqscore.plan([str(folder)])),
        *(FOUND, CHECK, judged, gated, correlated, benchmarks, seen),
        *(wqscore.card(ranking.scores[0]), ranking.models[0], _track(ranking)),
        wqscore.leaderboard(folder, folder / "site", known=None),
        wqscore.allocate("prune", ranking.scores[0], 0.5, "alpha"),
        wqscore.phase(TAXONOMY, "width", "batch_size", "test_acc", maps=["train_loss"]),
        wqscore.diff(bert(0, layers=1), later, metrics="stable_rank", bootstrap=0, gof=0),
        wqscore.kin([bert(0, layers=1), later]),
        wqscore.compress(later, metrics="stable_rank", bootstrap=0, gof=0, rounded=True),
        track_record([model for model in shipped_models() if model.source == "families"], ["alpha", "params"]),
    ]
    return {type(result).__name__: result for result in made}


def _track(ranking: Ranking) -> Track:
    """A track with a scored, a skipped and a failed point."""
    document = json.loads(ranking.scores[0].to_json())
    return Track(
        "run",
        "alpha",
        (
            TrackPoint(10, "scored", "", 0.1, 2.0, document),
            TrackPoint(20, "skipped", "busy"),
            TrackPoint(30, "failed", "x"),
        ),
    )


def test_every_kind_is_tried(found: Mapping[str, Result]) -> None:
    assert found.keys() == results._VIEWS.keys()


@pytest.mark.parametrize("kind", list(results._VIEWS))
def test_rows_are_the_same_in_every_format(found: Mapping[str, Result], kind: str) -> None:
    result = found[kind]
    if "csv" not in formats_of(result):
        with pytest.raises(UsageError, match=f"{kind} has no format 'csv': it has table, md"):
            result.to_csv()
        return
    header, *rows = csv.reader(io.StringIO(result.to_csv()))
    frame = result.to_frame()
    assert list(frame.columns) == header
    assert len(frame) == len(rows) > 0
    parquet = pytest.importorskip("pyarrow.parquet")
    made = render(result, "parquet")
    assert isinstance(made, bytes)
    table = parquet.read_table(io.BytesIO(made)).to_pydict()
    assert list(table) == header
    for number, column in enumerate(header):
        for cell, value in zip((row[number] for row in rows), table[column], strict=True):
            assert (cell == "") == (value is None)
            if isinstance(value, float):
                assert float(cell) == value
            elif value is not None:
                assert cell.lstrip("'") == value


@pytest.mark.parametrize("kind", list(results._VIEWS))
def test_every_kind_is_shown_to_people_and_to_machines(found: Mapping[str, Result], kind: str) -> None:
    result = found[kind]
    assert json.loads(result.to_json(), parse_constant=pytest.fail)
    table, markdown, notebook = render(result, "table"), result.to_markdown(), result._repr_html_()
    assert isinstance(table, str)
    assert table.endswith("\n") and markdown.endswith("\n")
    assert notebook.startswith(("<table><caption>", "<ul><li>", "<p><strong><bdi>"))
    # A terminal and a notebook have the same tables; Markdown has them under other titles.
    assert notebook.count("<table>") == notebook.count("</table>") > 0
    assert markdown.count("| --- |") > 0


def test_a_page_is_made_where_there_is_one(found: Mapping[str, Result], tmp_path: Path) -> None:
    for kind, result in found.items():
        if kind in ("Ranking", "ModelScore", "Correlations", "Built", "Phases", "Kin"):
            assert result.to_html().strip().lower().startswith("<!doctype html>")
        else:
            with pytest.raises(UsageError, match=f"{kind} has no format 'html': it has "):
                result.to_html()


def test_a_gate_has_formats_of_its_own(found: Mapping[str, Result]) -> None:
    for name in ("junit", "prometheus", "github"):
        assert [kind for kind, result in found.items() if name in formats_of(result)] == ["GateResult", "GateRun"]
    with pytest.raises(UsageError, match="Ranking has no format 'junit'"):
        render(found["Ranking"], "junit")


def test_a_plan_has_formats_of_its_own(found: Mapping[str, Result]) -> None:
    for name in ("groups", "axolotl", "mergekit"):
        assert [kind for kind, result in found.items() if name in formats_of(result)] == ["Allocation"]


def test_what_is_derived_from_a_kind_is_of_that_kind(ranking: Ranking) -> None:
    class Mine(Ranking):
        pass

    mine = Mine(*(getattr(ranking, name) for name in Ranking.__dataclass_fields__))
    assert mine.to_csv() == ranking.to_csv()

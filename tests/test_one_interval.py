"""A model's interval is one figure: the same to the last digit wherever it is shown, and around the headline."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.leaderboards.conftest import NIGHT, build_at, listed
from tests.reports.html.parsed import Page
from tests.rounding import expected, expected_ends
from tests.small_models import bert
from wqscore.cli.output import show
from wqscore.fits.interval import Interval
from wqscore.metrics.registry import CORE, METRICS
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.ranking import Ranking, rank_alone
from wqscore.reports.card import card_section
from wqscore.reports.html.verdict_shares import COLOURS
from wqscore.reports.intervals import interval_text
from wqscore.scoring.model_score import ModelScore

#: Five models; the last has too few matrices for an interval.
LAYERS = {"a": 2, "b": 2, "c": 3, "d": 1, "few": 1}
FEW = "too few matrices"
#: Summaries that are no numbers of a model.
NUISANCE = ("xmin", "sigma", "n_tail", "alpha_lo", "alpha_hi", "p_value", "matrix_rank", "rank_loss")


@dataclass(frozen=True)
class Shown:
    """Five models ranked together, each scored alone, and a leaderboard of the same files."""

    ranking: Ranking
    scores: Mapping[str, ModelScore]
    site: Path

    @property
    def by_name(self) -> Iterator[tuple[str, Interval | None]]:
        for model in self.ranking.models:
            yield model.ref.label.rpartition("/")[2], model.interval


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("five")
    for seed, (name, layers) in enumerate(LAYERS.items()):
        tensors = bert(seed, layers)
        if name == "few":
            tensors = {key: value for key, value in tensors.items() if "attention.self" not in key}
        (folder / name).mkdir()
        save_file(tensors, folder / name / "model.safetensors")
    refs = {name: str(folder / name) for name in LAYERS}
    entries = [listed(folder / name, name) for name in LAYERS]
    store = folder / "store.sqlite"
    ranking = wqscore.rank(list(refs.values()), store=store, family="toys")
    scores = {name: wqscore.score(ref, store=store) for name, ref in refs.items()}
    build_at(NIGHT, entries, folder / "site")
    return Shown(ranking, scores, folder / "site")


def text(found: Interval | None, dash: str = " to ") -> str:
    return expected_ends(*found).replace(" to ", dash) if found else FEW


def headline(score: ModelScore, found: Interval | None) -> str:
    return expected(score.summary.headline("alpha", DEFAULT), found.hi - found.lo if found else None)


def test_python_csv_frame_and_json_have_the_same_bits(shown: Shown) -> None:
    rows = {row["model"].rpartition("/")[2]: row for row in csv.DictReader(io.StringIO(shown.ranking.to_csv()))}
    document = {each["model"].rpartition("/")[2]: each for each in json.loads(shown.ranking.to_json())["models"]}
    frame = (
        shown.ranking.to_frame().assign(name=lambda table: table["model"].str.rpartition("/")[2]).set_index("name")
    )
    assert sum(interval is None for _, interval in shown.by_name) == 1
    for name, interval in shown.by_name:
        score = shown.scores[name]
        assert score.summary.interval("alpha") == interval == score.summary.statistics["alpha"].interval
        for metric in CORE:
            found = score.summary.statistics[metric].interval
            if metric in NUISANCE:
                assert found is None
                continue
            ends = [found.lo, found.hi] if found else [None, None]
            columns = [f"{metric}_interval_{end}" for end in ("lo", "hi")]
            assert [float(rows[name][column]) if rows[name][column] else None for column in columns] == ends
            assert [None if np.isnan(value) else value for value in frame.loc[name, columns]] == ends
            for summary in (document[name]["summary"], json.loads(score.to_json())["summary"]):
                assert summary[metric]["interval"] == (ends if found else None)


def test_it_holds_the_headline_of_every_metric(shown: Shown) -> None:
    for score in shown.scores.values():
        for metric in CORE:
            found = score.summary.interval(metric)
            if found:
                assert found.lo <= score.summary.headline(metric, DEFAULT) <= found.hi
                values = [row.metrics[metric] for row in score.layers if np.isfinite(row.metrics[metric])]
                assert min(values) <= found.lo < found.hi <= max(values)


def test_terminal_markdown_report_and_card_round_it_alike(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    show(shown.ranking, "table")
    printed = " ".join(capsys.readouterr().out.split())
    markdown = [[cell.strip() for cell in line.split("|")] for line in shown.ranking.to_markdown().splitlines()]
    header = next(line for line in markdown if "interval" in line)
    page = Page(shown.ranking.to_html()).table("ranking-table")
    column = page.header.index("95 % interval")
    for place, (model, (name, interval)) in enumerate(zip(shown.ranking.models, shown.by_name, strict=True)):
        assert interval_text(model, shown.ranking) == text(interval)
        assert text(interval) in printed
        line = next(line for line in markdown if len(line) > 1 and line[2].replace("\\", "").endswith(f"/{name}"))
        assert line[header.index("interval")] == text(interval)
        assert page.body[place][column].strip() == text(interval)
        card = card_section(shown.scores[name])
        assert f"| alpha | {headline(shown.scores[name], interval)} | {text(interval)} |" in card
        show(shown.scores[name], "table")
        alone = " ".join(capsys.readouterr().out.split())
        assert text(interval) in alone
        # A page of one model takes long to make.
        if name == "few":
            page_alone = Page(rank_alone(shown.scores[name]).to_html())
            assert page_alone.table("ranking-table").body[0][column].strip() == text(interval)


def test_the_leaderboard_has_the_same_intervals(shown: Shown) -> None:
    table = {row["model"]: row for row in csv.DictReader((shown.site / "data/models.csv").open(encoding="utf-8"))}
    document = {each["model"]: each for each in json.loads((shown.site / "data/models.json").read_text())["models"]}
    index = Page((shown.site / "index.html").read_text(encoding="utf-8")).table("models-table")
    cells = {row[index.header.index("Model")].split()[0]: row for row in index.body if len(row) == len(index.header)}
    for name, interval in shown.by_name:
        score = shown.scores[name]
        for metric in (metric for metric in CORE if metric not in NUISANCE):
            found = score.summary.interval(metric)
            for end in ("lo", "hi"):
                value = getattr(found, end) if found else None
                assert document[name][f"{metric}_interval_{end}"] == value
                assert table[name][f"{metric}_interval_{end}"] == ("" if value is None else repr(value))
        record = json.loads((shown.site / f"data/models/{name}.json").read_text(encoding="utf-8"))
        assert record["figures"]["alpha"]["interval"] == (list(interval) if interval else None)
        assert not {*record["figures"]} & {*NUISANCE}
        assert text(interval, "–") in cells[name]
        value = headline(score, interval)
        page = Page((shown.site / f"models/{name}.html").read_text(encoding="utf-8"))
        row = next(row for row in page.table("metrics-table").body if row[0] == "alpha")
        assert row[1:3] == [value, text(interval, "–")]
        badge = (shown.site / f"badges/{name}.svg").read_text(encoding="utf-8")
        ends = f" ({text(interval, '–')})" if interval else ""
        assert f">{value}{ends}</text>" in badge
        assert "#" not in badge.partition("<text")[2].replace("&#", "")


def test_the_leaderboards_line_is_the_headline_and_its_colours_are_the_reports(shown: Shown) -> None:
    style = (shown.site / "assets/style.css").read_text(encoding="utf-8")
    assert "share0" not in style
    report = shown.ranking.to_html()
    for name, score in shown.scores.items():
        page = (shown.site / f"models/{name}.html").read_text(encoding="utf-8")
        chart = page.partition('<svg class="depth"')[2].partition("</svg>")[0]
        line = float(chart.partition('class="median"')[2].partition('y1="')[2].partition('"')[0])
        # The grid's lines give the scale.
        grid = [part.split('"')[0] for part in chart.split('class="grid" x1="48" x2="712" y1="')[1:]]
        labels = [part.partition("</text>")[0] for part in chart.split('class="end">')[1:]]
        (low, high), (start, end) = [(float(v[0]), float(v[len(grid) - 1])) for v in (labels, grid)]
        read = low + (line - start) / (end - start) * (high - low)
        assert read == pytest.approx(score.summary.headline("alpha", DEFAULT), abs=0.02 * (high - low))
        assert "without embeddings and heads" in page
        for verdict in {row.verdict for row in score.layers}:
            assert f'fill="{COLOURS[verdict]}"' in page
            assert f'fill="{COLOURS[verdict]}"' in report


def test_tables_of_models_have_no_bounds_and_no_nuisance_parameters(shown: Shown) -> None:
    header = next(csv.reader(io.StringIO(shown.ranking.to_csv())))
    suffixes = ("", "_mean", "_param_mean", "_count", "_interval_lo", "_interval_hi")
    assert not {*header} & {f"{name}{suffix}" for name in NUISANCE for suffix in suffixes}
    assert "xmin" not in shown.ranking.to_markdown()
    for name in NUISANCE:
        assert not METRICS[name].summarised
        assert name in json.loads(shown.ranking.to_json())["models"][0]["summary"]
        assert "interval" not in json.loads(shown.ranking.to_json())["models"][0]["summary"][name]


def test_the_metric_that_ranks_and_presets_of_published_code_keep_theirs(shown: Shown) -> None:
    ref = str(shown.ranking.models[0].ref.path)
    header = next(csv.reader(io.StringIO(wqscore.rank([ref], by="n_tail", gof=0, bootstrap=0).to_csv())))
    assert {"n_tail", "n_tail_mean", "n_tail_count"} <= {*header}
    assert "n_tail_interval_lo" not in header and "xmin" not in header
    header = next(csv.reader(io.StringIO(wqscore.rank([ref], preset="ww-0.7").to_csv())))
    assert {"xmin", "num_pl_spikes", "sigma", "alpha_interval_lo"} <= {*header}
    # One that has no interval of its own.
    assert "xmin_interval_lo" not in header

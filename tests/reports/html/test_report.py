"""The page as text: every number is in it, nothing in it is fetched, and hostile names stay names."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import fields, replace
from math import isfinite, log10
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import trim_mean

from tests.reports.html.parsed import Page, Table
from tests.rounding import expected as rounded
from tests.rounding import expected_ends
from tests.small_models import HOSTILE, LONG, bert, score_tensors
from wqscore.errors import UsageError
from wqscore.matrices import roles
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.metrics.registry import CORE, METRICS
from wqscore.presets.preset import Preset
from wqscore.presets.registry import DEFAULT
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.refs.reference import ModelRef
from wqscore.rendering.html.palette import BLUE, GREEN, INK, ORANGE, PINK, ROLE_MARKS, SKY, VERMILLION
from wqscore.reports.html.report import preset_constants
from wqscore.scoring.model_score import Failure
from wqscore.version import __version__

_PALETTE = {BLUE, GREEN, INK, ORANGE, PINK, SKY, VERMILLION}


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def hostile(hostile_html: str) -> Page:
    return Page(hostile_html)


def shows(cell: str, value: float) -> bool:
    """Whether a cell shows a number to four digits, or a dash for what is none."""
    if not isfinite(value):
        return cell == "–"
    return float(cell.replace(",", "")) == pytest.approx(value, rel=5.1e-4, abs=1e-300)


def explorer(page: Page) -> list[dict[str, Any]]:
    """The packed models, as a reader of gzip that is not the browser's sees them."""
    return json.loads(gzip.decompress(base64.b64decode(page.data("page-data")["explorer"])))


def of_model(page: Page, number: int) -> list[Table]:
    return [table for table in page.tables if table.section == f"model-{number}"]


def test_every_number_of_every_matrix_is_in_its_models_table(ranking: Ranking, page: Page) -> None:
    for number, score in enumerate(ranking.scores, 1):
        table = page.table(f"model-{number}-layers")
        assert table.header == ["name", "role", "rows", "columns", *CORE, "verdict", "flags", "reason"]
        assert [row[0] for row in table.body] == [layer.matrix.name for layer in score.layers]
        for row, layer in zip(table.body, score.layers, strict=True):
            matrix = layer.matrix
            assert row[1] == matrix.role
            numbers = [matrix.rows, matrix.columns, *(layer.metrics[name] for name in CORE)]
            assert all(map(shows, row[2:-3], numbers)), row
            assert row[-3:] == [layer.verdict, ";".join(layer.flags) or "–", layer.reason or "–"]


def test_every_skipped_tensor_is_listed_with_its_reason(ranking: Ranking, page: Page) -> None:
    for number, score in enumerate(ranking.scores, 1):
        tables = [table for table in of_model(page, number) if "reason" in table.header]
        listed = {(row[0], row[2], row[-1]) for table in tables for row in table.body}
        expected = {(skip.name, "×".join(map(str, skip.shape)), skip.reason) for skip in score.skipped}
        assert expected <= listed
        assert expected


def test_summary_statistics_are_there(ranking: Ranking, page: Page) -> None:
    for number, score in enumerate(ranking.scores, 1):
        table = next(table for table in of_model(page, number) if table.header[0] == "metric")
        assert [row[0] for row in table.body] == [name for name in CORE if METRICS[name].summarised]
        counted = [
            layer
            for layer in score.layers
            if layer.fit and layer.verdict != "too-small" and layer.matrix.role not in ("embedding", "head")
        ]
        alphas = np.array([layer.metrics["alpha"] for layer in counted])
        weights = np.array([layer.matrix.rows * layer.matrix.columns for layer in counted])
        sound = [layer.metrics["alpha"] for layer in counted if layer.verdict == "ok"]
        weighted = (alphas * weights).sum() / weights.sum()
        numbers = [
            *(np.median(alphas), np.median(sound) if sound else np.nan, alphas.mean()),
            *(trim_mean(alphas, 0.1), weighted),
        ]
        cells = table.body[0][1:]
        interval = cells.pop(table.header[1:].index("95 % interval of the median"))
        found = score.summary.interval("alpha")
        width = found.hi - found.lo if found else None
        shown = [rounded(number, width) if isfinite(number) else "–" for number in numbers]
        assert cells == [*shown, str(alphas.size)]
        assert interval == (expected_ends(*found) if found else "too few matrices")
        assert (found is None) == (alphas.size < 6)


def test_the_ranking_and_those_without_a_rank(ranking: Ranking, page: Page) -> None:
    table = page.table("ranking-table")
    assert table.caption.startswith("Models by median alpha")
    assert table.header == [
        *("rank", "model", "median alpha", "95 % interval", "could be", "ties", "ok", "coverage", "parameters"),
    ]
    ranked = [model for model in ranking.models if model.status == "ranked"]
    assert [[cell.strip() for cell in row[:2]] for row in table.body] == [[str(m.rank), m.ref.label] for m in ranked]
    more = page.table("ranking-more")
    assert more.header == ["model", "family", "mean", "fitted", "parameters", "layers", "hidden size"]
    widest = max(model.interval.hi - model.interval.lo for model in ranked if model.interval)
    for row, rest, model in zip(table.body, more.body, ranked, strict=True):
        found = model.score.summary
        assert row[2].strip() == rounded(found.statistics["alpha"].median, widest)
        assert shows(rest[2].strip(), found.statistics["alpha"].mean)
        assert rest[3] == f"{found.n_fitted} of {found.n_matrices}"
        counted = [r for r in model.score.layers if r.fit and r.verdict != "too-small"]
        counted = [r for r in counted if r.matrix.role not in ("embedding", "head")]
        assert row[6] == f"{sum(r.verdict == 'ok' for r in counted)}/{len(counted)}"
    assert "0123456789" * 4 in page.text
    reasons = page.table("unranked-table").body
    assert [row[:2] for row in reasons] == [["models/quantised", "unranked"], ["org/missing", "failed"]]
    assert reasons[1][2] == "org/missing: no such model on the Hub"
    assert all(line in page.text for line in ranking.conclusion.lines)
    assert "1 model was not ranked (models/quantised" in page.text


def test_what_was_taken_as_the_model_is_said_where_it_is_described(ranking: Ranking, page: Page) -> None:
    lines = ("weights.bin is left out: model.safetensors is the model", "2 adapters\x1b were merged")
    first, *others = ranking.scores
    shown = Page(rank_models([replace(first, remarks=lines), *others]).to_html())
    assert all(line in shown.text for line in (lines[0], r"2 adapters\x1b were merged"))
    assert "parameters · 2 remarks" in shown.text
    assert "remark" not in page.text


def test_weights_that_are_no_numbers_are_a_warning(page: Page) -> None:
    assert (
        "models/odd: 1 matrix holds NaN, infinite or overflowing weights, which no number counts: bert.encoder"
        in page.text
    )


def test_how_it_was_computed(ranking: Ranking, page: Page) -> None:
    metric = ranking.by
    for text in (metric.formula, metric.source, metric.caveat, __version__, DEFAULT.name, DEFAULT.description):
        assert text in page.text
    named = {name for name, _ in preset_constants(DEFAULT)}
    described = {field.name for record in (Preset, MatrixRules) for field in fields(record)}
    assert named == described - {"name", "description", "matrices"}
    assert dict(preset_constants(WW_0_7))["fit_floor"] == "1e-05"
    assert dict(preset_constants(DEFAULT))["fit_floor"] == "relative to each matrix"


def test_the_date_is_utc_and_can_be_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    monkeypatch.setenv("TZ", "America/New_York")
    assert "2001-09-09 01:46:40 UTC" in rank_models([]).to_html()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        rank_models([]).to_html()


def test_the_preset_of_weightwatcher_has_its_own_column_names(tmp_path: Path) -> None:
    score = score_tensors(tmp_path / "m", "m", bert(0))
    page = Page(rank_models([replace(score, preset=WW_0_7)], preset=WW_0_7).to_html())
    header = page.table("model-1-layers").header
    assert "num_pl_spikes" in header
    assert "n_tail" not in header
    assert "m is alone in its family" in page.text


@pytest.mark.parametrize(("by", "answer"), [("alpha", "No clear winner"), ("matrix_rank", "Ordered by matrix_rank")])
def test_a_tie_and_a_metric_whose_better_is_higher(tmp_path: Path, by: str, answer: str) -> None:
    scores = [score_tensors(tmp_path / name, name, bert(0)) for name in ("first", "second")]
    scores.append(score_tensors(tmp_path / "third", "third", {"fc1.weight": np.eye(64, dtype=np.float32)}))
    page = Page(rank_models(scores, by=by).to_html())
    assert answer in page.text
    assert [row[0] for row in page.table("ranking-table").body][:2] == ["1=", "1="]


def test_models_of_several_families_come_with_a_warning(tmp_path: Path, page: Page) -> None:
    scores = [score_tensors(tmp_path / name, name, bert(0), family=name) for name in ("gpt2", "opt")]
    assert "2 families (gpt2, opt)" in Page(rank_models(scores).to_html()).text
    assert "families (" not in page.text


@pytest.mark.parametrize("failures", [0, 1])
def test_nothing_scored_is_a_page_without_explorer(failures: int) -> None:
    missing = [Failure(ModelRef("org/x", "hub", repo="org/x"), "org/x: gone")] * failures
    page = Page(rank_models([], failures=missing).to_html())
    assert "No model could be scored" in page.text
    assert ("org/x: gone" in page.text) == bool(failures)
    assert len(page.raw) == 2
    assert "Layer explorer" not in page.text
    assert not any(tag == "button" for tag, _ in page.elements)


def test_a_model_without_any_matrix(tmp_path: Path) -> None:
    page = Page(score_tensors(tmp_path / "m", "m", {"norm.weight": np.ones(8, dtype=np.float32)}).to_html())
    assert "no matrix that belongs in an average" in page.text
    assert any(row[0] == "norm.weight" for table in page.tables for row in table.body)


def test_one_model_is_not_compared(tmp_path: Path) -> None:
    page = Page(score_tensors(tmp_path / "m", "m", bert(0)).to_html())
    assert "is alone in its family: there is nothing to compare it with" in page.text
    assert len(page.table("ranking-table").body) == 1


def test_policy_names_every_script_and_style_by_its_hash(html: str, page: Page) -> None:
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    assert directives["default-src"] == "'none'"
    hashes = {"script": set(), "style": set()}
    for tag, attributes, text in page.raw:
        if attributes.get("type") != "application/json":
            hashes[tag].add("'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'")
    assert set(directives["script-src"].split()) == hashes["script"]
    assert set(directives["style-src"].split()) == hashes["style"]
    assert "unsafe" not in policy


def test_nothing_is_fetched_and_nothing_is_styled_or_scripted_inline(page: Page, hostile: Page) -> None:
    for name, value in (item for _, a in [*page.elements, *hostile.elements] for item in a.items()):
        assert name != "style"
        assert not name.startswith("on")
        assert name != "src"
        assert not name.endswith("href") or value.startswith("#")


def test_the_page_is_well_marked_up(html: str, page: Page) -> None:
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements
    assert all(table.caption for table in page.tables)
    assert all(len(row) == len(table.header) for table in page.tables for row in table.body)
    assert all(a.get("scope") in {"col", "row", "rowgroup"} for tag, a in page.elements if tag == "th")
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in page.elements if tag == "a"}
    assert links <= set(ids)
    charts = [a for _, a in page.elements if "chart" in a.get("class", "").split()]
    assert all(chart["role"] == "img" and len(chart["aria-label"]) > 30 for chart in charts)
    assert len([chart for chart in charts if "still" in chart["class"].split()]) == 4


def test_hostile_names_are_text_everywhere(hostile: Page, page: Page) -> None:
    assert {tag for tag, _ in hostile.elements} == {tag for tag, _ in page.elements}
    assert len(hostile.raw) == len(page.raw)
    assert f"{HOSTILE} " in hostile.text or f"{HOSTILE}\n" in hostile.text
    names = [row[0] for table in hostile.tables for row in table.body]
    for name in (f"layers.0.{HOSTILE}.fc1.weight", f"layers.1.{LONG}.fc1.weight", f"layers.0.{HOSTILE}.bias",
                 f"layers.2.{HOSTILE}.fc1.weight"):  # fmt: skip
        assert name in names
    assert [row[2] for row in hostile.table("unranked-table").body][-2:] == [f"{HOSTILE}: can't be read", LONG]
    assert any(HOSTILE in a.get("aria-label", "") for _, a in hostile.elements)
    data = hostile.data("page-data")
    model = next(m for m, told in zip(explorer(hostile), data["models"], strict=True) if told["name"] == HOSTILE)
    assert {layer["name"] for layer in model["layers"]} == {name for name in names if name.endswith("fc1.weight")} - {
        f"layers.2.{HOSTILE}.fc1.weight"
    }


def test_the_explorer_has_every_spectrum_and_scan(ranking: Ranking, page: Page) -> None:
    steps = page.data("page-data")["steps"]
    for model, score in zip(explorer(page), ranking.scores, strict=True):
        for drawn, layer in zip(model["layers"], score.layers, strict=True):
            eigenvalues = layer.spectrum.eigenvalues
            assert drawn["name"] == layer.matrix.name
            if layer.spectrum.state != "finite":
                assert drawn["density"] is None
                continue
            low, high, *counts = drawn["density"]
            assert len(counts) <= 60
            assert sum(counts) + drawn["below"] == eigenvalues.size
            assert high == pytest.approx(log10(eigenvalues[-1]), abs=0.051)
            moves, distances, alphas = drawn["scan"]
            assert len(moves) == len(distances) == len(alphas) <= 80
            if layer.fit:
                places = low + (high - low) * np.cumsum(moves) / steps[0]
                best = int(np.argmin(np.abs(places - log10(layer.fit.xmin))))
                assert places[best] == pytest.approx(log10(layer.fit.xmin), abs=0.51 * (high - low) / steps[0] + 1e-4)
                assert distances[best] == min(distances) == pytest.approx(layer.fit.D * steps[1], abs=0.51)
                assert alphas[best] == pytest.approx(layer.fit.alpha * steps[2], abs=0.51)


def test_the_explorer_has_the_singular_values_and_the_bulk(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((300, 100)) * 0.2
    weights[0] += 12 * weights[1]
    score = score_tensors(tmp_path / "m", "m", {"fc1.weight": weights.astype(np.float32)})
    (drawn,) = explorer(Page(score.to_html()))[0]["layers"]
    singular = np.linalg.svd(weights, compute_uv=False)
    assert drawn["singular"] == pytest.approx(singular[:10], rel=6e-4)
    variance, lower, upper, spikes, side = drawn["bulk"]
    assert variance == pytest.approx(0.04, rel=0.03)
    edges = [variance * (300**0.5 + side) ** 2 for side in (-10, 10)]
    assert [lower, upper] == pytest.approx(edges, rel=1e-3)
    assert (spikes, side) == (np.count_nonzero(singular**2 > 1.2 * upper), 100) == (1, 100)


def test_the_same_matrix_has_one_key_in_every_model(page: Page) -> None:
    named: dict[str, set[int]] = {}
    for model in explorer(page):
        for layer in model["layers"]:
            named.setdefault(layer["name"], set()).add(layer["key"])
    assert all(len(keys) == 1 for keys in named.values())
    assert len(set.union(*named.values())) == len(named)


def test_roles_differ_in_colour_and_shape_and_every_role_has_a_mark() -> None:
    block = ("q_proj", "k_proj", "v_proj", "attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "x")
    names = ("wte", "lm_head", *(f"model.layers.0.{name}" for name in block))
    known = {roles.role_of(f"{name}.weight") for name in names}
    assert len(known) == len(names)
    known |= {roles.CONV, *roles.PART_ROLES.values()}
    assert known <= set(ROLE_MARKS)
    assert len(set(ROLE_MARKS.values())) == len(ROLE_MARKS)
    assert {colour for colour, _ in ROLE_MARKS.values()} <= _PALETTE
    shared = [shape for colour, shape in ROLE_MARKS.values() if colour != "currentColor"]
    assert len(set(shared)) == len(shared)

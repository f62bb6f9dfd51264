"""Notes on how far to trust a ranking: their figures are recomputed from the ranking."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from tests.small_models import bert, score_tensors
from wqscore.ranking.ranking import Ranking, rank_alone, rank_models
from wqscore.refs.reference import ModelRef
from wqscore.reports.card import card_section
from wqscore.reports.trust import pair_notes, trust_notes, warning_notes
from wqscore.results import render
from wqscore.scoring.model_score import ModelScore


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Ranking:
    folder = tmp_path_factory.mktemp("sizes")
    return rank_models([score_tensors(folder / str(n), f"m{n}", bert(n, n)) for n in (1, 2, 4)])


def test_the_baselines_are_size_and_depth(sizes: Ranking) -> None:
    notes = trust_notes(sizes)
    scores = [model.score for model in sizes.models]
    alphas = [score.summary.statistics["alpha"].median for score in scores]
    for what, values in (
        ("parameters", [score.parameters for score in scores]),
        ("layers", [score.architecture.depth for score in scores]),
    ):
        note = next(line for line in notes if f"{what}, which" in line)
        told = re.search(r"tau with them is ([+-]\d\.\d\d) over 3 models", note)
        assert told and float(told[1]) == pytest.approx(kendalltau(alphas, values).statistic, abs=0.005)
    assert "1 to 4 layers" in " ".join(notes)


def test_how_many_matrices_have_a_fit_that_means_something(sizes: Ranking) -> None:
    ok = sum(row.verdict == "ok" for score in sizes.scores for row in score.layers if row.matrix.role != "embedding")
    everything = sum(row.matrix.role != "embedding" for score in sizes.scores for row in score.layers)
    assert f"{ok} of {everything} matrices behind the ranks have the verdict ok" in trust_notes(sizes)[-2]


def test_every_pair_is_told(sizes: Ranking) -> None:
    assert len(sizes.pairs) == 3
    tied = sum(pair.difference.tied for pair in sizes.pairs)
    assert trust_notes(sizes)[0].startswith(f"{tied} of 3 pairs within a family are tied")
    notes = pair_notes(sizes)
    labels = [model.ref.label for model in sizes.models]
    assert [note.split(" ")[0] for note in notes] == labels[:2]
    for note, pair in zip(notes, (sizes.pairs[0], sizes.pairs[2]), strict=True):
        assert ("ahead" in note) != pair.difference.tied


def test_lost_matrices_are_said(tmp_path: Path) -> None:
    fewer = {name: value for name, value in bert(0).items() if "pooler" not in name}
    found = rank_models([score_tensors(tmp_path / "a", "a", bert(0)), score_tensors(tmp_path / "b", "b", fewer)])
    (note,) = pair_notes(found)
    assert "over 12 pairs of matrices; with the 1 matrix that only one has, at worst and best" in note


def test_one_model_needs_no_comparison(tmp_path: Path) -> None:
    found = rank_models([score_tensors(tmp_path / "a", "a", bert(0))])
    assert pair_notes(found) == []
    assert not any("told apart" in note for note in trust_notes(found))
    assert trust_notes(rank_models([])) == []


def with_nan(folder: Path, name: str, seed: int, *broken: str) -> ModelScore:
    tensors = bert(seed, layers=1)
    for each in broken:
        tensors[each][0, 0] = [np.nan, np.inf][seed % 2]
    return score_tensors(folder / name, name, tensors)


def test_weights_that_are_no_numbers_are_a_warning_in_every_format(tmp_path: Path) -> None:
    query, key = (f"bert.encoder.layer.0.attention.self.{part}.weight" for part in ("query", "key"))
    scores = [with_nan(tmp_path, "a", 0), with_nan(tmp_path, "b", 1, query), with_nan(tmp_path, "c", 2, query, key)]
    found = rank_models(scores)
    one = f"b: 1 matrix holds NaN, infinite or overflowing weights, which no number counts: {query}"
    two = f"c: 2 matrices hold NaN, infinite or overflowing weights, which no number counts: {key}, {query}"
    assert {f"warning: {one}", f"warning: {two}"} <= set(warning_notes(found))
    assert not any("NaN" in note for note in warning_notes(rank_models(scores[:1])))
    for text in (render(found, "table"), found._repr_html_(), found.to_markdown().replace("\\", "")):
        assert one in " ".join(text.split()) and two in " ".join(text.split())
    assert f"warning: {one.removeprefix('b: ')}" in warning_notes(rank_alone(scores[1]))
    many = rank_models([replace(scores[1], ref=ModelRef(f"m{number}", "folder")) for number in range(4)])
    assert warning_notes(many)[2] == "warning: so do matrices of 2 more models"
    assert len([note for note in warning_notes(many) if "NaN" in note]) == 2


def test_a_card_says_once_where_the_metric_fails(ranking: Ranking) -> None:
    for score in ranking.scores:
        assert card_section(score).count("comparable only within a family") == 1


def test_coverage_and_what_has_no_rank_and_the_metrics_failures_are_said(ranking: Ranking) -> None:
    notes = trust_notes(ranking)
    scores = [model.score for model in ranking.models if model.status == "ranked"]
    fitted, missing, weights = [], 0, 0
    for score in scores:
        rows = [row for row in score.layers if row.matrix.role not in ("embedding", "head")]
        unread = [skip for skip in score.skipped if skip.kind == "unread"]
        known = sum(row.matrix.rows * row.matrix.columns for row in rows if row.fit)
        weights = sum(row.matrix.rows * row.matrix.columns for row in rows) + sum(skip.weights for skip in unread)
        fitted.append(known / weights)
        missing += sum(row.fit is None for row in rows) + len(unread)
    assert min(fitted) < max(fitted) == 1
    assert any(note.startswith(f"coverage: {min(fitted):.1%} to 100.0%") for note in notes)
    verb = "has" if missing == 1 else "have"
    assert any(note.endswith(f"; {missing} of them {verb} no fit") for note in notes)
    assert "models without a rank: 1 unranked, 1 failed" in notes
    assert notes[-1] == f"known failures of alpha: {ranking.by.caveat}"

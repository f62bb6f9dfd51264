"""Notes on how far to trust a ranking: their figures are recomputed from the ranking."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scipy.stats import kendalltau

from tests.small_models import bert, score_tensors
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.reports.trust import pair_notes, trust_notes


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
    assert any(note.endswith(f"; {missing} of them have no fit") for note in notes)
    assert "models without a rank: 1 unranked, 1 failed" in notes
    assert notes[-1] == f"known failures of alpha: {ranking.by.caveat}"

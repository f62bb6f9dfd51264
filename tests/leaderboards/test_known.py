"""Results from elsewhere, in the leaderboard's table and correlated with the metrics."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from scipy.stats import kendalltau

from tests.leaderboards.conftest import NIGHT, build_at, listed, write_model
from wqscore.errors import UsageError
from wqscore.leaderboards.checking import check_site
from wqscore.studies.known.score_table import read_table


def test_they_stand_beside_the_metrics(tmp_path: Path) -> None:
    models = [listed(write_model(tmp_path / str(seed), seed), f"toy-{seed}") for seed in range(5)]
    known = [0.5, 0.9, 0.7, 0.6]
    rows = "".join(f"toy-{seed},{value}\n" for seed, value in enumerate(known))
    (tmp_path / "known.csv").write_text(f"model,accuracy\n{rows}")
    built = build_at(NIGHT, models, tmp_path / "site", known=read_table(tmp_path / "known.csv"))
    with (tmp_path / "site/data/models.csv").open(encoding="utf-8", newline="") as file:
        table = {row["model"]: row for row in csv.DictReader(file)}
    assert [table[f"toy-{seed}"]["known"] for seed in range(5)] == ["0.5", "0.9", "0.7", "0.6", ""]
    alphas = [float(table[f"toy-{seed}"]["alpha"]) for seed in range(4)]
    assert built.site.known is not None
    assert built.site.known.notes[0].startswith(
        f"alpha: Kendall's tau {kendalltau(alphas, known).statistic:.2f} with accuracy over 4 models"
    )
    assert "Against accuracy" in (tmp_path / "site/index.html").read_text(encoding="utf-8")
    assert check_site(tmp_path / "site") == []


def test_a_table_of_other_models_is_refused_before_anything_is_scored(tmp_path: Path) -> None:
    (tmp_path / "known.csv").write_text("model,accuracy\na,1\nb,2\nc,3\n")
    models = [listed(tmp_path, "toy-0")]
    with pytest.raises(UsageError):
        build_at(NIGHT, models, tmp_path / "site", known=read_table(tmp_path / "known.csv"))
    assert not (tmp_path / "site").exists()

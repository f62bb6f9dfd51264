"""Every word of the output has an explanation, and a word that is none names the nearest."""

from __future__ import annotations

from typing import get_args

import pytest

from wqscore.errors import UsageError
from wqscore.gating.judge import GateStatus
from wqscore.metrics.meanings import MEANINGS
from wqscore.metrics.registry import METRICS
from wqscore.presets.registry import PRESETS
from wqscore.ranking import conclusion
from wqscore.ranking.ranked_model import Status
from wqscore.ranking.ranking import Ranking
from wqscore.reports.glossary import explain, known_words
from wqscore.reports.overview import ranking_overview_columns
from wqscore.reports.tables import PAIR_COLUMNS, layer_columns, ranking_columns
from wqscore.scoring.layer_score import FLIPPED_SIGN, MAYBE_RANDOM_SCALED, RANDOM_SCALED, Verdict
from wqscore.scoring.selection import ROLES
from wqscore.studies.costs import report as costs_report
from wqscore.studies.phase.grid import COPIES, MEASURES, NEIGHBOURS
from wqscore.studies.width import report as width_report

FLAGS = [
    *(FLIPPED_SIGN, RANDOM_SCALED, MAYBE_RANDOM_SCALED, "fused", "scale=1", "scale=alpha/r"),
    *(f"{kind}-{lines}" for kind in ("zero", "constant", "repeated") for lines in ("rows", "columns")),
]


def kinds(word: str) -> set[str]:
    return {each.kind for each in explain(word)}


def test_every_verdict_flag_role_and_kind_of_answer_is_explained() -> None:
    assert all("verdict" in kinds(verdict) for verdict in (*get_args(Verdict), "skipped"))
    assert all("flag" in kinds(flag) for flag in FLAGS)
    assert all("role" in kinds(role) for role in ROLES)
    found = {kind: kinds(kind) for kind in get_args(conclusion.Kind)}
    assert all(each & {"conclusion", "status"} for each in found.values())
    assert all("status" in kinds(status) for status in (*get_args(Status), *get_args(GateStatus)))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_metric_is_explained_under_every_name(preset: object) -> None:
    assert MEANINGS.keys() == METRICS.keys()
    for metric in METRICS:
        (found,) = explain(preset.label(metric))  # type: ignore[attr-defined]
        assert found.kind == "metric"
        assert any(MEANINGS[metric][1:] in line for line in found.lines)
        direction = METRICS[metric].better.capitalize() if METRICS[metric].claims else "No direction"
        assert any(line.startswith(direction) for line in found.lines)


def test_every_column_is_explained(ranking: Ranking) -> None:
    columns = {*ranking_columns(ranking), *ranking_overview_columns(ranking), *PAIR_COLUMNS}
    for preset in PRESETS.values():
        columns |= set(layer_columns(preset, tuple(METRICS)))
    columns |= {"temperature", "phase", "good", "share_of_top", *MEASURES, "block", "value", "uniform", "linear"}
    columns |= {"stored_width", "effective_width"}
    columns |= {*width_report._COLUMNS, *costs_report._COLUMNS, COPIES, NEIGHBOURS}
    for column in columns:
        assert kinds(column) & {"column", "metric"}, column


def test_a_meaning_fits_in_a_line_and_ends_in_no_full_stop() -> None:
    for name, meaning in MEANINGS.items():
        assert len(meaning) <= 85, name
        assert not meaning.endswith("."), name


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("randm", "did you mean random"),
        ("no-powerlaw", "did you mean no-power-law"),
        ("alpa", "did you mean alpha"),
        ("%$§", "wqscore explain lists the words"),
        ("", "wqscore explain lists the words"),
        ("x" * 10_000, "no output has the word"),
        ("\x1b[31m", r"no output has the word '\x1b[31m'"),
    ],
)
def test_an_unknown_word_names_the_nearest(word: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        explain(word)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300


def test_case_and_blanks_dont_matter() -> None:
    assert explain(" Random ") == explain("random")
    assert explain("d") == explain("D")
    assert {"ok", "alpha", "fused", "softrank", "tie"} <= known_words().keys()

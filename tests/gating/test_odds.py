"""Rules on odds: the record's odds that a model beats the baseline, and what stands in their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import asinh, exp
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.small_models import bert
from wqscore.errors import UsageError
from wqscore.evidence.lore import load_lore
from wqscore.gating.policy import Policy, load_policy, read_rules

RULE = "odds(stable_rank) < 0.5"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A model, one with a block replaced, and one whose weights are others; the folders by name."""
    folder, whole, rng = tmp_path_factory.mktemp("odds"), bert(0), np.random.default_rng(1)
    replaced = {
        name: rng.normal(0, 0.01, value.shape).astype(np.float32)
        if ".layer.1.att" in name and value.ndim == 2
        else value
        for name, value in whole.items()
    }
    for name, tensors in (("whole", whole), ("replaced", replaced), ("other", bert(7))):
        (folder / name).mkdir()
        save_file(tensors, folder / name / "model.safetensors")
    return lambda name: str(folder / name)


def stable_rank(model: str) -> float:
    return wqscore.score(model, metrics="stable_rank", bootstrap=0, gof=0).summary.statistics["stable_rank"].median


def test_odds_are_those_of_the_record(models: Callable[[str], str]) -> None:
    """A block replaced by noise is damage; stable rank tells it, with the slope and the unit of the record."""
    found = wqscore.gate(models("replaced"), RULE, wqscore.score(models("whole")))
    lore = load_lore()
    assert lore is not None
    entry = lore.entry("stable_rank", "damage")
    assert entry is not None and entry.informative
    gap = stable_rank(models("whole")) - stable_rank(models("replaced"))
    expected = 1 / (1 + exp(-entry.slope * asinh(3 * gap / entry.scales["wqscore"])))
    (outcome,) = found.outcomes
    assert outcome.value == pytest.approx(expected, rel=1e-9) or outcome.value == 0.5
    assert outcome.status == ("failed" if outcome.value < 0.5 else "passed")


def test_a_file_says_the_same_as_the_score(models: Callable[[str], str], tmp_path: Path) -> None:
    before = wqscore.score(models("whole"))
    (tmp_path / "before.json").write_text(before.to_json())
    by_score = wqscore.gate(models("replaced"), RULE, before).outcomes[0]
    by_file = wqscore.gate(models("replaced"), RULE, tmp_path / "before.json").outcomes[0]
    assert (by_file.value, by_file.reason) == (by_score.value, by_score.reason)
    assert "a damaged or quantised copy" in by_file.reason


def test_a_toss_up_is_one_half_and_says_so(models: Callable[[str], str]) -> None:
    (outcome,) = wqscore.gate(models("other"), "odds(alpha) < 0.5", wqscore.score(models("whole"))).outcomes
    assert (outcome.status, outcome.value) == ("passed", 0.5)
    assert outcome.reason.startswith("a toss-up: alpha was right in")


def test_without_a_record_a_rule_is_not_passed(models: Callable[[str], str]) -> None:
    policy = Policy(read_rules([RULE]), baseline=wqscore.score(models("whole")), evidence="none")
    found = wqscore.gate(models("other"), policy)
    assert (found.status, found.outcomes[0].reason) == ("failed", "there is no record to take odds from")


def test_ones_own_table_gives_the_odds(models: Callable[[str], str], tmp_path: Path) -> None:
    """Twelve families of which the one with the higher stable rank is the better one, by gaps of ten."""
    rows = [
        f"t,f{family},f{family}-{place},recipe,s{family},10,{place},q,higher,{10 * place}"
        for family in range(12)
        for place in range(4)
    ]
    head = "source,family,model,kind,series,params,quality,quality_name,better,stable_rank"
    (tmp_path / "mine.csv").write_text("\n".join([head, *rows]))
    (tmp_path / "policy.toml").write_text(f'rules = ["{RULE}"]\nevidence = "mine.csv"\n')
    policy = load_policy(tmp_path / "policy.toml")
    (outcome,) = wqscore.gate(models("other"), policy, wqscore.score(models("whole"))).outcomes
    ahead = stable_rank(models("whole")) < stable_rank(models("other"))
    assert "from 12 families of models of the same shapes" in outcome.reason or "a toss-up" in outcome.reason
    assert (outcome.value >= 0.5) == ahead or outcome.value == 0.5


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("odds(entropy) < 0.5", "nobody claims which entropy is better"),
        ("odds(alpha.mean) < 0.5", r"write odds\(alpha\)"),
        ("odds(alpha)", "expected one of > >= < <="),
        ("odds < 0.5", "expected an opening bracket"),
    ],
)
def test_a_rule_on_odds_that_is_none_is_refused(rule: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_rules([rule])


def test_odds_need_a_baseline(models: Callable[[str], str]) -> None:
    with pytest.raises(UsageError, match=r"odds\(stable_rank\) needs numbers to compare with"):
        wqscore.gate(models("other"), RULE)


def test_a_damaged_baseline_is_named(models: Callable[[str], str], tmp_path: Path) -> None:
    document = json.loads(wqscore.score(models("whole")).to_json())
    document["layers"][0]["dtype"] = 7
    (tmp_path / "b.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match="dtype is damaged"):
        wqscore.gate(models("other"), RULE, tmp_path / "b.json")

"""The odds under a ranking: what the record says of the pair, in words and numbers, and which metric ranks."""

from __future__ import annotations

import json
from dataclasses import replace
from math import asinh, exp, nan
from zlib import crc32

import numpy as np
import pytest

from tests.ranking.valued_models import model, named
from wqscore.evidence.advice import choose_metric, in_ten, with_odds
from wqscore.evidence.kinship import kind_between, traits_of
from wqscore.evidence.lore import Lore
from wqscore.evidence.track_record import Entry
from wqscore.evidence.validation import Agreement, LogLoss
from wqscore.presets.registry import DEFAULT, find_preset
from wqscore.ranking.ranking import rank_models
from wqscore.refs.reference import ModelRef
from wqscore.scoring.model_score import ModelScore

SPREAD = np.random.default_rng(0).normal(0, 0.5, 40)
TOLD_APART = LogLoss(0.5, 0.05)
A_COIN = LogLoss(0.69, 0.05)


def entry(metric: str, kind: str, loss: LogLoss, slope: float, unit: float = 0.5) -> Entry:
    shares = Agreement(0.71, 0.6, 0.8)
    return Entry(
        metric, kind, 31, 400, shares, loss, loss, LogLoss(nan, nan), True, slope, {"wqscore": unit, "": unit}
    )


def lore(*entries: Entry) -> Lore:
    known = {(each.metric, each.kind): each for each in entries}
    return Lore("v", lambda *key: known.get(key), lambda *key: known.get(key))


def scored(name: str, alpha: float, parameters: int = 1000, metric: str = "alpha") -> ModelScore:
    """A model whose matrices are no other model's."""
    found = model(named(SPREAD - np.median(SPREAD) + alpha), metric=metric)
    own = crc32(name.encode()) / 2**32
    rows = [replace(row, metrics={**row.metrics, "entropy": own + place}) for place, row in enumerate(found.layers)]
    reference = ModelRef(f"runs/{name}", "folder")
    return replace(found, ref=reference, declared_family="bert", parameters=parameters, rows=tuple(rows))


def with_norms(score: ModelScore, log_norm: float) -> ModelScore:
    rows = [replace(row, metrics={**row.metrics, "log_norm": log_norm}) for row in score.layers]
    return replace(score, rows=tuple(rows))


def between(a: ModelScore, b: ModelScore):
    return kind_between(traits_of(a), traits_of(b))


def advised(known: Lore, *models: ModelScore, by: str = "alpha"):
    return with_odds(rank_models(models, by, metrics=models[0].metrics), known)


def test_informative_odds_are_the_logistic_of_the_gap():
    ranking = advised(lore(entry("alpha", "recipe", TOLD_APART, 0.8)), scored("a", 3.0), scored("c", 2.5))
    pair = ranking.odds.pairs[0]
    assert pair.odds == pytest.approx(1 / (1 + exp(-0.8 * asinh(3 * 0.5 / 0.5))))
    assert (pair.ahead, pair.kind, pair.families) == ("runs/c", "recipe", 31)
    assert pair.text == "Odds: 8 in 10 that c is better than a, from 31 families of models of the same shapes."
    assert ranking.conclusion.lines[-1] == pair.text


def test_what_the_record_does_not_tell_apart_is_a_toss_up():
    ranking = advised(lore(entry("alpha", "recipe", A_COIN, 0.8)), scored("a", 3.0), scored("c", 2.5))
    pair = ranking.odds.pairs[0]
    assert pair.odds is None
    assert pair.text == (
        "Odds: a toss-up whether c is better than a; alpha was right in 71 of 100 decisions, over 31 "
        "families of models of the same shapes."
    )


def test_equal_models_are_a_toss_up_however_informative_the_metric():
    ranking = advised(lore(entry("alpha", "recipe", TOLD_APART, 0.8)), scored("a", 3.0), scored("c", 3.0 + 1e-6))
    assert ranking.odds.pairs[0].odds is None
    assert "differs too little" in ranking.odds.pairs[0].text


def test_a_metric_that_the_record_contradicts_gives_odds_below_one_half():
    ranking = advised(lore(entry("alpha", "recipe", TOLD_APART, -0.8)), scored("a", 3.0), scored("c", 2.5))
    assert ranking.odds.pairs[0].odds == pytest.approx(1 / (1 + exp(0.8 * asinh(3))))
    assert "Odds: 2 in 10 that c is better" in ranking.odds.pairs[0].text


def test_a_kind_or_a_preset_without_a_record_is_unknown():
    a, c = scored("a", 3.0), scored("c", 2.5)
    assert "unknown" in advised(lore(), a, c).odds.pairs[0].text
    other = lore(replace(entry("alpha", "recipe", TOLD_APART, 0.8), scales={"weightwatcher 0.2.7 mean": 1.0}))
    assert "unknown" in advised(other, a, c).odds.pairs[0].text
    preset = find_preset("ww-0.7")
    theirs = [replace(each, preset=preset) for each in (a, c)]
    ranking = rank_models(theirs, "alpha", preset, ("alpha",))
    text = with_odds(ranking, lore(entry("alpha", "recipe", TOLD_APART, 0.8))).odds.pairs[0].text
    assert text.endswith("scored with the preset ww-0.7.")


def test_size_is_told_beside_the_odds_and_never_ranks():
    known = lore(entry("alpha", "size", A_COIN, 0.1), entry("params", "size", TOLD_APART, 4.0))
    large, small = scored("large", 3.0, parameters=3000), scored("small", 2.5)
    ranking = advised(known, large, small)
    assert ranking.odds.size == {
        "bert": "By size alone: large is the largest; the larger model has been the better one in 71 of 100 "
        "decisions between models of different size."
    }
    assert choose_metric([large, small], DEFAULT, known)[0] == "alpha"


def test_auto_takes_what_the_development_families_call_informative_in_its_own_direction():
    models = [replace(each, metrics=("alpha", "log_norm", "D")) for each in (scored("a", 3.0), scored("c", 2.5))]
    metrics = entry("alpha", "recipe", A_COIN, 0.8), entry("log_norm", "recipe", TOLD_APART, -2.0)
    by, why = choose_metric(models, DEFAULT, lore(*metrics))
    assert (by, why) == (
        "alpha",
        "Ranked by alpha, by tradition: no metric is known to choose between models of the same shapes.",
    )
    better = replace(metrics[1], slope=2.0)
    assert choose_metric(models, DEFAULT, lore(metrics[0], better))[0] == "log_norm"


def test_json_and_csv_have_the_odds():
    ranking = advised(lore(entry("alpha", "recipe", TOLD_APART, 0.8)), scored("a", 3.0), scored("c", 2.5))
    document = json.loads(ranking.to_json())
    assert document["odds"]["pairs"][0]["odds"] == ranking.odds.pairs[0].odds
    assert document["conclusion"]["odds"] == [ranking.odds.pairs[0].text]
    first, second = ranking.to_frame().to_dict("records")
    assert first["odds_over_next"] == ranking.odds.pairs[0].odds
    assert (first["odds_kind"], first["record"], second["record"]) == ("recipe", "v", "v")
    assert np.isnan(second["odds_over_next"])


def test_what_makes_two_models_differ_is_told_from_their_files():
    a = scored("a", 3.0)
    assert between(a, scored("b", 3.0)) == "recipe"
    assert between(a, replace(scored("b", 3.0), parameters=1049)) == "recipe"
    assert between(a, replace(scored("b", 3.0), parameters=1051)) == "size"
    # One of 40 matrices replaced, one trained on, and one of 40 the same.
    fresh = scored("b", 3.0)
    (a, fresh) = (with_norms(a, 2.0), with_norms(fresh, 3.0))
    near = with_norms(fresh, 2.01)
    assert between(a, replace(fresh, rows=(*a.rows[:39], near.rows[39]))) == "fine-tune"
    assert between(a, replace(fresh, rows=(*a.rows[:39], fresh.rows[39]))) == "damage"
    assert between(a, replace(fresh, rows=(a.rows[0], *fresh.rows[1:]))) == "fine-tune"
    deeper = replace(fresh, rows=(*fresh.rows, *model({f"more.{i}": 1.0 for i in range(9)}).rows))
    assert between(a, deeper) is None
    one, two = (replace(each, ref=ModelRef("r", "hub", "o/r", tag)) for each, tag in ((a, "step1"), (fresh, "step2")))
    assert between(one, two) == "run"


@pytest.mark.parametrize(
    ("odds", "words"), [(0.71, "7 in 10"), (0.94, "9 in 10"), (0.97, "97 in 100"), (0.05, "5 in 100")]
)
def test_odds_in_words(odds, words):
    assert in_ten(odds) == words

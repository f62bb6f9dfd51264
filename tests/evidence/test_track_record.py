"""The track record equals an independent computation, and calls noise what is noise."""

import csv
import io
import random
from dataclasses import replace
from functools import cache
from math import isnan

import numpy as np
import pytest

from tests.evidence.recomputed import HIGHER, entry, rows_of
from tests.evidence.recomputed import decisions as recomputed_decisions
from tests.examples import sized
from wqscore.evidence.decisions import decisions
from wqscore.evidence.kinds import KINDS
from wqscore.evidence.odds import family_weights, fit, log_losses
from wqscore.evidence.record import parse_table, shipped_models, shipped_tables
from wqscore.evidence.track_record import track_record
from wqscore.evidence.validation import calibration, left_out_losses
from wqscore.metrics.registry import METRICS

#: The pairs inside families of the largest public table, and the share that each metric gets right.
OSMR = {"alpha": (263, 0.54), "alpha_weighted": (263, 0.91), "params": (260, 0.97)}
OWN_METRICS = ("alpha", "stable_rank", "log_norm", "params")


@cache
def of_source(source):
    return tuple(model for model in shipped_models() if source in (None, model.source))


@pytest.mark.parametrize(("metric", "expected"), OSMR.items())
def test_the_largest_public_table_says_what_is_known_of_it(metric, expected):
    found = track_record(of_source("osmr_imagenet1k_2020"), [metric], ["any"]).entries[0]
    assert (found.pairs, round(found.agreement.share, 2), found.families) == (*expected, 20)


@pytest.mark.parametrize("source", sorted(shipped_tables()))
@pytest.mark.parametrize("kind", [*KINDS, "any"])
def test_every_table_gives_what_an_independent_computation_gives(source, kind):
    if source == "zoo" and kind in ("across", "any"):
        pytest.skip("the independent computation is too slow for so many pairs")
    choices = list(recomputed_decisions(rows_of(source), kind))
    record = track_record(of_source(source), OWN_METRICS, [kind])
    found = {each.metric: each for each in record.entries}
    for metric in OWN_METRICS:
        expected = entry(choices, metric, 1 if metric in HIGHER else -1)
        if expected is None:
            assert metric not in found
            continue
        one = found[metric]
        assert (one.families, one.pairs, one.agreement.share) == tuple(expected.values())[:3]
        for ours, theirs in ((one.log_loss.mean, "log_loss"), (one.log_loss.error, "log_loss_se")):
            assert ours == pytest.approx(expected[theirs], abs=1e-6, nan_ok=True)


def test_the_directions_are_those_of_the_registry():
    for name in OWN_METRICS[:-1]:
        assert (METRICS[name].better == "higher") == (name in HIGHER)


def test_every_column_of_every_table_is_a_metric_of_the_registry():
    for model in shipped_models():
        assert {*model.values} <= {*METRICS}, model.source


def noise(seed):
    """A record of 12 families of 8 models, whose metrics and quality have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    rows = [
        f"noise,f{family},f{family}-m{number},recipe,f{family},1000,{rng.random()},q,higher"
        + "".join(f",{rng.normal()}" for _ in range(8))
        for family in range(12)
        for number in range(8)
    ]
    metrics = [name for name in METRICS if METRICS[name].better == "lower"][:8]
    header = "source,family,model,kind,series,params,quality,quality_name,better," + ",".join(metrics)
    return parse_table("\n".join([header, *rows]), "noise"), metrics


def test_of_pure_noise_at_most_one_entry_in_twenty_is_informative():
    called = [
        entry.informative
        for seed in range(20)
        for entry in track_record(*noise(seed), ["recipe"]).entries
        if entry.metric != "params"
    ]
    assert len(called) == 160
    assert sum(called) <= len(called) / 20


def test_of_a_real_table_with_shuffled_quality_at_most_one_entry_in_twenty_is_informative():
    models = of_source("osmr_imagenet1k_2020")
    called = []
    for seed in range(sized(20, 5)):
        rng = random.Random(seed)
        by_family = {}
        for model in models:
            by_family.setdefault(model.family, []).append(model.quality)
        for values in by_family.values():
            rng.shuffle(values)
        shuffled = [replace(model, quality=by_family[model.family].pop()) for model in models]
        called += [entry.informative for entry in track_record(shuffled, kinds=["any"]).entries]
    assert sum(called) <= len(called) / 20


def test_odds_learned_from_a_known_law_are_that_law():
    rng = np.random.default_rng(5)
    gaps = rng.normal(size=40_000)
    right = rng.random(len(gaps)) < 1 / (1 + np.exp(-0.7 * gaps))
    of = np.repeat(np.arange(40), 1000)[:, None].repeat(2, axis=1)
    oriented = np.where(right, gaps, -gaps)[:, None]
    slope = fit(oriented, family_weights(of), ridge=0)
    assert slope[0] == pytest.approx(0.7, abs=0.04)
    for found in calibration(left_out_losses(oriented, of), of):
        assert found.lo - 0.01 <= found.predicted <= found.hi + 0.01


def test_odds_have_no_side():
    rng = np.random.default_rng(1)
    gaps = rng.normal(size=(50, 1))
    slope = fit(gaps, np.ones(50))
    assert fit(-gaps, np.ones(50)) == pytest.approx(-slope)
    assert log_losses(np.zeros((1, 1)), slope)[0] == pytest.approx(np.log(2))


def test_a_family_counts_once_however_many_decisions_it_has():
    of = np.array([[0, 0]] * 30 + [[1, 1]] * 2 + [[0, 2]])
    weights = family_weights(of)
    assert weights[:30] == pytest.approx(1 / 31, rel=1e-12)
    assert weights[30:32] == pytest.approx(0.5)
    assert weights[32] == pytest.approx((1 / 31 + 1) / 2)


def test_models_of_equal_quality_are_no_decision():
    text = "source,family,model,kind,quality,quality_name,better,alpha\n" + "".join(
        f"t,f,{name},recipe,{quality},q,lower,{alpha}\n"
        for name, quality, alpha in (("a", 1, 2), ("b", 1, 3), ("c", 2, 4))
    )
    models = parse_table(text, "t")
    assert sorted((a.name, b.name) for a, b in zip(*pairs(models), strict=True)) == [("a", "c"), ("b", "c")]


def pairs(models):
    found = decisions(models, "any")
    return found.better, found.worse


def test_the_csv_has_the_columns_of_the_contract():
    found = list(csv.DictReader(io.StringIO(track_record(of_source("osmr_imagenet1k_2020"), OWN_METRICS).to_csv())))
    assert list(found[0]) == [
        *("metric", "kind", "families", "pairs", "agreement", "agreement_lo", "agreement_hi"),
        *("log_loss", "log_loss_se", "log_loss_with_size", "log_loss_size", "informative"),
    ]
    assert not any(isnan(float(row["agreement"])) for row in found)

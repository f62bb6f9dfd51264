"""Differences over layers: closed forms, what may not be asserted, and how often an interval contains the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import wqscore
from tests.examples import examples
from tests.ranking.valued_models import layered, model, named
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.differences import APART, Difference, compare_all
from wqscore.ranking.ranks import place_models
from wqscore.scoring.model_score import ModelScore


def difference(a: ModelScore, b: ModelScore) -> Difference:
    return compare_all([a, b], MATRIX_METRICS["entropy"])[0, 1]


def test_a_shift_of_every_layer_is_certain_however_different_the_layers_are() -> None:
    values = np.random.default_rng(0).normal(0, 100, 40)
    found = difference(model(named(values + 0.7)), model(named(values)))
    assert (found.pairs, found.lost) == (40, 0)
    assert (found.lo, found.hi, found.value) == pytest.approx((0.7, 0.7, 0.7))
    assert found.delta == pytest.approx(1e-3 * values.std())
    assert not found.tied
    # Unpaired, the same shift is lost among the layers.
    other = {f"blocks.{name}": value for name, value in named(values).items()}
    alone = difference(model(named(values + 0.7)), model(other))
    assert alone.pairs == 0
    assert alone.p > 0.5
    assert alone.tied
    assert alone.lo < -10
    assert alone.hi > 10


def test_a_difference_within_a_thousandth_of_the_spread_is_none() -> None:
    values = np.random.default_rng(0).normal(0, 1, 40)
    assert difference(model(named(values + 5e-4)), model(named(values))).tied
    assert not difference(model(named(values + 5e-3)), model(named(values))).tied


def test_pairs_are_found_whatever_the_base_model_is_called() -> None:
    values = np.random.default_rng(0).normal(0, 1, 30)
    found = difference(model(named(values), prefix="bert."), model(named(values)))
    assert (found.pairs, found.value) == (30, 0)
    assert difference(model(named(values)), model(named(values), shape=(64, 96))).pairs == 0


def test_a_matrix_without_its_pair_is_left_out_and_counted() -> None:
    values = np.random.default_rng(0).normal(0, 1, 30)
    more = named(values) | {"head.weight": 1e9, "extra.weight": -1e9, "third.weight": 1e9}
    found = difference(model(more), model(named(values)))
    assert (found.pairs, found.lost, found.p) == (30, 3, 1)
    assert found.value == np.median([*more.values()]) - np.median(values)
    assert found.tied


def test_a_difference_is_bounded_by_what_the_lost_matrices_could_be() -> None:
    # Five values against the first three of them, and the two that are lost at 1 or at 9.
    values = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 8.0, "e": 9.0}
    found = difference(model(values), model({name: values[name] for name in "abc"}))
    assert (found.pairs, found.lost, found.value) == (3, 2, 1)
    # Median 3 of the five, against 1, 2, 3, 9, 9 or 1, 1, 1, 2, 3.
    assert (found.lowest, found.highest) == (0, 2)
    whole = difference(model(values), model(values))
    assert (whole.lost, whole.lowest, whole.highest) == (0, 0, 0)


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_holds_no_difference_where_there_is_none(paired: bool) -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        first, second = rng.normal(0, 1, (2, 60))
        other = named(second) if paired else {f"x.{name}": value for name, value in named(second).items()}
        held += difference(model(named(first), roles=3), model(other, roles=3)).tied
    assert held >= 88  # 95 % of 100, three standard deviations


def test_an_interval_narrows_as_the_root_of_the_layers() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for layers in (50, 800):
        values = rng.normal(0, 1, (2, layers))
        found = difference(model(named(values[0])), model({f"x.{k}": v for k, v in named(values[1]).items()}))
        widths.append(found.hi - found.lo)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.35)


def test_a_checkpoint_ties_with_itself_and_noise_of_a_millionth(checkpoints: Path, tmp_path: Path) -> None:
    folder = checkpoints / "rxnmapper-albert"
    source = checkpoints / "all-MiniLM-L6-v2"
    rng = np.random.default_rng(0)
    tensors = {
        name: (tensor * (1 + 1e-6 * rng.standard_normal(tensor.shape))).astype("f4")
        if tensor.dtype == np.float32
        else tensor
        for name, tensor in load_file(source / "model.safetensors").items()
        if "word_embeddings" not in name
    }
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((source / "config.json").read_bytes())
    for metric in wqscore.rank([str(folder)]).metrics:
        ranking = wqscore.rank([str(source), str(tmp_path)], by=metric, metrics=metric, store=tmp_path / "store")
        assert [(each.best, each.worst, each.ties) for each in ranking.models] == [(1, 2, ("a",))] * 2, metric


def test_models_of_other_depths_are_not_paired_and_an_order_that_their_layers_deny_is_a_tie() -> None:
    """The deep one's number is better by the half of its layers that the shallow one does not have."""
    rng = np.random.default_rng(31)
    deep = layered(12, lambda layer: (3.3 if layer < 6 else 2.2) + rng.normal(0, 0.02))
    shallow = layered(6, lambda layer: 3.0 + rng.normal(0, 0.02))
    found = difference(model(deep), model(shallow))
    assert found.pairs == 0
    assert found.value < -0.2
    assert found.lo < found.value < 0 < found.hi
    assert found.tied
    # Where the layers agree, depth is no obstacle.
    lower = layered(6, lambda layer: 2.0 + rng.normal(0, 0.02))
    assert not difference(model(lower), model(deep)).tied


@pytest.mark.parametrize(
    "name", ["layers.{}.mlp.experts.{}.up.weight", "layers.{}.mlp.up.weight[{}]", "blk.{}.ffn_up.{}.weight"]
)
def test_experts_of_other_counts_are_not_paired(name: str) -> None:
    rng = np.random.default_rng(2)
    few, many = (
        {name.format(layer, expert): rng.normal() for layer in range(4) for expert in range(experts)}
        for experts in (8, 12)
    )
    assert difference(model(few), model(many)).pairs == 0
    assert difference(model(few), model({key: value + 1 for key, value in few.items()})).pairs == 32


def test_layers_numbered_from_1_are_not_paired_with_those_before_them() -> None:
    values = np.random.default_rng(0).normal(0, 1, 12)
    later = {f"layers.{i + 1}.weight": float(value) for i, value in enumerate(values)}
    assert difference(model(named(values)), model(later)).pairs == 0


_VALUES = st.floats(-1e3, 1e3, allow_nan=False).map(lambda value: round(value, 2))


@settings(max_examples=examples(300))
@given(st.lists(st.lists(_VALUES, min_size=1, max_size=14), min_size=2, max_size=4), st.integers(1, 3), st.booleans())
def test_no_order_is_asserted_against_the_evidence(values: list[list[float]], roles: int, alone: bool) -> None:
    """Of any models, in either direction: a difference lies within its bounds and has the sign of what is said."""
    models = [
        model(named(np.array(each)) | ({f"only{place}.weight": each[0]} if alone else {}), roles=roles)
        for place, each in enumerate(values)
    ]
    entropy = MATRIX_METRICS["entropy"]
    for metric in (entropy, replace(entropy, better="higher")):
        placing = place_models(models, metric, DEFAULT)
        for (i, j), found in placing.differences.items():
            assert found.lowest <= found.value <= found.highest
            assert np.isnan(found.lo) or found.lo <= found.value <= found.hi
            worse = found.value > 0 if metric.better == "lower" else found.value < 0
            assert found.tied or (not worse and found.p <= found.p_holm <= APART)
            assert found.tied == bool({*placing.places[i].ties} & {*placing.places[j].ties})
            assert found.tied or (placing.places[i].worst < len(models) and placing.places[j].best > 1)


def test_one_matrix_a_role_is_no_certainty() -> None:
    """Five matrices can't be told from chance, however far apart; six can, where all agree."""
    for count, roles in ((1, 1), (2, 2), (5, 5), (5, 1)):
        values = np.arange(count, dtype=float)
        for other in (named(values + 100), {f"x.{name}": value for name, value in named(values + 100).items()}):
            found = difference(model(named(values), roles=roles), model(other, roles=roles))
            if roles == count:
                assert np.isnan(found.lo) and np.isnan(found.hi)
                assert found.p == 2 / 2**count
                assert found.tied
    rng = np.random.default_rng(3)
    six = rng.normal(0, 1, 6)
    found = difference(model(named(six + 5), roles=6), model(named(six + rng.normal(0, 1, 6)), roles=6))
    assert found.lo < found.hi
    assert found.p == 2 / 2**6
    assert not found.tied


def test_of_equal_models_hardly_ever_any_two_are_told_apart() -> None:
    """Ten models of one law, 60 times. Without a correction for the pairs most of them would assert an order."""
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(60):
        models = [model(named(rng.standard_t(3, 18)), roles=6) for _ in range(10)]
        wrong += any(not found.tied for found in compare_all(models, MATRIX_METRICS["entropy"]).values())
    assert wrong <= 8  # 5 % of 60, three standard deviations


def test_a_true_shift_is_found() -> None:
    """Half a standard deviation of a pair's difference, over 40 pairs: at least in 60 % (the t test: 87 %)."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(100):
        shared = rng.normal(0, 3, 40)
        first, second = shared + rng.normal(0, 0.5**0.5, 40), shared + rng.normal(0.5, 0.5**0.5, 40)
        found += not difference(model(named(first), roles=6), model(named(second), roles=6)).tied
    assert found >= 60


def test_the_interval_of_a_fit_does_not_compare_models() -> None:
    rng = np.random.default_rng(6)
    first, second = (named(rng.normal(mean, 0.3, 36)) for mean in (3.0, 3.3))
    alpha = MATRIX_METRICS["alpha"]
    narrow, wide = (
        compare_all([model(values, metric="alpha", width=width) for values in (first, second)], alpha)[0, 1]
        for width in (0.0, 5.0)
    )
    assert narrow == wide
    assert not narrow.tied


def test_a_sum_over_matrices_has_an_interval_of_sums_where_the_matrices_are_the_same() -> None:
    values = np.random.default_rng(0).normal(5, 1, 40)
    (found,) = compare_all(
        [model(named(each), metric="fro_dist") for each in (values + 0.7, values)], MATRIX_METRICS["fro_dist"]
    ).values()
    assert (found.value, found.lo, found.hi) == pytest.approx((28, 28, 28))
    assert not found.tied
    (found,) = compare_all(
        [model(named(each), metric="fro_dist") for each in (values, values[:30])], MATRIX_METRICS["fro_dist"]
    ).values()
    assert found.value == pytest.approx(values[30:].sum())
    assert np.isnan([found.lo, found.hi, found.p]).all()
    assert found.tied

"""Differences over layers: closed forms, and how often an interval contains the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wqscore
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.power_law import PowerLawFit
from wqscore.fits.sampling import USUAL
from wqscore.matrices.architecture import Architecture
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.differences import compare_all
from wqscore.refs import ModelRef
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.summary import summarise
from wqscore.spectra.spectrum import Spectrum

FIT = PowerLawFit(alpha=3.0, xmin=2.0, D=0.05, sigma=0.2, n_tail=100)


def model(
    values: dict[str, float], prefix: str = "", roles: int = 1, shape: tuple[int, int] = (64, 64)
) -> ModelScore:
    """A model whose matrices have these entropies, in so many roles in turn."""
    rows = []
    for place, (name, value) in enumerate(values.items()):
        stored = TensorRef(f"{prefix}{name}", shape, STORED_DTYPES["F32"], Path("model.safetensors"), place)
        matrix = WeightMatrix(f"{prefix}{name}", stored, Cut(shape), f"role{place % roles}", *shape)
        spectrum = Spectrum(np.ones(64), *shape, 1, 2.0**-24, "finite")
        rows.append(LayerScore(matrix, {"entropy": value}, "ok", "", (), spectrum, FIT))
    summary = summarise(rows, 10, DEFAULT, ("entropy",), {})
    return ModelScore(
        ModelRef("m", "folder"), None, "", Architecture(), 10, DEFAULT, USUAL, ("entropy",), tuple(rows), summary
    )


def named(values: np.ndarray) -> dict[str, float]:
    return {f"layers.{i}.weight": float(value) for i, value in enumerate(values)}


def difference(a: ModelScore, b: ModelScore) -> object:
    return compare_all([a, b], "entropy", 0)[0, 1]


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
    assert (found.pairs, found.lost, found.value) == (30, 3, 0)


def test_a_difference_is_bounded_by_what_the_lost_matrices_could_be() -> None:
    # Five values against the first three of them, and the two that are lost at 1 or at 9.
    values = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 8.0, "e": 9.0}
    found = difference(model(values), model({name: values[name] for name in "abc"}))
    assert (found.pairs, found.lost, found.value) == (3, 2, 0)
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
        ranking = wqscore.rank([str(source), str(tmp_path)], by=metric, metrics=metric)
        assert [(each.best, each.worst, each.ties) for each in ranking.models] == [(1, 2, ("a",))] * 2, metric

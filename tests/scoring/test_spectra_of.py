"""`score.spectrum(name)`: NumPy's eigenvalues, the fit's numbers, and the shuffle of the weights that were scored."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wqscore
from tests.cli.conftest import toy
from wqscore.errors import CheckpointError, UsageError
from wqscore.metrics.analysis import MatrixAnalysis


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spectra") / "model"
    toy(folder)
    return folder


@pytest.fixture(scope="module")
def score(folder: Path) -> wqscore.ModelScore:
    return wqscore.score(folder, bootstrap=0, gof=0)


def test_it_has_the_eigenvalues_and_the_fit(score: wqscore.ModelScore, folder: Path) -> None:
    found = score.spectrum("2.fc1")
    weights = load_file(folder / "model.safetensors")["layers.2.fc1.weight"].astype("f8")
    np.testing.assert_allclose(found.eigenvalues, np.linalg.svd(weights)[1][::-1] ** 2, rtol=1e-8)
    row = next(row for row in score.layers if row.matrix.name == found.name)
    assert found.fit == row.fit and found.fit is not None
    assert found.tail.size == found.fit.n_tail and found.tail[0] == found.fit.xmin
    assert (found.name, found.role, found.verdict) == ("layers.2.fc1.weight", row.matrix.role, row.verdict)
    assert found.bulk.sigma == pytest.approx(MatrixAnalysis(weights[None], row.spectrum, 0.0).bulk.sigma)
    assert found.shuffled is None
    assert len(repr(found)) < 200 and "64 eigenvalues" in repr(found)


def test_the_law_of_noise_has_the_area_of_its_bulk() -> None:
    noise = np.random.default_rng(0).standard_normal((600, 300))
    found = wqscore.score({"layers.0.fc1.weight": noise}, bootstrap=0, gof=0).spectrum("fc1")
    points, density = found.bulk_density
    share = 1 - found.bulk.num_spikes / found.fitted.size
    area = float(np.trapezoid(density * points, np.log(points)))
    assert area == pytest.approx(share, rel=0.02)
    assert points[-1] < found.bulk.bulk_max


def test_the_shuffle_is_that_of_the_metrics(score: wqscore.ModelScore, folder: Path) -> None:
    found = score.spectrum("2.fc1", shuffled=True)
    assert found.shuffled is not None
    weights = load_file(folder / "model.safetensors")["layers.2.fc1.weight"]
    row = next(row for row in score.layers if row.matrix.name == found.name)
    shuffles = MatrixAnalysis(weights[None], row.spectrum, 0.0).shuffles
    np.testing.assert_array_equal(found.shuffled, shuffles[0].eigenvalues)
    assert found.shuffled.sum() == pytest.approx(found.eigenvalues.sum())
    np.testing.assert_allclose(
        found.shuffled, np.linalg.svd(shuffles.matrix(0)[0].astype("f8"))[1][::-1] ** 2, rtol=1e-9, atol=1e-12
    )


def test_weights_that_have_changed_are_refused(tmp_path: Path) -> None:
    toy(tmp_path / "model")
    score = wqscore.score(tmp_path / "model", bootstrap=0, gof=0)
    before = score.spectrum("2.fc1").eigenvalues
    file = tmp_path / "model" / "model.safetensors"
    save_file({name: 2 * values for name, values in load_file(file).items()}, file)
    with pytest.raises(CheckpointError, match=r"layers\.2\.fc1\.weight"):
        score.spectrum("2.fc1", shuffled=True)
    np.testing.assert_array_equal(score.spectrum("2.fc1").eigenvalues, before)
    file.unlink()
    with pytest.raises(CheckpointError):
        score.spectrum("2.fc1", shuffled=True)


def test_a_model_in_memory_is_let_go_and_can_be_passed_again() -> None:
    rng = np.random.default_rng(4)
    weights = {f"layers.{i}.fc1.weight": rng.standard_t(3, (70, 60)) for i in range(3)}
    alive = [weakref.ref(array) for array in weights.values()]
    score = wqscore.score(weights, bootstrap=0, gof=0)
    copies = {name: array.copy() for name, array in weights.items()}
    with pytest.raises(CheckpointError, match="the model was in memory, and a score doesn't keep it: pass it again"):
        score.spectrum("1.fc1", shuffled=True)
    assert score.spectrum("1.fc1", shuffled=True, model=weights).shuffled is not None
    del weights
    gc.collect()
    assert [each() for each in alive] == [None] * 3
    copies["layers.1.fc1.weight"] *= 1.001
    with pytest.raises(CheckpointError, match="its weights are not those that were scored: score the model again"):
        score.spectrum("1.fc1", shuffled=True, model=copies)
    with pytest.raises(CheckpointError, match="is not in the model that was passed"):
        score.spectrum("1.fc1", shuffled=True, model={"layers.7.fc1.weight": copies["layers.0.fc1.weight"]})


def test_what_has_no_spectrum_says_why(tmp_path: Path) -> None:
    toy(tmp_path / "model", layers=2, **{"layers.9.fc1.weight": np.zeros((64, 64), "f4")})
    score = wqscore.score(tmp_path / "model", bootstrap=0, gof=0)
    with pytest.raises(CheckpointError, match="has no spectrum to draw: every weight is 0"):
        score.spectrum("9.fc1")
    with pytest.raises(UsageError, match="no matrix has 'fc7' in its name"):
        score.spectrum("fc7")

"""How large the page gets, and that it does not change by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.rendering.conftest import bert, score_tensors
from tests.rendering.html_page import Page
from wqscore.analysis import MatrixAnalysis
from wqscore.architecture import Architecture
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.power_law import fit_power_law
from wqscore.layers import LayerScore
from wqscore.matrices import roles
from wqscore.matrices.weight_matrix import Cut, SkippedTensor, WeightMatrix
from wqscore.metrics.registry import CORE
from wqscore.presets import DEFAULT
from wqscore.ranking import rank_models
from wqscore.refs import ModelRef
from wqscore.sampling import USUAL
from wqscore.scoring import ModelScore
from wqscore.spectra.spectrum import Spectrum
from wqscore.summary import summarise


def test_the_same_models_give_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    for seed in (0, 1):
        score_tensors(tmp_path / str(seed), "m", bert(seed))
    code = (
        "import sys, pathlib, hashlib\n"
        "from wqscore.checkpoints.opening import open_checkpoint\n"
        "from wqscore.ranking import rank_models\n"
        "from wqscore.refs import ModelRef\n"
        "from wqscore.scoring import score_checkpoint\n"
        "refs = [ModelRef(str(n), 'folder', path=pathlib.Path(sys.argv[1]) / str(n)) for n in range(2)]\n"
        "html = rank_models([score_checkpoint(open_checkpoint(ref)) for ref in refs]).to_html()\n"
        "print(len(html), hashlib.sha256(html.encode()).hexdigest())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environments = [os.environ | {"SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": seed} for seed in ("1", "2")]
    runs = [subprocess.run(command, env=env, capture_output=True, text=True, check=True) for env in environments]
    assert runs[0].stdout == runs[1].stdout
    assert int(runs[0].stdout.split()[0]) > 900_000


def full_size_bert(name: str, seed: int) -> ModelScore:
    """A model with the rows of a BERT of 12 layers, its spectra drawn instead of solved for."""
    rng = np.random.default_rng(seed)
    square = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    shapes = dict.fromkeys(square, (768, 768)) | {"intermediate.dense": (3072, 768), "output.dense": (768, 3072)}
    rows: list[LayerScore | SkippedTensor] = []
    for depth in range(12):
        for part, shape in shapes.items():
            tensor = f"bert.encoder.layer.{depth}.{part}.weight"
            stored = TensorRef(tensor, shape, STORED_DTYPES["F32"], Path("model.safetensors"), 0)
            matrix = WeightMatrix(tensor, stored, Cut(shape), roles.role_of(tensor), *shape, depth=depth)
            spectrum = Spectrum(np.sort(rng.pareto(2, 768) + 1e-3 * rng.random(768)), *shape, 1, 2.0**-24, "finite")
            fit = fit_power_law(spectrum.eigenvalues, spectrum.floor)
            analysis = MatrixAnalysis(np.empty((1, *shape)), spectrum, spectrum.floor)
            metrics = {metric: DEFAULT.function(metric)(analysis) for metric in CORE}
            rows.append(LayerScore(matrix, metrics, "ok", "", (), spectrum, fit))
            rows.append(SkippedTensor(tensor[:-6] + "bias", (768,), "F32", "-", "a bias or buffer", "not-a-matrix"))
    summary = summarise(rows, 110_000_000, DEFAULT, CORE, {})
    return ModelScore(
        ModelRef(name, "folder"),
        None,
        "bert",
        Architecture(),
        110_000_000,
        DEFAULT,
        USUAL,
        CORE,
        tuple(rows),
        summary,
    )


def test_five_berts_stay_under_two_and_a_half_megabytes() -> None:
    scores = [full_size_bert(f"org/bert-{seed}", seed) for seed in range(5)]
    html = rank_models(scores).to_html()
    assert len(html.encode()) < 2_500_000
    page = Page(html)
    assert len(page.table("model-5-layers").body) == 72
    models = {model["name"]: model["layers"] for model in page.data("explorer-data")["models"]}
    for score in scores:
        for drawn, layer in zip(models[score.ref.label], score.layers, strict=True):
            assert len(drawn["scan"]["D"]) <= 80
            assert min(drawn["scan"]["D"]) == pytest.approx(layer.fit.D, rel=5.1e-4)

"""How large the page gets, and that it does not change by itself."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.oracles import Oracle
from tests.reports.html.asking import Visit, wait_for_charts
from tests.reports.html.parsed import Page
from tests.small_models import bert, score_tensors
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.power_law import fit_power_law
from wqscore.fits.sampling import USUAL
from wqscore.matrices import roles
from wqscore.matrices.architecture import Architecture
from wqscore.matrices.weight_matrix import Cut, SkippedTensor, WeightMatrix
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.metrics.registry import CORE
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.ranking import rank_models
from wqscore.refs.reference import ModelRef
from wqscore.reports.csv import layers_csv
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.summary import summarise
from wqscore.spectra.spectrum import Spectrum

By = Oracle("selenium.webdriver.common.by", "By")


def test_the_same_models_give_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    for seed in (0, 1):
        score_tensors(tmp_path / str(seed), "m", bert(seed))
    code = (
        "import sys, pathlib, hashlib\n"
        "from wqscore.checkpoints.opening import open_checkpoint\n"
        "from wqscore.ranking.ranking import rank_models\n"
        "from wqscore.refs.reference import ModelRef\n"
        "from wqscore.scoring.score_checkpoint import score_checkpoint\n"
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
    data = page.data("page-data")
    models = json.loads(gzip.decompress(base64.b64decode(data["explorer"])))
    drawn = {told["name"]: model["layers"] for told, model in zip(data["models"], models, strict=True)}
    for score in scores:
        for row, layer in zip(drawn[score.ref.label], score.layers, strict=True):
            _, distances, _ = row["scan"]
            assert len(distances) <= 80
            assert min(distances) / data["steps"][1] == pytest.approx(layer.fit.D, abs=0.51 / data["steps"][1])


def mixture_of_experts(name: str, seed: int) -> ModelScore:
    """A model of 2,000 matrices, short spectra and metrics of all digits: their number is what makes a page."""
    rng = np.random.default_rng(seed)
    rows: list[LayerScore | SkippedTensor] = []
    for number in range(2000):
        tensor = f"model.layers.{number // 64}.mlp.experts.{number % 64}.down_proj.weight"
        stored = TensorRef(tensor, (2048, 96), STORED_DTYPES["F32"], Path("model.safetensors"), 0)
        matrix = WeightMatrix(tensor, stored, Cut((2048, 96)), roles.role_of(tensor), 2048, 96, depth=number // 64)
        spectrum = Spectrum(np.sort(rng.pareto(2, 96) + 1e-3), 2048, 96, 1, 2.0**-24, "finite")
        metrics = dict(zip(CORE, (5 * rng.random(len(CORE))).tolist(), strict=True))
        rows.append(LayerScore(matrix, metrics, "ok", "", (), spectrum, fit_power_law(spectrum.eigenvalues, 0.0)))
    summary = summarise(rows, 393_000_000, DEFAULT, CORE, {})
    return ModelScore(
        ModelRef(name, "folder"), None, "moe", Architecture(), 393_000_000, DEFAULT, USUAL, CORE, tuple(rows), summary
    )


@pytest.mark.oracle("axe_core_python", "selenium")
def test_five_mixtures_of_experts_stay_under_ten_megabytes(visit: Visit) -> None:
    scores = [mixture_of_experts(f"org/moe-{seed}", seed) for seed in range(5)]
    ranking = rank_models(scores)
    html = ranking.to_html()
    assert len(html.encode()) < 10_000_000
    page = Page(html)
    assert not any(table.attributes.get("id") == "model-1-layers" for table in page.tables)
    assert "2000 matrices and 0 skipped tensors are left out" in page.text
    assert "ranking.json is beside this page" in page.text
    packed = page.data("page-data")["files"]["layers.csv"]
    assert gzip.decompress(base64.b64decode(packed)).decode() == layers_csv(ranking.scores)
    browser = visit(html)
    wait_for_charts(browser)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#explorer-layer option")) == 2000
    assert browser.execute_script("return document.querySelectorAll('*').length") < 30_000
    first_row = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert 0 < browser.execute_script(first_row) < 10_000
    assert browser.get_log("browser") == []

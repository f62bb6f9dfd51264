"""The estimate of a store's size against stores that were written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.power_law import PowerLawFit
from wqscore.fits.sampling import USUAL
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.metrics.registry import CORE
from wqscore.planning.store_size import store_size
from wqscore.presets.registry import DEFAULT
from wqscore.scoring.cache_keys import DIGEST, row_method, spectrum_key
from wqscore.scoring.cached_row import row_value
from wqscore.scoring.layer_score import LayerScore
from wqscore.spectra.spectrum import Spectrum
from wqscore.stores.records import HeaderTensor, ResultKey, SeenModel
from wqscore.stores.store import Store

COUNT = 120


def matrix(number: int, rows: int, columns: int) -> WeightMatrix:
    name = f"model.layers.{number}.self_attn.q_proj.weight"
    tensor = TensorRef(name, (rows, columns), STORED_DTYPES["BF16"], Path("model.safetensors"), 10**9 + number)
    return WeightMatrix(name, tensor, Cut((rows, columns)), "attention.q", rows, columns)


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (3072, 768), (900, 1000), (4096, 1024), (4096, 4096)])
def test_within_a_fifth_of_what_is_written(rows: int, columns: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrices = [matrix(number, rows, columns) for number in range(COUNT)]
    spectra, results = {}, {}
    for each in matrices:
        content = f"lfs:{'5e' * 32}:{each.name}@{each.tensor.offset}:BF16{[rows, columns]}"  # type: ignore[union-attr]
        key = spectrum_key(each, content, DEFAULT)
        values = dict(zip(CORE, rng.random(len(CORE)).tolist(), strict=True))
        spectra[key] = Spectrum(np.sort(rng.random(min(rows, columns))), rows, columns, 1, 2.0**-8, "finite")
        row = LayerScore(each, values, "ok", "", (), spectra[key], PowerLawFit(*rng.random(4).tolist(), 99))
        results[ResultKey(key, row_method(DEFAULT, USUAL))] = row_value(row, {})
        results[ResultKey(key, DIGEST)] = rng.bytes(32).hex()
    path = tmp_path / "s"
    with Store.open(path) as store:
        empty = path.stat().st_size
        store.put(spectra, results)
        store.put_headers(
            {"5e" * 32: [HeaderTensor(m.name, "BF16", (rows, columns), 10**9, 10**7) for m in matrices]}
        )
        contents = frozenset(key.content for key in spectra)
        store.put_models([SeenModel("org/model", "a" * 40, datetime.now(UTC), contents)])
    assert store_size(matrices) == pytest.approx(path.stat().st_size - empty, rel=0.2)

"""Every metric under every preset on matrices that break careless code: a number, or NaN and a reason in the row."""

from __future__ import annotations

import csv
import io
import math
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from tests.cli.conftest import COMMAND, environment
from tests.examples import examples
from tests.metrics.bad_matrices import bad_matrices
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.sampling import Sampling
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.metrics.registry import MATRIX_METRICS, WHOLE_METRICS
from wqscore.presets.registry import PRESETS
from wqscore.refs.parsing import parse_ref
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.score_matrix import score_matrix

pytestmark = pytest.mark.filterwarnings("error")

BAD = bad_matrices()
EVERYTHING = "all,vectors,base"
NO_NUMBERS = {"nan", "-nan", "inf", "-inf", "infinity", "-infinity"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All bad matrices in one checkpoint, and a base of half their size."""
    folder = tmp_path_factory.mktemp("bad")
    halves = {kind: tensor / tensor.dtype.type(2) for kind, tensor in BAD.items()}
    for name, tensors in {"model": BAD, "base": halves}.items():
        (folder / name).mkdir()
        stored = {f"layers.{i}.{kind}.weight": np.ascontiguousarray(t) for i, (kind, t) in enumerate(tensors.items())}
        save_file(stored, folder / name / "model.safetensors")
    return folder


def planned(folder: Path, preset: str) -> dict[str, list[WeightMatrix]]:
    """The matrices of each tensor, by what is wrong with it."""
    matrices: dict[str, list[WeightMatrix]] = {kind: [] for kind in BAD}
    checkpoint = open_checkpoint(parse_ref(str(folder / "model")))
    for outcome in plan_matrices(checkpoint.tensors, ModelConfig({}), PRESETS[preset].matrices):
        assert isinstance(outcome, WeightMatrix)
        matrices[outcome.tensor.name.split(".")[2]].append(outcome)
    return matrices


def check(row: LayerScore) -> None:
    assert tuple(row.metrics) == tuple(MATRIX_METRICS)
    for name, value in row.metrics.items():
        assert not math.isinf(value), name
        if math.isnan(value):
            named = MATRIX_METRICS[name].undefined in row.reason and name in row.reason
            assert named or row.verdict in ("zero", "non-finite"), name
        elif MATRIX_METRICS[name].count:
            assert value == int(value), name
    assert row.reason or row.verdict == "ok"
    if row.fit is not None:
        assert np.isfinite([row.fit.alpha, row.fit.D, row.fit.sigma, row.fit.xmin]).all()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("kind", BAD)
def test_a_number_or_a_reason(folder: Path, preset: str, kind: str) -> None:
    for matrix in planned(folder, preset)[kind]:
        base = matrix.values(BAD[kind] / BAD[kind].dtype.type(2))
        check(
            score_matrix(
                matrix, BAD[kind], PRESETS[preset], tuple(MATRIX_METRICS), Sampling(bootstrap=5, gof=5), base
            )
        )


@pytest.mark.parametrize("preset", PRESETS)
def test_no_infinity_in_any_output(folder: Path, preset: str) -> None:
    ranking = wqscore.rank([str(folder / "model")], preset=preset, metrics=EVERYTHING, base=str(folder / "base"))
    (score,) = ranking.scores
    assert len(score.layers) >= len(BAD)
    for name, statistic in score.summary.statistics.items():
        for number in (statistic.median, statistic.mean, statistic.weighted_mean, statistic.total):
            assert not math.isinf(number), name
        assert 0 <= statistic.count <= len(score.layers)
    assert set(score.summary.values) == set(WHOLE_METRICS)
    for value in score.summary.values.values():
        assert math.isfinite(value.value) != bool(value.reason)
    for text in (score.to_csv(), ranking.to_csv()):
        assert not NO_NUMBERS & {cell.lower() for row in csv.reader(io.StringIO(text)) for cell in row}
    for row in csv.DictReader(io.StringIO(score.to_csv())):
        assert row["verdict"] == "ok" or row["reason"]


def test_the_command_says_no_more_than_its_progress(folder: Path) -> None:
    done = subprocess.run(
        [str(COMMAND), "score", "model", "--metrics", EVERYTHING, "--base", "base", "--format", "csv"],
        cwd=folder,
        env=environment(PYTHONWARNINGS="always"),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"model: \d+ matrices, [\d.]+ MB, [\d.]+ s\n", done.stderr)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["name"].split(".")[2] for row in rows] == list(BAD)
    assert not NO_NUMBERS & {str(cell).lower() for row in rows for cell in row.values()}


def test_verdicts(folder: Path) -> None:
    rows = {row.matrix.name.split(".")[2]: row for row in wqscore.score(str(folder / "model")).layers}
    expected = {
        "zero": {"one-by-one-zero", "zeros", "convolution-of-zeros", "denormal", "one-entry-denormal"},
        "non-finite": {"not-a-number", "infinite", "entries-of-1e300", "one-entry-of-1e300"},
        "too-small": {"one-by-one", "one-row", "one-column", "two", "two-equal", "three", "nine", "ten", "nineteen"}
        | {"forty-nine", "two-by-20000", "aspect-ratio-10000", "aspect-ratio-1000", "convolution-of-two"}
        | {"convolution-to-one"},
        "degenerate": {"identity", "permutation", "orthogonal", "constant", "constant-rows", "rank-1", "one-entry"}
        | {"nearly-equal", "rank-10-exactly", "outlier-entry", "smallest-square", "convolution-of-equals"},
    }
    for verdict, kinds in expected.items():
        for kind in kinds:
            assert rows[kind].verdict == verdict, kind
            assert rows[kind].reason, kind
    assert rows["rank-10"].fit is None or rows["rank-10"].fit.n_tail == 10
    for kind in ("rank-10", "rank-10-exactly", "rank-10-in-float32"):
        assert rows[kind].metrics["matrix_rank"] == 10, kind


_ENDS = [0.0, 5e-324, 1e-310, 2.0**-537, 1e-160, 1e-60, 1e-8, 1.0, 3.0, 1e8, 1e60, 1e150, 1e154, 1e300, math.inf]


@settings(max_examples=examples(60))
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.lists(st.sampled_from(_ENDS), min_size=1, max_size=4),
    st.sampled_from(sorted(PRESETS)),
)
def test_rows_of_any_scale(seed: int, shape: tuple[int, int], scales: list[float], preset: str) -> None:
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        array = rng.standard_t(2, shape) * rng.choice(scales, (shape[0], 1))
    stored = TensorRef("layers.0.fc1.weight", shape, STORED_DTYPES["F64"], Path("model.safetensors"), 0)
    for matrix in plan_matrices([stored], ModelConfig({}), PRESETS[preset].matrices):
        assert isinstance(matrix, WeightMatrix)
        check(
            score_matrix(
                matrix,
                array,
                PRESETS[preset],
                tuple(MATRIX_METRICS),
                Sampling(bootstrap=5, gof=5),
                matrix.values(array[::-1]),
            )
        )

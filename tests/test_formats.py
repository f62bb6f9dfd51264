"""Every row of docs/formats.md, on checkpoints that the format's own tool wrote."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import wqscore
from tests.formats import adapters, compressed, floats, folders, gguf_files, onnx_files, packed, quantised, unread
from tests.formats.made import Made, Make, torch, write
from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.cli import app
from wqscore.errors import CheckpointError
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore

PAGE = Path(__file__).parent.parent / "docs" / "formats.md"
MODULES = (floats, quantised, packed, compressed, gguf_files, adapters, folders, onnx_files, unread)
MAKERS: dict[str, Make] = {name: make for module in MODULES for name, make in module.ROWS.items()}


def table() -> dict[str, list[str]]:
    """The page's cells, by the first of each row."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows if row[0] != "stored as"}


TABLE = table()


def test_every_link_of_the_page_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(links) > len(TABLE)
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []


def scored(ref: Path | str) -> ModelScore:
    return wqscore.score(str(ref), metrics=["alpha", "log_norm"], bootstrap=0, gof=0, jobs=1)


def test_the_table_and_the_tests_are_of_the_same_formats() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(lines) == len(TABLE) + 1, "two rows of one name"
    assert set(TABLE) == set(MAKERS)
    assert {row[1] for row in TABLE.values()} == {"exactly", "decoded", "refused"}


@pytest.mark.oracle("accelerate", "bitsandbytes", "compressed_tensors", "onnx", "peft", "torch", "transformers")
@pytest.mark.parametrize("name", MAKERS)
def test_a_row_of_the_table(name: str, tmp_path: Path) -> None:
    claim = TABLE[name][1]
    (tmp_path / "made").mkdir()
    decoded = []
    for number, made in enumerate(MAKERS[name](tmp_path / "made")):
        assert bool(made.error or made.refused) == (claim == "refused")
        if made.error:
            check_nothing_is_read(made)
            continue
        score = scored(made.ref)
        check_every_tensor_is_a_row(score, made)
        check_reasons(score, made)
        check_weights(score, made)
        weights = nameless(made)
        if not weights:
            # Nothing is read of it, and a model of nothing is refused.
            assert not score.layers
            continue
        plain = scored(write(tmp_path / f"plain-{number}", weights))
        check_equal(score, plain, exactly=claim == "exactly")
        decoded += [row for row in score.layers if isinstance(row.matrix.tensor, DecodedTensor)]
    assert bool(decoded) == (claim == "decoded")


def check_nothing_is_read(made: Made) -> None:
    with pytest.raises(CheckpointError, match=re.escape(made.error)):
        scored(made.ref)
    done = CliRunner().invoke(app, ["score", str(made.ref)])
    assert done.exit_code == 3
    assert made.error in " ".join(done.stderr.split())
    assert not done.stdout


def check_every_tensor_is_a_row(score: ModelScore, made: Made) -> None:
    # What is in brackets is a part, an expert of a stack or a projection.
    names = {(row.matrix.name if isinstance(row, LayerScore) else row.name).partition("[")[0] for row in score.rows}
    assert set(made.stored) <= names


def check_reasons(score: ModelScore, made: Made) -> None:
    reasons = {row.name: row.reason for row in score.skipped}
    kinds = {row.name: row.kind for row in score.skipped}
    for name, reason in made.refused.items():
        assert reason in reasons[name]
        assert kinds[name] == "unread"
    if made.refused:
        assert CliRunner().invoke(app, ["score", str(made.ref), "--strict"]).exit_code == 3


def check_weights(score: ModelScore, made: Made) -> None:
    """What is scored is what the tool has, matrix by matrix, by numpy's singular values."""
    matrices = {name: w for name, w in made.weights.items() if w.ndim == 2 or w.squeeze().ndim > 1}
    rows = {row.matrix.name: row for row in score.layers}
    assert rows.keys() == matrices.keys()
    for name, row in rows.items():
        weight = matrices[name].double().numpy()
        slices = weight.reshape(*weight.shape[:2], -1)
        singular = np.linalg.svd(np.moveaxis(slices, -1, 0), compute_uv=False)
        expected = np.sort(singular.ravel())
        # A product of two thin matrices has zeros, which float32 makes as large as this.
        zero = 1e-7 * expected[-1]
        np.testing.assert_allclose(np.sqrt(row.spectrum.eigenvalues.clip(0)), expected, rtol=1e-6, atol=zero)
        assert row.metrics["log_norm"] == pytest.approx(np.log10((expected**2).sum()), rel=1e-6, abs=1e-6)
    if not made.refused:
        assert score.parameters == sum(weight.numel() for weight in made.weights.values())


def nameless(made: Made) -> dict[str, torch.Tensor]:
    """The same weights under names that mean nothing."""
    return {f"{n}.weight": weight.clone() for n, weight in enumerate(made.weights.values())}


def check_equal(score: ModelScore, plain: ModelScore, exactly: bool) -> None:
    """Matrix by matrix, in the order of their norms."""
    ours, theirs = (sorted(s.layers, key=lambda row: row.metrics["log_norm"]) for s in (score, plain))
    assert len(ours) == len(theirs)
    for own, other in zip(ours, theirs, strict=True):
        assert own.spectrum.rows * own.spectrum.columns == other.spectrum.rows * other.spectrum.columns
        if exactly:
            is_large = min(own.spectrum.rows, own.spectrum.columns) >= 50
            assert np.isfinite(own.metrics["alpha"]) or not is_large
            assert own.verdict == other.verdict
            for metric in ("alpha", "log_norm"):
                assert own.metrics[metric] == pytest.approx(other.metrics[metric], abs=1e-9, nan_ok=True)
        else:
            assert own.metrics["log_norm"] == pytest.approx(other.metrics["log_norm"], rel=1e-6)


@pytest.mark.oracle("accelerate", "bitsandbytes", "compressed_tensors", "onnx", "peft", "torch", "transformers")
def test_a_lora_adapter_of_low_rank_has_norms_and_no_alpha(tmp_path: Path) -> None:
    score = scored(next(MAKERS["LoRA adapter"](tmp_path)).ref)
    assert {row.verdict for row in score.layers} == {"too-small"}
    assert all(np.isfinite(row.metrics["log_norm"]) for row in score.layers)
    assert score.summary.statistics["alpha"].count == 0

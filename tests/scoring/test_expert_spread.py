"""The spread over experts, against NumPy on the rows' values, however the experts are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from wqscore.scoring.model_score import ModelScore

LAYERS, EXPERTS = 2, 5


def scored(folder: Path, tensors: dict[str, np.ndarray]) -> ModelScore:
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    return wqscore.score(str(folder), metrics="alpha,log_norm", bootstrap=0, gof=0)


@pytest.fixture(scope="module")
def stacks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rng.standard_t(3, (EXPERTS, 64, 72)) * 0.1).astype("f4") for _ in range(LAYERS)]


def test_the_spread_is_the_same_of_stacks_and_of_tensors_of_their_own(
    tmp_path: Path, stacks: list[np.ndarray]
) -> None:
    name = "model.layers.{}.mlp.experts"
    fused = scored(tmp_path / "fused", {f"{name}.down_proj".format(i): stack for i, stack in enumerate(stacks)})
    own = scored(
        tmp_path / "own",
        {
            f"{name}.{e}.down_proj.weight".format(i): m.copy()
            for i, stack in enumerate(stacks)
            for e, m in enumerate(stack)
        },
    )
    for score in (fused, own):
        found = score.summary.experts
        assert (found.stacks, found.experts) == (LAYERS, EXPERTS)
        norms = [np.log10((stack.astype("f8") ** 2).sum(axis=(1, 2))) for stack in stacks]
        expected = np.median([np.subtract(*np.quantile(values, [0.75, 0.25])) for values in norms])
        assert found.spread["log_norm"] == pytest.approx(expected, rel=1e-6)
    assert fused.summary.experts.spread["alpha"] == pytest.approx(own.summary.experts.spread["alpha"], rel=1e-9)


def test_a_dense_model_and_a_convolution_have_no_experts(tmp_path: Path, stacks: list[np.ndarray]) -> None:
    kernel = np.random.default_rng(1).standard_normal((64, 72, 3)).astype("f4")
    dense = scored(tmp_path / "dense", {"layers.0.fc1.weight": stacks[0][0].copy(), "layers.1.conv.weight": kernel})
    assert dense.summary.experts is None

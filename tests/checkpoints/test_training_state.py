"""Optimizer state and averaged copies are told from the model's own tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from wqscore.checkpoints.training_state import training_state

SHAPES = {f"layers.{i}.{part}.weight": (64, 64) for i in range(3) for part in ("query", "key", "dense")}
SHAPES |= {f"layers.{i}.norm.weight": (64,) for i in range(3)}


@dataclass(frozen=True)
class Named:
    """As much of a tensor as tells whether it is the model's."""

    name: str
    shape: tuple[int, ...]
    part_of: str = ""


def _left_out(names: dict[str, tuple[int, ...]]) -> set[str]:
    return set(training_state([Named(*each) for each in names.items()]))  # type: ignore[arg-type]


def _under(prefix: str, names: dict[str, tuple[int, ...]] = SHAPES) -> dict[str, tuple[int, ...]]:
    return {prefix + name: shape for name, shape in names.items()}


COPIES = {
    "behind the names": (SHAPES, _under("ema_model.")),
    "behind the model's prefix": (_under("model."), _under("ema_model.")),
    "behind both prefixes": (_under("model."), _under("ema_model.model.")),
    "torch's AveragedModel": (_under("module."), _under("swa_model.module.")),
    "dots dropped": (
        _under("model.diffusion_model."),
        {"model_ema." + f"diffusion_model.{name}".replace(".", ""): shape for name, shape in SHAPES.items()},
    ),
    "Flax": (
        {f"params/{name}".replace(".", "/"): shape for name, shape in SHAPES.items()},
        {f"ema_params/{name}".replace(".", "/"): shape for name, shape in SHAPES.items()},
    ),
    "DINO": (_under("student.backbone."), _under("teacher.backbone.")),
    "MoCo": (_under("encoder_q."), _under("encoder_k.")),
    "ALBEF": (_under("visual_encoder."), _under("visual_encoder_m.")),
    "BYOL": (_under("online_encoder."), _under("target_encoder.")),
    "critic": (_under("critic."), _under("critic_target.")),
}


@pytest.mark.parametrize("case", COPIES)
def test_a_copy_is_left_out(case: str) -> None:
    own, copy = COPIES[case]
    assert _left_out(own | copy) == set(copy)
    assert _left_out(copy | own) == set(copy)


@pytest.mark.parametrize("case", COPIES)
def test_a_copy_alone_is_the_model(case: str) -> None:
    assert not _left_out(COPIES[case][1])


@pytest.mark.parametrize(
    ("first", "second"),
    [("query_encoder.", "ctx_encoder."), ("text_model.", "vision_model."), ("a.", "b."), ("block_a.", "block_m.")],
)
def test_two_networks_of_one_shape_are_both_the_model(first: str, second: str) -> None:
    assert not _left_out(_under(first) | _under(second))


def test_a_teacher_of_another_shape_is_no_copy() -> None:
    assert not _left_out(_under("student.") | {f"teacher.{name}": (128, 64) for name in SHAPES})


@pytest.mark.parametrize(
    "name",
    [
        "optimizer.state.layers.0.query.weight.exp_avg",
        "opt_state/0/mu/layers/0/query/kernel",
        "state.3.exp_avg_sq",
        "optim.layers.0.weight.momentum_buffer",
        "lr_scheduler.last_lr",
        "optimizer_states.0.state.5.square_avg",
    ],
)
def test_optimizer_state_is_left_out(name: str) -> None:
    assert _left_out(SHAPES | {name: (64, 64)}) == {name}


@pytest.mark.parametrize(
    "name", ["optimum.query.weight", "grad_proj.weight", "average_pool.weight", "m.weight", "ema"]
)
def test_words_count_whole(name: str) -> None:
    assert not _left_out(SHAPES | {name: (64, 64)})


def test_neither_rows_nor_parameters_of_a_training_run_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    own = {name: rng.standard_t(3, shape).astype("f4") for name, shape in SHAPES.items()}
    extra = {f"ema_model.{name}": values * np.float32(1.0001) for name, values in own.items()}
    extra |= {f"optimizer.state.{name}.exp_avg": values * np.float32(0.5) for name, values in own.items()}
    extra |= {f"layers.{i}.tril": np.tril(np.ones((100 + i, 100 + i), "f4")) for i in range(3)}
    extra |= {"layers.0.buffer": np.tril(np.ones((90, 90), "f4"))}
    for folder, tensors in (("model", own), ("training", own | extra)):
        (tmp_path / folder).mkdir()
        save_file(tensors, tmp_path / folder / "model.safetensors")
    alone, beside = (wqscore.score(str(tmp_path / name), bootstrap=0, gof=0) for name in ("model", "training"))
    assert [row.matrix.name for row in beside.layers] == [row.matrix.name for row in alone.layers]
    assert [row.metrics["alpha"] for row in beside.layers] == [row.metrics["alpha"] for row in alone.layers]
    assert beside.summary.coverage == alone.summary.coverage == 1
    masks = sum((100 + i) ** 2 for i in range(3)) + 90**2
    assert (alone.parameters, beside.parameters) == (9 * 64 * 64 + 3 * 64, 9 * 64 * 64 + 3 * 64 + masks)
    reasons = {skip.name: skip.reason for skip in beside.skipped}
    assert set(reasons) == set(extra) | {name for name, shape in SHAPES.items() if len(shape) == 1}
    assert (
        reasons["ema_model.layers.0.query.weight"] == "a copy, ema_model, of the weights beside it: those are taken"
    )

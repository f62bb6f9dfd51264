"""The step that a checkpoint's name tells, in the layouts of trainers; and names that tell none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import ModelRef
from wqscore.refs.steps import Step, run_of, step_among_steps, step_in, step_of


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("checkpoint-500", 500),
        ("checkpoint_2_1000.pt", 1000),
        ("checkpoint12.pt", 12),
        ("step_1000", 1000),
        ("step1000", 1000),
        ("step-000500", 500),
        ("step1000-unsharded", 1000),
        ("stage1-step5000-tokens21B", 5000),
        ("global_step250", 250),
        ("step_10k", 10_000),
        ("step-2M", 2_000_000),
        ("epoch=3-step=1200.ckpt", 1200),
        ("step=1200-val_loss=0.31.ckpt", 1200),
        ("epoch_3_step_1200", 1200),
        ("iter_0000500", 500),
        ("iteration-7", 7),
        ("ep1-ba500-rank0.pt", 500),
        ("ckpt-0042.safetensors", 42),
        ("model_0004999.pth", 4999),
        ("lora-000010.safetensors", 10),
        ("checkpoint-0", 0),
    ],
)
def test_steps(name: str, step: int) -> None:
    assert step_in(name) == Step("step", step)


@pytest.mark.parametrize(
    ("name", "epoch"),
    [("epoch_7", 7), ("epoch=3.ckpt", 3), ("epoch-03", 3), ("ep4.pt", 4), ("val_loss=0.31-epoch=10.ckpt", 10)],
)
def test_epochs(name: str, epoch: int) -> None:
    assert step_in(name) == Step("epoch", epoch)


@pytest.mark.parametrize(
    "name",
    [
        "best",
        "final",
        "last.ckpt",
        "checkpoint-best",
        "bert-base",
        "opt-125m",
        "resnet-101",
        "run-20240501",
        "model-00001-of-00003.safetensors",
        "model.safetensors",
        "stepwise2",
        "footstep",
        "step_0.5",
        "pythia-70m",
        "v2",
        "seed1",
        "3000",
    ],
)
def test_names_without_a_step(name: str) -> None:
    assert step_in(name) is None


@given(st.integers(0, 10**12), st.sampled_from(["checkpoint-", "step_", "epoch=1-step=", "iter", "global_step"]))
@settings(max_examples=examples(40))
def test_any_number_is_read_in_any_padding(number: int, prefix: str) -> None:
    for text in (str(number), f"{number:015}"):
        assert step_in(f"{prefix}{text}") == Step("step", number)
        assert step_in(f"{prefix}{text}.ckpt") == Step("step", number)


def test_a_revision_on_the_hub_is_a_step_of_its_repository() -> None:
    ref = as_ref("org/model@step3000")
    assert (step_of(ref), run_of(ref)) == (Step("step", 3000), "org/model")
    assert step_of(as_ref("org/model-step")) is None


def test_a_run_is_the_parent_folder_as_typed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "checkpoint-5"
    folder.mkdir(parents=True)
    assert run_of(as_ref(str(folder))) == f"{folder.parent}/"
    assert run_of(ModelRef("checkpoint-5", "folder", path=Path("checkpoint-5"))) == "./"
    adapter = ModelRef("loras/step_20", "folder", path=Path("loras/step_20"))
    merged = ModelRef("base+loras/step_20", "folder", path=Path("base"), adapter=adapter)
    assert (step_of(merged), run_of(merged)) == (Step("step", 20), "loras/")


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("900", 900),
        ("run2-900", 900),
        ("model_3.safetensors", 3),
        ("seed1_2M", 2_000_000),
        ("checkpoint_2_1000.pt", 1000),
        ("step-100-of-500", 100),
        ("best", None),
        ("", None),
    ],
)
def test_among_checkpoints_of_one_run_the_last_number_is_the_step(name: str, step: int | None) -> None:
    assert step_among_steps(name) == (None if step is None else Step("step", step))


@given(st.integers(0, 10**9), st.sampled_from(["", "a-", "run3_", "v1.2-"]))
@settings(max_examples=examples(30))
def test_any_number_at_the_end_is_read(number: int, head: str) -> None:
    assert step_among_steps(f"{head}{number}") == Step("step", number)

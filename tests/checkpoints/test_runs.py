"""A folder of a training run stands for the checkpoints in it, in the layouts of trainers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.examples import examples
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.runs import checkpoints_in, expand_runs
from wqscore.errors import CheckpointError
from wqscore.refs.callers import as_ref, refs_of


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(*names: str) -> None:
    """Write files by name: weights of safetensors that open, and others as they come."""
    for name in names:
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".safetensors":
            save_file({"fc.weight": np.ones((4, 4), np.float32)}, file)
        else:
            file.write_bytes(b"{}")


def expanded(*refs: str) -> tuple[list[str], list[str]]:
    found = expand_runs([as_ref(ref) for ref in refs])
    return [ref.label for ref in found.refs], list(found.lines)


def models_in(folder: str, *below: str) -> list[str]:
    return [f"{folder}/{name}" for name in below]


def test_the_folder_of_a_trainer(desk: Path) -> None:
    for step in (1000, 500, 3000, 20):
        put(*models_in(f"runs/checkpoint-{step}", "model.safetensors", "config.json", "optimizer.pt", "scheduler.pt"))
    put("runs/training_args.bin", "runs/tokenizer.json", "runs/logs/events.out", "runs/.cache/model.safetensors")
    (desk / "runs/latest").symlink_to("checkpoint-3000")
    names = models_in("runs", "checkpoint-20", "checkpoint-500", "checkpoint-1000", "checkpoint-3000")
    assert expanded("runs/") == (names, ["runs/: 4 checkpoints, steps 20 to 3000"])
    assert expanded("runs", "runs/checkpoint-500")[0] == names


def test_the_folder_of_lightning_and_the_folders_above_it() -> None:
    put(*models_in("logs/version_0/checkpoints", "epoch=9-step=200.ckpt", "epoch=10-step=1200.ckpt", "last.ckpt"))
    put("logs/version_0/hparams.yaml")
    where = "logs/version_0/checkpoints"
    names = models_in(where, "epoch=9-step=200.ckpt", "epoch=10-step=1200.ckpt")
    said = "2 checkpoints, steps 200 to 1200; left out, as its name has no step: "
    assert expanded(where) == (names, [f"{where}/: {said}last.ckpt"])
    assert expanded("logs/version_0") == (names, [f"logs/version_0/: {said}checkpoints/last.ckpt"])
    assert expanded("logs")[0] == names


def test_epochs_adapters_and_folders_without_a_step() -> None:
    put(
        "a/epoch_2/adapter_model.safetensors", "a/epoch_2/adapter_config.json", "a/epoch_10/adapter_model.safetensors"
    )
    put("a/final/model.safetensors")
    assert expanded("a") == (
        models_in("a", "epoch_2", "epoch_10", "final"),
        ["a/: 3 checkpoints, epochs 2 to 10, 1 without a step"],
    )
    put("b/two/model.safetensors", "b/10/model.safetensors", "b/9/model.safetensors")
    assert expanded("b/") == (models_in("b", "9", "10", "two"), ["b/: 3 checkpoints"])


def test_runs_side_by_side_keep_their_order() -> None:
    for run in ("x", "y"):
        for step in (20, 3):
            put(f"all/{run}/step_{step}/model.safetensors")
    names = models_in("all", "x/step_3", "x/step_20", "y/step_3", "y/step_20")
    assert expanded("all") == (names, ["all/: 4 checkpoints, steps 3 to 20"])
    assert expanded("all/y", "all/x")[0] == [*names[2:], *names[:2]]


def test_files_of_one_folder_that_tell_steps_are_checkpoints() -> None:
    put(*models_in("k", "lora-step00000500.safetensors", "lora-step00001000.safetensors"))
    assert expanded("k")[0] == models_in("k", "lora-step00000500.safetensors", "lora-step00001000.safetensors")


def test_every_adapter_of_a_run_is_merged_into_the_base() -> None:
    put("base/model.safetensors", "loras/step_2/adapter_model.safetensors", "loras/step_1/adapter_model.safetensors")
    put("loras/step_1/adapter_config.json", "loras/step_2/adapter_config.json")
    names, lines = expanded("base+loras")
    assert names == ["base+loras/step_1", "base+loras/step_2"]
    assert lines == ["loras/: 2 checkpoints, steps 1 to 2"]


def test_a_model_stays_one_and_the_checkpoints_in_it_are_told_of() -> None:
    put("m/model.safetensors", "m/checkpoint-10/model.safetensors", "m/checkpoint-20/model.safetensors")
    line = "m/: one model; the 2 checkpoints in it are left out: name them (m/checkpoint-10, …)"
    assert expanded("m") == (["m"], [line])


def test_a_pipeline_and_shards_stay_one_model() -> None:
    put("pipe/model_index.json", "pipe/unet/diffusion_pytorch_model.safetensors")
    put(*models_in("sharded", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"))
    assert expanded("pipe", "sharded") == (["pipe", "sharded"], [])


def test_a_checkpoint_that_cannot_be_read_fails_and_is_not_left_out() -> None:
    put("runs/checkpoint-1/model.safetensors", "runs/checkpoint-2/__0_0.distcp", "runs/checkpoint-2/.metadata")
    put("runs/checkpoint-3/a.safetensors", "runs/checkpoint-3/b.safetensors")
    found = expand_runs(refs_of("runs")).refs
    assert [ref.label for ref in found] == models_in("runs", "checkpoint-1", "checkpoint-2", "checkpoint-3")
    open_checkpoint(found[0])
    for ref, reason in ((found[1], "distributed"), (found[2], "several weight files")):
        with pytest.raises(CheckpointError, match=reason):
            open_checkpoint(ref)


def test_without_a_checkpoint_every_folder_that_was_tried_is_named() -> None:
    put("runs/a/x.txt", "runs/b/c/y.txt", "runs/tf_model.h5")
    (found,) = expand_runs(refs_of("runs")).refs
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(found)
    assert str(error.value).startswith("runs: only .h5 weights, which are not read")
    assert str(error.value).endswith("; no checkpoint is in the folders below it either: a, b, b/c")


def test_an_empty_folder_says_what_it_said() -> None:
    Path("empty").mkdir()
    (found,) = expand_runs(refs_of("empty")).refs
    with pytest.raises(CheckpointError, match="empty: no weights"):
        open_checkpoint(found)


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of folders that the user may not list, which no mode keeps from root."""
    names: set[str] = set()
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    return names


def test_a_folder_that_may_not_be_read_is_one_failed_model(locked: set[str]) -> None:
    put("good/model.safetensors", "mine/model.safetensors")
    locked.add("mine")
    found = expand_runs(refs_of(["good", "mine"])).refs
    assert [ref.label for ref in found] == ["good", "mine"]
    with pytest.raises(CheckpointError, match=r"^mine: can't be read: Permission denied$"):
        open_checkpoint(found[1])
    assert checkpoints_in(as_ref("mine")).lines == ("mine: can't be read: Permission denied",)


@pytest.mark.parametrize(("name", "others"), [("checkpoint-2", ["runs/checkpoint-2"]), ("private", [])])
def test_one_below_a_run_costs_the_others_nothing(locked: set[str], name: str, others: list[str]) -> None:
    put("runs/checkpoint-1/model.safetensors", "runs/checkpoint-3/model.safetensors", f"runs/{name}/x.safetensors")
    locked.add(name)
    names, _ = expanded("runs")
    assert names == sorted(["runs/checkpoint-1", "runs/checkpoint-3", *others])


def test_names_of_a_dict_come_before_the_checkpoints() -> None:
    put("runs/step_1/model.safetensors", "runs/step_2/model.safetensors")
    found = expand_runs(refs_of({"mine": "runs"})).refs
    assert [ref.label for ref in found] == ["mine/step_1", "mine/step_2"]


@given(st.sets(st.integers(0, 10**9), min_size=1, max_size=6), st.sampled_from(["checkpoint-", "step_", "iter"]))
@settings(max_examples=examples(15))
def test_checkpoints_are_in_the_order_of_numbers(steps: Iterable[int], prefix: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for step in steps:
            put(f"{folder}/{prefix}{step}/model.safetensors")
        (names, lines), ordered = expanded(folder), sorted(steps)
    assert names == [f"{folder}/{prefix}{step}" for step in ordered]
    assert len(lines) == 1


def test_the_checkpoints_in_a_folder_also_beside_a_model_and_broken_ones() -> None:
    put("m/model.safetensors", "m/checkpoint-10/model.safetensors", "m/run/step_3/model.safetensors", "m/20/x.txt")
    Path("m/step_30").mkdir()
    Path("m/logs").mkdir()
    found = checkpoints_in(as_ref("m"))
    assert {ref.label for ref in found.refs} == {"m/checkpoint-10", "m/run/step_3", "m/20", "m/step_30"}
    alone = checkpoints_in(as_ref("m/checkpoint-10"))
    assert (alone.refs, len(alone.lines)) == ((), 1) and "m/checkpoint-10: is one checkpoint" in alone.lines[0]
    assert checkpoints_in(as_ref("m/model.safetensors")).lines == (
        "m/model.safetensors: is no folder of checkpoints",
    )
    assert "no such folder" in checkpoints_in(as_ref("./gone")).lines[0]

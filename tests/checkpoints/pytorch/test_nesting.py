"""Which part of what a training script saved is the model, and that it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checkpoints.pytorch.writer import legacy, mapping, plain, tensor, zipped
from tests.oracles import Oracle
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.checkpoints.pytorch.nesting import find_state_dict
from wqscore.errors import CheckpointError
from wqscore.refs.parsing import parse_ref
from wqscore.refs.weight_names import TORCH_SUFFIXES

torch = Oracle("torch")

both = pytest.mark.parametrize("write", [zipped, legacy])


def read(file: Path) -> tuple[list[str], list[str]]:
    said: list[str] = []
    return [ref.name for ref in read_torch_file(file, said.append)], said


@both
@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "module", "net", "ema", "params_ema"])
def test_the_key_that_was_taken_is_said(write, key, tmp_path):
    content = mapping(**{"epoch": plain(3), "optimizer": mapping(w=tensor()), key: mapping(w=tensor())})
    assert read(write(tmp_path / "m.pt", content)) == (
        ["w"],
        [f"m.pt: the weights under '{key}' are scored; left out: optimizer"],
    )


@both
def test_the_model_goes_before_its_average(write, tmp_path):
    content = mapping(ema=mapping(w=tensor()), model=mapping(w=tensor()), opt=mapping(m=tensor()))
    assert read(write(tmp_path / "m.pt", content))[1] == [
        "m.pt: the weights under 'model' are scored; left out: ema, opt"
    ]


@both
def test_two_keys_deep_if_nothing_lies_beside_the_second(write, tmp_path):
    deep = mapping(model=mapping(state_dict=mapping(w=tensor()), step=plain(1)))
    assert read(write(tmp_path / "m.pt", deep)) == (["w"], ["m.pt: the weights under 'model.state_dict' are scored"])
    beside = mapping(state_dict=mapping(model=mapping(w=tensor()), head=mapping(w=tensor())))
    assert read(write(tmp_path / "m.pt", beside)) == (
        ["model.w", "head.w"],
        ["m.pt: the weights under 'state_dict' are scored"],
    )


@both
def test_what_is_no_choice_is_not_said(write, tmp_path):
    for content in (mapping(w=tensor()), mapping(encoder=mapping(w=tensor()))):
        assert read(write(tmp_path / "m.pt", content))[1] == []


KEYS = st.sampled_from(["state_dict", "model", "ema", "optimizer", "net", "fc.weight"])


@given(st.recursive(st.just(1.0), lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=12))
def test_any_nesting_gives_a_part_of_it(value: Any) -> None:
    """Numbers stand for tensors."""

    def holds(part: Any) -> bool:
        return isinstance(part, dict) and any(each == 1.0 or holds(each) for each in part.values())

    if not holds(value):
        return
    found = find_state_dict(value, holds)
    inner = value
    for key in found.path:
        inner = inner[key]
    assert inner is found.state_dict
    assert holds(found.state_dict)
    assert bool(found.remark) == bool(found.path)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("zipped_or_not", [True, False])
@pytest.mark.parametrize("suffix", [*TORCH_SUFFIXES, ".pth.tar", ".weights", ""])
def test_a_file_of_any_suffix_is_opened_by_its_content(suffix: str, zipped_or_not: bool, tmp_path: Path) -> None:
    state = {"fc.weight": torch.randn(4, 3), "fc.bias": torch.randn(4)}
    file = tmp_path / f"best{suffix}"
    torch.save({"state_dict": state, "epoch": 3}, file, _use_new_zipfile_serialization=zipped_or_not)
    for ref in (file, tmp_path) if suffix.endswith(TORCH_SUFFIXES) else (file,):
        opened = open_checkpoint(parse_ref(str(ref)))
        assert {found.name for found in opened.tensors} == state.keys()
        for found in opened.tensors:
            np.testing.assert_array_equal(found.read(), state[found.name].numpy())
        assert opened.remarks == (f"{file.name}: the weights under 'state_dict' are scored",)


def test_safetensors_and_arrays_under_another_suffix(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    weight = np.arange(6, dtype="f4").reshape(2, 3)
    save_file({"w": weight}, tmp_path / "a.pt")
    with (tmp_path / "b.weights").open("wb") as stream:
        np.savez(stream, w=weight)
    for name in ("a.pt", "b.weights"):
        (found,) = open_checkpoint(parse_ref(str(tmp_path / name))).tensors
        np.testing.assert_array_equal(found.read(), weight)


class Net:
    """Replaced by a module of torch when the test runs."""


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("zipped_or_not", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_a_pickled_module_gets_advice(zipped_or_not: bool, nested: bool, tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 3))
    for saved, name in ((module, "torch.nn.modules.container.Sequential"), (_of_this_module(), f"{__name__}.Net")):
        file = tmp_path / "model.pt"
        torch.save({"model": saved} if nested else saved, file, _use_new_zipfile_serialization=zipped_or_not)
        with pytest.raises(CheckpointError) as refused:
            open_checkpoint(parse_ref(str(file)))
        assert str(refused.value) == (
            f"{file}: holds a pickled module ({name}), which only its code can restore: save its state_dict: "
            "torch.save(model.state_dict(), …); nothing was run"
        )


def _of_this_module() -> Any:
    own = type("Net", (torch.nn.Module,), {"__module__": __name__})
    globals()["Net"] = own
    return own()

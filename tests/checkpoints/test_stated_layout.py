"""What files say of the framework that wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wqscore.checkpoints.formats import open_file
from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.checkpoints.stated_layout import stated_layout
from wqscore.errors import CheckpointError
from wqscore.refs.callers import as_ref

ARRAY = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("metadata", "layout"),
    [
        ({"format": "pt"}, "torch"),
        ({"format": "mlx", "other": '"}'}, "mlx"),
        ({"format": "flax"}, "flax"),
        ({"format": "tf"}, "flax"),
        ({"format": "np"}, ""),
        ({"made_by": "hand"}, ""),
        (None, ""),
    ],
)
def test_the_format_of_safetensors(metadata: dict[str, str] | None, layout: str, tmp_path: Path) -> None:
    save_file({"a.weight": ARRAY}, tmp_path / "model.safetensors", metadata=metadata)
    assert stated_layout(open_file(tmp_path / "model.safetensors")[1]) == layout


def test_numpys_files_say_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", w=ARRAY)
    np.savez_compressed(tmp_path / "deflated.npz", w=ARRAY)
    for name in ("model.npz", "deflated.npz"):
        assert stated_layout(open_file(tmp_path / name)[1]) == ""
    assert stated_layout([]) == ""


@pytest.mark.oracle("torch")
def test_pickles_are_torchs(tmp_path: Path) -> None:
    import torch

    torch.save({"a.weight": torch.ones(2, 3)}, tmp_path / "pytorch_model.bin")
    assert stated_layout(open_file(tmp_path / "pytorch_model.bin")[1]) == "torch"


def test_a_file_that_is_gone_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a.weight": ARRAY}, file, metadata={"format": "mlx"})
    _, tensors = open_file(file)
    file.unlink()
    assert stated_layout(tensors) == ""


@pytest.mark.parametrize("kind", ["textual-inversion", "hypernetwork"])
def test_what_says_that_it_is_no_model_is_refused(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"emb_params": ARRAY}, file, metadata={"modelspec.architecture": f"stable-diffusion-v1/{kind}"})
    with pytest.raises(CheckpointError, match=f"is a {kind.replace('-', ' ')}, not a model"):
        open_file(file)


@pytest.mark.oracle("torch")
def test_arrays_in_memory_have_the_order_of_their_package() -> None:
    import torch

    for state, layout in (({"w": torch.ones(2, 3)}, "torch"), ({"w": ARRAY}, "")):
        checkpoint = open_in_memory(as_ref(state))
        assert stated_layout(checkpoint.tensors) == layout

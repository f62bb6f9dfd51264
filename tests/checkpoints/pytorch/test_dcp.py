"""A torch.distributed checkpoint is refused by name, and the conversion that the message recommends works."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.oracles import Oracle
from wqscore.checkpoints.pytorch.dcp import check_not_distributed
from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.errors import CheckpointError

torch = Oracle("torch")


@pytest.mark.oracle("torch")
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_checkpoint_that_torch_saved(tmp_path):
    distributed = Oracle("torch.distributed.checkpoint")
    model = torch.nn.Linear(4, 3)
    distributed.save({"model": model.state_dict()}, checkpoint_id=tmp_path / "dcp")
    with pytest.raises(CheckpointError) as refused:
        check_not_distributed({path.name for path in (tmp_path / "dcp").iterdir()}, "model")
    (function,) = re.findall(r"convert it with (\S+), into", str(refused.value))
    module, name = function.rsplit(".", 1)
    Oracle(module, name)(tmp_path / "dcp", tmp_path / "model.pt")
    read = {tensor.name: tensor.read() for tensor in read_torch_file(tmp_path / "model.pt")}
    np.testing.assert_array_equal(read["weight"], model.weight.detach().numpy())


@pytest.mark.parametrize("names", [[], ["model.safetensors"], ["global_step1/.metadata"], ["dcp/__0_0.distcp"]])
def test_other_folders(names):
    check_not_distributed(names, "model")

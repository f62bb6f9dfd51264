"""A network that torch exported to ONNX has the matrices of its state dict, value for value."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.decoding import with_decoded
from wqscore.checkpoints.onnx.file import read_onnx
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix

torch = Oracle("torch")
saving = Oracle("safetensors.torch")

pytestmark = pytest.mark.oracle("onnx", "torch")


def matrices(tensors):
    """The values of every matrix, ordered by their sums, so that names don't matter."""
    planned = plan_matrices(tensors, ModelConfig({}), MatrixRules())
    found = [m for m in planned if isinstance(m, WeightMatrix)]
    values = [np.asarray(m.values(m.tensor.read())) for m in found]
    return sorted(values, key=lambda each: (each.shape, float(np.abs(each.astype(np.float64)).sum())))


def export(model, inputs, path, folding):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), inputs, path, dynamo=False, do_constant_folding=folding)


def check(model, inputs, folder, folding):
    export(model, inputs, folder / "m.onnx", folding)
    state = {name: t.contiguous() for name, t in model.state_dict().items()}
    saving.save_file(state, folder / "m.safetensors", {"format": "pt"})
    ours = matrices(with_decoded(*read_onnx(folder / "m.onnx")))
    theirs = matrices(read_safetensors(folder / "m.safetensors"))
    assert len(ours) == len(theirs)
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("folding", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers(kind, bidirectional, folding, tmp_path):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = getattr(torch.nn, kind)(5, 6, num_layers=2, bidirectional=bidirectional)
            self.out = torch.nn.Linear(12 if bidirectional else 6, 7)

        def forward(self, x):
            return self.out(self.cell(x)[0])

    torch.manual_seed(0)
    check(Model(), (torch.randn(3, 2, 5),), tmp_path, folding)


LAYERS = st.sampled_from(["linear", "no-bias", "conv", "grouped", "transposed", "embedding", "norm"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(12), deadline=None)
@given(kinds=st.lists(LAYERS, min_size=1, max_size=6), folding=st.booleans())
def test_random_networks(tmp_path, kinds, folding):
    nn = torch.nn
    make = {
        "linear": lambda: nn.Linear(8, 8),
        "no-bias": lambda: nn.Linear(8, 8, bias=False),
        "conv": lambda: nn.Conv1d(8, 8, 3, padding=1),
        "grouped": lambda: nn.Conv1d(8, 8, 3, padding=1, groups=4),
        "transposed": lambda: nn.ConvTranspose1d(8, 8, 3, padding=1),
        "embedding": lambda: nn.Embedding(9, 8),
        "norm": lambda: nn.LayerNorm(8),
    }

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([make[kind]() for kind in kinds])

        def forward(self, x, tokens):
            for kind, layer in zip(kinds, self.layers, strict=True):
                if kind == "embedding":
                    x = x + layer(tokens)
                elif kind in ("conv", "grouped", "transposed"):
                    x = layer(x.transpose(1, 2)).transpose(1, 2)
                else:
                    x = layer(x)
            return x + 0 * tokens.unsqueeze(-1)

    torch.manual_seed(len(kinds))
    check(Model(), (torch.randn(2, 8, 8), torch.randint(0, 9, (2, 8))), tmp_path, folding)

"""ONNX models of torch's exporters and of the onnx package, against torch's weights and onnx's own reader."""

from __future__ import annotations

import numpy as np
import pytest

from tests.checkpoints.onnx.models import CODES, WEIGHT, Types, helper, numpy_helper, refusal, saved, weights
from tests.oracles import Oracle
from wqscore.checkpoints.onnx.file import read_onnx

torch = Oracle("torch")

pytestmark = pytest.mark.oracle("onnx", "onnxscript", "torch")


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_a_torch_model_keeps_its_names_and_singular_values(exporter, tmp_path):
    nn = torch.nn

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key = nn.Linear(8, 6), nn.Linear(8, 6, bias=False)

        def forward(self, x):
            return self.query(x) * self.key(x)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(11, 8)
            self.layer = nn.ModuleList([Attention(), Attention()])
            self.mlp = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Sequential(nn.Linear(5, 7)))
            self.conv = nn.Sequential(nn.Conv1d(7, 4, 3, bias=False))
            self.head = nn.Linear(8, 3)

        def forward(self, tokens):
            x = self.embedding(tokens)
            both = self.layer[0](x) + self.layer[1](x)
            return self.conv(self.mlp(both).transpose(1, 2)), self.head(x[:, 0])

    torch.manual_seed(0)
    model = Model().eval()
    path = tmp_path / "m.onnx"
    torch.onnx.export(model, (torch.randint(0, 11, (2, 7)),), path, dynamo=exporter == "dynamo")
    read, refusals = weights(path)
    assert not refusals
    for name, parameter in model.state_dict().items():
        expected = parameter.numpy()
        if expected.ndim == 2:
            spectra = [np.linalg.svd(matrix, compute_uv=False) for matrix in (read[name], expected)]
            np.testing.assert_allclose(spectra[0], spectra[1], rtol=1e-6)
        else:
            np.testing.assert_array_equal(read[name], expected)
    matrices = {name for name, array in read.items() if array.ndim > 1}
    assert matrices == {name for name, parameter in model.state_dict().items() if parameter.ndim > 1}


@pytest.mark.parametrize("type_name", ["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"])
@pytest.mark.parametrize("raw", [True, False])
def test_floats_however_they_are_stored(type_name, raw, tmp_path):
    data_type = getattr(Types, type_name)
    values = WEIGHT.astype(np.float64)
    content = values.astype(helper.tensor_dtype_to_np_dtype(data_type))
    tensor = helper.make_tensor("w", data_type, (6, 4), content.tobytes() if raw else values.ravel(), raw=raw)
    read, _ = weights(saved(tmp_path / "m.onnx", [tensor]))
    np.testing.assert_array_equal(
        read["w"].astype(np.float64), numpy_helper.to_array(tensor).astype(np.float64), strict=True
    )


def test_plain_numbers_are_ranges_of_bytes(tmp_path):
    path = saved(
        tmp_path / "m.onnx",
        [numpy_helper.from_array(WEIGHT, "raw"), helper.make_tensor("typed", Types.FLOAT, (6, 4), WEIGHT.ravel())],
    )
    tensors, decodings, _ = read_onnx(path)
    assert not decodings
    for tensor in tensors:
        assert path.read_bytes()[tensor.offset :][: tensor.nbytes] == WEIGHT.tobytes()


def test_external_data(tmp_path):
    arrays = {"a": WEIGHT, "b": WEIGHT[::-1].astype(np.float16), "c": CODES.astype(np.int64)}
    path = tmp_path / "m.onnx"
    saved(
        path,
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
        save_as_external_data=True,
        location="m.data",
        size_threshold=0,
    )
    tensors, _, _ = read_onnx(path)
    for tensor in tensors:
        assert tensor.file == tmp_path / "m.data"
        np.testing.assert_array_equal(tensor.read(), arrays[tensor.name], strict=True)
    (tmp_path / "m.data").write_bytes((tmp_path / "m.data").read_bytes()[:-1])
    assert "c: its data extends beyond the end of m.data" in refusal(path)
    (tmp_path / "m.data").unlink()
    assert "its data is in m.data, which is missing" in refusal(path)

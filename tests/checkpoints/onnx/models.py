"""Small ONNX models written by the onnx package, and how wqscore reads them; skipped without the package."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import Oracle
from wqscore.checkpoints.onnx.file import read_onnx
from wqscore.errors import CheckpointError

onnx, helper, numpy_helper = Oracle("onnx"), Oracle("onnx.helper"), Oracle("onnx.numpy_helper")
Types = Oracle("onnx", "TensorProto")

RNG = np.random.default_rng(8)
WEIGHT = RNG.standard_normal((6, 4), np.float32)
CODES = RNG.integers(-128, 128, (6, 4)).astype(np.int8)


def saved(path, initialisers, nodes=(), **arguments):
    graph = helper.make_graph(list(nodes), "g", [], [], list(initialisers))
    onnx.save(helper.make_model(graph), path, **arguments)
    return path


def node(operator, *inputs, name="", **attributes):
    return helper.make_node(operator, inputs, [f"{operator}_of_{inputs[0]}"], name=name, **attributes)


def weights(path):
    """All that can be scored, by name."""
    tensors, decodings, refusals = read_onnx(path)
    read = {tensor.name: tensor.read() for tensor in tensors}
    for decoding in decodings:
        read[decoding.name] = decoding.decode(*(part.read() for part in decoding.parts))
        assert read[decoding.name].shape == decoding.shape and read[decoding.name].dtype == np.float32
    return read, {refused.name: refused.reason for refused in refusals}


def refusal(path):
    with pytest.raises(CheckpointError) as error:
        read_onnx(path)
    assert "\n" not in str(error.value)
    return str(error.value)

"""Quantised ONNX initialisers against onnx's evaluator; names of folded weights; refused initialisers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.checkpoints.onnx.models import CODES, RNG, WEIGHT, Types, helper, node, numpy_helper, saved, weights
from tests.oracles import Oracle
from wqscore.checkpoints.onnx.file import read_onnx

pytestmark = pytest.mark.oracle("onnx")


def dequantised_by_onnx(codes, scale, zero, **attributes):
    """What onnx's reference evaluator makes of a DequantizeLinear."""
    reference = Oracle("onnx.reference")
    arrays = [array for array in (codes, scale, zero) if array is not None]
    names = ["x", "scale", "zero"][: len(arrays)]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, arrays, strict=True)
    ]
    output = helper.make_tensor_value_info("y", Types.FLOAT, codes.shape)
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", names, ["y"], **attributes)], "g", inputs, [output]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    return reference.ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))[0]


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("code", [np.int8, np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((), {}),
        ((1,), {}),
        ((6,), {"axis": 0}),
        ((4,), {}),
        ((4,), {"axis": -1}),
        ((3, 4), {"axis": 0, "block_size": 2}),
        ((6, 2), {"axis": 1, "block_size": 2}),
    ],
)
@pytest.mark.parametrize("with_zero", [True, False])
def test_codes_are_dequantised_as_onnx_does(raw, code, shape, attributes, with_zero, tmp_path):
    info = np.iinfo(code)
    codes = RNG.integers(info.min, info.max, (6, 4), dtype=code, endpoint=True)
    scale = RNG.uniform(0.5, 2, shape).astype(np.float32)
    zero = RNG.integers(info.min, info.max, shape, dtype=code, endpoint=True) if with_zero else None
    named = {"w_quantized": codes, "w_scale": scale} | ({"w_zero_point": np.asarray(zero)} if with_zero else {})
    initialisers = [
        numpy_helper.from_array(array, name)
        if raw
        else helper.make_tensor(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.ravel())
        for name, array in named.items()
    ]
    path = saved(tmp_path / "m.onnx", initialisers, [node("DequantizeLinear", *named, **attributes)])
    read, refusals = weights(path)
    if shape == (1,):
        scale, zero = scale[0], None if zero is None else zero[0]
    expected = dequantised_by_onnx(codes, np.asarray(scale), zero if zero is None else np.asarray(zero), **attributes)
    np.testing.assert_array_equal(read["w"], expected)
    assert "w" not in refusals


def test_a_folded_weight_of_codes_is_named_by_its_node(tmp_path):
    nodes = [
        node("DequantizeLinear", "onnx::MatMul_7_quantized", "s"),
        helper.make_node("Transpose", ["DequantizeLinear_of_onnx::MatMul_7_quantized"], ["t"]),
        node("MatMul", "x", "t", name="/encoder/encoder.0/fc/MatMul"),
    ]
    initialisers = [
        numpy_helper.from_array(CODES, "onnx::MatMul_7_quantized"),
        numpy_helper.from_array(np.array(0.5, np.float32), "s"),
    ]
    read, _ = weights(saved(tmp_path / "m.onnx", initialisers, nodes))
    np.testing.assert_array_equal(read["encoder.0.fc.weight"], CODES.astype(np.float32) / 2)


def test_a_name_that_is_taken_is_not_given_again(tmp_path):
    initialisers = [
        numpy_helper.from_array(WEIGHT, name) for name in ("fc.weight", "onnx::MatMul_1", "val_2", "val_3")
    ]
    nodes = [
        node("MatMul", "x", "onnx::MatMul_1", name="/fc/MatMul"),
        node("MatMul", "x", "val_2", name="/twice/MatMul"),
        node("MatMul", "x", "val_3", name="/twice/MatMul_1"),
    ]
    tensors, _, _ = read_onnx(saved(tmp_path / "m.onnx", initialisers, nodes))
    assert [tensor.name for tensor in tensors] == ["fc.weight", "onnx::MatMul_1", "val_2", "val_3"]


def codes():
    return numpy_helper.from_array(CODES, "w")


def scale():
    return numpy_helper.from_array(np.ones(4, np.float32), "s")


@pytest.mark.parametrize(
    ("initialisers", "nodes", "reason"),
    [
        (lambda: [codes()], lambda: [node("MatMulInteger", "x", "w")], "I8 codes without a Dequant"),
        (lambda: [codes()], lambda: [node("DequantizeLinear", "w", "s")], "is computed"),
        (lambda: [codes(), scale()], lambda: [node("DequantizeLinear", "w", "s", axis=0)], "do not fit"),
        (lambda: [codes(), scale()], lambda: [node("DequantizeLinear", "w", "s", axis=9)], "do not fit"),
        (
            lambda: [codes(), scale()],
            lambda: [node("DequantizeLinear", "w", "s", block_size=-2)],
            "do not fit",
        ),
        (
            lambda: [codes(), scale(), numpy_helper.from_array(np.zeros(4, np.uint8), "z")],
            lambda: [node("DequantizeLinear", "w", "s", "z")],
            "zero points are not of",
        ),
        (lambda: [codes(), scale()], lambda: [node("DequantizeLinear", "s", "w")], "I8 codes without"),
        (lambda: [helper.make_tensor("w", Types.INT4, (2, 2), [1, 2, 3, 4])], list, "INT4 codes without"),
        (
            lambda: [helper.make_tensor("w", Types.FLOAT8E5M2, (2, 2), [1.0, 2.0, 3.0, 4.0])],
            list,
            "F8_E5M2 codes without",
        ),
        (lambda: [helper.make_tensor("w", Types.STRING, (1,), [b"a"])], list, "STRING numbers are not read"),
        (
            lambda: [helper.make_tensor("w", Types.FLOAT8E4M3FN, (1, 2), b"ab", raw=True), scale()],
            lambda: [node("DequantizeLinear", "w", "s")],
            "F8_E4M3 codes",
        ),
    ],
)
def test_initialisers_that_are_not_read_are_named(initialisers, nodes, reason, tmp_path):
    _, _, refusals = read_onnx(saved(tmp_path / "m.onnx", initialisers(), nodes()))
    assert any(refused.name == "w" and reason in refused.reason for refused in refusals)


def test_sparse_initialisers_are_named(tmp_path):
    graph = helper.make_graph([], "g", [], [])
    graph.sparse_initializer.add().values.CopyFrom(numpy_helper.from_array(np.ones(2, np.float32), "w"))
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    assert [refused.name for refused in read_onnx(tmp_path / "m.onnx")[2]] == ["w"]

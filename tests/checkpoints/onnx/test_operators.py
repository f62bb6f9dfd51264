"""What takes a tensor says what it is: layers of any name, against numpy and onnx's evaluator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.checkpoints.onnx.models import Types, helper, numpy_helper, saved
from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.decoding import with_decoded
from wqscore.checkpoints.onnx.file import read_onnx
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

pytestmark = pytest.mark.oracle("onnx")

RNG = np.random.default_rng(15)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def node(operator, inputs, out="y", **attributes):
    return helper.make_node(operator, inputs, [out], **attributes)


def outcomes(path):
    """The planned matrices and skips of a model, and what is read of each tensor."""
    tensors = with_decoded(*read_onnx(path))
    return plan_matrices(tensors, ModelConfig({}), MatrixRules())


def planned(tmp_path, tensors, *nodes):
    initialisers = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    return outcomes(saved(tmp_path / "m.onnx", initialisers, nodes))


def matrices(tmp_path, tensors, *nodes):
    """Name, role and values, (slices, rows, columns), of each matrix."""
    found = planned(tmp_path, tensors, *nodes)
    assert all(isinstance(each, WeightMatrix) for each in found), found
    return {m.name: (m.role, m.values(m.tensor.read())) for m in found}


def only_matrix(tmp_path, tensors, *nodes):
    ((role, values),) = matrices(tmp_path, tensors, *nodes).values()
    assert values.shape[0] == 1
    return role, values[0]


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("sides", [(3,), (1, 1), (3, 2), (2, 2, 3)])
@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_a_convolution_of_any_name(operator, sides, groups, tmp_path):
    kernel = normal(8, 12 // groups if operator == "Conv" else 4, *sides)
    found = matrices(tmp_path, {"mask": kernel}, node(operator, ["x", "mask"], group=groups))
    role, values = found["mask"]
    assert role == "conv"
    np.testing.assert_array_equal(values, np.moveaxis(kernel.reshape(*kernel.shape[:2], -1), -1, 0))


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("operator", ["Gemm", "FusedMatMul"])
def test_products_that_transpose_a_factor(operator, position, flip, tmp_path):
    """As (out, in): the evaluator's Jacobian of the output by the other factor."""
    stored = normal(5, 3)
    inputs = ["w", "x"] if position == 0 else ["x", "w"]
    name = "transA" if position == 0 else "transB"
    _, found = only_matrix(tmp_path, {"w": stored}, node(operator, inputs, **{name: flip}))
    weight = stored.T if flip else stored
    if operator == "Gemm":
        x = np.eye(weight.shape[1] if position == 0 else weight.shape[0], dtype=np.float32)
        y = evaluated(node(operator, inputs, **{name: flip}), {"w": stored, "x": x})
        np.testing.assert_allclose(found, y if position == 0 else y.T, rtol=1e-6)
    np.testing.assert_array_equal(found, weight if position == 0 else weight.T)


def evaluated(the_node, values):
    names = [name for name in the_node.input if name]
    infos = [helper.make_tensor_value_info(n, Types.FLOAT, values[n].shape) for n in names]
    graph = helper.make_graph([the_node], "g", infos, [helper.make_tensor_value_info("y", Types.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    return Oracle("onnx.reference").ReferenceEvaluator(model).run(None, values)[0]


def test_matmul_of_a_stack_is_a_matrix_an_item(tmp_path):
    stack = normal(3, 5, 4)
    found = matrices(tmp_path, {"experts": stack}, node("MatMul", ["x", "experts"]))
    assert list(found) == ["experts[0]", "experts[1]", "experts[2]"]
    for n, (_, values) in enumerate(found.values()):
        np.testing.assert_array_equal(values[0], stack[n].T)


@pytest.mark.parametrize(
    ("equation", "shape", "expected"),
    [
        ("btd,dnh->btnh", (6, 2, 3), lambda w: w.reshape(6, 6).T),
        ("btnh,nhd->btd", (2, 3, 5), lambda w: w.reshape(6, 5).T),
        ("bd,ed->be", (4, 7), lambda w: w),
        ("b d , d e -> b e", (4, 7), lambda w: w.T),
    ],
)
def test_einsum_by_its_equation(equation, shape, expected, tmp_path):
    weight = normal(*shape)
    _, found = only_matrix(tmp_path, {"w": weight}, node("Einsum", ["x", "w"], equation=equation))
    np.testing.assert_array_equal(found, expected(weight))


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("operator", "gates"), [("LSTM", "iofg"), ("GRU", "zrn"), ("RNN", [""])])
def test_recurrent_layers_are_cut_into_gates(operator, gates, directions, tmp_path):
    tensors = {"a": normal(directions, len(gates) * 6, 5), "b": normal(directions, len(gates) * 6, 6)}
    tensors["bias"] = normal(directions, len(gates) * 12)
    found = planned(tmp_path, tensors, node(operator, ["x", "a", "b", "bias"], hidden_size=6))
    assert [type(each) for each in found if each.name.startswith("bias")] == [SkippedTensor]
    read = {m.name: m.values(m.tensor.read())[0] for m in found if isinstance(m, WeightMatrix)}
    assert len(read) == 2 * directions * len(gates)
    for name in "ab":
        for direction, prefix in enumerate(("", "reverse")[:directions]):
            for n, gate in enumerate(gates):
                label = ".".join(filter(None, (prefix, gate)))
                rows = tensors[name][direction, n * 6 : (n + 1) * 6]
                np.testing.assert_array_equal(read[f"{name}[{label}]" if label else name], rows)


@pytest.mark.oracle("torch")
def test_gates_that_torch_stores_and_the_graph_reorders(tmp_path):
    """As torch exports an LSTM: slices of the stored weight joined in ONNX's order."""
    weight = normal(24, 5)
    cuts = {name: np.array([value]) for name, value in {"0": 0, "6": 6, "12": 12, "18": 18, "24": 24}.items()}
    slices = [
        node("Slice", ["w", begin, end, "0"], f"s{n}")
        for n, (begin, end) in enumerate([("0", "6"), ("18", "24"), ("6", "12"), ("12", "18")])
    ]
    joined = node("Concat", ["s0", "s1", "s2", "s3"], "joined", axis=0)
    nodes = [*slices, joined, node("Unsqueeze", ["joined", "0"], "one"), node("LSTM", ["x", "one", "r"])]
    found = planned(tmp_path, {"w": weight, **cuts}, *nodes)
    read = {m.name: m.values(m.tensor.read())[0] for m in found if isinstance(m, WeightMatrix)}
    for n, gate in enumerate("ifgo"):
        np.testing.assert_array_equal(read[f"w[{gate}]"], weight[n * 6 : (n + 1) * 6])


def test_a_table_that_is_looked_up_is_an_embedding_also_where_it_is_the_head(tmp_path):
    table = normal(9, 4)
    nodes = [node("Gather", ["w", "tokens"], "h"), node("Transpose", ["w"], "t"), node("MatMul", ["h", "t"])]
    role, found = only_matrix(tmp_path, {"w": table}, *nodes)
    assert role == "embedding"
    np.testing.assert_array_equal(found, table)


@pytest.mark.parametrize("operator", ["Add", "Mul", "Where", "PRelu"])
def test_what_is_taken_element_by_element_is_no_weight(operator, tmp_path):
    inputs = ["c", "x", "w"] if operator == "Where" else ["x", "w"]
    (skipped,) = planned(tmp_path, {"w": normal(6, 6)}, node(operator, inputs))
    assert (skipped.kind, skipped.reason) == ("not-a-matrix", f"no layer's weight: {operator} takes it")


def test_a_weight_that_the_graph_computes_is_refused(tmp_path):
    nodes = [node("Mul", ["w", "mask"], "masked"), node("MatMul", ["x", "masked"])]
    found = planned(tmp_path, {"w": normal(6, 6), "mask": normal(6, 6)}, *nodes)
    assert {(each.kind, each.reason) for each in found} == {
        ("unread", "the graph computes the weight from it (Mul): not read")
    }


def test_an_operator_that_is_not_known_leaves_it_to_the_name(tmp_path):
    tensors = {"encoder.layer.0.attention.self.query.weight": normal(6, 6), "odd": normal(2, 3, 4, 5)}
    nodes = [helper.make_node("Own", ["x", name], [f"{name}y"], domain="elsewhere") for name in tensors]
    scored, skipped = planned(tmp_path, tensors, *nodes)
    assert (scored.role, skipped.reason) == ("attention.q", "4-D tensor of a kind that is not known")


def quantised(weight, axis):
    away = tuple(a for a in range(weight.ndim) if a != axis)
    scale = (np.abs(weight).max(axis=away) / 127).astype(np.float32)
    wide = np.expand_dims(scale, away)
    codes = np.clip(np.round(weight / wide), -127, 127).astype(np.int8)
    return codes, scale, codes * wide


def test_quantised_operators_that_have_their_scale_beside_them(tmp_path):
    kernel, weight = normal(6, 4, 3), normal(5, 7)
    codes, scale, expected = quantised(kernel, 0)
    other, step, product = quantised(weight, 1)
    tensors = {
        "k": codes,
        "ks": scale,
        "kz": np.zeros(6, np.int8),
        "w": other,
        "ws": step,
        "wz": np.zeros(7, np.int8),
    }
    found = planned(
        tmp_path,
        tensors,
        node("QLinearConv", ["x", "xs", "xz", "k", "ks", "kz", "ys", "yz"], "y1"),
        node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], "y2"),
    )
    read = {m.name: m.values(m.tensor.read()) for m in found if isinstance(m, WeightMatrix)}
    np.testing.assert_allclose(read["k"], np.moveaxis(expected, -1, 0), rtol=1e-6)
    np.testing.assert_allclose(read["w"][0], product.T, rtol=1e-6)


def test_codes_of_four_bits_that_are_dequantised(tmp_path):
    codes = RNG.integers(-8, 8, (6, 4))
    tensor = helper.make_tensor("w", Types.INT4, (6, 4), codes.ravel())
    scale = numpy_helper.from_array(np.full(6, 0.5, np.float32), "s")
    nodes = [node("DequantizeLinear", ["w", "s"], "d", axis=0), node("Gemm", ["x", "d"], transB=1)]
    found = outcomes(saved(tmp_path / "m.onnx", [tensor, scale], nodes))
    (matrix,) = [m for m in found if isinstance(m, WeightMatrix)]
    np.testing.assert_array_equal(matrix.values(matrix.tensor.read())[0], codes / 2)


@pytest.mark.parametrize(("bits", "columns"), [(4, 64), (4, 50), (8, 40), (2, 64)])
@pytest.mark.parametrize("with_zero", [True, False])
def test_packed_codes_of_matmulnbits(bits, columns, with_zero, tmp_path):
    """Its codes lie along the input in blocks of 32, the first in the lowest bits."""
    rows, block, per_byte = 6, 32, 8 // bits
    blocks = -(-columns // block)
    codes = RNG.integers(0, 1 << bits, (rows, blocks * block))
    zeros = RNG.integers(0, 1 << bits, (rows, -(-blocks // per_byte) * per_byte))
    if not with_zero:
        zeros[:] = 1 << (bits - 1)
    scale = RNG.uniform(0.5, 1, (rows, blocks)).astype(np.float32)
    shifts = np.arange(per_byte) * bits
    tensors = {
        "w": (codes.reshape(rows, blocks, -1, per_byte) << shifts).sum(-1).astype(np.uint8),
        "s": scale.ravel(),
        "z": (zeros.reshape(rows, -1, per_byte) << shifts).sum(-1).astype(np.uint8).ravel(),
    }
    inputs = ["x", "w", "s", "z"] if with_zero else ["x", "w", "s"]
    attributes = {"K": columns, "N": rows, "bits": bits, "block_size": block}
    found = planned(
        tmp_path,
        tensors,
        helper.make_node("MatMulNBits", inputs, ["y"], domain="com.microsoft", **attributes),
    )
    (matrix,) = [m for m in found if isinstance(m, WeightMatrix)]
    wide = [np.repeat(each[:, :blocks], block, axis=1) for each in (zeros, scale)]
    np.testing.assert_allclose(matrix.values(matrix.tensor.read())[0], ((codes - wide[0]) * wide[1])[:, :columns])


def test_packed_codes_that_are_not_read_count_as_the_weights_they_stand_for(tmp_path):
    tensors = {"w": RNG.integers(0, 256, (6, 2, 16)).astype(np.uint8), "s": normal(12), "g": np.arange(64)}
    attributes = {"K": 64, "N": 6, "bits": 4, "block_size": 32}
    operator = helper.make_node("MatMulNBits", ["x", "w", "s", "", "g"], ["y"], domain="com.microsoft", **attributes)
    found = planned(tmp_path, tensors, operator)
    (skipped,) = [each for each in found if each.name == "w"]
    assert (skipped.kind, skipped.weights) == ("unread", 6 * 64)


#: Each turns an array of two dimensions into the one that the graph computes, and the node that does.
def _steps():
    return st.lists(st.sampled_from(["Transpose", "Cast", "Reshape", "Identity", "Unsqueeze"]), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(80))
@given(steps=_steps(), rows=st.integers(2, 5), columns=st.integers(2, 5), data=st.data())
def test_a_weight_is_followed_to_the_layer_that_takes_it(tmp_path, steps, rows, columns, data):
    """Whatever lies between, the matrix is the one by which the layer multiplies."""
    array = np.random.default_rng(rows).standard_normal((rows, columns)).astype(np.float32)
    tensors, nodes, value, name = {"w": array}, [], array, "w"
    for n, step in enumerate(steps):
        out, inputs, attributes = f"v{n}", [name], {}
        if step == "Transpose":
            axes = data.draw(st.permutations(range(value.ndim)))
            value, attributes = value.transpose(axes), {"perm": axes}
        elif step == "Cast":
            attributes = {"to": Types.FLOAT}
        elif step == "Reshape":
            shape = data.draw(
                st.sampled_from([(rows, columns), (columns, -1), (1, rows, columns), (rows * columns, 1)])
            )
            value, inputs = value.reshape(shape), [name, f"shape{n}"]
            tensors[f"shape{n}"] = np.array(shape)
        elif step == "Unsqueeze":
            value, inputs = value[None], [name, f"axes{n}"]
            tensors[f"axes{n}"] = np.array([0])
        nodes.append(node(step, inputs, out, **attributes))
        name = out
    nodes.append(node("MatMul", ["x", name]))
    found = [each for each in planned(tmp_path, tensors, *nodes) if each.name.startswith("w")]
    stack = np.swapaxes(value.reshape(-1, *value.shape[-2:]), 1, 2)
    assert len(found) == len(stack)
    for each, expected in zip(found, stack, strict=True):
        np.testing.assert_array_equal(each.values(each.tensor.read())[0], expected)

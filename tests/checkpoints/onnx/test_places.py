"""Every place in which an ONNX model can hold a tensor, against the arrays that were written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.checkpoints.onnx.models import RNG, WEIGHT, Types, helper, node, numpy_helper, onnx, weights
from tests.examples import examples
from wqscore.checkpoints.onnx.file import read_onnx
from wqscore.errors import CheckpointError

pytestmark = pytest.mark.oracle("onnx")

KERNEL = RNG.standard_normal((6, 4, 1, 1), np.float32)


def written(path, graph, functions=(), **arguments):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], functions=list(functions))
    onnx.save(model, path, **arguments)
    return path


def constant(name, **value):
    return helper.make_node("Constant", [], [name], **value)


def dense(name, array=WEIGHT):
    return constant(name, value=numpy_helper.from_array(array))


def sparse(array, flat):
    indices = np.argwhere(array)
    numbers = numpy_helper.from_array(array[tuple(indices.T)], "values")
    if flat:
        indices = np.flatnonzero(array)
    return helper.make_sparse_tensor(numbers, numpy_helper.from_array(indices, "indices"), array.shape)


def branch(name, *nodes):
    return helper.make_graph(list(nodes), name, [], [helper.make_tensor_value_info("y", Types.FLOAT, None)])


def product(x, weight, out):
    return helper.make_node("MatMul", [x, weight], [out])


def test_a_constant_in_the_main_graph(tmp_path):
    path = written(tmp_path / "m.onnx", helper.make_graph([dense("w"), product("x", "w", "y")], "g", [], []))
    read, refused = weights(path)
    np.testing.assert_array_equal(read["w"], WEIGHT.T)
    assert not refused


def test_constants_inside_branches_of_one_name_each(tmp_path):
    """Both branches call their weight `w`; an `If` inside an `If` has another."""
    inner = branch("inner", dense("deep", WEIGHT * 3), product("x", "deep", "y"))
    branches = {
        "then_branch": branch("then", dense("w"), product("x", "w", "y")),
        "else_branch": branch(
            "else",
            dense("w", WEIGHT * 2),
            product("x", "w", "z"),
            helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
        ),
    }
    choice = helper.make_node("If", ["c"], ["y"], name="choice", **branches)
    read, refused = weights(written(tmp_path / "m.onnx", helper.make_graph([choice], "g", [], [])))
    assert {name: array[0, 0] / WEIGHT[0, 0] for name, array in read.items() if "w" in name} == {
        "choice.then_branch.w": 1,
        "choice.else_branch.w": 2,
    }
    assert sum("deep" in name for name in read) == 2
    assert not refused


def test_an_initialiser_of_a_loop_and_one_from_around_it(tmp_path):
    body = helper.make_graph(
        [product("x", "outer", "h"), product("h", "inner", "y")],
        "body",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in (("i", Types.INT64), ("c", Types.BOOL))],
        [helper.make_tensor_value_info("c", Types.BOOL, None)],
        [numpy_helper.from_array(WEIGHT.T.copy(), "inner")],
    )
    loop = helper.make_node("Loop", ["n", "c"], [], body=body)
    graph = helper.make_graph([loop], "g", [], [], [numpy_helper.from_array(WEIGHT, "outer")])
    read, _ = weights(written(tmp_path / "m.onnx", graph))
    np.testing.assert_array_equal(read["outer"], WEIGHT.T)
    np.testing.assert_array_equal(read["inner"], WEIGHT)


def test_a_function_that_holds_a_weight_and_takes_another(tmp_path):
    transposed = helper.make_node("Gemm", ["h", "given"], ["y"])
    reference = onnx.AttributeProto(name="transB", type=onnx.AttributeProto.INT, ref_attr_name="flip")
    transposed.attribute.append(reference)
    function = helper.make_function(
        "own",
        "Dense",
        ["x", "given"],
        ["y"],
        [dense("own_weight"), product("x", "own_weight", "h"), transposed],
        [helper.make_opsetid("", 21)],
        ["flip"],
    )
    call = helper.make_node("Dense", ["x", "w"], ["y"], domain="own", flip=1)
    graph = helper.make_graph([call], "g", [], [], [numpy_helper.from_array(WEIGHT, "w")])
    read, _ = weights(written(tmp_path / "m.onnx", graph, [function]))
    np.testing.assert_array_equal(read["own_weight"], WEIGHT.T)
    np.testing.assert_array_equal(read["w"], WEIGHT)


def test_functions_that_call_each_other_without_end(tmp_path):
    """Each calls the next one twice, and the last the first."""
    names = [f"f{n}" for n in range(40)]
    functions = [
        helper.make_function(
            "own", name, ["w"], ["y"], [helper.make_node(following, ["w"], [out], domain="own") for out in "zy"], []
        )
        for name, following in zip(names, [*names[1:], "f0"], strict=True)
    ]
    call = helper.make_node("f0", ["w"], ["y"], domain="own")
    graph = helper.make_graph([call], "g", [], [], [numpy_helper.from_array(WEIGHT, "w")])
    read, _ = weights(written(tmp_path / "m.onnx", graph, functions))
    np.testing.assert_array_equal(read["w"], WEIGHT)


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("place", ["initialiser", "constant"])
def test_sparse_tensors(flat, place, tmp_path):
    array = np.where(RNG.random((6, 4)) < 0.4, WEIGHT, 0)
    stored = sparse(array, flat)
    nodes = [product("x", "w", "y")]
    if place == "constant":
        nodes = [constant("w", sparse_value=stored), *nodes]
    graph = helper.make_graph(nodes, "g", [], [])
    if place == "initialiser":
        stored.values.name = "w"
        graph.sparse_initializer.append(stored)
    read, refused = weights(written(tmp_path / "m.onnx", graph))
    np.testing.assert_array_equal(read["w"], array.T)
    assert not refused


def test_a_sparse_tensor_of_a_billion_zeros_is_refused(tmp_path):
    stored = sparse(np.eye(2, dtype=np.float32), flat=True)
    stored.dims[:] = [100_000, 100_000]
    stored.values.name = "w"
    graph = helper.make_graph([], "g", [], [])
    graph.sparse_initializer.append(stored)
    _, refused = weights_refused(written(tmp_path / "m.onnx", graph))
    assert "unfolds to more than" in refused["w"]


def weights_refused(path):
    tensors, _, refusals = read_onnx(path)
    return tensors, {each.name: each.reason for each in refusals}


def test_a_row_of_floats_that_is_reshaped(tmp_path):
    nodes = [
        constant("row", value_floats=WEIGHT.ravel().tolist()),
        constant("sizes", value_ints=[4, -1]),
        helper.make_node("Reshape", ["row", "sizes"], ["w"]),
        product("x", "w", "y"),
    ]
    read, refused = weights(written(tmp_path / "m.onnx", helper.make_graph(nodes, "g", [], [])))
    np.testing.assert_array_equal(read["row"], WEIGHT.reshape(4, 6).T)
    assert not refused


def test_constants_that_are_no_parameters_are_left_out(tmp_path):
    nodes = [
        dense("w"),
        constant("shape", value=numpy_helper.from_array(np.array([2, 3]))),
        constant("eps", value_float=1e-5),
        constant("text", value_string="a"),
        constant("axes", value_ints=[1, 2]),
        dense("bias", np.ones(6, np.float32)),
        product("x", "w", "y"),
    ]
    tensors, _, _ = read_onnx(written(tmp_path / "m.onnx", helper.make_graph(nodes, "g", [], [])))
    assert [tensor.name for tensor in tensors] == ["w", "bias"]


def test_external_data_of_a_constant(tmp_path):
    (tmp_path / "m.data").write_bytes(WEIGHT.tobytes())
    tensor = Types(dims=WEIGHT.shape, data_type=Types.FLOAT, data_location=Types.EXTERNAL)
    tensor.external_data.add(key="location", value="m.data")
    graph = helper.make_graph([constant("w", value=tensor), product("x", "w", "y")], "g", [], [])
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    read, _ = weights(tmp_path / "m.onnx")
    np.testing.assert_array_equal(read["w"], WEIGHT.T)


PLACES = st.sampled_from(["initialiser", "constant", "branch", "function", "sparse"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))
@given(places=st.lists(PLACES, min_size=1, max_size=5), rows=st.integers(2, 6), columns=st.integers(2, 6))
def test_wherever_a_weight_stands_it_is_found(tmp_path, places, rows, columns):
    rng = np.random.default_rng(len(places))
    arrays = [rng.standard_normal((rows, columns)).astype(np.float32) for _ in places]
    graph = helper.make_graph([], "g", [], [])
    functions = []
    for n, (place, array) in enumerate(zip(places, arrays, strict=True)):
        name = f"w{n}"
        if place == "initialiser":
            graph.initializer.append(numpy_helper.from_array(array, name))
        elif place == "constant":
            graph.node.append(dense(name, array))
        elif place == "sparse":
            stored = sparse(array, flat=n % 2 == 0)
            stored.values.name = name
            graph.sparse_initializer.append(stored)
        elif place == "branch":
            inside = branch("b", dense(name, array), product("x", name, "y"))
            graph.node.append(helper.make_node("If", ["c"], [f"y{n}"], then_branch=inside, else_branch=branch("e")))
            continue
        else:
            body = [dense(name, array), product("x", name, "y")]
            functions.append(helper.make_function("own", f"F{n}", ["x"], ["y"], body, []))
            graph.node.append(helper.make_node(f"F{n}", ["x"], [f"y{n}"], domain="own"))
            continue
        graph.node.append(product("x", name, f"y{n}"))
    read, refused = weights(written(tmp_path / "m.onnx", graph, functions))
    assert not refused
    for n, array in enumerate(arrays):
        np.testing.assert_array_equal(read[f"w{n}"], array.T)


def test_names_of_the_scopes_are_kept_where_they_are_single(tmp_path):
    inside = branch("b", dense("single", KERNEL), node("Conv", "x", "single"))
    graph = helper.make_graph(
        [helper.make_node("If", ["c"], ["y"], then_branch=inside, else_branch=branch("e"))], "g", [], []
    )
    read, _ = weights(written(tmp_path / "m.onnx", graph))
    np.testing.assert_array_equal(read["single"], KERNEL)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(150))
@given(st.data())
def test_changed_bytes_of_nested_graphs_give_one_clear_line_or_tensors_in_the_file(tmp_path, data):
    stored = sparse(np.where(WEIGHT > 0, WEIGHT, 0), flat=False)
    inside = branch("b", dense("w"), product("x", "w", "y"), constant("s", sparse_value=stored))
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=inside, else_branch=inside),
        constant("row", value_floats=[1.0, 2.0, 3.0, 4.0]),
        constant("sizes", value_ints=[2, 2]),
        helper.make_node("Reshape", ["row", "sizes"], ["square"]),
        helper.make_node("F", ["square"], ["z"], domain="own"),
    ]
    function = helper.make_function("own", "F", ["v"], ["y"], [product("x", "v", "y")], [])
    graph = helper.make_graph(nodes, "g", [], [])
    content = bytearray(helper.make_model(graph, functions=[function]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    try:
        tensors, decodings, refusals = read_onnx(path)
        assert all(0 <= each.offset <= each.offset + each.nbytes <= len(content) for each in tensors)
        for decoding in decodings:
            if decoding.name not in {each.name for each in refusals}:
                assert decoding.decode(*(part.read() for part in decoding.parts)).shape == decoding.shape
    except CheckpointError as error:
        assert "\n" not in str(error)

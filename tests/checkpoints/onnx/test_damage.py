"""Forged ONNX models: wrong sizes, numbers and offsets."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.checkpoints.onnx.models import CODES, WEIGHT, Types, helper, node, numpy_helper, refusal
from tests.examples import examples
from wqscore.checkpoints.onnx.file import read_onnx
from wqscore.checkpoints.onnx.graph import MAX_ENTRIES
from wqscore.checkpoints.onnx.wire import MAX_FIELDS
from wqscore.errors import CheckpointError


def varint(number):
    """As protobuf writes it."""
    low = bytes([number & 0x7F | (0x80 if number > 0x7F else 0)])
    return low + (varint(number >> 7) if number > 0x7F else b"")


@pytest.mark.oracle("onnx")
@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "../m.data"}, "outside the model's folder"),
        ({"location": "/etc/passwd"}, "outside the model's folder"),
        ({"location": "a/../../m.data"}, "outside the model's folder"),
        ({"location": "..\\m.data"}, "outside the model's folder"),
        ({"location": ""}, "outside the model's folder"),
        ({}, "outside the model's folder"),
        ({"location": "."}, "outside the model's folder"),
        ({"location": "m.data", "offset": "-1"}, "offset or length that does not fit"),
        ({"location": "m.data", "offset": "x"}, "offset or length that does not fit"),
        ({"location": "m.data", "offset": "9" * 400}, "offset or length that does not fit"),
        ({"location": "m.data", "length": "95"}, "offset or length that does not fit"),
        ({"location": "m.data", "offset": "5"}, "its data extends beyond the end of m.data"),
        ({"location": "sub"}, "is missing"),
        ({"location": "m" * 300}, "no file name"),
        ({"location": "nul.data"}, "no file name"),
        ({"location": "m.data:stream"}, "no file name"),
    ],
)
def test_external_data_that_is_not_to_be_trusted(entries, message, tmp_path):
    (tmp_path / "m.data").write_bytes(WEIGHT.tobytes())
    (tmp_path / "sub").mkdir()
    tensor = Types(name="w", dims=(6, 4), data_type=Types.FLOAT, data_location=Types.EXTERNAL)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(helper.make_graph([], "g", [], [], [tensor])).SerializeToString())
    with pytest.raises(CheckpointError, match=message):
        read_onnx(path)


@pytest.mark.oracle("onnx")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dims": [7, 4]}, "w: has 96 bytes, which (7, 4) of F32 do not fit"),
        ({"dims": [-1]}, "negative or larger than any memory"),
        ({"dims": [2**62, 2**62]}, "negative or larger than any memory"),
        ({"dims": [0, 2**62, 2**62]}, "negative or larger than any memory"),
        ({"dims": [1] * 65}, "more than 64 dimensions"),
        ({"float_data": [1.0]}, "has its numbers twice"),
        ({"name": ""}, "or one has none"),
        ({"name": "v"}, "have the same name"),
        ({"name": "n" * 10_001}, "name of 10001 bytes"),
        ({"raw_data": b""}, "has 0 bytes"),
        ({"raw_data": b"", "int32_data": [1] * 96}, "do not fit"),
    ],
)
def test_initialisers_that_contradict_themselves(changes, message, tmp_path):
    fields = {"name": "w", "dims": [6, 4], "data_type": Types.FLOAT, "raw_data": WEIGHT.tobytes()} | changes
    path = tmp_path / "m.onnx"
    graph = helper.make_graph([], "g", [], [], [numpy_helper.from_array(WEIGHT, "v"), Types(**fields)])
    path.write_bytes(helper.make_model(graph).SerializeToString())
    assert message in refusal(path)


@pytest.mark.oracle("onnx")
def test_varints_of_another_count_than_the_shape(tmp_path):
    tensor = helper.make_tensor("w", Types.FLOAT16, (2, 2), [1.0, 2.0, 3.0, 4.0])
    tensor.int32_data[0] = 1
    tensor.int32_data.append(1)
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(helper.make_graph([], "g", [], [], [tensor])).SerializeToString())
    _, (decoding,), _ = read_onnx(path)
    with pytest.raises(CheckpointError, match="has 5 numbers, its shape says 4"):
        decoding.decode(decoding.parts[0].read())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 graphs"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x3a\x00" * 2, "has 2 graphs"),
        (b"\x3a\xff\xff\xff\xff\x7f", "ends after the message"),
        (b"\x3a" + b"\xff" * 11, "does not end"),
        (b"\x3b", "unknown wire type"),
        (b"\x38\x01", "a number where"),
        (b"PK\x03\x04", "not an ONNX model"),
    ],
)
def test_files_that_are_something_else(content, message, tmp_path):
    (tmp_path / "m.onnx").write_bytes(content)
    assert message in refusal(tmp_path / "m.onnx")
    assert "can't be read" in refusal(tmp_path / "none.onnx")


def test_a_small_file_of_very_many_nodes(tmp_path):
    """Each of them takes two bytes in the file."""
    nodes = b"\x0a\x00" * (MAX_ENTRIES + 1)
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x3a" + varint(len(nodes)) + nodes)
    assert f"more than {MAX_ENTRIES} initialisers and nodes" in refusal(path)


def test_a_small_file_of_very_many_fields(tmp_path):
    inputs = b"\x0a\x00" * (MAX_FIELDS + 1)
    node = b"\x0a" + varint(len(inputs)) + inputs
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x3a" + varint(len(node)) + node)
    assert f"more than {MAX_FIELDS} fields" in refusal(path)


@pytest.mark.oracle("onnx")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(200))
@given(st.data())
def test_changed_bytes_give_one_clear_line_or_tensors_in_the_file(tmp_path, data):
    initialisers = [
        numpy_helper.from_array(CODES, "w_quantized"),
        helper.make_tensor("s", Types.FLOAT16, (4,), [1, 2, 3, 4]),
        helper.make_tensor("v", Types.FLOAT, (2, 2), [1, 2, 3, 4]),
    ]
    graph = helper.make_graph([node("DequantizeLinear", "w_quantized", "s")], "g", [], [], initialisers)
    content = bytearray(helper.make_model(graph).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    try:
        tensors, decodings, _ = read_onnx(path)
        for tensor in tensors:
            assert 0 <= tensor.offset <= tensor.offset + tensor.nbytes <= len(content)
        for decoding in decodings:
            assert decoding.decode(*(part.read() for part in decoding.parts)).shape == decoding.shape
    except CheckpointError as error:
        assert "\n" not in str(error)
